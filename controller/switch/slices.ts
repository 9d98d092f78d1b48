import { performance } from 'node:perf_hooks'
import type { Steps } from '../compile/steps.ts'

/** Milliseconds of work after which the event loop gets its turn: no piece may hold it for longer than 10 ms. */
const sliceMs = 5

/** A long piece of work calls (and awaits) this between its steps. */
export function slices(): () => Promise<void> | undefined {
  let began = performance.now()
  return () => {
    if (performance.now() - began < sliceMs) return undefined
    return new Promise(resolve =>
      setImmediate(() => {
        began = performance.now()
        resolve()
      }),
    )
  }
}

export const inSlices = async <T>(steps: Steps<T>): Promise<T> => (await inTimedSlices(steps)).value

/** In slices, with the seconds that it took without what others did in between. */
export async function inTimedSlices<T>(steps: Steps<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const slice = slices()
  let worked = 0
  let began = performance.now()
  for (;;) {
    const step = steps.next()
    if (step.done) return { value: step.value, seconds: (worked + performance.now() - began) / 1000 }
    const turn = slice()
    if (!turn) continue
    worked += performance.now() - began
    await turn
    began = performance.now()
  }
}
