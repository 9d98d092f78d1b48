import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../controller/clock/clock.ts'

/** A monotonic clock that stands still but for who waits by it: seconds pass in milliseconds, and nothing is skipped. */
export type TestClock = Clock & {
  /** Lets so many milliseconds pass; what sockets bring meanwhile is taken in. */
  pass(ms: number): Promise<void>
  /** Lets time pass until this has settled. */
  during<T>(promise: Promise<T>): Promise<T>
  /** Lets time pass until `condition` holds; throws after `ms`, saying what did not come about, and `why` as it is then. */
  until(what: string, condition: () => boolean | Promise<boolean>, options?: UntilOptions): Promise<void>
}
type UntilOptions = { readonly ms?: number; readonly why?: () => string }

/** Milliseconds at once. */
const stepMs = 10
/** Turns of the event loop between two steps: a message to a switch and its answer, on loopback, take two. */
const turnsPerStep = 6
/** What sockets and the store do takes real time: nobody gives up before so many milliseconds of that. */
const patience = 10_000

export function testClock(): TestClock {
  let now = 0
  const timers = new Set<{ at: number; readonly every: number | undefined; readonly call: () => void }>()
  const wait = (ms: number, call: () => void, every?: number) => {
    const timer = { at: now + ms, every, call }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  /** Everything that is due by then, in its order. */
  const advance = (ms: number) => {
    const end = now + ms
    for (;;) {
      const next = [...timers].reduce((a, b) => (b.at < a.at ? b : a), { at: Number.POSITIVE_INFINITY } as never)
      if (!(next?.at <= end)) break
      now = Math.max(now, next.at)
      if (next.every === undefined) timers.delete(next)
      else next.at += next.every
      next.call()
    }
    now = end
  }
  const step = async (ms: number) => {
    for (let i = 0; i < turnsPerStep; i++) await turn()
    advance(ms)
    await turn()
  }
  const clock: TestClock = {
    now: () => now,
    after: (ms, call) => wait(ms, call),
    every: (ms, call) => wait(ms, call, ms),
    async pass(ms) {
      for (const end = now + ms; now < end; ) await step(Math.min(stepMs, end - now))
    },
    async during(promise) {
      let settled = false
      const end = () => {
        settled = true
      }
      promise.then(end, end)
      while (!settled) await step(stepMs)
      return promise
    },
    async until(what, condition, { ms = 10_000, why = () => '' } = {}) {
      const [began, end] = [performance.now(), now + ms]
      while (!(await condition())) {
        if (now > end && performance.now() - began > patience) throw new Error(`not within ${ms} ms: ${what} ${why()}`)
        await step(stepMs)
      }
    },
  }
  return clock
}
