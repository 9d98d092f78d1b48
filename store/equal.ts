import { isDeepStrictEqual } from 'node:util'

/** Whether an object says just this already, whichever revision wrote it. */
export const equalButRevision = (a: object | undefined, b: object): boolean =>
  a !== undefined && isDeepStrictEqual({ ...a, revision: 0 }, { ...b, revision: 0 })
