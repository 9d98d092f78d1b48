export { type Action, setField } from './messages/action.ts'
export { type ChangeBatch, changeBatch, type EncodedChanges } from './messages/change-batch.ts'
export { decode, decodeLenient, encode, encodeAll } from './messages/codec.ts'
export { allErrors, errorName } from './messages/errors.ts'
export type { FieldRef, OxmId, Range } from './messages/field-ref.ts'
export type { FieldName, FieldValue, Masked, Match, UnknownField } from './messages/fields.ts'
export {
  canonical,
  decodeEntry,
  type EntryVisitor,
  eachEntry,
  encodeEntry,
  entryAt,
  entryHash,
  type FlowSpec,
  identityHash,
  sameEntry,
  sameIdentity,
} from './messages/flow-entry.ts'
export { type FlowMonitor, type FlowUpdate, flowMonitorFlags } from './messages/flow-monitor.ts'
export { type Comparison, type FlowSet, flowSet } from './messages/flow-set.ts'
export type { Instruction } from './messages/instruction.ts'
export { type Learn, type LearnSpec, learnFlags } from './messages/learn.ts'
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
} from './messages/make.ts'
export {
  agrees,
  fieldBits,
  fieldNumber,
  fieldSize,
  fieldValue,
  type MatchBits,
  matchBits,
  plainName,
} from './messages/match-bits.ts'
export { checkMatch, type MatchFault } from './messages/match-check.ts'
export type { ErrorMessage, Message, MessageOf, MessageType } from './messages/messages.ts'
export type { MultipartReply, MultipartRequest } from './messages/multipart.ts'
export { type Nat, natFlags } from './messages/nat.ts'
export { ctFlags } from './messages/nicira-action.ts'
export type {
  FlowStats,
  GroupDesc,
  GroupStats,
  MeterConfig,
  MeterStats,
  PortStats,
  QueueStats,
  TableStats,
} from './messages/statistics.ts'
export type { Bucket, MeterBand, PortDesc } from './messages/structures.ts'
export type { TableFeatureProperty, TableFeatures } from './messages/table-features.ts'
export { formatActions, formatInstructions } from './text/action.ts'
export { type Flow, formatFlow, formatFlowStats, formatGroup, formatMeter } from './text/format.ts'
export { formatMatch } from './text/match.ts'
export { formatMessage } from './text/message.ts'
export { parseFlow, parseGroup, parseMeter } from './text/parse.ts'
export { parseActions, parseInstructions } from './text/parse-action.ts'
export { parseMatch } from './text/parse-match.ts'
export { TextError } from './text/value.ts'
export * from './wire/constants.ts'
export { type Framing, framing, maxMessageLength } from './wire/framing.ts'
export { WireError } from './wire/wire.ts'
