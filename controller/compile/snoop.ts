// Multicast of a network that snoops (RFC 4541): what its entries are, and what they say when they are read back. Pure.
import type { Action, Match } from '../../openflow/index.ts'
import type { Hop } from '../../topology/mesh.ts'
import { maxFanOut } from '../../topology/route.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { cookie, owner } from './cookie.ts'
import { entry, type FlowItem, type Item } from './item.ts'
import { copyOf } from './metered.ts'
import { metadata, pipeline } from './pipeline.ts'
import { each, type Steps } from './steps.ts'

/** What compile reads of a network that snoops. */
export type Snooped = {
  /** By switch, of those that were read since we started. */
  readonly localNetworks: ReadonlyMap<DatapathId, LocalSnooping>
  /** Switches with ports of the network that were not: what is wanted there, other switches' entries know. */
  readonly unread: ReadonlySet<DatapathId>
  /** What led where on a switch when it was read, if it held multicast of this network. */
  readonly kept: ReadonlyMap<DatapathId, Outputs>
  /** Source of the IPv4 queries of another querier, which go to everybody. */
  readonly querier: string | undefined
}
export type LocalSnooping = {
  /** By group. */
  readonly joined: ReadonlyMap<string, ReadonlySet<PortNo>>
  /** Where multicast routers are: they get everything, reports too. */
  readonly routers: ReadonlySet<PortNo>
  /** Ports that get all multicast: routers, those that were not asked long enough, and those that want too much. */
  readonly everything: ReadonlySet<PortNo>
  /** Those that want too much. */
  readonly crowded: ReadonlySet<PortNo>
  /** Those that are not listened to for a while. */
  readonly suppressed: ReadonlySet<PortNo>
}
/** Ports that entries output to: by group, or under `everything` (of any group) and `reports`. */
export type Outputs = ReadonlyMap<string, ReadonlySet<PortNo>>

/** What a network's entries on one switch say, read back after a restart. */
export type Recalled = {
  /** Ports whose frames they let in. */
  readonly admitted: ReadonlySet<PortNo>
  readonly outputs: Outputs
  readonly querier: string | undefined
}

/** Groups of which only members get frames: not those of the link, 224.0.0.0/24 and ff02::/16 (RFC 4541 §2.1.2, §3). */
export function isSnooped(group: string): boolean {
  if (!group.includes(':')) {
    const first = Number.parseInt(group, 10)
    return first >= 224 && first < 240 && !group.startsWith('224.0.0.')
  }
  const first = Number.parseInt(group, 16)
  return first >> 8 === 0xff && (first & 0xf) >= 2 && first !== 0xff02
}

/** As much of a report as we want to see: all of it, with any MTU that is usual. */
const copyBytes = 1600

const v4 = { eth_type: 0x0800 } as const
const v6 = { eth_type: 0x86dd } as const
const igmp = { ...v4, ip_proto: 2 } as const
const icmp6 = (icmpv6_type: number) => ({ ...v6, ip_proto: 58, icmpv6_type }) as const
/** Queries, and what shows where routers are: RFC 4286's advertisements and PIM's hellos. */
const queries = [
  { ...igmp, ipv4_dst: '224.0.0.1' },
  { ...igmp, ipv4_dst: '224.0.0.106' },
  { ...v4, ip_proto: 103, ipv4_dst: '224.0.0.13' },
  { ...v6, ip_proto: 103, ipv6_dst: 'ff02::d' },
  icmp6(130),
  icmp6(151),
] as const
const reports = [igmp, icmp6(131), icmp6(132), icmp6(143)] as const
const ofLink = [
  { ...v4, ipv4_dst: { value: '224.0.0.0', mask: '255.255.255.0' } },
  { ...v6, ipv6_dst: { value: 'ff02::', mask: 'ffff::' } },
] as const
const ofAll = [
  { ...v4, ipv4_dst: { value: '224.0.0.0', mask: '240.0.0.0' } },
  { ...v6, ipv6_dst: { value: 'ff00::', mask: 'ff00::' } },
] as const
const ofGroup = (group: string) =>
  group.includes(':') ? ({ ...v6, ipv6_dst: group } as const) : ({ ...v4, ipv4_dst: group } as const)

/** One switch's part in a network's way of delivering frames. */
export type SnoopPart = {
  readonly number: number
  readonly dpid: DatapathId
  /** Ports of the network that deliver multicast. */
  readonly ports: ReadonlySet<PortNo>
  /** Ports that may speak. */
  readonly speakers: readonly PortNo[]
  /** Out of a port of the network. */
  out(port: PortNo): readonly Action[]
  /** The switch meters copies of this port. */
  packetIns(port: PortNo): boolean
  readonly from: readonly From[]
}
/** Frames of one kind: in a full mesh those that began here and those that came over a link, on a tree all; in each epoch. */
export type From = {
  readonly metadata: bigint | { readonly value: bigint; readonly mask: bigint }
  /** Links, and those of them that lead to such switches. */
  readonly floodTree: readonly Hop[]
  hops(wanting: ReadonlySet<DatapathId>): readonly Hop[]
  into(hop: Hop): readonly Action[]
  /** To everybody. */
  readonly flood: readonly Action[]
}

/** The entries of a network that snoops, on one switch. */
export function snoop(items: Item[], part: SnoopPart, snooped: Snooped, wanted: Wanted): void {
  const { number } = part
  const owned = { cookie: cookie('multicast', number) }
  for (const from of part.from) {
    const { metadata, flood } = from
    // What came over a link finds nobody there who listens.
    const listen = { goto: 'listen' } as const
    const deliver = (kind: Kind, match: Matched, apply: readonly Action[], more = {}) =>
      items.push(entry(number, 'deliver', kind, { ...owned, match: { metadata, ...match }, apply, ...more }))
    const everything = outputs(part, from, snooped, wanted, 'everything')
    const asIfUnjoined = spelled(everything)
    // First, so that on switches without bundles it also goes first: else members would miss frames meanwhile.
    for (const match of ofAll) deliver('unjoined', match, everything)
    for (const match of ofLink) deliver('control', match, flood)
    for (const match of queries) deliver('query', match, flood, listen)
    if (snooped.querier !== undefined) deliver('asked', { ...igmp, ipv4_src: snooped.querier }, flood, listen)
    const toRouters = outputs(part, from, snooped, wanted, 'reports')
    for (const match of reports) deliver('report', match, toRouters, listen)
    for (const group of groupsAt(part, snooped, wanted)) {
      const apply = outputs(part, from, snooped, wanted, group)
      if (spelled(apply) !== asIfUnjoined) deliver('joined', ofGroup(group), apply)
    }
  }
  const suppressed = snooped.localNetworks.get(part.dpid)?.suppressed
  for (const port of part.speakers) {
    if (suppressed?.has(port)) continue
    const { action, needs } = copyOf(number, port, copyBytes, part.packetIns(port))
    items.push(...needs)
    const match = { in_port: port, metadata: { value: BigInt(number), mask: metadata.network } }
    items.push(entry(number, 'listen', 'copy', { ...owned, match, apply: [action] }))
  }
}
type Kind = 'query' | 'asked' | 'report' | 'control' | 'joined' | 'unjoined'
type Matched = Pick<Match, 'eth_type' | 'ip_proto' | 'ipv4_src' | 'ipv4_dst' | 'ipv6_dst' | 'icmpv6_type'>
const spelled = (actions: readonly Action[]): string => actions.map(a => (a.type === 'output' ? a.port : '')).join()

/** Switches with a port that gets it: by group, or under `everything` and `reports`. */
export type Wanted = ReadonlyMap<string, ReadonlySet<DatapathId>>
export function wantedAt({ localNetworks }: Snooped): Wanted {
  const wanted = new Map<string, Set<DatapathId>>()
  const note = (key: string, dpid: DatapathId) => wanted.set(key, (wanted.get(key) ?? new Set()).add(dpid))
  for (const [dpid, { joined, routers, everything }] of localNetworks) {
    for (const group of joined.keys()) note(group, dpid)
    if (routers.size > 0) note('reports', dpid)
    if (everything.size > 0) note('everything', dpid)
  }
  return wanted
}

/** All groups that the switch needs entries for. */
function groupsAt({ dpid }: SnoopPart, { kept, unread }: Snooped, wanted: Wanted): ReadonlySet<string> {
  const groups = new Set(wanted.keys())
  if (unread.size > 0) for (const group of kept.get(dpid)?.keys() ?? []) groups.add(group)
  groups.delete('everything')
  groups.delete('reports')
  return groups
}

/** Out of the ports here that get it, then into the links that lead to others. */
function outputs(part: SnoopPart, from: From, snooped: Snooped, wanted: Wanted, key: string): readonly Action[] {
  // Of a switch that was not read yet nothing is known, and nothing is sent to it.
  const here = snooped.localNetworks.get(part.dpid)
  const ports = new Set<PortNo>(key === 'reports' ? here?.routers : (here?.everything ?? part.ports))
  for (const port of here?.joined.get(key) ?? []) ports.add(port)
  const out = [...ports].filter(port => part.ports.has(port)).sort((a, b) => a - b)
  const hops = new Set<Hop>()
  const lead = (to: ReadonlySet<DatapathId> | undefined) => {
    for (const hop of to ? from.hops(to) : []) hops.add(hop)
  }
  lead(wanted.get(key))
  if (key !== 'reports') lead(wanted.get('everything'))
  // Where it led to a switch that was not read yet, it still does.
  const kept = snooped.kept.get(part.dpid)
  const led = kept && (kept.get(key) ?? kept.get('everything'))
  for (const hop of snooped.unread.size > 0 ? from.hops(snooped.unread) : [])
    if (!kept || led?.has(hop.port)) hops.add(hop)
  const links = from.floodTree.filter(hop => hops.has(hop)).slice(0, maxFanOut)
  return intoAll([...out.map(part.out), ...links.map(from.into)])
}

/** One after the other, with nothing said twice; a tag that one link wants is taken off before the next. */
export function intoAll(ways: readonly (readonly Action[])[]): readonly Action[] {
  const actions: Action[] = []
  let tunnel: bigint | undefined
  for (const into of ways) {
    const isTagged = into.some(a => a.type === 'push_vlan')
    for (const action of into) {
      if (action.type === 'set_field' && action.field === 'tunnel_id') {
        if (action.value === tunnel) continue
        tunnel = action.value as bigint
      }
      actions.push(action)
    }
    if (isTagged) actions.push({ type: 'pop_vlan' })
  }
  return actions
}

/** What a switch's entries say about multicast, by network. */
export function* recallSteps(ours: readonly Item[]): Steps<ReadonlyMap<number, Recalled>> {
  type Found = { admitted: Set<PortNo>; outputs: Map<string, Set<PortNo>>; querier: string | undefined }
  const found = new Map<number, Found>()
  yield* each(ours, item => {
    if (item.kind !== 'flow' || item.tableId !== pipeline.deliver.id || owner(item.cookie).is !== 'multicast') return
    const of = found.get(item.owner) ?? { admitted: new Set(), outputs: new Map(), querier: undefined }
    found.set(item.owner, of)
    if (typeof item.match.ipv4_src === 'string') of.querier = item.match.ipv4_src
    const key = keyOf(item)
    if (key === undefined) return
    const ports = of.outputs.get(key) ?? new Set()
    of.outputs.set(key, ports)
    for (const port of outputsOf(item)) ports.add(port)
  })
  if (found.size > 0)
    yield* each(ours, item => {
      if (item.kind !== 'flow' || item.tableId !== pipeline.admit.id) return
      const { in_port: port } = item.match
      if (isMember(item) && typeof port === 'number') found.get(item.owner)?.admitted.add(port)
    })
  return found
}

/** Frames of members are looked at in `guard`, whatever they were let in by. */
const isMember = ({ instructions }: FlowItem): boolean =>
  instructions.some(i => i.type === 'goto_table' && i.tableId === pipeline.guard.id)

const { joined, unjoined, report } = pipeline.deliver.entries
function keyOf({ priority, match }: FlowItem): string | undefined {
  if (priority === report[0]) return 'reports'
  if (priority === unjoined[0]) return 'everything'
  const group = match.ipv4_dst ?? match.ipv6_dst
  return priority === joined[0] && typeof group === 'string' && isSnooped(group) ? group : undefined
}
const outputsOf = ({ instructions }: FlowItem): readonly PortNo[] =>
  instructions.flatMap(i =>
    i.type === 'apply_actions' ? i.actions.flatMap(a => (a.type === 'output' ? [a.port] : [])) : [],
  )
