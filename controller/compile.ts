// What every switch must hold for one network: composed of small rules, each pure, each keyed by what it reads.
import type { Action, Bucket } from '../openflow/index.ts'
import { flowModFlags, groups, ports, vid } from '../openflow/index.ts'
import type { Attachment, Network } from '../store/state.ts'
import { lldpEthertype, lldpMac } from '../topology/lldp.ts'
import type { Mesh } from '../topology/mesh.ts'
import type { DatapathId, PortNo } from '../topology/topology.ts'
import { cookie, groupId, markerCookie, maxMeteredPort, meterId } from './cookie.ts'
import { entry, groupItem, type Item, meterItem } from './item.ts'
import { metadata, probeVni } from './pipeline.ts'

/** What compile reads of a switch. */
export type Datapath = {
  readonly ports: ReadonlySet<PortNo>
  /** It takes Nicira's controller action with a meter, so that copies are limited and the data is not. */
  readonly meteredCopies: boolean
}
export type Fabric = { readonly mesh: Mesh; readonly datapaths: ReadonlyMap<DatapathId, Datapath> }

/** Where an address is: pinned by its attachment, or learned from frames. */
export type Location = { readonly mac: string; readonly dpid: DatapathId; readonly port: PortNo }
/** A location that came from frames: its entries say so in their cookies, so that a restart can read it back. */
type Address = Location & { readonly learned: boolean }

export type Subject = {
  readonly network: Network
  readonly attachments: readonly Attachment[]
  /** Addresses learned at the edge; what an attachment pins counts more. */
  readonly learned: readonly Location[]
  /** Ports over their cap of learned addresses, as `<dpid>/<port>`. */
  readonly hushed: ReadonlySet<string>
}

/**
 * The most remote switches that one flood group copies to. Open vSwitch 3.1 stops, silently, at 780 tunnel copies a
 * frame (seen); a network on more switches than this is `degraded` and says so.
 */
export const maxFanOut = 500

/** A learned address that has not spoken for so long (seconds) is forgotten by its switch. */
export const learnedIdleTimeout = 60
/** A hushed port is listened to again after so many seconds. */
export const hushSeconds = 5
/** Copies for learning, per port and second. */
export const copiesPerSecond = 100
/** As much of a frame as learning needs. */
const copyBytes = 128

/** One switch's part of a network. */
type Site = {
  readonly dpid: DatapathId
  readonly datapath: Datapath
  readonly network: Network
  readonly marks: Marks
  /** Attachments here whose port exists, by port. */
  readonly local: readonly Attachment[]
  /** The ways to the other switches with members, by neighbour. */
  readonly links: ReadonlyMap<DatapathId, Way>
}
/** A link's port here, and the actions that send a frame of the network into it. */
type Way = { readonly port: PortNo; readonly into: readonly Action[] }

/** What each switch must hold for this network. Same arguments, same answer: nothing else is read. */
export function compile(subject: Subject, fabric: Fabric): ReadonlyMap<DatapathId, readonly Item[]> {
  const locations = addresses(subject)
  const compiled = new Map<DatapathId, readonly Item[]>()
  for (const site of sites(subject, fabric)) {
    const items: Item[] = []
    if (site.local.length > 0) {
      for (const attachment of site.local) admit(items, site, attachment)
      admitLinks(items, site)
      guard(items, site, locations, subject.hushed)
      deliver(items, site, locations)
      flood(items, site)
    }
    mirror(items, site)
    if (items.length > 0) compiled.set(site.dpid, items)
  }
  return compiled
}

/** What every datapath holds whatever its networks: the marker, our probes' way to us, and what is never let in. */
export function base(instance: string): readonly Item[] {
  const owned = { cookie: cookie('base') }
  const drop = (kind: 'reserved' | 'forged' | 'nested', match: object) => entry(0, 'admit', kind, { ...owned, match })
  return [
    entry(0, 'admit', 'miss', { match: {}, cookie: markerCookie(instance) }),
    entry(0, 'admit', 'probe', {
      ...owned,
      match: { tunnel_id: probeVni, eth_dst: lldpMac, eth_type: lldpEthertype },
      apply: [{ type: 'output', port: ports.controller, maxLen: 0xffff }],
    }),
    drop('reserved', { eth_dst: { value: '01:80:c2:00:00:00', mask: 'ff:ff:ff:ff:ff:f0' } }),
    drop('forged', { eth_src: { value: '01:00:00:00:00:00', mask: '01:00:00:00:00:00' } }),
    ...[0x8100, 0x88a8].map(eth_type => drop('nested', { vlan_vid: vid.present, eth_type })),
  ]
}

/** Every switch with a member or the mirror, that we know enough of to compile for. */
function sites({ network, attachments }: Subject, fabric: Fabric): Site[] {
  const byDatapath = new Map<DatapathId, Attachment[]>()
  if (network.mirror) byDatapath.set(network.mirror.dpid, [])
  for (const a of attachments) {
    const here = byDatapath.get(a.dpid)
    if (here) here.push(a)
    else byDatapath.set(a.dpid, [a])
  }
  const marks = marksOf(network)
  const found: Site[] = []
  for (const [dpid, members] of byDatapath) {
    const datapath = fabric.datapaths.get(dpid)
    if (!datapath) continue
    const links = new Map<DatapathId, Way>()
    const neighbours = fabric.mesh.get(dpid)
    for (const peer of byDatapath.keys()) {
      const port = neighbours?.get(peer)
      if (port !== undefined) links.set(peer, { port, into: into(marks.vni, port) })
    }
    const local = members.filter(a => datapath.ports.has(a.port)).sort((a, b) => a.port - b.port)
    found.push({ dpid, datapath, network, marks, local, links })
  }
  return found
}

/** One place for each address: the attachment that pins it, else where it was learned. */
function addresses({ attachments, learned }: Subject): readonly Address[] {
  const pinned = attachments.flatMap(({ mac, dpid, port }) => (mac ? [{ mac, dpid, port, learned: false }] : []))
  const taken = new Set(pinned.map(l => l.mac))
  return [...pinned, ...learned.flatMap(l => (taken.has(l.mac) ? [] : [{ ...l, learned: true }]))]
}

/** How entries of a network are marked and matched: worked out once for all of them. */
type Marks = {
  readonly number: number
  /** Cookies, ready to be spread into an entry: of what was asked for, and of what was learned. */
  readonly fixed: { readonly cookie: bigint }
  readonly learned: { readonly cookie: bigint }
  readonly vni: bigint
  /** Metadata of a frame that began here, of one that came over a link, and of either. */
  readonly local: bigint
  readonly remote: bigint
  readonly wherever: { readonly value: bigint; readonly mask: bigint }
}
function marksOf({ number }: Network): Marks {
  const local = BigInt(number)
  return {
    number,
    fixed: { cookie: cookie('network', number) },
    learned: { cookie: cookie('learned', number) },
    vni: local,
    local,
    remote: local | metadata.remote,
    wherever: { value: local, mask: metadata.network | metadata.epoch },
  }
}

const output = (port: PortNo): Action => ({ type: 'output', port, maxLen: 0 })
const into = (vni: bigint, port: PortNo): Action[] => [
  { type: 'set_field', field: 'tunnel_id', value: vni },
  output(port),
]
const bucket = (actions: readonly Action[]): Bucket => ({
  weight: 0,
  watchPort: ports.any,
  watchGroup: groups.any,
  actions: actions as Action[],
})

/** Which network is this frame in: by its port. */
function admit(items: Item[], { marks }: Site, { port }: Attachment): void {
  const { number, fixed, local: metadata } = marks
  const admitted = { ...fixed, metadata, goto: 'guard' } as const
  items.push(
    entry(number, 'admit', 'access', { ...admitted, match: { in_port: port, vlan_vid: vid.none } }),
    entry(number, 'admit', 'priority', {
      ...admitted,
      match: { in_port: port, vlan_vid: vid.present },
      apply: popVlan,
    }),
  )
}
const popVlan: readonly Action[] = [{ type: 'pop_vlan' }]

/** Which network is this frame in: by its link and VNI. Remote from here on, so that it leaves by no link again. */
function admitLinks(items: Item[], { marks, links }: Site): void {
  const { number, fixed, vni, remote: metadata } = marks
  for (const { port } of links.values()) {
    const match = { in_port: port, tunnel_id: vni }
    items.push(entry(number, 'admit', 'link', { ...fixed, match, metadata, goto: 'deliver' }))
  }
}

/** May this sender speak: what is pinned or learned passes; the rest passes too on a learning port, and is shown to us. */
function guard(items: Item[], site: Site, locations: readonly Address[], hushed: ReadonlySet<string>): void {
  const { number, fixed, learned, local: metadata } = site.marks
  const tap = mirrorActions(site)
  const speak = { apply: tap, goto: 'deliver' } as const
  const here = new Set(site.local.map(a => a.port))
  for (const { mac, dpid, port, learned: fades } of locations) {
    if (dpid !== site.dpid || !here.has(port)) continue
    const match = { in_port: port, metadata, eth_src: mac }
    items.push(entry(number, 'guard', 'known', { ...(fades ? { ...learned, ...fading } : fixed), ...speak, match }))
  }
  for (const { port, guard } of site.local) {
    if (guard !== 'learn') continue
    const match = { in_port: port, metadata }
    const metered = site.datapath.meteredCopies && port <= maxMeteredPort
    if (metered) items.push(copyMeter(number, port))
    const apply = [...tap, metered ? meteredCopy(port) : plainCopy]
    items.push(entry(number, 'guard', 'learn', { ...fixed, match, apply, goto: 'deliver' }))
    if (!hushed.has(`${site.dpid}/${port}`)) continue
    items.push(entry(number, 'guard', 'hushed', { ...speak, match, cookie: cookie('hushed', number), ...hushing }))
  }
}
const fading = { idleTimeout: learnedIdleTimeout, flags: flowModFlags.sendFlowRem }
const hushing = { hardTimeout: hushSeconds, flags: flowModFlags.sendFlowRem }
// An OpenFlow 1.3 meter instruction would drop the data with the copies (seen): the meter is the action's own.
const meteredCopy = (port: PortNo): Action => ({ type: 'controller2', maxLen: copyBytes, meterId: meterId(port) })
const plainCopy: Action = { type: 'output', port: ports.controller, maxLen: copyBytes }
const copyMeter = (network: number, port: PortNo): Item =>
  meterItem(network, meterId(port), meterFlags.packetsPerSecond | meterFlags.burst, [
    { type: 'drop', rate: copiesPerSecond, burstSize: copiesPerSecond },
  ])
const meterFlags = { packetsPerSecond: 2, burst: 4 } // OFPMF_PKTPS, OFPMF_BURST (§7.3.4.4)

/** Where does it go: known addresses, each to its port here or over the link to its switch. */
function deliver(items: Item[], site: Site, locations: readonly Address[]): void {
  const { number, fixed, learned, local: metadata, wherever } = site.marks
  const tapped = tappedPort(site)
  for (const { mac, dpid, port, learned: fades } of locations) {
    const marked = fades ? learned : fixed
    if (dpid !== site.dpid) {
      const way = site.links.get(dpid)
      const match = { metadata, eth_dst: mac }
      if (way) items.push(entry(number, 'deliver', 'there', { ...marked, match, apply: way.into }))
    } else if (site.datapath.ports.has(port)) {
      // A member that is the mirror too has had its copy from the guard.
      const apply = port === tapped ? [] : [output(port)]
      items.push(entry(number, 'deliver', 'here', { ...marked, match: { metadata: wherever, eth_dst: mac }, apply }))
    }
  }
}

/** Everything else to everybody else, once: what began here to local ports and links, what came over a link to local ports. */
function flood(items: Item[], site: Site): void {
  const { number, fixed, local, remote } = site.marks
  const tapped = tappedPort(site)
  const here = site.local.filter(a => a.port !== tapped).map(a => bucket([output(a.port)]))
  const ways = [...site.links.values()].sort((a, b) => a.port - b.port).slice(0, maxFanOut)
  const there = ways.map(way => bucket(way.into))
  for (const [kind, metadata, buckets] of [
    ['flood', local, [...here, ...there]],
    ['remote', remote, here],
  ] as const) {
    const id = groupId(number, kind)
    const apply = [{ type: 'group', groupId: id }] as const
    items.push(
      groupItem(number, id, 'all', buckets),
      entry(number, 'deliver', kind, { ...fixed, match: { metadata }, apply }),
    )
  }
}

const tappedPort = ({ network: { mirror }, dpid }: Site): PortNo | undefined =>
  mirror?.dpid === dpid ? mirror.port : undefined

/** How this switch's members are copied to the mirror: a group, so that the copy's VNI stays the copy's. */
function mirrorActions(site: Site): readonly Action[] {
  const { mirror } = site.network
  return mirror && mirrorWay(mirror, site) ? [{ type: 'group', groupId: groupId(mirror.number, 'flood') }] : []
}
function mirrorWay(mirror: NonNullable<Network['mirror']>, site: Site): readonly Action[] | undefined {
  if (mirror.dpid === site.dpid) return site.datapath.ports.has(mirror.port) ? [output(mirror.port)] : undefined
  const way = site.links.get(mirror.dpid)
  return way && into(BigInt(mirror.number), way.port)
}
function mirror(items: Item[], site: Site): void {
  const { mirror } = site.network
  const apply = mirror && mirrorWay(mirror, site)
  if (!apply) return
  const { number, fixed } = site.marks
  if (site.local.length > 0) items.push(groupItem(number, groupId(mirror.number, 'flood'), 'indirect', [bucket(apply)]))
  if (mirror.dpid !== site.dpid) return
  for (const { port } of site.links.values()) {
    const match = { in_port: port, tunnel_id: BigInt(mirror.number) }
    items.push(entry(number, 'admit', 'mirrored', { ...fixed, match, apply }))
  }
}

/** Pairs of member switches that no link joins: their members do not reach each other. */
export function gaps(
  { network, attachments }: Pick<Subject, 'network' | 'attachments'>,
  mesh: Mesh,
): readonly (readonly [DatapathId, DatapathId])[] {
  const dpids = new Set(attachments.map(a => a.dpid))
  if (network.mirror) dpids.add(network.mirror.dpid)
  const all = [...dpids].sort()
  return all.flatMap((a, i) => all.slice(i + 1).flatMap(b => (mesh.get(a)?.has(b) ? [] : [[a, b] as const])))
}
