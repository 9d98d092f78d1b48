// Reads flows, groups and meters in ovs-ofctl's syntax.

import { bucket, type FlowMod, flowMod, type GroupMod, groupMod, type MeterMod, meterMod } from '../messages/make.ts'
import type { Bucket, MeterBand } from '../messages/structures.ts'
import { flowModFlags, groups, meterFlags, ports } from '../wire/constants.ts'
import { parsePort } from './field.ts'
import { parseActions, parseInstructions } from './parse-action.ts'
import { matchOf } from './parse-match.ts'
import { parseBigInt, parseNumber, splitList, splitPair, unexpected } from './value.ts'

const flags: Readonly<Record<string, number>> = {
  send_flow_rem: flowModFlags.sendFlowRem,
  check_overlap: flowModFlags.checkOverlap,
  reset_counts: flowModFlags.resetCounts,
  no_packet_counts: flowModFlags.noPktCounts,
  no_byte_counts: flowModFlags.noBytCounts,
}

/** What a switch counts; a line of dump-flows has it, and it is not part of a flow_mod. */
const counted = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age'])

type Draft = { -readonly [K in keyof FlowMod]?: FlowMod[K] }
const settings: Readonly<Record<string, (value: string, flow: Draft) => void>> = {
  table: (value, flow) => {
    flow.tableId = parseNumber(value, 0xff, 'table')
  },
  priority: (value, flow) => {
    flow.priority = parseNumber(value, 0xffff, 'priority')
  },
  idle_timeout: (value, flow) => {
    flow.idleTimeout = parseNumber(value, 0xffff, 'idle_timeout')
  },
  hard_timeout: (value, flow) => {
    flow.hardTimeout = parseNumber(value, 0xffff, 'hard_timeout')
  },
  out_port: (value, flow) => {
    flow.outPort = parsePort(value) ?? unexpected('a port', value)
  },
  out_group: (value, flow) => {
    flow.outGroup = parseNumber(value, 0xffffffff, 'out_group')
  },
  cookie: (value, flow) => {
    const [cookie, mask] = value.split('/') as [string, string?]
    flow.cookie = parseBigInt(cookie, 64, 'cookie')
    if (mask !== undefined) flow.cookieMask = mask === '-1' ? 0xffffffffffffffffn : parseBigInt(mask, 64, 'cookie')
  },
}

/**
 * A line of `ovs-ofctl dump-flows`, or of what add-flow takes, as a flow_mod that adds it. Counters are skipped.
 * Throws a TextError that says what was expected.
 */
export function parseFlow(line: string): FlowMod {
  const at = /(?:^|[\s,])actions?=/.exec(line) ?? unexpected('actions= in a flow', line)
  const flow: Draft = {}
  const match: string[] = []
  let bits = 0
  for (const part of splitList(line.slice(0, at.index)).flatMap(part => part.split(/\s+/))) {
    const [key, value] = splitPair(part)
    if (flags[part]) bits |= flags[part]
    else if (settings[key] && value !== undefined) settings[key](value, flow)
    else if (!counted.has(key)) match.push(part)
  }
  const fields = matchOf(match)
  const instructions = parseInstructions(line.slice(at.index + at[0].length), fields)
  return flowMod({ ...flow, flags: bits, match: fields, instructions })
}

function parseBucket(text: string, select: boolean): Bucket {
  const at = /(?:^|,)actions=/.exec(text)
  const actions = at ? parseActions(text.slice(at.index + at[0].length)) : undefined
  const given = { weight: select ? 1 : 0, watchPort: ports.any as number, watchGroup: groups.any as number }
  const others: string[] = []
  for (const part of splitList(at ? text.slice(0, at.index) : text)) {
    const [key, value] = splitPair(part)
    if (key === 'weight') given.weight = parseNumber(value ?? '', 0xffff, key)
    else if (key === 'watch_port') given.watchPort = parsePort(value ?? '') ?? unexpected('a port', part)
    else if (key === 'watch_group') given.watchGroup = parseNumber(value ?? '', 0xffffffff, key)
    else others.push(part)
  }
  if (actions !== undefined && others.length > 0) unexpected('weight, watch_port, watch_group or actions', others[0]!)
  return bucket({ ...given, actions: actions ?? parseActions(others.join(',')) })
}

const groupTypes: Readonly<Record<string, GroupMod['groupType']>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'ff',
  fast_failover: 'ff',
}

/** A line of `ovs-ofctl dump-groups`, or of what add-group takes, as a group_mod that adds it. */
export function parseGroup(line: string): GroupMod {
  const [head, ...buckets] = line.trim().split(/(?:,|^)\s*bucket=/) as [string, ...string[]]
  let groupId: number | undefined
  let groupType: GroupMod['groupType'] = 'all'
  for (const part of splitList(head)) {
    const [key, value] = splitPair(part)
    if (key === 'group_id') groupId = parseNumber(value ?? '', groups.max, key)
    else if (key === 'type') groupType = groupTypes[value ?? ''] ?? unexpected(Object.keys(groupTypes).join(', '), part)
    else unexpected('group_id or type', part)
  }
  if (groupId === undefined) return unexpected('group_id= in a group', line)
  return groupMod({ groupId, groupType, buckets: buckets.map(text => parseBucket(text, groupType === 'select')) })
}

function parseBand(text: string): MeterBand {
  const given = new Map(splitList(text).map(splitPair))
  const number = (key: string): number => parseNumber(given.get(key) ?? '0', 0xffffffff, key)
  const rate = number('rate')
  const burstSize = number('burst_size')
  const type = given.get('type')
  if (type === 'drop') return { type, rate, burstSize }
  if (type === 'dscp_remark')
    return { type, rate, burstSize, precLevel: parseNumber(given.get('prec_level') ?? '0', 0xff, 'prec_level') }
  return unexpected('a band of type drop or dscp_remark', text)
}

/** What `ovs-ofctl add-meter` takes, e.g. `meter=1,pktps,burst,band=type=drop,rate=100,burst_size=10`. */
export function parseMeter(line: string): MeterMod {
  const [head, ...bands] = line.trim().split(/,?\s*bands?=(?=type)/) as [string, ...string[]]
  let meterId: number | undefined
  let bits = 0
  for (const part of splitList(head)) {
    const [key, value] = splitPair(part)
    if (key === 'meter') meterId = parseMeterId(value ?? '')
    else if (key in meterFlags) bits |= meterFlags[key as keyof typeof meterFlags]
    else unexpected('meter=, kbps, pktps, burst or stats', part)
  }
  if (meterId === undefined) return unexpected('meter= in a meter', line)
  return meterMod({ meterId, flags: bits, bands: bands.map(parseBand) })
}

const meterIds: Readonly<Record<string, number>> = { slowpath: 0xfffffffd, controller: 0xfffffffe, all: 0xffffffff }
const parseMeterId = (text: string): number => meterIds[text] ?? parseNumber(text, 0xffffffff, 'meter')
