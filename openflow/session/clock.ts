import { performance } from 'node:perf_hooks'
import type { Clock } from './connection.ts'

/** So much time may pass between two looks at the clock; more means that this process was stopped meanwhile, in ms. */
const longestPause = 1_000

/** The machine's monotonic clock, as sessions see it. advance() is to be called every tick. */
export function sessionClock(): Clock & { advance(): void } {
  const exact = () => performance.now()
  let now = 0
  let seen = exact()
  return {
    exact,
    now: () => now,
    yield: () => new Promise(resolve => setImmediate(resolve)),
    advance() {
      const at = exact()
      now += Math.min(at - seen, longestPause)
      seen = at
    },
  }
}
