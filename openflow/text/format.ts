// Flows, groups and messages as one line each, as ovs-ofctl prints them.

import type { Match } from '../messages/fields.ts'
import type { Instruction } from '../messages/instruction.ts'
import type { FlowStats, GroupDesc, MeterConfig } from '../messages/statistics.ts'
import type { Bucket, MeterBand } from '../messages/structures.ts'
import { flowModFlags, groups, meterFlags, meters, ports } from '../wire/constants.ts'
import { formatActions, formatInstructions } from './action.ts'
import { formatPort } from './field.ts'
import { formatMatch } from './match.ts'

const defaultPriority = 0x8000
const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const flagWords: readonly (readonly [bit: number, word: string])[] = [
  [flowModFlags.sendFlowRem, 'send_flow_rem '],
  [flowModFlags.checkOverlap, 'check_overlap '],
  [flowModFlags.resetCounts, 'reset_counts '],
  [flowModFlags.noPktCounts, 'no_packet_counts '],
  [flowModFlags.noBytCounts, 'no_byte_counts '],
]
export const formatFlowFlags = (flags: number): string => {
  let words = ''
  if (flags !== 0) for (const [bit, word] of flagWords) if (flags & bit) words += word
  return words
}

export const priorityAndMatch = (priority: number, match: Match): string => {
  const text = formatMatch(match)
  if (priority === defaultPriority) return text
  return text === '' ? `priority=${priority}` : `priority=${priority},${text}`
}

/** What a flow entry has that its switch does not count: a flow_mod, and an entry of a flow reply, are such. */
export type Flow = {
  readonly tableId: number
  readonly priority: number
  readonly cookie: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  readonly match: Match
  readonly instructions: readonly Instruction[]
}

/**
 * A flow entry as `ovs-ofctl dump-flows --no-stats` prints it, e.g.
 * `cookie=0x1, table=2, priority=100,in_port=3 actions=output:4`. Instructions stand in the order in which a switch
 * carries them out and match fields in ovs-ofctl's order, so two entries that do the same have the same line.
 */
export function formatFlow(flow: Flow): string {
  let line = ''
  if (flow.cookie !== 0n) line += `cookie=${hex(flow.cookie)}, `
  if (flow.tableId !== 0) line += `table=${flow.tableId}, `
  line += timeouts(flow)
  const match = priorityAndMatch(flow.priority, flow.match)
  return `${line}${match}${match === '' ? '' : ' '}actions=${formatInstructions(flow.instructions)}`
}

const timeouts = (flow: Flow): string => {
  let line = ''
  if (flow.idleTimeout !== 0) line += `idle_timeout=${flow.idleTimeout}, `
  if (flow.hardTimeout !== 0) line += `hard_timeout=${flow.hardTimeout}, `
  return line + formatFlowFlags(flow.flags)
}

const noCount = 0xffffffffffffffffn
const count = (name: string, value: bigint): string => (value === noCount ? '' : `${name}=${value}, `)
export const formatDuration = (seconds: number, nanoseconds: number): string =>
  nanoseconds === 0
    ? `${seconds}s`
    : `${seconds}.${String(nanoseconds)
        .padStart(9, '0')
        .replace(/0+$/, '')
        .padEnd(3, '0')
        .replace(/^(.{3}.*)$/, '$1')}s`

/** A flow entry with its counters, as `ovs-ofctl dump-flows` prints it. */
export function formatFlowStats(flow: FlowStats): string {
  const match = priorityAndMatch(flow.priority, flow.match)
  return `cookie=${hex(flow.cookie)}, duration=${formatDuration(flow.durationSec, flow.durationNsec)}, table=${flow.tableId}, ${count('n_packets', flow.packetCount)}${count('n_bytes', flow.byteCount)}${timeouts(flow)}${match}${match === '' ? '' : ' '}actions=${formatInstructions(flow.instructions)}`
}

function formatBucket(bucket: Bucket, select: boolean): string {
  return `bucket=${[
    bucket.weight === (select ? 1 : 0) ? '' : `weight:${bucket.weight}`,
    bucket.watchPort === ports.any ? '' : `watch_port:${formatPort(bucket.watchPort)}`,
    bucket.watchGroup === groups.any ? '' : `watch_group:${bucket.watchGroup}`,
    `actions=${formatActions(bucket.actions)}`,
  ]
    .filter(Boolean)
    .join(',')}`
}

/** A group as `ovs-ofctl dump-groups` prints it, e.g. `group_id=1,type=all,bucket=actions=output:2`. */
export const formatGroup = ({
  groupId,
  groupType,
  buckets,
}: Pick<GroupDesc, 'groupId' | 'groupType' | 'buckets'>): string =>
  [`group_id=${groupId},type=${groupType}`, ...buckets.map(b => formatBucket(b, groupType === 'select'))].join(',')

const meterWords = Object.entries(meterFlags)
const reservedMeters: ReadonlyMap<number, string> = new Map([
  [meters.slowpath, 'slowpath'],
  [meters.controller, 'controller'],
  [meters.all, 'all'],
])

const formatBand = (band: MeterBand): string => {
  if (band.type === 'unknown') return `unknown(${band.code},${band.payload.toString('hex')})`
  const more =
    band.type === 'dscp_remark'
      ? `,prec_level=${band.precLevel}`
      : band.type === 'experimenter'
        ? `,experimenter=${hex(band.experimenter)}`
        : ''
  return `type=${band.type},rate=${band.rate}${band.burstSize === 0 ? '' : `,burst_size=${band.burstSize}`}${more}`
}

/** A meter as `ovs-ofctl add-meter` takes it, e.g. `meter=1,pktps,burst,band=type=drop,rate=100,burst_size=10`. */
export const formatMeter = ({ meterId, flags, bands }: Pick<MeterConfig, 'meterId' | 'flags' | 'bands'>): string =>
  [
    `meter=${reservedMeters.get(meterId) ?? meterId}`,
    ...meterWords.filter(([, bit]) => flags & bit).map(([word]) => word),
    ...bands.map(band => `band=${formatBand(band)}`),
  ].join(',')
