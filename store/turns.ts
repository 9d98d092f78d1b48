import type { Steps } from '../topology/steps.ts'
import type { Tables } from './change.ts'
import { copySteps } from './tables.ts'

/** Milliseconds; the event loop is not held longer by one piece of work. */
const slice = 5

/** Does a long piece of work, and lets others run in between. */
export const inTurns = async <T>(steps: Steps<T>): Promise<T> => {
  let until = performance.now() + slice
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    if (performance.now() < until) continue
    await new Promise(setImmediate)
    until = performance.now() + slice
  }
}

/**
 * A copy that the first write needs, and the start of the program does not: made a table at a time while nothing else is to
 * be done, or at once when it is asked for. Until then nobody changes what is copied.
 */
export const copyAtLeisure = (tables: Tables): (() => Tables) => {
  const copying = copySteps(tables)
  let copy: Tables | undefined
  const goOn = (): void => {
    if (copy) return
    const { done, value } = copying.next()
    if (done) copy = value
    else setImmediate(goOn)
  }
  setTimeout(goOn, leisureMs).unref()
  return () => {
    while (!copy) {
      const { done, value } = copying.next()
      if (done) copy = value
    }
    return copy
  }
}

/** By then the program has started. */
const leisureMs = 1_000
