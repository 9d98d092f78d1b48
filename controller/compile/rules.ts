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
import { type Addresses, type Crossing, placeOf, type Site } from './local-network.ts'
import { copyOf } from './metered.ts'
import { vniOf } from './pipeline.ts'
import type { Lanes } from './rollout.ts'
import { type From, type Snooped, snoop, type Wanted, wantedAt } from './snoop.ts'
import { out, output, popVlan } from './tag.ts'

/** A learned address that has not spoken for so long (seconds) is forgotten by its switch. */
export const learnedIdleTimeout = 60
/** A hushed port is listened to again after so many seconds. */
export const hushSeconds = 5
/** As much of a frame as learning needs. */
const copyBytes = 128

/** Out of a link, marked as it carries networks. */
const into = ({ vni, vid }: Pick<Crossing, 'vni' | 'vid'>, { port, carries }: Hop): readonly Action[] =>
  carries === 'vid' ? out({ port, vlan: vid }) : [{ type: 'set_field', field: 'tunnel_id', value: vni }, output(port)]
const bucket = (actions: readonly Action[]): Bucket => ({
  weight: 0,
  watchPort: ports.any,
  watchGroup: groups.any,
  actions: actions as Action[],
})

/** Which network is this frame in: by its port, and there by its tag if the attachment names one. */
export function admit(items: Item[], { marks, entered }: Site, { port, vlan, trunk }: Attachment): void {
  const { number, fixed } = marks
  const admitted = { ...fixed, metadata: entered.local, goto: 'guard' } as const
  if (trunk) items.push(entry(number, 'admit', 'trunk', { ...admitted, match: { in_port: port } }))
  else if (vlan !== undefined) {
    const match = { in_port: port, vlan_vid: vid.present | vlan }
    items.push(entry(number, 'admit', 'tagged', { ...admitted, match, apply: popVlan }))
  } else
    items.push(
      entry(number, 'admit', 'access', { ...admitted, match: { in_port: port, vlan_vid: vid.none } }),
      entry(number, 'admit', 'priority', {
        ...admitted,
        match: { in_port: port, vlan_vid: vid.present },
        apply: popVlan,
      }),
    )
}
/** Which network is this frame in: by its link, and there by its VNI or VID. Remote from here on: in a full mesh it leaves by no link again. */
export function admitLinks(
  items: Item[],
  { marks: { number, fixed } }: Site,
  { entrances, vni, vid: vlan, remote }: Crossing,
): void {
  const admitted = { ...fixed, metadata: remote, goto: 'deliver' } as const
  for (const { port, carries } of entrances)
    if (carries === 'vid') {
      const match = { in_port: port, vlan_vid: vid.present | vlan }
      items.push(entry(number, 'admit', 'link', { ...admitted, match, apply: popVlan }))
    } else items.push(entry(number, 'admit', 'link', { ...admitted, match: { in_port: port, tunnel_id: vni } }))
}

/** May this sender speak: what is pinned or learned passes; the rest passes too on a learning port, and is shown to us. */
export function guard(items: Item[], site: Site, locations: Addresses, hushed: ReadonlySet<string>): void {
  const { number, fixed, learned, any: metadata } = site.marks
  const tap = mirrorActions(site)
  const speak = { apply: tap, goto: 'deliver' } as const
  const here = new Map(site.local.map(a => [a.port, a]))
  for (const { mac, port, learned: fades } of locations.get(site.dpid) ?? []) {
    const attachment = here.get(port)
    if (!attachment) continue
    const match = { in_port: port, metadata, eth_src: mac }
    const kind = attachment.trunk ? 'trunkKnown' : 'known'
    items.push(entry(number, 'guard', kind, { ...(fades ? { ...learned, ...fading } : fixed), ...speak, match }))
  }
  for (const { port, guard, vlan, trunk } of site.local) {
    if (guard !== 'learn') continue
    const match = { in_port: port, metadata }
    // A port has one meter, and with tags it has several networks: one that left would take the meter of the others away.
    const { action, needs } = copyOf(number, port, copyBytes, site.datapath.meteredCopies && vlan === undefined)
    items.push(...needs)
    const apply = [...tap, action]
    items.push(entry(number, 'guard', trunk ? 'trunkLearn' : 'learn', { ...fixed, match, apply, goto: 'deliver' }))
    if (!hushed.has(placeOf(number, site.dpid, port))) continue
    const hush = { ...speak, match, cookie: cookie('hushed', number), ...hushing }
    items.push(entry(number, 'guard', trunk ? 'trunkHushed' : 'hushed', hush))
  }
}
const fading = { idleTimeout: learnedIdleTimeout, flags: flowModFlags.sendFlowRem }
const hushing = { hardTimeout: hushSeconds, flags: flowModFlags.sendFlowRem }

/** Where does it go: known addresses of this switch, each to its port. */
export function deliverHere(items: Item[], site: Site, locations: Addresses): void {
  const { number, fixed, learned, any: metadata } = site.marks
  const tapped = tappedPort(site)
  const here = new Map(site.local.map(a => [a.port, a]))
  for (const { mac, port, learned: fades } of locations.get(site.dpid) ?? []) {
    const attachment = here.get(port)
    if (!attachment) continue
    // A member that is the mirror too has had its copy from the guard.
    const apply = port === tapped ? [] : out(attachment)
    items.push(
      entry(number, 'deliver', 'here', { ...(fades ? learned : fixed), match: { metadata, eth_dst: mac }, apply }),
    )
  }
}

/** Known addresses of other switches, each over the link that leads there. */
export function deliverThere(items: Item[], site: Site, crossing: Crossing, locations: Addresses): void {
  const { number, fixed, learned } = site.marks
  const { towards, direct, local, either } = crossing
  const metadata = direct ? local : either
  for (const [dpid, hop] of towards) {
    const apply = into(crossing, hop)
    for (const { mac, learned: fades } of locations.get(dpid) ?? []) {
      const match = { metadata, eth_dst: mac }
      items.push(entry(number, 'deliver', 'there', { ...(fades ? learned : fixed), match, apply }))
    }
  }
}

/**
 * Everything else to everybody else, once. In a full mesh what began here goes to local ports and links, and what came over
 * a link to local ports; on a tree both go to local ports and to the branches that they did not come from.
 */
export function flood(items: Item[], site: Site, crossing: Crossing): void {
  const { direct, branches, local, remote, either, epoch } = crossing
  const { number, fixed } = site.marks
  const tapped = tappedPort(site)
  const here = site.local.filter(a => a.port !== tapped).map(a => bucket(out(a)))
  const there = branches.slice(0, maxFanOut).map(hop => bucket(into(crossing, hop)))
  const put = (kind: 'flood' | 'remote', metadata: bigint | Crossing['either'], buckets: readonly Bucket[]) => {
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

/** Of a network that snoops: who wants what, and by which links of each lane it is reached. */
export type Snooping = { readonly snooped: Snooped; readonly wanted: Wanted; readonly reach: readonly Pruned[] }
export const snoopingOf = (snooped: Snooped, lanes: Lanes): Snooping => ({
  snooped,
  wanted: wantedAt(snooped),
  reach: lanes.map(({ route }) => pruned(route)),
})

/** Multicast of a network that snoops: to those who asked for it. */
export function multicast(items: Item[], site: Site, { snooped, wanted, reach }: Snooping): void {
  const { number } = site.marks
  const { dpid } = site
  const tapped = tappedPort(site)
  const speakers = site.local.map(a => a.port)
  const from = site.crossings.flatMap((crossing, i): readonly From[] => {
    const { frozen, direct, local, remote, either, epoch, branches, entrances } = crossing
    if (frozen || (speakers.length === 0 && direct)) return []
    const to = (kind: 'flood' | 'remote'): Action[] => [{ type: 'group', groupId: groupId(number, kind, epoch) }]
    const links = { branches, hops: (wanting: ReadonlySet<DatapathId>) => reach[i]!(dpid, wanting) }
    const there = { ...links, into: (hop: Hop) => into(crossing, hop), flood: to('flood') }
    if (!direct) return [{ metadata: either, ...there }]
    const here = { branches: [], hops: () => [], into: there.into, flood: to('remote') }
    return [{ metadata: local, ...there }, ...(entrances.length > 0 ? [{ metadata: remote, ...here }] : [])]
  })
  const ports = new Set(speakers.filter(port => port !== tapped))
  const here = new Map(site.local.map(a => [a.port, a]))
  const part = {
    ...{ number, dpid, ports, speakers, from },
    out: (port: PortNo) => out(here.get(port) ?? { port }),
    copies: (port: PortNo) => site.datapath.meteredCopies && here.get(port)?.vlan === undefined,
  }
  snoop(items, part, snooped, wanted)
}

const tappedPort = ({ network: { mirror }, dpid }: Site): PortNo | undefined =>
  mirror?.dpid === dpid ? mirror.port : undefined

/** How this switch's members are copied to the mirror: a group, so that the copy's VNI stays the copy's. */
function mirrorActions(site: Site): readonly Action[] {
  const { mirror } = site.network
  return mirror && mirrorWay(mirror, site, site.entered)
    ? [{ type: 'group', groupId: groupId(mirror.number, 'flood') }]
    : []
}
/** What takes a copy on towards the mirror, or out of it. */
function mirrorWay(
  mirror: NonNullable<Network['mirror']>,
  { dpid, datapath }: Site,
  { towards, epoch }: Crossing,
): readonly Action[] | undefined {
  if (mirror.dpid === dpid) return datapath.ports.has(mirror.port) ? [output(mirror.port)] : undefined
  const hop = towards.get(mirror.dpid)
  // Its copies have no VLANs of their own, so they cross no plain link (status.ts says so).
  return hop?.carries === 'vni' ? into({ vni: vniOf(mirror.number, epoch), vid: 0 }, hop) : undefined
}
export function mirror(items: Item[], site: Site, lanes: Lanes): void {
  const { mirror } = site.network
  if (!mirror) return
  const { number, fixed } = site.marks
  const enters = mirrorWay(mirror, site, site.entered)
  if (enters && site.local.length > 0)
    items.push(groupItem(number, groupId(mirror.number, 'flood'), 'indirect', [bucket(enters)]))
  for (const [i, crossing] of site.crossings.entries()) {
    const apply = mirrorWay(mirror, site, crossing)
    if (!apply) continue
    for (const { to: before, port, carries } of crossing.entrances) {
      if (carries === 'vid') continue
      if (lanes[i]!.route.towards.get(before)?.get(mirror.dpid)?.to !== site.dpid) continue
      const match = { in_port: port, tunnel_id: vniOf(mirror.number, crossing.epoch) }
      items.push(entry(number, 'admit', 'mirrored', { ...fixed, match, apply }))
    }
  }
}
