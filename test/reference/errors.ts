// OpenFlow 1.3.5 §7.4.4: error types and codes by the specification's words, and the bundle errors of the ONF extension.

// biome-ignore format: a table is read by its rows and columns
const requestCodes = [
  'BAD_VERSION', 'BAD_TYPE', 'BAD_MULTIPART', 'BAD_EXPERIMENTER', 'BAD_EXP_TYPE', 'EPERM', 'BAD_LEN', 'BUFFER_EMPTY',
  'BUFFER_UNKNOWN', 'BAD_TABLE_ID', 'IS_SLAVE', 'BAD_PORT', 'BAD_PACKET', 'MULTIPART_BUFFER_OVERFLOW',
] as const
// biome-ignore format: a table is read by its rows and columns
const actionCodes = [
  'BAD_TYPE', 'BAD_LEN', 'BAD_EXPERIMENTER', 'BAD_EXP_TYPE', 'BAD_OUT_PORT', 'BAD_ARGUMENT', 'EPERM', 'TOO_MANY',
  'BAD_QUEUE', 'BAD_OUT_GROUP', 'MATCH_INCONSISTENT', 'UNSUPPORTED_ORDER', 'BAD_TAG', 'BAD_SET_TYPE', 'BAD_SET_LEN',
  'BAD_SET_ARGUMENT',
] as const
// biome-ignore format: a table is read by its rows and columns
const instructionCodes = [
  'UNKNOWN_INST', 'UNSUP_INST', 'BAD_TABLE_ID', 'UNSUP_METADATA', 'UNSUP_METADATA_MASK', 'BAD_EXPERIMENTER',
  'BAD_EXP_TYPE', 'BAD_LEN', 'EPERM', 'DUP_INST',
] as const
// biome-ignore format: a table is read by its rows and columns
const matchCodes = [
  'BAD_TYPE', 'BAD_LEN', 'BAD_TAG', 'BAD_DL_ADDR_MASK', 'BAD_NW_ADDR_MASK', 'BAD_WILDCARDS', 'BAD_FIELD', 'BAD_VALUE',
  'BAD_MASK', 'BAD_PREREQ', 'DUP_FIELD', 'EPERM',
] as const
// biome-ignore format: a table is read by its rows and columns
const flowModCodes = [
  'UNKNOWN', 'TABLE_FULL', 'BAD_TABLE_ID', 'OVERLAP', 'EPERM', 'BAD_TIMEOUT', 'BAD_COMMAND', 'BAD_FLAGS',
] as const
// biome-ignore format: a table is read by its rows and columns
const groupModCodes = [
  'GROUP_EXISTS', 'INVALID_GROUP', 'WEIGHT_UNSUPPORTED', 'OUT_OF_GROUPS', 'OUT_OF_BUCKETS', 'CHAINING_UNSUPPORTED',
  'WATCH_UNSUPPORTED', 'LOOP', 'UNKNOWN_GROUP', 'CHAINED_GROUP', 'BAD_TYPE', 'BAD_COMMAND', 'BAD_BUCKET', 'BAD_WATCH',
  'EPERM',
] as const
// biome-ignore format: a table is read by its rows and columns
const meterModCodes = [
  'UNKNOWN', 'METER_EXISTS', 'INVALID_METER', 'UNKNOWN_METER', 'BAD_COMMAND', 'BAD_FLAGS', 'BAD_RATE', 'BAD_BURST',
  'BAD_BAND', 'BAD_BAND_VALUE', 'OUT_OF_METERS', 'OUT_OF_BANDS',
] as const
/** ONF extension 230, counted from 2300. */
// biome-ignore format: a table is read by its rows and columns
const bundleCodes = [
  'UNKNOWN', 'EPERM', 'BAD_ID', 'BUNDLE_EXIST', 'BUNDLE_CLOSED', 'OUT_OF_BUNDLES', 'BAD_TYPE', 'BAD_FLAGS',
  'MSG_BAD_LEN', 'MSG_BAD_XID', 'MSG_UNSUP', 'MSG_CONFLICT', 'MSG_TOO_MANY', 'MSG_FAILED', 'TIMEOUT',
  'BUNDLE_IN_PROGRESS',
] as const

/** What an ERROR message says besides the payload. */
export type Failure = { readonly errorType: number; readonly errorCode: number; readonly experimenter?: number }

const kind =
  <const C extends string>(errorType: number, codes: readonly C[]) =>
  (code: C): Failure => ({
    errorType,
    errorCode: codes.indexOf(code),
  })
export const badRequest = kind(1, requestCodes)
export const badAction = kind(2, actionCodes)
export const badInstruction = kind(3, instructionCodes)
export const badMatch = kind(4, matchCodes)
export const flowModFailed = kind(5, flowModCodes)
export const groupModFailed = kind(6, groupModCodes)
export const portModFailed = kind(7, ['BAD_PORT', 'BAD_HW_ADDR', 'BAD_CONFIG', 'BAD_ADVERTISE', 'EPERM'] as const)
export const roleRequestFailed = kind(11, ['STALE', 'UNSUP', 'BAD_ROLE'] as const)
export const meterModFailed = kind(12, meterModCodes)
export const bundleFailed = (code: (typeof bundleCodes)[number]): Failure => ({
  errorType: 0xffff,
  errorCode: 2300 + bundleCodes.indexOf(code),
  experimenter: 0x4f4e4600,
})

/** Failures are told from what may stand in their place: messages and compiled matches. An ERROR message is no failure. */
export const isFailure = (x: object): x is Failure => 'errorType' in x && !('type' in x)
