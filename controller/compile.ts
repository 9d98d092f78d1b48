// What every switch must hold for one network: composed of small rules, each pure, each keyed by what it reads.
import type { Action, Bucket } from '../openflow/index.ts'
import { flowModFlags, groups, ports, vid } from '../openflow/index.ts'
import type { Attachment, Network } from '../store/state.ts'
import type { NetworkVlans } from '../store/vlans.ts'
import type { Hop, Mesh } from '../topology/mesh.ts'
import type { Paths } from '../topology/paths.ts'
import { type Pruned, pruned } from '../topology/pruned.ts'
import { datapathsOf, maxFanOut } from '../topology/route.ts'
import type { DatapathId, PortNo } from '../topology/topology.ts'
import { cookie, type Epoch, groupId } from './cookie.ts'
import { entry, groupItem, type Item } from './item.ts'
import type { Lanes } from './lanes.ts'
import { copyOf } from './metered.ts'
import { metadata, vniOf } from './pipeline.ts'
import { type From, type Snooped, snoop, type Wanted, wantedAt } from './snoop.ts'
import { out, output, popVlan } from './tag.ts'

/** What compile reads of a switch. */
export type Datapath = {
  readonly ports: ReadonlySet<PortNo>
  /** What they are called. */
  readonly names?: ReadonlyMap<PortNo, string>
  /** It takes Nicira's controller action with a meter, so that copies are limited and the data is not. */
  readonly meteredCopies: boolean
  /** The highest id of a meter that it takes; 0 without meters. */
  readonly maxMeter: number
}
export type Datapaths = ReadonlyMap<DatapathId, Datapath>
export type Fabric = {
  readonly paths: Paths
  /** All links, also those that are down: a vlink's path stays where it was asked for. */
  readonly known: Mesh
  readonly datapaths: Datapaths
}

/** Where an address is: pinned by its attachment, or learned from frames. */
export type Location = { readonly mac: string; readonly dpid: DatapathId; readonly port: PortNo }
/** A location that came from frames: its entries say so in their cookies, so that a restart can read it back. */
type Address = Location & { readonly learned: boolean }

export type Subject = {
  readonly network: Network
  readonly attachments: readonly Attachment[]
  /** Addresses learned at the edge; what an attachment pins counts more. */
  readonly learned: readonly Location[]
  /** Ports over their cap of learned addresses, by placeOf. */
  readonly hushed: ReadonlySet<string>
  /** Who wants which multicast, if the network snoops. */
  readonly snooped?: Snooped | undefined
  /** Its VLANs on plain links. Where there are none yet, nothing of it crosses such a link. */
  readonly vlans?: NetworkVlans | undefined
}

/** A port, as a member of one network: by tags it may be in others, which have nothing to do with it. */
export const placeOf = (network: number, dpid: DatapathId, port: PortNo): string => `${network} ${dpid}/${port}`

/** A learned address that has not spoken for so long (seconds) is forgotten by its switch. */
export const learnedIdleTimeout = 60
/** A hushed port is listened to again after so many seconds. */
export const hushSeconds = 5
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
  /** By which frames of members here leave. */
  readonly entered: Crossing
  /** All that frames may come by, the one above too. */
  readonly crossings: readonly Crossing[]
}
/** A lane, as it passes one switch. */
type Crossing = {
  readonly epoch: Epoch
  readonly frozen: boolean
  readonly direct: boolean
  /** How its frames are marked in a tunnel, and on a plain link. */
  readonly vni: bigint
  readonly vid: number
  /** Metadata of a frame that began here, of one that came over a link, and of either. */
  readonly local: bigint
  readonly remote: bigint
  readonly either: { readonly value: bigint; readonly mask: bigint }
  /** Links, by port: where frames come in, and where those to all go out. */
  readonly entrances: readonly Hop[]
  readonly branches: readonly Hop[]
  /** The link towards each member switch. */
  readonly towards: ReadonlyMap<DatapathId, Hop>
}

/** What each switch must hold for this network. Same arguments, same answer: nothing else is read. */
export function compile(
  subject: Subject,
  datapaths: Datapaths,
  lanes: Lanes,
): ReadonlyMap<DatapathId, readonly Item[]> {
  const locations = addresses(subject)
  const snooping = subject.snooped && snoopingOf(subject.snooped, lanes)
  const compiled = new Map<DatapathId, readonly Item[]>()
  for (const site of sites(subject, datapaths, lanes)) {
    const items: Item[] = []
    for (const attachment of site.local) admit(items, site, attachment)
    if (site.local.length > 0) guard(items, site, locations, subject.hushed)
    if (site.local.length > 0) deliverHere(items, site, locations)
    for (const crossing of site.crossings) {
      if (crossing.frozen || (site.local.length === 0 && crossing.direct)) continue
      admitLinks(items, site, crossing)
      deliverThere(items, site, crossing, locations)
      flood(items, site, crossing)
    }
    if (snooping) multicast(items, site, snooping)
    mirror(items, site, lanes)
    if (items.length > 0) compiled.set(site.dpid, items)
  }
  return compiled
}

/** Every switch that holds something of the network, as far as we know it. */
function sites({ network, attachments, vlans }: Subject, datapaths: Datapaths, lanes: Lanes): Site[] {
  const byDatapath = new Map<DatapathId, Attachment[]>()
  for (const { route } of lanes) for (const dpid of datapathsOf(route)) byDatapath.set(dpid, [])
  for (const a of attachments) {
    const here = byDatapath.get(a.dpid)
    if (here) here.push(a)
    else byDatapath.set(a.dpid, [a])
  }
  const marks = marksOf(network)
  const found: Site[] = []
  for (const [dpid, members] of byDatapath) {
    const datapath = datapaths.get(dpid)
    if (!datapath) continue
    const local = members.filter(a => isThere(datapath, a)).sort((a, b) => a.port - b.port)
    const crossings = lanes.map(lane => crossingAt(dpid, network.number, lane, vlans))
    found.push({ dpid, datapath, network, marks, local, entered: crossings[0]!, crossings })
  }
  return found
}

/** A port that has the number of one which was asked for by name, and another name, is another port. */
const isThere = ({ ports, names }: Datapath, { port, portName }: Attachment): boolean =>
  ports.has(port) && (portName === undefined || names === undefined || names.get(port) === portName)

function crossingAt(
  dpid: DatapathId,
  number: number,
  { epoch, route, frozen }: Lanes[number],
  vlans: NetworkVlans | undefined,
): Crossing {
  const inEpoch = epoch === 1 ? metadata.epoch : 0n
  const local = BigInt(number) | inEpoch
  const isOpen = ({ carries, to }: Hop) =>
    carries === 'vni' || (vlans?.dpids.includes(dpid) === true && vlans.dpids.includes(to))
  const byPort = (hops: Iterable<Hop> = []) => [...hops].filter(isOpen).sort((a, b) => a.port - b.port)
  const towards = route.towards.get(dpid) ?? nowhere
  const isAllOpen = [...towards.values()].every(isOpen)
  return {
    epoch,
    frozen: frozen === true,
    direct: route.direct,
    vni: vniOf(number, epoch),
    vid: vlans?.vids[epoch] ?? 0,
    local,
    remote: local | metadata.remote,
    either: { value: local, mask: metadata.network | metadata.epoch },
    entrances: byPort(route.entrances.get(dpid)?.values()),
    branches: byPort(route.branches.get(dpid)?.values()),
    towards: isAllOpen ? towards : new Map([...towards].filter(([, hop]) => isOpen(hop))),
  }
}
const nowhere: ReadonlyMap<DatapathId, Hop> = new Map()

/** By switch. */
type Addresses = ReadonlyMap<DatapathId, readonly Address[]>

/** One place for each address: the attachment that pins it, else where it was learned. */
function addresses({ attachments, learned }: Subject): Addresses {
  const pinned = attachments.flatMap(({ mac, dpid, port }) => (mac ? [{ mac, dpid, port, learned: false }] : []))
  const taken = new Set(pinned.map(l => l.mac))
  const free = learned.flatMap(l => (taken.has(l.mac) ? [] : [{ ...l, learned: true }]))
  return Map.groupBy([...pinned, ...free], ({ dpid }) => dpid)
}

/** How entries of a network are marked and matched: worked out once for all of them. */
type Marks = {
  readonly number: number
  /** Cookies, ready to be spread into an entry: of what was asked for, and of what was learned. */
  readonly fixed: { readonly cookie: bigint }
  readonly learned: { readonly cookie: bigint }
  /** Metadata of any frame of the network, wherever it began and whichever way it came. */
  readonly any: { readonly value: bigint; readonly mask: bigint }
}
const marksOf = ({ number }: Network): Marks => ({
  number,
  fixed: { cookie: cookie('network', number) },
  learned: { cookie: cookie('learned', number) },
  any: { value: BigInt(number), mask: metadata.network },
})

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
function admit(items: Item[], { marks, entered }: Site, { port, vlan, trunk }: Attachment): void {
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
function admitLinks(
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
function guard(items: Item[], site: Site, locations: Addresses, hushed: ReadonlySet<string>): void {
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
function deliverHere(items: Item[], site: Site, locations: Addresses): void {
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
function deliverThere(items: Item[], site: Site, crossing: Crossing, locations: Addresses): void {
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
function flood(items: Item[], site: Site, crossing: Crossing): void {
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
type Snooping = { readonly snooped: Snooped; readonly wanted: Wanted; readonly reach: readonly Pruned[] }
const snoopingOf = (snooped: Snooped, lanes: Lanes): Snooping => ({
  snooped,
  wanted: wantedAt(snooped),
  reach: lanes.map(({ route }) => pruned(route)),
})

/** Multicast of a network that snoops: to those who asked for it. */
function multicast(items: Item[], site: Site, { snooped, wanted, reach }: Snooping): void {
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
function mirror(items: Item[], site: Site, lanes: Lanes): void {
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
