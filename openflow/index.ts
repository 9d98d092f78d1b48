export { type Action, setField } from './action.ts'
export { decode, decodeLenient, encode, encodeAll } from './codec.ts'
export * from './constants.ts'
export { errorName } from './errors.ts'
export type { FieldName, FieldValue, Masked, Match, UnknownField } from './fields.ts'
export { type Framing, framing, maxMessageLength } from './framing.ts'
export type { Instruction } from './instruction.ts'
export {
  bucket,
  type FlowMod,
  type FlowRemoved,
  flowMod,
  type GroupMod,
  groupMod,
  type MeterMod,
  meterMod,
  type PacketIn,
  type PacketOut,
  packetOut,
} from './make.ts'
export type { ErrorMessage, Message, MessageOf, MessageType } from './messages.ts'
export type {
  FlowStats,
  GroupDesc,
  GroupStats,
  MeterConfig,
  MeterStats,
  MultipartReply,
  MultipartRequest,
  PortStats,
  QueueStats,
  TableStats,
} from './multipart.ts'
export type { Bucket, MeterBand, PortDesc } from './structures.ts'
export { WireError } from './wire.ts'
