import type { Steps } from '../topology/steps.ts'

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

/** Does a long piece of work, and lets others run in between. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  const slice = slices()
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    const turn = slice()
    if (turn) await turn
  }
}
