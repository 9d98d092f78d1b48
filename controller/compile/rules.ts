// The rules that compile is made of: each pure, each keyed by what it reads, each of one switch.
import type { Action, Bucket } from '../../openflow/index.ts'
import { flowModFlags, groups, ports, vid } from '../../openflow/index.ts'
import type { Attachment, Network } from '../../store/state.ts'
import type { Hop } from '../../topology/mesh.ts'
import { type Pruned, pruned } from '../../topology/pruned.ts'
import { maxFanOut } from '../../topology/route.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { cookie, groupId } from './cookie.ts'
import { entry, groupItem, type Item } from './item.ts'
import { limitsAt } from './limits.ts'
import { type Address, type LocalNetwork, placeOf, type Transit } from './local-network.ts'
import { copyOf } from './metered.ts'
import { vniOf } from './pipeline.ts'
import type { PathVersions } from './rollout.ts'
import { otherMacs } from './senders.ts'
import { type From, type Snooped, snoop, type Wanted, wantedAt } from './snoop.ts'
import { strict } from './strict.ts'
import { out, output, popVlan } from './tag.ts'

/** A learned address that has not spoken for so long (seconds) is forgotten by its switch. */
export const learnedIdleTimeout = 60
/** A suppressed port is listened to again after so many seconds. */
export const suppressSeconds = 5
/** As much of a frame as learning needs. */
const copyBytes = 128

/** Out of a link, marked as it carries networks. */
export const into = ({ vni, vid }: Pick<Transit, 'vni' | 'vid'>, { port, carries }: Hop): readonly Action[] =>
  carries === 'vid' ? out({ port, vlan: vid }) : [{ type: 'set_field', field: 'tunnel_id', value: vni }, output(port)]
const bucket = (actions: readonly Action[]): Bucket => ({
  weight: 0,
  watchPort: ports.any,
  watchGroup: groups.any,
  actions: actions as Action[],
})

/** Which network is this frame in: by its port, and there by its tag if the attachment names one. */
export function admit(items: Item[], localNetwork: LocalNetwork, attachment: Attachment): void {
  const { marks, entered } = localNetwork
  const { number, fixed } = marks
  const { broadcast, ...rates } = limitsAt(localNetwork, attachment)
  for (const meter of [broadcast, rates.send, rates.receive]) if (meter) items.push(meter)
  const admitted = { ...fixed, metadata: entered.local, goto: 'guard' } as const
  for (const { kind, group, match, apply } of entrances(attachment)) {
    items.push(entry(number, 'admit', kind, { ...admitted, match, apply }))
    if (!broadcast) continue
    const limited = { ...admitted, match: { ...match, eth_dst: groupAddress }, apply, meter: broadcast.id }
    items.push(entry(number, 'admit', group, limited))
  }
}
/** The group bit of an address: broadcast or multicast (IEEE 802 §8.2.2). */
const groupAddress = { value: '01:00:00:00:00:00', mask: '01:00:00:00:00:00' }
const individualAddress = { ...groupAddress, value: '00:00:00:00:00:00' }

/** By what frames are told that come in at a port as those of this attachment; `group`: the same of those to group addresses. */
function entrances({ port: in_port, vlan, trunk }: Attachment) {
  if (trunk) return [{ kind: 'trunk', group: 'group', match: { in_port }, apply: [] }] as const
  if (vlan !== undefined) {
    const match = { in_port, vlan_vid: vid.present | vlan }
    return [{ kind: 'tagged', group: 'group', match, apply: popVlan }] as const
  }
  return [
    { kind: 'access', group: 'group', match: { in_port, vlan_vid: vid.none }, apply: [] },
    { kind: 'priority', group: 'priorityGroup', match: { in_port, vlan_vid: vid.present }, apply: popVlan },
  ] as const
}

/** A port that is cut off: nothing else of the network lets it in. */
export function cutOff(items: Item[], { marks: { number } }: LocalNetwork, attachment: Attachment): void {
  const [{ match }] = entrances(attachment)
  items.push(entry(number, 'admit', 'cut', { match, cookie: cookie('cut', number) }))
}

/** Frames to an address that nobody knows: flooded, but no more than the port's broadcast limit allows. */
export function floodUnknown(items: Item[], localNetwork: LocalNetwork, attachment: Attachment): void {
  const meter = limitsAt(localNetwork, attachment).broadcast?.id
  if (meter === undefined) return
  const { number, fixed } = localNetwork.marks
  for (const { frozen, local, epoch } of localNetwork.transits) {
    if (frozen) continue
    const match = { in_port: attachment.port, metadata: local, eth_dst: individualAddress }
    const apply = [{ type: 'group', groupId: groupId(number, 'flood', epoch) }] as const
    items.push(entry(number, 'deliver', 'unknown', { ...fixed, match, apply, meter }))
  }
}

/** Which network is this frame in: by its link, and there by its VNI or VID. Remote from here on: in a full mesh it leaves by no link again. */
export function admitLinks(
  items: Item[],
  { marks: { number, fixed } }: LocalNetwork,
  { ingressPorts, vni, vid: vlan, remote }: Transit,
): void {
  const admitted = { ...fixed, metadata: remote, goto: 'deliver' } as const
  for (const { port, carries } of ingressPorts)
    if (carries === 'vid') {
      const match = { in_port: port, vlan_vid: vid.present | vlan }
      items.push(entry(number, 'admit', 'link', { ...admitted, match, apply: popVlan }))
    } else items.push(entry(number, 'admit', 'link', { ...admitted, match: { in_port: port, tunnel_id: vni } }))
}

/**
 * May this sender speak: a port that learns lets everybody, and shows us the rest; one that showed too much is not listened to. One
 * that is pinned may use its own MAC (addressHere), and those that it is allowed.
 */
export function guardPort(
  items: Item[],
  localNetwork: LocalNetwork,
  attachment: Attachment,
  suppressed: ReadonlySet<string>,
): void {
  const { port, guard, vlan, trunk } = attachment
  const { number, fixed, any: metadata } = localNetwork.marks
  const tap = mirrorActions(localNetwork)
  if (guard === 'strict') {
    strict(items, localNetwork, attachment, { apply: tap, ...passing(localNetwork, attachment, 'send') })
    return
  }
  if (guard === 'mac') {
    for (const mac of otherMacs(attachment)) {
      const match = { in_port: port, metadata, eth_src: mac }
      const kind = trunk ? 'trunkKnown' : 'known'
      const speaks = { ...fixed, match, apply: tap, ...passing(localNetwork, attachment, 'send') }
      items.push(entry(number, 'guard', kind, { ...speaks, goto: 'deliver' }))
    }
    return
  }
  const match = { in_port: port, metadata }
  const { action, needs } = copyAt(localNetwork, port, vlan)
  items.push(...needs)
  const speaks = { match, ...passing(localNetwork, attachment, 'send'), goto: 'deliver' } as const
  const apply = [...tap, action]
  items.push(entry(number, 'guard', trunk ? 'trunkLearn' : 'learn', { ...fixed, ...speaks, apply }))
  if (!suppressed.has(placeOf(number, localNetwork.dpid, port))) return
  const suppress = { ...speaks, apply: tap, cookie: cookie('suppressed', number), ...suppressing }
  items.push(entry(number, 'guard', trunk ? 'trunkSuppressed' : 'suppressed', suppress))
}
/** The meter that frames pass which the port sends, or gets, if it has such a limit. */
const passing = (localNetwork: LocalNetwork, attachment: Attachment, way: 'send' | 'receive'): { meter?: number } => {
  const meter = attachment.rate && limitsAt(localNetwork, attachment)[way]?.id
  return meter === undefined ? {} : { meter }
}
// A port has one meter, and with tags it has several networks: one that left would take the meter of the others away.
const copyAt = ({ marks, datapath }: LocalNetwork, port: PortNo, vlan: number | undefined) =>
  copyOf(marks.number, port, copyBytes, datapath.meteredPacketIns && vlan === undefined)
const fading = { idleTimeout: learnedIdleTimeout, flags: flowModFlags.sendFlowRem }
const suppressing = { hardTimeout: suppressSeconds, flags: flowModFlags.sendFlowRem }

/** An address of this switch, pinned or learned: it may speak, and frames to it go to its port. @param isShared Frames to it go to others, too. */
export function addressHere(items: Item[], localNetwork: LocalNetwork, address: Address, isShared: boolean): void {
  const { mac, port, learned: fades, watched } = address
  const { number, fixed, learned, any: metadata } = localNetwork.marks
  const attachment = localNetwork.byPort.get(port)
  if (!attachment) return
  const tap = mirrorActions(localNetwork)
  const speaks = {
    apply: watched ? [...tap, copyAt(localNetwork, port, attachment.vlan).action] : tap,
    goto: 'deliver',
    match: { in_port: port, metadata, eth_src: mac },
    ...passing(localNetwork, attachment, 'send'),
  }
  const kind = attachment.trunk ? 'trunkKnown' : 'known'
  if (attachment.guard !== 'strict')
    items.push(
      entry(number, 'guard', kind, { ...(fades ? { ...learned, ...fading } : fixed), ...speaks, goto: 'deliver' }),
    )
  if (isShared) return
  // A member that is the mirror too has had its copy from the guard.
  const apply = port === mirroredPort(localNetwork) ? [] : out(attachment)
  const gets = { match: { metadata, eth_dst: mac }, apply, ...passing(localNetwork, attachment, 'receive') }
  items.push(entry(number, 'deliver', 'here', { ...(fades ? learned : fixed), ...gets }))
}

/** An address of another switch: over the link that leads there. */
export function addressThere(
  items: Item[],
  localNetwork: LocalNetwork,
  transit: Transit,
  { mac, dpid, learned: fades }: Address,
): void {
  const { number, fixed, learned } = localNetwork.marks
  const { nextHops, direct, local, either } = transit
  const hop = nextHops.get(dpid)
  if (!hop) return
  const match = { metadata: direct ? local : either, eth_dst: mac }
  items.push(entry(number, 'deliver', 'there', { ...(fades ? learned : fixed), match, apply: into(transit, hop) }))
}

/**
 * Everything else to everybody else, once. In a full mesh what began here goes to local ports and links, and what came over
 * a link to local ports; on a tree both go to local ports and to the branches that they did not come from.
 */
export function flood(items: Item[], localNetwork: LocalNetwork, transit: Transit): void {
  const { direct, floodTree, local, remote, either, epoch } = transit
  const { number, fixed } = localNetwork.marks
  const mirrored = mirroredPort(localNetwork)
  const here = localNetwork.local.filter(a => a.port !== mirrored).map(a => bucket(out(a)))
  const there = floodTree.slice(0, maxFanOut).map(hop => bucket(into(transit, hop)))
  const put = (kind: 'flood' | 'remote', metadata: bigint | Transit['either'], buckets: readonly Bucket[]) => {
    const id = groupId(number, kind, epoch)
    const apply = [{ type: 'group', groupId: id }] as const
    items.push(
      groupItem(number, id, 'all', buckets),
      entry(number, 'deliver', kind, { ...fixed, match: { metadata }, apply }),
    )
  }
  put('flood', direct ? local : either, [...here, ...there])
  if (direct) put('remote', remote, here)
}

/** Of a network that snoops: who wants what, and by which links of each path version it is reached. */
export type Snooping = { readonly snooped: Snooped; readonly wanted: Wanted; readonly reach: readonly Pruned[] }
export const snoopingOf = (snooped: Snooped, pathVersions: PathVersions): Snooping => ({
  snooped,
  wanted: wantedAt(snooped),
  reach: pathVersions.map(({ route }) => pruned(route)),
})

/** Multicast of a network that snoops: to those who asked for it. */
export function multicast(items: Item[], localNetwork: LocalNetwork, { snooped, wanted, reach }: Snooping): void {
  const { number } = localNetwork.marks
  const { dpid } = localNetwork
  const mirrored = mirroredPort(localNetwork)
  const speakers = localNetwork.local.map(a => a.port)
  const from = localNetwork.transits.flatMap((transit, i): readonly From[] => {
    const { frozen, direct, local, remote, either, epoch, floodTree, ingressPorts } = transit
    if (frozen || (speakers.length === 0 && direct)) return []
    const to = (kind: 'flood' | 'remote'): Action[] => [{ type: 'group', groupId: groupId(number, kind, epoch) }]
    const links = { floodTree, hops: (wanting: ReadonlySet<DatapathId>) => reach[i]!(dpid, wanting) }
    const there = { ...links, into: (hop: Hop) => into(transit, hop), flood: to('flood') }
    if (!direct) return [{ metadata: either, ...there }]
    const here = { floodTree: [], hops: () => [], into: there.into, flood: to('remote') }
    return [{ metadata: local, ...there }, ...(ingressPorts.length > 0 ? [{ metadata: remote, ...here }] : [])]
  })
  const ports = new Set(speakers.filter(port => port !== mirrored))
  const here = new Map(localNetwork.local.map(a => [a.port, a]))
  const part = {
    ...{ number, dpid, ports, speakers, from },
    out: (port: PortNo) => out(here.get(port) ?? { port }),
    packetIns: (port: PortNo) => localNetwork.datapath.meteredPacketIns && here.get(port)?.vlan === undefined,
  }
  snoop(items, part, snooped, wanted)
}

export const mirroredPort = ({ network: { mirror }, dpid }: LocalNetwork): PortNo | undefined =>
  mirror?.dpid === dpid ? mirror.port : undefined

/** How this switch's members are copied to the mirror: a group, so that the copy's VNI stays the copy's. */
function mirrorActions(localNetwork: LocalNetwork): readonly Action[] {
  const { mirror } = localNetwork.network
  return mirror && mirrorWay(mirror, localNetwork, localNetwork.entered)
    ? [{ type: 'group', groupId: groupId(mirror.number, 'flood') }]
    : []
}
/** What takes a copy on towards the mirror, or out of it. */
function mirrorWay(
  mirror: NonNullable<Network['mirror']>,
  { dpid, datapath }: LocalNetwork,
  { nextHops, epoch }: Transit,
): readonly Action[] | undefined {
  if (mirror.dpid === dpid) return datapath.ports.has(mirror.port) ? [output(mirror.port)] : undefined
  const hop = nextHops.get(mirror.dpid)
  // Its copies have no VLANs of their own, so they cross no plain link (status.ts says so).
  return hop?.carries === 'vni' ? into({ vni: vniOf(mirror.number, epoch), vid: 0 }, hop) : undefined
}
export function mirror(items: Item[], localNetwork: LocalNetwork, pathVersions: PathVersions): void {
  const { mirror } = localNetwork.network
  if (!mirror) return
  const { number, fixed } = localNetwork.marks
  const enters = mirrorWay(mirror, localNetwork, localNetwork.entered)
  if (enters && localNetwork.local.length > 0)
    items.push(groupItem(number, groupId(mirror.number, 'flood'), 'indirect', [bucket(enters)]))
  for (const [i, transit] of localNetwork.transits.entries()) {
    const apply = mirrorWay(mirror, localNetwork, transit)
    if (!apply) continue
    for (const { to: before, port, carries } of transit.ingressPorts) {
      if (carries === 'vid') continue
      if (pathVersions[i]!.route.nextHops.get(before)?.get(mirror.dpid)?.to !== localNetwork.dpid) continue
      const match = { in_port: port, tunnel_id: vniOf(mirror.number, transit.epoch) }
      items.push(entry(number, 'admit', 'mirrored', { ...fixed, match, apply }))
    }
  }
}
