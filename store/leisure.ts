import type { Tables } from './change.ts'
import { copySteps } from './tables.ts'

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
