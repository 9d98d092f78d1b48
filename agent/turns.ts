/** One piece of work again and again: soon after it was asked for, never twice at a time, later and later while it fails. */

export type Turns = {
  /** Something has changed: work soon. Asked for while it works, it works once more. */
  soon(): void
  /** Works after so many milliseconds at the latest. */
  within(ms: number): void
  /** Resolves when the work that is under way is done. */
  close(): Promise<void>
}

/** Milliseconds that requests are gathered in, so that a hundred of them are one turn. */
const gather = 20
/** Milliseconds between two turns that nobody asked for, jittered by a fifth. */
const audit = 60_000
/** Milliseconds before work that failed is repeated, and at most. */
const retry = { first: 250, most: 10_000 }

/** @param failed Told of each failure, before the next turn. `ended` after each turn. */
export function takeTurns(
  work: () => Promise<void>,
  { failed, ended }: { failed(error: Error): void; ended(seconds: number): void },
): Turns {
  let wanted = false
  let running: Promise<void> | undefined
  let alarm: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined
  let delay = retry.first
  let closed = false
  const within = (ms: number) => {
    const at = performance.now() + ms
    if (closed || (alarm && alarm.at <= at)) return
    clearTimeout(alarm?.timer)
    alarm = { at, timer: setTimeout(turn, ms) }
  }
  const soon = () => {
    wanted = true
    if (!running) within(gather)
  }
  const turn = () => {
    alarm = undefined
    wanted = running !== undefined
    if (running || closed) return
    const began = performance.now()
    running = once().finally(() => {
      running = undefined
      ended((performance.now() - began) / 1000)
      within(audit * (0.8 + Math.random() * 0.4))
      if (wanted) soon()
    })
  }
  const once = async () => {
    try {
      await work()
      delay = retry.first
    } catch (error) {
      failed(error as Error)
      within(delay * (0.8 + Math.random() / 5))
      delay = Math.min(2 * delay, retry.most)
    }
  }
  return {
    soon,
    within,
    async close() {
      closed = true
      clearTimeout(alarm?.timer)
      await running
    },
  }
}
