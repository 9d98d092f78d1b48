/**
 * Pure work that may be long: a generator that yields every few hundred items. Whoever runs it decides what happens
 * in between: the shell gives the event loop its turn (slices.ts), tests run it through.
 */
export type Steps<T> = Generator<void, T>

/** Items between two yields: well below a millisecond of work. */
const stride = 256

export function* each<T>(items: Iterable<T>, work: (item: T) => void): Steps<void> {
  let done = 0
  for (const item of items) {
    work(item)
    if (++done % stride === 0) yield
  }
}

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
