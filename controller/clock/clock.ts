import { performance } from 'node:perf_hooks'

/** A monotonic clock, and calls that wait for it. The controller's parts are handed one: tests bring one that they move themselves. */
export type Clock = {
  /** Milliseconds. */
  now(): number
  /** Calls once, so many milliseconds from now. Answers what calls that off. */
  after(ms: number, call: () => void): Cancel
  /** Calls again and again, so many milliseconds apart. */
  every(ms: number, call: () => void): Cancel
}
export type Cancel = () => void

/** The machine's own. What waits for it keeps no process from ending. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms).unref()
    return () => clearTimeout(timer)
  },
  every(ms, call) {
    const timer = setInterval(call, ms).unref()
    return () => clearInterval(timer)
  },
}
