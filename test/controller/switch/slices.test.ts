// Long work leaves the event loop its turns, however many pieces of it there are at once.
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Steps } from '../../../controller/compile/steps.ts'
import { inSlices } from '../../../controller/switch/slices.ts'

/** Milliseconds of a step. */
const stepMs = 2

t.test('many pieces of work at once have one slice of a turn together', async t => {
  let steps = 0
  let done = 0
  function* work(): Steps<void> {
    for (let i = 0; i < 5; i++) {
      for (const began = performance.now(); performance.now() - began < stepMs; );
      steps++
      yield
    }
  }
  const pieces = 30
  for (let i = 0; i < pieces; i++) void inSlices(work()).then(() => done++)
  let most = 0
  for (let before = 0; done < pieces; before = steps) {
    await nextTurn()
    most = Math.max(most, steps - before)
  }
  t.equal(steps, 5 * pieces, 'all of it is done')
  // A slice of 5 ms is over within three steps of 2; two of them may come between two turns of ours.
  t.ok(most <= 6, `${most} steps in one turn`)
})
