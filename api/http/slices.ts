import { setImmediate } from 'node:timers/promises'
import { slices } from '../../store/slices.ts'

/** Milliseconds; the event loop is not held longer by one answer, or one body. */
const sliceMs = 5

/** The turns of the event loop that one piece of work takes. */
export const turns = () => {
  let until = performance.now() + sliceMs
  return {
    /** Whether others should run now. The clock is read at every 256th step only. */
    isOver: (step: number): boolean => (step & 255) === 255 && performance.now() >= until,
    async next(): Promise<void> {
      await setImmediate()
      until = performance.now() + sliceMs
    },
  }
}

/** Does it for each, in order, and lets others run in between. Answers what came of each. */
export const inSlices = async <T, R>(items: Iterable<T>, each: (item: T) => R): Promise<R[]> => {
  const slice = slices()
  const results: R[] = []
  for (const item of items) {
    results.push(each(item))
    const turn = slice()
    if (turn) await turn
  }
  return results
}
