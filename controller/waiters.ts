// Those who wait for something to become so: they look again when something has happened that it may follow from.
import type { Cancel, Clock } from './clock/clock.ts'

export type Waiting = {
  /** Something happened that everybody may wait for. */
  wake(): void
  /** Something happened to these networks: whoever waits for another one is left alone. */
  wakeFor(networks: Iterable<string>): void
  /**
   * Resolves with the first answer that there is, or after `timeoutMs` with what `late` says. Without a time-out it waits for ever.
   * @param network The answer follows from what happens to this network, and from nothing else.
   */
  until<T>(answer: () => T | undefined, wait?: Wait<T>): Promise<T>
}

export type Wait<T> = { readonly timeoutMs: number; readonly late: () => T; readonly network: string }

export function waiting({ after }: Clock): Waiting {
  type Looks = Set<() => void>
  const general: Looks = new Set()
  const byNetwork = new Map<string, Looks>()
  const looksOf = (network: string | undefined): Looks => {
    if (network === undefined) return general
    const looks = byNetwork.get(network) ?? new Set()
    byNetwork.set(network, looks)
    return looks
  }
  const lookAt = (looks: ReadonlySet<() => void>) => {
    for (const look of looks) look()
  }
  return {
    wake() {
      lookAt(general)
      for (const looks of byNetwork.values()) lookAt(looks)
    },
    wakeFor(networks) {
      lookAt(general)
      for (const network of networks) lookAt(byNetwork.get(network) ?? nobody)
    },
    until<T>(answer: () => T | undefined, wait?: Wait<T>) {
      return new Promise<T>(resolve => {
        let cancel: Cancel | undefined
        const done = (value: T) => {
          cancel?.()
          const looks = looksOf(wait?.network)
          looks.delete(look)
          if (wait && looks.size === 0) byNetwork.delete(wait.network)
          resolve(value)
        }
        const look = () => {
          const value = answer()
          if (value !== undefined) done(value)
        }
        if (wait) cancel = after(wait.timeoutMs, () => done(wait.late()))
        looksOf(wait?.network).add(look)
        look()
      })
    },
  }
}

const nobody: ReadonlySet<() => void> = new Set()
