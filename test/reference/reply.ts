import type { MessageOf } from '../../openflow/index.ts'
import type { Failure } from './errors.ts'

export type ErrorReply = MessageOf<'error'>

/** §7.4.4: an error carries the first 64 bytes of what caused it, or all of it if that is less. */
export const errorReply = (
  xid: number,
  { errorType, errorCode, experimenter }: Failure,
  cause: Buffer,
): ErrorReply => ({
  type: 'error',
  xid,
  errorType,
  errorCode,
  ...(experimenter === undefined ? {} : { experimenter }),
  payload: Buffer.from(cause.subarray(0, 64)),
})
