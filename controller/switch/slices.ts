import { performance } from 'node:perf_hooks'
import { slices } from '../../store/slices.ts'
import type { Steps } from '../compile/steps.ts'

export { inSlices, slices } from '../../store/slices.ts'

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
