import type { Store } from '../../store/store.ts'
import { inSlices } from '../http/slices.ts'

/** Those who wait for a plan to change: they look again whenever nodes have, one after the other. */
export type NodeWatch = {
  /**
   * The first answer that there is, or what `late` says after `timeoutMs` or when it is over.
   * `answer` is asked at once, and then only after a commit that concerns nodes.
   */
  until<T>(answer: () => T | undefined, timeoutMs: number, late: () => T): Promise<T>
}

export const watchNodes = (store: Store, stopping: AbortSignal): NodeWatch => {
  const waiters = new Set<() => void>()
  let looking = false
  let again = false
  const look = async (): Promise<void> => {
    again = true
    if (looking) return
    looking = true
    while (again) {
      again = false
      await inSlices([...waiters], waiter => waiters.has(waiter) && waiter())
    }
    looking = false
  }
  const stop = store.watch(({ nodes }) => void (nodes && look()))
  stopping.addEventListener('abort', stop)
  return {
    until: <T>(answer: () => T | undefined, timeoutMs: number, late: () => T) =>
      new Promise<T>((resolve, reject) => {
        const settle = (value: () => T): void => {
          clearTimeout(timer)
          waiters.delete(waiter)
          stopping.removeEventListener('abort', end)
          try {
            resolve(value())
          } catch (error) {
            reject(error)
          }
        }
        const waiter = (): void => {
          const found = answer()
          if (found !== undefined) settle(() => found)
        }
        const end = (): void => settle(late)
        const timer = setTimeout(end, timeoutMs)
        waiters.add(waiter)
        stopping.addEventListener('abort', end)
        stopping.aborted ? end() : waiter()
      }),
  }
}
