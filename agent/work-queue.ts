/**
 * One piece of work, done again and again. It runs soon after it was asked for, never twice at a time, and at longer and
 * longer intervals while it fails.
 */

export type WorkQueue = {
  /** Something changed: work soon. Asked for while it works, it works once more. */
  soon(): void
  /** Works after so many milliseconds at the latest. */
  within(ms: number): void
  /** Resolves when the work that is under way is done. */
  close(): Promise<void>
}

/** Milliseconds: requests within this time are one run. */
const gather = 20
/** Milliseconds between two runs that nobody asked for, jittered by a fifth. */
const audit = 60_000
/** Milliseconds before work that failed is repeated: first, and at most. */
const retry = { first: 250, most: 10_000 }

/** `failed` is called for each failure, before the next run; `ended` after each run. */
export function createWorkQueue(
  work: () => Promise<void>,
  { failed, ended }: { failed(error: Error): void; ended(seconds: number): void },
): WorkQueue {
  let wanted = false
  let running: Promise<void> | undefined
  let alarm: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined
  let delay = retry.first
  let closed = false
  const within = (ms: number) => {
    const at = performance.now() + ms
    if (closed || (alarm && alarm.at <= at)) return
    clearTimeout(alarm?.timer)
    alarm = { at, timer: setTimeout(run, ms) }
  }
  const soon = () => {
    wanted = true
    if (!running) within(gather)
  }
  const run = () => {
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
