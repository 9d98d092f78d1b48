// Those who wait for something to become so: they look again whenever anything has happened.

export type Waiting = {
  wake(): void
  /** Resolves with the first answer that there is, or after `timeoutMs` with what `late` says. Without a time-out it waits for ever. */
  until<T>(answer: () => T | undefined, timeoutMs?: number, late?: () => T): Promise<T>
}

export function waiting(): Waiting {
  const waiters = new Set<() => void>()
  return {
    wake() {
      for (const look of waiters) look()
    },
    until<T>(answer: () => T | undefined, timeoutMs?: number, late?: () => T) {
      return new Promise<T>(resolve => {
        let timer: NodeJS.Timeout | undefined
        const done = (value: T) => {
          clearTimeout(timer)
          waiters.delete(look)
          resolve(value)
        }
        const look = () => {
          const value = answer()
          if (value !== undefined) done(value)
        }
        if (timeoutMs !== undefined && late) timer = setTimeout(() => done(late()), timeoutMs)
        waiters.add(look)
        look()
      })
    },
  }
}
