// The values that the store keeps. What tables they stand in: collections/.
import type { DatapathId, Endpoint, PortNo } from '../topology/topology.ts'

export type { State } from './change.ts'
export { maxNetworkNumber, maxNodeNumber } from './limits.ts'

/**
 * How much of a sender's addresses a switch insists on.
 * `learn`: any source MAC, learned from frames. `mac`: only the attachment's own MAC may speak (and those in allowedAddresses).
 * `strict`: that, and what its ARP, neighbour discovery and IP say of the sender must be addresses of the attachment.
 */
export type Guard = 'learn' | 'mac' | 'strict'

/** An address that a port may send from besides its own: a virtual address, or what a pod that routes has behind it. */
export type AllowedAddress = {
  /** Lower case. Absent: the attachment's own. */
  readonly mac?: string
  /** An IPv4 or IPv6 address, or a prefix of them, in its one spelling. */
  readonly ip: string
}

/** What a strict port sends only if it is trusted with it: as a DHCP server (IPv4 and IPv6), or as an IPv6 router. */
export type Trust = 'dhcp' | 'router'

/** Kilobits a second, and how many kilobits more may come at once. */
export type Rate = { readonly kbps: number; readonly burst?: number }
/** What whoever is at a port may send, and what it gets. */
export type RateLimit = { readonly send?: Rate; readonly receive?: Rate }

export type Network = {
  /** 1 to 317 characters of `A-Z a-z 0-9 . _ : -`, but not `.` or `..`. */
  readonly id: string
  /** What the switches know it by: metadata and VNI. 1 to maxNetworkNumber; never given to a second network. */
  readonly number: number
  /** Copies of every frame that members send go to this port, under a number of their own. */
  readonly mirror?: { readonly dpid: DatapathId; readonly port: PortNo; readonly number: number }
  /** IP multicast goes to those who joined its group; absent: to all members. */
  readonly multicast?: 'snoop'
  /** Broadcast, multicast and unknown unicast frames that each port may send in a second; 0: any number; absent: the default. */
  readonly broadcast?: number
  /** Of attachments that ask for none. Absent: `mac` for those with a mac, `learn` for the others. */
  readonly guard?: Guard
  /** It is a vlink: it joins two ports over a path that was asked for, and has no attachments and no mirror. */
  readonly vlink?: Vlink
  /** Which of its two sets of ways frames enter by (absent: 0); written before they do, so that a restart goes on with it. */
  readonly epoch?: 0 | 1
  /** The set that it is going over to, or has gone over to a moment ago; absent when it is at rest. Written before anything of that is built. */
  readonly target?: 0 | 1
  /** Route.id of the ways in use; absent for direct ones. A restart that finds others wanted does not touch these before new ones are built. */
  readonly way?: string
  /** Store revision of the last change to the network itself, to its attachments, or to its mirror. */
  readonly revision: number
}

/** Point to point: any frame that comes in at the one port goes out at the other, as it is. */
export type Vlink = {
  readonly from: Endpoint
  readonly to: Endpoint
  /** The switches that frames pass, from that of `from` to that of `to`; each at most once. */
  readonly path: readonly DatapathId[]
  /** The same for the way back, from the switch of `to` to that of `from`. */
  readonly reversePath: readonly DatapathId[]
  /** What switches know frames on the way back by, as the network's number is for the way there: so the two may cross anywhere. */
  readonly reverseNumber: number
  /** While a link of a path is down, frames take the shortest way there is. */
  readonly reroute: boolean
  /** Bits a second that may enter at each end; what is beyond is dropped. */
  readonly bandwidth?: number
  /** Nanoseconds from end to end, at most: reported, for nobody can make a path shorter. */
  readonly latency?: number
}

export type Attachment = {
  readonly network: string
  readonly dpid: DatapathId
  readonly port: PortNo
  /** Lower case, `aa:bb:cc:dd:ee:ff`; never a multicast address. */
  readonly mac?: string
  /** IPv4 or IPv6, with or without a prefix length, as given. */
  readonly ips?: readonly string[]
  readonly name?: string
  /** It was asked for by this name of its port, and goes where that goes; `port` is its number, as last seen. */
  readonly portName?: string
  /** 1 to 4094: it is in the network by frames with this tag only, which they do not keep inside. Absent: untagged. */
  readonly vlan?: number
  /** Frames come and go as they are, whatever tags they have. Nothing else shares the port, and `vlan` is absent. */
  readonly trunk?: true
  /** As its network's, for this port. Absent: as in its network. */
  readonly broadcast?: number
  readonly rate?: RateLimit
  /** As asked for, or as its network has it. */
  readonly guard: Guard
  /** The guard was asked for of this port: it stays when the network's becomes another one. */
  readonly ownGuard?: true
  readonly allowedAddresses?: readonly AllowedAddress[]
  readonly trusted?: readonly Trust[]
  /** Store revision that wrote it. */
  readonly revision: number
}

/** What is said of a node's switch, or of all nodes' at once; see api/contract/node-schemas.ts. What is absent is said elsewhere, or is the default. */
export type NodeSettings = {
  readonly provider?: string
  readonly mtu?: number
  readonly interfaceNumber?: number
  readonly spare?: number
  readonly most?: number
  readonly controllers?: readonly string[]
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string }
  readonly datapath?: 'auto' | 'kernel' | 'userspace'
}
export type LinkSettings = { readonly udpPort?: number; readonly bfd?: boolean }

/** A machine with a switch of ours, which its agent makes. */
export type Node = NodeSettings & {
  readonly name: string
  readonly provider: string
  /** Of the provider and the name (topology/names.ts). */
  readonly dpid: DatapathId
  /** On the underlay: IPv4 or IPv6, lower case. */
  readonly address: string
  /**
   * Kept for as long as the node is declared: its peers have their links to it at the OpenFlow port `firstLinkPort - 1 + number`
   * (their own firstLinkPort). So no link that comes or goes moves another one.
   */
  readonly number: number
  readonly firstLinkPort: PortNo
  /** Store revision that wrote it. */
  readonly revision: number
}

/** A link between two nodes, `a` before `b` in the order of their names. */
export type NodeLink = LinkSettings & { readonly a: string; readonly b: string }

/** What is said of all nodes at once. */
export type Overlay = NodeSettings &
  LinkSettings & {
    /** A link between any two nodes; then none stands in nodeLinks. */
    readonly full: boolean
    /** How many node numbers were handed out: the next one is looked for from there, so that one is not used again at once. */
    readonly allocated: number
  }

/** Of the overlay that nobody has said anything of. */
export const plainOverlay: Overlay = { full: true, allocated: 0 }
