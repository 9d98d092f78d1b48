// Those who wait for something to become so: they look again whenever anything has happened.
import type { Cancel, Clock } from './clock/clock.ts'

export type Waiting = {
  wake(): void
  /** Resolves with the first answer that there is, or after `timeoutMs` with what `late` says. Without a time-out it waits for ever. */
  until<T>(answer: () => T | undefined, timeoutMs?: number, late?: () => T): Promise<T>
}

export function waiting({ after }: Clock): Waiting {
  const waiters = new Set<() => void>()
  return {
    wake() {
      for (const look of waiters) look()
    },
    until<T>(answer: () => T | undefined, timeoutMs?: number, late?: () => T) {
      return new Promise<T>(resolve => {
        let cancel: Cancel | undefined
        const done = (value: T) => {
          cancel?.()
          waiters.delete(look)
          resolve(value)
        }
        const look = () => {
          const value = answer()
          if (value !== undefined) done(value)
        }
        if (timeoutMs !== undefined && late) cancel = after(timeoutMs, () => done(late()))
        waiters.add(look)
        look()
      })
    },
  }
}
