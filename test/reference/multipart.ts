// Answers to MULTIPART_REQUEST: OpenFlow 1.3.5 §7.3.5.
import { encode, type FlowStats, type Message, type MessageOf, meters, multipartMore } from '../../openflow/index.ts'
import { badRequest, type Failure, isFailure, meterModFailed } from './errors.ts'
import { duration, select } from './flow-mod.ts'
import { compileMatch } from './match.ts'
import type { Switch } from './switch.ts'
import type { Entry } from './table.ts'

type Reply = MessageOf<'multipart_reply'>['body']
type Request = MessageOf<'multipart_request'>
/** What a switch answers, as one body, however long. */
type Answer = Failure | Reply

/** §7.3.5: one reply, or several with REPLY_MORE on all but the last. */
export function multipart(sw: Switch, { xid, body }: Request): Failure | Message[] {
  const whole = answer(sw, body)
  if (isFailure(whole)) return whole
  const parts = split(whole)
  return parts.map((part, i) => ({
    type: 'multipart_reply',
    xid,
    flags: i < parts.length - 1 ? multipartMore : 0,
    body: part,
  }))
}

function answer(sw: Switch, body: Request['body']): Answer {
  const { kind } = sw
  switch (body.type) {
    case 'desc':
      return {
        type: 'desc',
        mfrDesc: kind.mfrDesc,
        hwDesc: kind.hwDesc,
        swDesc: kind.swDesc,
        serialNum: 'None',
        dpDesc: 'None',
      }
    case 'flow':
      return chosen(sw, body, entries => ({ type: 'flow', flows: entries.map(entry => flowStats(sw, entry)) }))
    case 'aggregate':
      return chosen(sw, body, entries => ({
        type: 'aggregate',
        flowCount: entries.length,
        packetCount: entries.reduce((sum, { counters }) => sum + counters.packets, 0n),
        byteCount: entries.reduce((sum, { counters }) => sum + counters.bytes, 0n),
      }))
    case 'table':
      return { type: 'table', tables: Array.from({ length: kind.nTables }, (_, id) => tableStats(sw, id)) }
    case 'group_desc':
      return { type: 'group_desc', groups: [...sw.groups.values()] }
    case 'group_features': {
      const most = kind.maxGroups
      return {
        type: 'group_features',
        types: 0b1111,
        capabilities: 0b0110,
        maxGroups: [most, most, most, most],
        actions: [0, 0, 0, 0],
      }
    }
    case 'meter_config': {
      if (body.meterId === meters.all) return { type: 'meter_config', meters: [...sw.meters.values()] }
      const meter = sw.meters.get(body.meterId)
      return meter ? { type: 'meter_config', meters: [meter] } : meterModFailed('UNKNOWN_METER')
    }
    case 'meter': {
      const listed = body.meterId === meters.all ? [...sw.meters.keys()] : [body.meterId]
      if (listed.some(id => !sw.meters.has(id))) return meterModFailed('UNKNOWN_METER')
      return { type: 'meter', meters: listed.map(id => meterStats(sw, id)) }
    }
    case 'meter_features':
      return {
        type: 'meter_features',
        maxMeter: kind.maxMeter,
        bandTypes: 2,
        capabilities: 0b1111,
        maxBands: 1,
        maxColor: 0,
      }
    case 'port_desc':
      return { type: 'port_desc', ports: [...sw.ports.values()].map(({ desc }) => desc) }
    default:
      return badRequest('BAD_MULTIPART')
  }
}

type Filter = Extract<Request['body'], { type: 'flow' }> | Extract<Request['body'], { type: 'aggregate' }>

function chosen(sw: Switch, filter: Filter, reply: (entries: Entry[]) => Reply): Answer {
  const compiled = compileMatch(filter.match, sw.kind)
  return isFailure(compiled) ? compiled : reply(select(sw, filter, compiled))
}

const flowStats = (sw: Switch, entry: Entry): FlowStats => {
  const { tableId, priority, idleTimeout, hardTimeout, flags, cookie, match, instructions, counters } = entry
  return {
    tableId,
    priority,
    idleTimeout,
    hardTimeout,
    flags,
    cookie,
    match,
    instructions,
    ...duration(sw, entry),
    packetCount: counters.packets,
    byteCount: counters.bytes,
  }
}

const tableStats = (sw: Switch, tableId: number) => {
  const activeCount = sw.tables.get(tableId)?.size ?? 0
  return { tableId, activeCount, lookupCount: 0n, matchedCount: 0n }
}

/** Bytes of a list in one part; a message has at most 65,535, of which 16 stand before the list. */
const most = 65_000

/** The same list in parts that fit into messages. */
function split(body: Reply): Reply[] {
  if (body.type !== 'flow' && body.type !== 'group_desc' && body.type !== 'port_desc') return [body]
  const name = body.type === 'flow' ? 'flows' : body.type === 'group_desc' ? 'groups' : 'ports'
  const make = (items: readonly unknown[]): Reply => ({ type: body.type, [name]: items }) as unknown as Reply
  const parts: unknown[][] = [[]]
  let size = 0
  for (const item of (body as unknown as Record<string, readonly unknown[]>)[name]!) {
    const length = encode({ type: 'multipart_reply', xid: 0, flags: 0, body: make([item]) }).length - 16
    if (size + length > most && size > 0) {
      parts.push([])
      size = 0
    }
    parts.at(-1)!.push(item)
    size += length
  }
  return parts.map(make)
}

/** §7.3.5.12: one band, as all meters here have. */
const meterStats = (sw: Switch, meterId: number) => {
  const { packets, dropped } = sw.metered.get(meterId) ?? { packets: 0n, dropped: 0n }
  const none = { flowCount: 0, byteInCount: 0n, durationSec: 0, durationNsec: 0 }
  return { ...none, meterId, packetInCount: packets, bandStats: [{ packetBandCount: dropped, byteBandCount: 0n }] }
}
