// The data plane at one moment: what every switch holds, how switches are joined, and what was declared of it. Plain data, made for
// trace and proof: they read tables, not intentions, so nothing of compile/ but the pipeline's declaration is known here.
import {
  type Action,
  type Instruction,
  type Match,
  type MatchBits,
  type MeterBand,
  matchBits,
} from '../../openflow/index.ts'
import type { DatapathId, Endpoint, Link, Port, PortNo } from '../../topology/topology.ts'

export type DataPlane = {
  /** `desired`: what the switches are to hold. `held`: what they held when they were read last. */
  readonly tables: 'desired' | 'held'
  /** Store revision that it was taken at. */
  readonly revision: number
  readonly switches: ReadonlyMap<DatapathId, PlaneSwitch>
  /** What leaves by this port arrives there; undefined: no link that we know begins here. A link that is down is known all the same. */
  link(from: Endpoint): Link | undefined
  /** Probes say that nothing that leaves by this link arrives. */
  isDead(link: Link): boolean
  /** What this port is to networks; none: no network has it. */
  at(port: Endpoint): readonly Use[]
  /** Numbers of all networks: their own, without those of mirrors and ways back. */
  networks(): Iterable<number>
  /** What was declared of the network with this number, be it its own, its mirror's or that of a vlink's way back. */
  network(number: number): PlaneNetwork | undefined
}

export type PlaneSwitch = {
  readonly dpid: DatapathId
  readonly ports: ReadonlyMap<PortNo, Port>
  /** Open vSwitch, or one that takes its extensions; false: a plain OpenFlow 1.3 switch; undefined: it never told us. */
  readonly isOpenVSwitch: boolean | undefined
  /**
   * What it holds, as it is kept: little more than bytes, so a switch of 100,000 flows costs nothing until they are asked for.
   * @param owner Only what belongs to the network with this number (0: to the switch itself; -1: to another controller).
   */
  items(owner?: number): Iterable<HeldItem>
}

/** What a network is said to be. */
export type PlaneNetwork = {
  readonly id: string
  readonly number: number
  /** All numbers that it is known by: its own, its mirror's, a vlink's way back. */
  readonly numbers: readonly number[]
  members(): Iterable<Member>
  readonly mirror?: { readonly dpid: DatapathId; readonly port: PortNo; readonly number: number }
  readonly vlink?: {
    readonly from: Endpoint
    readonly to: Endpoint
    /** The number that its frames have on the way back. */
    readonly reverseNumber: number
  }
  /** IP multicast goes to those who joined only. */
  readonly multicast?: 'snoop'
}

/** A port of a network. */
export type Member = {
  readonly dpid: DatapathId
  readonly port: PortNo
  readonly mac?: string
  /** Its own addresses, each with the length of its subnet if that is known. */
  readonly ips?: readonly string[]
  /** What else it may send from: an address or a prefix, with its own MAC or another one. */
  readonly allowedAddresses?: readonly { readonly ip: string; readonly mac?: string | undefined }[]
  /** Whether it may be a DHCP server, or a router. */
  readonly trusted?: readonly string[]
  readonly name?: string
  /** It is in the network by frames with this tag only. */
  readonly vlan?: number
  /** Frames come and go with whatever tags they have. */
  readonly trunk?: true
  readonly guard: string
}

/** What a port is to a network: by its tags it may be a member of several. */
export type Use = { readonly network: string; readonly is: 'member' | 'mirror' | 'vlink'; readonly member?: Member }

/** A flow, group or meter as it is kept (compile/item.ts has this shape). What is not its owner is read from its bytes when it is asked for. */
export type HeldItem = HeldFlow | HeldGroup | HeldMeter
export type HeldFlow = {
  readonly kind: 'flow'
  readonly owner: number
  readonly tableId: number
  readonly priority: number
  readonly cookie: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  /** Throws a WireError where it has a part that cannot be read, as `instructions` does. */
  readonly match: Match
  readonly instructions: readonly Instruction[]
  /** As struct ofp_flow_stats (OpenFlow 1.3.5 §7.3.5.2): valid until the next item is asked for its own. */
  entry(): Buffer
}
export type HeldGroup = {
  readonly kind: 'group'
  readonly owner: number
  readonly id: number
  readonly groupType: 'all' | 'select' | 'indirect' | 'ff'
  readonly buckets: readonly { readonly actions: readonly Action[] }[]
}
export type HeldMeter = {
  readonly kind: 'meter'
  readonly owner: number
  readonly id: number
  readonly flags: number
  readonly bands: readonly MeterBand[]
}

/** A flow entry, decoded. */
export type Entry = {
  readonly tableId: number
  readonly priority: number
  /** All must agree; none: every frame does. */
  readonly match: readonly MatchBits[]
  readonly instructions: readonly Instruction[]
  readonly cookie: bigint
  /** The number of the network that it belongs to; 0: the switch itself; -1: another controller. */
  readonly owner: number
  /** It goes away by itself. */
  readonly fades: boolean
  /** Why its instructions cannot be read: what it does is not known. */
  readonly unreadable?: string
  readonly item: HeldFlow
}

/** What a switch holds, decoded. */
export type Tables = {
  /** By table, those of the highest priority first. */
  readonly entries: ReadonlyMap<number, readonly Entry[]>
  readonly groups: ReadonlyMap<number, HeldGroup>
  readonly meters: ReadonlyMap<number, HeldMeter>
}

export function entryOf(item: HeldFlow): Entry {
  const { tableId, priority, cookie, owner, idleTimeout, hardTimeout } = item
  const match = matchBits(item.entry())
  const common = { tableId, priority, match, cookie, owner, fades: idleTimeout > 0 || hardTimeout > 0, item }
  try {
    return { ...common, instructions: item.instructions }
  } catch (error) {
    return { ...common, instructions: [], unreadable: error instanceof Error ? error.message : String(error) }
  }
}

/** All that these items are. Some 10 microseconds a flow. */
export function tablesOf(items: Iterable<HeldItem>): Tables {
  const entries = new Map<number, Entry[]>()
  const groups = new Map<number, HeldGroup>()
  const meters = new Map<number, HeldMeter>()
  for (const item of items) {
    if (item.kind === 'group') groups.set(item.id, item)
    else if (item.kind === 'meter') meters.set(item.id, item)
    else {
      const table = entries.get(item.tableId)
      if (table) table.push(entryOf(item))
      else entries.set(item.tableId, [entryOf(item)])
    }
  }
  for (const table of entries.values()) table.sort((a, b) => b.priority - a.priority)
  return { entries, groups, meters }
}
