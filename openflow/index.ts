export { type Action, setField } from './action.ts'
export { decode, decodeLenient, encode, encodeAll } from './codec.ts'
export * from './constants.ts'
export { allErrors, errorName } from './errors.ts'
export type { FieldRef, OxmId, Range } from './field-ref.ts'
export type { FieldName, FieldValue, Masked, Match, UnknownField } from './fields.ts'
export { type FlowMonitor, type FlowUpdate, flowMonitorFlags } from './flow-monitor.ts'
export { type Framing, framing, maxMessageLength } from './framing.ts'
export type { Instruction } from './instruction.ts'
export { type Learn, type LearnSpec, learnFlags } from './learn.ts'
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
export { checkMatch, type MatchFault } from './match-check.ts'
export type { ErrorMessage, Message, MessageOf, MessageType } from './messages.ts'
export type { MultipartReply, MultipartRequest } from './multipart.ts'
export { type Nat, natFlags } from './nat.ts'
export { ctFlags } from './nicira-action.ts'
export type {
  FlowStats,
  GroupDesc,
  GroupStats,
  MeterConfig,
  MeterStats,
  PortStats,
  QueueStats,
  TableStats,
} from './statistics.ts'
export type { Bucket, MeterBand, PortDesc } from './structures.ts'
export type { TableFeatureProperty, TableFeatures } from './table-features.ts'
export { type Flow, formatFlow, formatFlowStats, formatGroup, formatMeter } from './text.ts'
export { formatActions, formatInstructions } from './text-action.ts'
export { formatMatch } from './text-match.ts'
export { formatMessage } from './text-message.ts'
export { parseFlow, parseGroup, parseMeter } from './text-parse.ts'
export { parseActions, parseInstructions } from './text-parse-action.ts'
export { parseMatch } from './text-parse-match.ts'
export { TextError } from './text-value.ts'
export { WireError } from './wire.ts'
