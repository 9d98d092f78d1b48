// §7.3.5: what switches tell of themselves, in multipart replies.

import { length, struct } from '../wire/struct.ts'
import { array, list, pad, text, u8, u16, u32, u64, type ValueOf } from '../wire/wire.ts'
import { Instruction } from './instruction.ts'
import { match } from './match.ts'
import { Bucket, groupType, MeterBand } from './structures.ts'

export const flowFilter = struct({
  tableId: u8,
  _1: pad(3),
  outPort: u32,
  outGroup: u32,
  _2: pad(4),
  cookie: u64,
  cookieMask: u64,
  match,
})

export const FlowStats = struct({
  _length: length,
  tableId: u8,
  _1: pad(1),
  durationSec: u32,
  durationNsec: u32,
  priority: u16,
  idleTimeout: u16,
  hardTimeout: u16,
  flags: u16,
  _2: pad(4),
  cookie: u64,
  packetCount: u64,
  byteCount: u64,
  match,
  instructions: list(Instruction),
})
export type FlowStats = ValueOf<typeof FlowStats>

export const TableStats = struct({
  tableId: u8,
  _: pad(3),
  activeCount: u32,
  lookupCount: u64,
  matchedCount: u64,
})
export type TableStats = ValueOf<typeof TableStats>

export const PortStats = struct({
  portNo: u32,
  _: pad(4),
  rxPackets: u64,
  txPackets: u64,
  rxBytes: u64,
  txBytes: u64,
  rxDropped: u64,
  txDropped: u64,
  rxErrors: u64,
  txErrors: u64,
  rxFrameErr: u64,
  rxOverErr: u64,
  rxCrcErr: u64,
  collisions: u64,
  durationSec: u32,
  durationNsec: u32,
})
export type PortStats = ValueOf<typeof PortStats>

export const QueueStats = struct({
  portNo: u32,
  queueId: u32,
  txBytes: u64,
  txPackets: u64,
  txErrors: u64,
  durationSec: u32,
  durationNsec: u32,
})
export type QueueStats = ValueOf<typeof QueueStats>

export const GroupStats = struct({
  _length: length,
  _1: pad(2),
  groupId: u32,
  refCount: u32,
  _2: pad(4),
  packetCount: u64,
  byteCount: u64,
  durationSec: u32,
  durationNsec: u32,
  bucketStats: list(struct({ packetCount: u64, byteCount: u64 })),
})
export type GroupStats = ValueOf<typeof GroupStats>

export const GroupDesc = struct({ _length: length, groupType, _: pad(1), groupId: u32, buckets: list(Bucket) })
export type GroupDesc = ValueOf<typeof GroupDesc>

export const MeterStats = struct({
  meterId: u32,
  _length: length,
  _: pad(6),
  flowCount: u32,
  packetInCount: u64,
  byteInCount: u64,
  durationSec: u32,
  durationNsec: u32,
  bandStats: list(struct({ packetBandCount: u64, byteBandCount: u64 })),
})
export type MeterStats = ValueOf<typeof MeterStats>

export const MeterConfig = struct({ _length: length, flags: u16, meterId: u32, bands: list(MeterBand) })
export type MeterConfig = ValueOf<typeof MeterConfig>

export const desc = struct({
  mfrDesc: text(256),
  hwDesc: text(256),
  swDesc: text(256),
  serialNum: text(32),
  dpDesc: text(256),
})
export const aggregate = struct({ packetCount: u64, byteCount: u64, flowCount: u32, _: pad(4) })
export const groupFeatures = struct({ types: u32, capabilities: u32, maxGroups: array(u32, 4), actions: array(u32, 4) })
export const meterFeatures = struct({
  maxMeter: u32,
  bandTypes: u32,
  capabilities: u32,
  maxBands: u8,
  maxColor: u8,
  _: pad(2),
})
