// §7.3.5. To add a multipart type: a line in each of the two tables at the end.
import { experimenters } from '../wire/constants.ts'
import { struct, typed } from '../wire/struct.ts'
import {
  type Codec,
  type Cursor,
  list,
  located,
  pad,
  refuse,
  rest,
  sized,
  take,
  u16,
  u32,
  type ValueOf,
  wrong,
} from '../wire/wire.ts'
import { FlowMonitor, FlowUpdate } from './flow-monitor.ts'
import {
  aggregate,
  desc,
  FlowStats,
  flowFilter,
  GroupDesc,
  GroupStats,
  groupFeatures,
  MeterConfig,
  MeterStats,
  meterFeatures,
  PortStats,
  QueueStats,
  TableStats,
} from './statistics.ts'
import { PortDesc } from './structures.ts'
import { TableFeatures } from './table-features.ts'

const empty = struct({})
const onePort = struct({ portNo: u32, _: pad(4) })
const oneGroup = struct({ groupId: u32, _: pad(4) })
const oneMeter = struct({ meterId: u32, _: pad(4) })
const tableFeatures = struct({ tables: sized(TableFeatures) })

type Bodies = Record<string, readonly [code: number, body: Codec<any>]>
type Extensions = Record<string, readonly [experimenter: number, expType: number, body: Codec<any>]>
type ValueOfBodies<B extends Bodies> = { readonly [K in keyof B]: { readonly type: K } & ValueOf<B[K][1]> }[keyof B]
type ValueOfExtensions<E extends Extensions> = {
  readonly [K in keyof E]: { readonly type: K } & ValueOf<E[K][2]>
}[keyof E]
/** A body of an experimenter that we have no words for. */
type UnknownBody = {
  readonly type: 'experimenter'
  readonly experimenter: number
  readonly expType: number
  readonly payload: Buffer
}

const experimenterCode = 0xffff
const padding = pad(4)

type Entry = {
  readonly name: string
  readonly code: number
  readonly experimenter?: number
  readonly expType?: number
  readonly body: Codec<any>
}

/** Of an experimenter that we have no words for: its numbers, and bytes. */
const unknownBody = (known: readonly Entry[]): Codec<UnknownBody> => ({
  read: c => ({ type: 'experimenter', experimenter: u32.read(c), expType: u32.read(c), payload: rest.read(c) }),
  write(c, value) {
    if (known.some(e => e.experimenter === value.experimenter && e.expType === value.expType))
      wrong('the body by its name, not as bytes', value.expType)
    u32.write(c, value.experimenter)
    u32.write(c, value.expType)
    rest.write(c, value.payload)
  },
})

function multipart<const B extends Bodies, const E extends Extensions>(
  bodies: B,
  extensions: E,
): Codec<{ readonly flags: number; readonly body: ValueOfBodies<B> | ValueOfExtensions<E> | UnknownBody }> {
  const entries: Entry[] = Object.entries(bodies).map(([name, [code, body]]) => ({
    name,
    code,
    body: typed(name, body),
  }))
  const extended: Entry[] = Object.entries(extensions).map(([name, [experimenter, expType, body]]) => ({
    name,
    code: experimenterCode,
    experimenter,
    expType,
    body: typed(name, body),
  }))
  const byCode = new Map(entries.map(entry => [entry.code, entry]))
  const unknown: Entry = { name: 'experimenter', code: experimenterCode, body: unknownBody(extended) }
  const byName = new Map([...entries, ...extended, unknown].map(entry => [entry.name, entry]))

  const extension = (c: Cursor): Entry => {
    if (c.end - c.at < 8) return unknown
    const experimenter = c.view.getUint32(c.at)
    const expType = c.view.getUint32(c.at + 4)
    const found = extended.find(e => e.experimenter === experimenter && e.expType === expType)
    if (found) c.at += 8
    return found ?? unknown
  }

  return {
    read(c): any {
      const at = take(c, 4)
      const code = c.view.getUint16(at)
      const flags = c.view.getUint16(at + 2)
      padding.read(c)
      const entry =
        code === experimenterCode
          ? extension(c)
          : (byCode.get(code) ?? refuse(c, at, `multipart type ${code} is not in OpenFlow 1.3`))
      try {
        return { flags, body: entry.body.read(c) }
      } catch (error) {
        throw located(error, entry.name)
      }
    },
    write(c, { flags, body }) {
      const { type } = body as { type: string }
      const entry = byName.get(type) ?? wrong(`one of ${[...byName.keys()].join(', ')}`, type)
      u16.write(c, entry.code)
      u16.write(c, flags)
      padding.write(c, undefined)
      try {
        if (entry.experimenter !== undefined) {
          u32.write(c, entry.experimenter)
          u32.write(c, entry.expType!)
        }
        entry.body.write(c, body)
      } catch (error) {
        throw located(error, entry.name)
      }
    },
  }
}

export const MultipartRequest = multipart(
  {
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
    /** Without tables: asks; with: sets. */
    table_features: [12, tableFeatures],
    port_desc: [13, empty],
  },
  { flow_monitor: [experimenters.onf, 1870, struct({ monitors: list(FlowMonitor) })] },
)
export type MultipartRequest = ValueOf<typeof MultipartRequest>

export const MultipartReply = multipart(
  {
    desc: [0, desc],
    flow: [1, struct({ flows: sized(FlowStats) })],
    aggregate: [2, aggregate],
    table: [3, struct({ tables: list(TableStats) })],
    port_stats: [4, struct({ ports: list(PortStats) })],
    queue: [5, struct({ queues: list(QueueStats) })],
    group: [6, struct({ groups: sized(GroupStats) })],
    group_desc: [7, struct({ groups: sized(GroupDesc) })],
    group_features: [8, groupFeatures],
    meter: [9, struct({ meters: sized(MeterStats, 4) })],
    meter_config: [10, struct({ meters: sized(MeterConfig) })],
    meter_features: [11, meterFeatures],
    table_features: [12, tableFeatures],
    port_desc: [13, struct({ ports: list(PortDesc) })],
  },
  { flow_monitor: [experimenters.onf, 1870, struct({ updates: list(FlowUpdate) })] },
)
export type MultipartReply = ValueOf<typeof MultipartReply>
