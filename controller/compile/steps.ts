// Pure work that may be long, in steps: the shell gives the event loop its turn in between (slices.ts), tests run it through.
import type { Steps } from '../../topology/steps.ts'

export { atOnce, type Steps } from '../../topology/steps.ts'

/** @param stride Items between two yields: well below a millisecond of work. */
export function* each<T>(items: Iterable<T>, work: (item: T) => void, stride = 256): Steps<void> {
  let done = 0
  for (const item of items) {
    work(item)
    if (++done % stride === 0) yield
  }
}
