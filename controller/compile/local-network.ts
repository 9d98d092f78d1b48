// What compile reads, and what of it concerns each switch.
import type { Attachment, Network } from '../../store/state.ts'
import type { NetworkVlans } from '../../store/vlans.ts'
import type { Hop, Mesh } from '../../topology/mesh.ts'
import type { Paths } from '../../topology/paths.ts'
import { datapathsOf } from '../../topology/route.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { cookie, type Epoch } from './cookie.ts'
import { metadata, vniOf } from './pipeline.ts'
import type { PathVersions } from './rollout.ts'
import type { Snooped } from './snoop.ts'

/** What compile reads of a switch. */
export type Datapath = {
  readonly ports: ReadonlySet<PortNo>
  /** What they are called. */
  readonly names?: ReadonlyMap<PortNo, string>
  /** It takes Nicira's controller action with a meter, so that copies are limited and the data is not. */
  readonly meteredPacketIns: boolean
  /** How many meters it can hold (OpenFlow 1.3.5 §7.3.5.13: a count, not the highest id); 0 without meters. */
  readonly maxMeter: number
  /** Why its meters can't be used in our tables, if it said so. */
  readonly unmetered?: string | undefined
  /** Fields that a strict port needs and its guard table does not match; absent: it matches all. */
  readonly missing?: ReadonlySet<string>
  /** It rewrites ARP and neighbour discovery (Nicira's move, and fields of Open vSwitch), so it can answer them. */
  readonly answers?: boolean
}
export type Datapaths = ReadonlyMap<DatapathId, Datapath>
export type Fabric = {
  readonly paths: Paths
  /** All links, also those that are down: a vlink's path stays where it was asked for. */
  readonly known: Mesh
  readonly datapaths: Datapaths
}

/** Where an address is: pinned by its attachment, or learned from frames. */
export type Location = {
  readonly mac: string
  readonly dpid: DatapathId
  readonly port: PortNo
  /** Copies of its frames come to us: another port claims it, and its switch counts no packets. */
  readonly watched?: true
}
/** A location that came from frames: its entries say so in their cookies, so that a restart can read it back. */
export type Address = Location & { readonly learned: boolean }

export type Subject = {
  readonly network: Network
  readonly attachments: readonly Attachment[]
  /** Addresses learned at the edge; what an attachment pins counts more. */
  readonly learned: readonly Location[]
  /** Ports over their cap of learned addresses, by placeOf. */
  readonly suppressed: ReadonlySet<string>
  /** Members that are not let in for now, and why, by placeOf. Absent: none. */
  readonly withheld?: Withheld | undefined
  /** Who wants which multicast, if the network snoops. */
  readonly snooped?: Snooped | undefined
  /** Its VLANs on plain links. Where there are none yet, nothing of it crosses such a link. */
  readonly vlans?: NetworkVlans | undefined
}

/**
 * `leaving`: the port has to leave another network first. `loop`: it leads the network's frames back into it, and is cut off;
 * an entry of its switch says so, for a controller that starts anew.
 */
export type Withheld = ReadonlyMap<string, 'leaving' | 'loop'>

/** A port, as a member of one network: by tags it may be in others, which have nothing to do with it. */
export const placeOf = (network: number, dpid: DatapathId, port: PortNo): string => `${network} ${dpid}/${port}`
export const isPlaceOn = (place: string, dpid: DatapathId): boolean => place.includes(` ${dpid}/`)

/** One switch's part of a network. */
export type LocalNetwork = {
  readonly dpid: DatapathId
  readonly datapath: Datapath
  readonly network: Network
  readonly marks: Marks
  /** Attachments here whose port exists and is let in, by port. */
  readonly local: readonly Attachment[]
  /** Those that are cut off. */
  readonly cut: readonly Attachment[]
  readonly byPort: ReadonlyMap<PortNo, Attachment>
  /** By which frames of members here leave. */
  readonly entered: Transit
  /** All that frames may come by, the one above too. */
  readonly transits: readonly Transit[]
}
/** A path version, as it passes one switch. */
export type Transit = {
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
  readonly ingressPorts: readonly Hop[]
  readonly floodTree: readonly Hop[]
  /** The link towards each member switch. */
  readonly nextHops: ReadonlyMap<DatapathId, Hop>
}

/** Every switch that holds something of the network, as far as we know it. */
export function localNetworks(
  { network, attachments, vlans, withheld }: Subject,
  datapaths: Datapaths,
  pathVersions: PathVersions,
): LocalNetwork[] {
  const byDatapath = new Map<DatapathId, Attachment[]>()
  for (const { route } of pathVersions) for (const dpid of datapathsOf(route)) byDatapath.set(dpid, [])
  for (const a of attachments) {
    const here = byDatapath.get(a.dpid)
    if (here) here.push(a)
    else byDatapath.set(a.dpid, [a])
  }
  const at = localNetworkOf({ network, vlans, withheld }, datapaths, pathVersions)
  return [...byDatapath].flatMap(([dpid, members]) => at(dpid, members) ?? [])
}

/** What a network is on one switch, given its attachments there; undefined while the switch is not known. */
export function localNetworkOf(
  { network, vlans, withheld }: Pick<Subject, 'network' | 'vlans' | 'withheld'>,
  datapaths: Datapaths,
  pathVersions: PathVersions,
): (dpid: DatapathId, attachments: Iterable<Attachment>) => LocalNetwork | undefined {
  const marks = marksOf(network)
  return (dpid, attachments) => {
    const datapath = datapaths.get(dpid)
    if (!datapath) return undefined
    const there = [...attachments].filter(a => isThere(datapath, a)).sort((a, b) => a.port - b.port)
    const why = ({ port }: Attachment) => withheld?.get(placeOf(network.number, dpid, port))
    const local = withheld ? there.filter(a => why(a) === undefined) : there
    const cut = withheld ? there.filter(a => why(a) === 'loop') : []
    const byPort = new Map(local.map(a => [a.port, a]))
    const transits = pathVersions.map(pathVersion => transitAt(dpid, network.number, pathVersion, vlans))
    return { dpid, datapath, network, marks, local, cut, byPort, entered: transits[0]!, transits }
  }
}

/** A port that has the number of one which was asked for by name, and another name, is another port. */
const isThere = ({ ports, names }: Datapath, { port, portName }: Attachment): boolean =>
  ports.has(port) && (portName === undefined || names === undefined || names.get(port) === portName)

function transitAt(
  dpid: DatapathId,
  number: number,
  { epoch, route, frozen }: PathVersions[number],
  vlans: NetworkVlans | undefined,
): Transit {
  const inEpoch = epoch === 1 ? metadata.epoch : 0n
  const local = BigInt(number) | inEpoch
  const isOpen = ({ carries, to }: Hop) =>
    carries === 'vni' || (vlans?.dpids.includes(dpid) === true && vlans.dpids.includes(to))
  const byPort = (hops: Iterable<Hop> = []) => [...hops].filter(isOpen).sort((a, b) => a.port - b.port)
  const nextHops = route.nextHops.get(dpid) ?? nowhere
  const isAllOpen = [...(route.egressPorts.get(dpid)?.values() ?? [])].every(isOpen)
  return {
    epoch,
    frozen: frozen === true,
    direct: route.direct,
    vni: vniOf(number, epoch),
    vid: vlans?.vids[epoch] ?? 0,
    local,
    remote: local | metadata.remote,
    either: { value: local, mask: metadata.network | metadata.epoch },
    ingressPorts: byPort(route.ingressPorts.get(dpid)?.values()),
    floodTree: byPort(route.floodTree.get(dpid)?.values()),
    nextHops: isAllOpen ? nextHops : new Map([...nextHops].filter(([, hop]) => isOpen(hop))),
  }
}
const nowhere: ReadonlyMap<DatapathId, Hop> = new Map()

/** By MAC. */
export type Addresses = ReadonlyMap<string, Address>

/** One place for each address: the attachment that pins it, else where it was learned. */
export function addresses({ attachments, learned }: Pick<Subject, 'attachments' | 'learned'>): Map<string, Address> {
  const found = new Map<string, Address>()
  for (const location of learned) found.set(location.mac, { ...location, learned: true })
  for (const { mac, dpid, port } of attachments) if (mac) found.set(mac, { mac, dpid, port, learned: false })
  return found
}

/** How entries of a network are marked and matched: worked out once for all of them. */
export type Marks = {
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
