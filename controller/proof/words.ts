// Entries in the words of ovs-ofctl, and why they are there.
import { fieldValue, formatFlow, formatGroup, formatMatch, type Match, matchBits } from '../../openflow/index.ts'
import { metadata, pipeline } from '../compile/pipeline.ts'
import type { DataPlane, HeldFlow, HeldGroup } from './data-plane.ts'
import type { Packet } from './packet.ts'

/** A flow may have parts that we cannot read: then its table and priority still say which one it is. */
export function flowWords(flow: HeldFlow): string {
  try {
    return formatFlow(flow)
  } catch {
    return `table=${flow.tableId},priority=${flow.priority} (with parts that cannot be read)`
  }
}
export const groupWords = ({ id, groupType, buckets }: HeldGroup): string =>
  formatGroup({ groupId: id, groupType, buckets: buckets as Parameters<typeof formatGroup>[0]['buckets'] })

type Declared = {
  readonly id: number
  readonly name: string
  readonly entries: Readonly<Record<string, readonly [priority: number, sentence: string]>>
}
const declared: readonly Declared[] = Object.values(pipeline)

export const tableName = (id: number): string | undefined => declared.find(table => table.id === id)?.name

/** What an entry of ours is for: the name that the pipeline's declaration has for it, and its sentence. Undefined: no entry of ours. */
export function purposeOf(flow: HeldFlow): { readonly rule: string; readonly why: string } | undefined {
  if (flow.owner < 0) return undefined
  const table = declared.find(({ id }) => id === flow.tableId)
  const named = Object.entries(table?.entries ?? {}).filter(([, [priority]]) => priority === flow.priority)
  const only = named.length > 1 ? named.filter(([name]) => tells[`${table!.name}.${name}`]?.(flow) ?? true) : named
  const [first] = only.length > 0 ? only : named
  if (!first) return undefined
  return { rule: only.map(([name]) => name).join(' or ') || first[0], why: first[1][1] }
}

/** Of entries with one priority: which is which. */
const tells: Readonly<Record<string, (flow: HeldFlow) => boolean>> = {
  'admit.vlink': flow => !compares(flow, 'tunnel_id'),
  'admit.passing': flow => compares(flow, 'tunnel_id'),
  'admit.mirrored': flow => compares(flow, 'tunnel_id') && !writesMetadata(flow),
  'admit.link': flow => writesMetadata(flow) && isRemote(flow),
  'admit.access': flow => writesMetadata(flow) && !isRemote(flow) && vidOf(flow) === 0n,
  'admit.tagged': flow => writesMetadata(flow) && !isRemote(flow) && (vidOf(flow) ?? 0n) > 0n,
  'admit.trunk': flow => writesMetadata(flow) && !isRemote(flow) && vidOf(flow) === undefined,
  'deliver.remote': flow => comparedMetadata(flow) === true,
  'deliver.flood': flow => comparedMetadata(flow) !== true,
}

const compares = (flow: HeldFlow, name: string): boolean => matchBits(flow.entry()).some(({ field }) => field === name)
const vidOf = (flow: HeldFlow): bigint | undefined =>
  matchBits(flow.entry()).find(({ field }) => field === 'vlan_vid')?.value
/** Whether it takes only what came over a link; undefined: both. */
function comparedMetadata(flow: HeldFlow): boolean | undefined {
  const bits = matchBits(flow.entry()).find(({ field }) => field === 'metadata')
  return bits && (bits.mask & metadata.remote) !== 0n ? (bits.value & metadata.remote) !== 0n : undefined
}
const written = (flow: HeldFlow) => instructionsOf(flow).find(i => i.type === 'write_metadata')
const writesMetadata = (flow: HeldFlow): boolean => written(flow) !== undefined
const isRemote = (flow: HeldFlow): boolean => ((written(flow)?.metadata ?? 0n) & metadata.remote) !== 0n

function instructionsOf(flow: HeldFlow): HeldFlow['instructions'] {
  try {
    return flow.instructions
  } catch {
    return []
  }
}

/** Whose an entry is, in words. */
export function ownerWords(plane: DataPlane, owner: number): string {
  if (owner < 0) return "another controller's"
  if (owner === 0) return "the switch's own"
  const network = plane.network(owner)
  return network ? `network ${network.id}` : `a network that is gone (number ${owner})`
}

/** The frame as a match of ovs-ofctl, with the metadata that it has by now. */
export function packetWords({ headers, pipeline: more }: Packet): string {
  const match: Record<string, unknown> = {}
  for (const [name, value] of [...more, ...[...headers.fields].map(([name, { value }]) => [name, value] as const)])
    if ((value > 0n || shownAtZero.has(name)) && !hidden.has(name)) match[name] = fieldValue(name, value)
  return formatMatch(match as Match)
}
const shownAtZero = new Set(['vlan_vid', 'arp_spa', 'ipv6_src'])
const hidden = new Set(['ip_frag', 'ipv6_flabel', 'nd_reserved', 'nw_ttl', 'tcp_flags'])
