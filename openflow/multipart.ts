// §7.3.5. To add a multipart type: a line in each of the two tables at the end.
import { Instruction } from './instruction.ts'
import { match } from './match.ts'
import { compile, length, type StructCodec, struct } from './struct.ts'
import { Bucket, groupType, MeterBand, PortDesc } from './structures.ts'
import {
  array,
  type Codec,
  list,
  located,
  pad,
  refuse,
  rest,
  take,
  text,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
  wrong,
} from './wire.ts'

const empty = struct({})
const onePort = struct({ portNo: u32, _: pad(4) })
const oneGroup = struct({ groupId: u32, _: pad(4) })
const oneMeter = struct({ meterId: u32, _: pad(4) })
const flowFilter = struct({
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

const desc = struct({
  mfrDesc: text(256),
  hwDesc: text(256),
  swDesc: text(256),
  serialNum: text(32),
  dpDesc: text(256),
})
const aggregate = struct({ packetCount: u64, byteCount: u64, flowCount: u32, _: pad(4) })
const groupFeatures = struct({ types: u32, capabilities: u32, maxGroups: array(u32, 4), actions: array(u32, 4) })
const meterFeatures = struct({
  maxMeter: u32,
  bandTypes: u32,
  capabilities: u32,
  maxBands: u8,
  maxColor: u8,
  _: pad(2),
})
const experimenter = struct({ experimenter: u32, expType: u32, payload: rest })

type Bodies = Record<string, readonly [code: number, body: StructCodec<any>]>
type ValueOfBodies<B extends Bodies> = {
  readonly [K in keyof B]: { readonly type: K } & ValueOf<B[K][1]>
}[keyof B]

function multipart<const B extends Bodies>(
  bodies: B,
): Codec<{ readonly flags: number; readonly body: ValueOfBodies<B> }> {
  const entries = Object.entries(bodies).map(([name, [code, body]]) => ({
    name,
    code,
    ...compile(body.fields, { type: name }),
  }))
  const byName = new Map(entries.map(entry => [entry.name, entry]))
  const byCode = new Map(entries.map(entry => [entry.code, entry]))
  return {
    read(c) {
      const at = take(c, 4)
      const code = c.view.getUint16(at)
      const entry = byCode.get(code) ?? refuse(c, at, `multipart type ${code} is not in OpenFlow 1.3`)
      const flags = c.view.getUint16(at + 2)
      try {
        padding.read(c)
        return { flags, body: entry.read(c) }
      } catch (error) {
        throw located(error, entry.name)
      }
    },
    write(c, { flags, body }) {
      const entry = byName.get(body?.type as string) ?? wrong(`one of ${[...byName.keys()].join(', ')}`, body?.type)
      u16.write(c, entry.code)
      u16.write(c, flags)
      padding.write(c, undefined)
      try {
        entry.write(c, body)
      } catch (error) {
        throw located(error, entry.name)
      }
    },
  }
}
const padding = pad(4)

export const MultipartRequest = multipart({
  desc: [0, empty],
  flow: [1, flowFilter],
  aggregate: [2, flowFilter],
  table: [3, empty],
  port_stats: [4, onePort],
  queue: [5, struct({ portNo: u32, queueId: u32 })],
  group: [6, oneGroup],
  group_desc: [7, empty],
  group_features: [8, empty],
  meter: [9, oneMeter],
  meter_config: [10, oneMeter],
  meter_features: [11, empty],
  port_desc: [13, empty],
  experimenter: [0xffff, experimenter],
})
export type MultipartRequest = ValueOf<typeof MultipartRequest>

export const MultipartReply = multipart({
  desc: [0, desc],
  flow: [1, struct({ flows: list(FlowStats) })],
  aggregate: [2, aggregate],
  table: [3, struct({ tables: list(TableStats) })],
  port_stats: [4, struct({ ports: list(PortStats) })],
  queue: [5, struct({ queues: list(QueueStats) })],
  group: [6, struct({ groups: list(GroupStats) })],
  group_desc: [7, struct({ groups: list(GroupDesc) })],
  group_features: [8, groupFeatures],
  meter: [9, struct({ meters: list(MeterStats) })],
  meter_config: [10, struct({ meters: list(MeterConfig) })],
  meter_features: [11, meterFeatures],
  port_desc: [13, struct({ ports: list(PortDesc) })],
  experimenter: [0xffff, experimenter],
})
export type MultipartReply = ValueOf<typeof MultipartReply>
