import { setImmediate } from 'node:timers/promises'

/** Milliseconds; the event loop is not held longer by one answer. */
const slice = 5

/** Does it for each, in order, and lets others run in between. Answers what came of each. */
export const inSlices = async <T, R>(items: Iterable<T>, each: (item: T) => R): Promise<R[]> => {
  const results: R[] = []
  let until = performance.now() + slice
  for (const item of items) {
    results.push(each(item))
    if (performance.now() < until) continue
    await setImmediate()
    until = performance.now() + slice
  }
  return results
}
