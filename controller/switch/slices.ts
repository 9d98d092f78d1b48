import { performance } from 'node:perf_hooks'
import type { Steps } from '../compile/steps.ts'

/** Milliseconds of work in one turn of the event loop, of all pieces together. No turn may be longer than 10 ms. */
const sliceMs = 5

// There is one event loop, so there is one clock for its turns: a thousand switches that are compared at once would else have a slice
// each in one turn.
let began = 0
let isCounted = false
const waiting: (() => void)[] = []

/** Notes when the work of this turn began, if it has not yet. */
function count(): void {
  if (isCounted) return
  isCounted = true
  began = performance.now()
  setImmediate(() => {
    isCounted = false
  })
}

/** One piece at a time goes on, with the turn for itself; the next one in the next turn. */
function goOn(): void {
  isCounted = false
  count()
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(goOn)
}

/** Resolves in a later turn of the event loop. */
const turn = (): Promise<void> =>
  new Promise(resolve => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(goOn)
  })

/** A long piece of work calls (and awaits) this between its steps. */
export function slices(): () => Promise<void> | undefined {
  count()
  return () => {
    count()
    return performance.now() - began < sliceMs ? undefined : turn()
  }
}

export const inSlices = async <T>(steps: Steps<T>): Promise<T> => (await inTimedSlices(steps)).value

/** In slices, with the seconds that it took without what others did in between. */
export async function inTimedSlices<T>(steps: Steps<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const slice = slices()
  let worked = 0
  let since = performance.now()
  for (;;) {
    // Before the first step too: there may be many who begin in one turn.
    const later = slice()
    if (later) {
      worked += performance.now() - since
      await later
      since = performance.now()
    }
    const step = steps.next()
    if (step.done) return { value: step.value, seconds: (worked + performance.now() - since) / 1000 }
  }
}
