/** Pure work that may be long: a generator that yields after well below a millisecond of it. Whoever runs it decides what happens in between. */
export type Steps<T> = Generator<void, T>

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
