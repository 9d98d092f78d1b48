import type { DatapathId, Endpoint, Link, Port, PortNo } from '../../topology/topology.ts'
import type { ExplainAnswer, ExplainQuestion } from './explain.ts'
import type { ProofAnswer } from './proof.ts'
import type { BadQuestion, TraceAnswer, TraceQuestion } from './trace.ts'

/**
 * Where a write stands. `programmed`: every switch concerned has confirmed it by a barrier without an error.
 * `pending`: not yet, and `reason` says what is missing. `degraded`: a switch refused, or cannot reach another member.
 */
export type Progress = {
  readonly state: 'pending' | 'programmed' | 'degraded'
  readonly reason?: string
  /** Of an attachment that is programmed: switches of its network that do not know of it, since they are not connected. */
  readonly unconfirmed?: DatapathId[]
  /** The revision that this is about: programmed means that the switches hold this revision or a later one. */
  readonly revision: number
}

/** What keeps something from being programmed. */
export type Condition = { readonly state: 'pending' | 'degraded'; readonly reason: string }

/** A limit of an attachment. */
export type LimitView = {
  readonly limit: 'broadcast' | 'send' | 'receive'
  /** Of broadcast, multicast and unknown unicast together. */
  readonly framesPerSecond?: number
  /** Kilobits a second, and kilobits that may come at once. */
  readonly kbps?: number
  readonly burst?: number
  /** Frames that it has dropped since the controller started. */
  readonly dropped?: number
  /** Why the switch does not have it. */
  readonly missing?: string
}

export type SwitchView = {
  readonly dpid: DatapathId
  readonly connected: boolean
  /**
   * `comparing`: its flows are being read. `unsafe`: flows of somebody else stand in our tables (see takeover).
   * `unsupported`: it cannot do what our pipeline needs, and is sent nothing.
   */
  readonly state: 'disconnected' | 'comparing' | 'unsupported' | 'live' | 'unsafe' | 'unadopted' | 'failing'
  /** Why it is not live, in words. */
  readonly reason?: string
  readonly remote?: string
  readonly manufacturer?: string
  readonly software?: string
  /** What it refused to tell, or did not, and what follows from that: a sentence each. */
  readonly unknown?: readonly string[]
  /** What it can't limit, and why: a sentence each. */
  readonly limitsMissing?: readonly string[]
  /** Another switch claims its datapath id; forgotten a minute after the last claim. */
  readonly conflict?: {
    /** From where the other one connects, as `address:port`. */
    readonly claimant: string
    /** Why this one is live: it came `first`, and answers; or it alone has a `certificate` for the id. */
    readonly decidedBy: 'first' | 'certificate'
    readonly claims: number
    /** When the first claim came, and the last one. */
    readonly since: Date
    readonly last: Date
  }
  /** It came back without any of its flows, which are put back: when that was found, and how many it had when it was seen last. */
  readonly emptied?: {
    readonly found: Date
    /** When it was seen last; undefined: before the controller was started. */
    readonly since: Date | undefined
    readonly flows: number | undefined
  }
  readonly ports: readonly Port[]
  readonly flows: {
    readonly desired: number
    readonly actual: number
    readonly foreign: number
    readonly drift: number
  }
  /** The newest store revision that this switch has confirmed, for everything that concerns it. */
  readonly programmedRevision: number
}

/** One direction of a link. */
export type LinkStatistics = {
  /**
   * Milliseconds that a frame takes over the link and back: the shortest time of a probe in this direction, plus that of one in the
   * other, less the shortest time of an echo request to each of the two switches, for each probe goes from us to the one and from the other to us.
   * Shortest of the last 32 to 64 probes and echo requests (one a second): what a queue adds now and then is left out.
   * It has a floor: what a switch takes to send a packet out and to hand one up, beyond answering an echo request, is in it
   * (some 0.7 to 1.8 ms on a busy machine with Open vSwitch in userspace); so is the time for which our event loop was held in all of these. Never below 0.
   * Undefined until all four are known.
   */
  readonly rttMs?: number
  /** The share, 0 to 1, of the last 24 probes of this direction that was lost; undefined until there are any. */
  readonly loss?: number
  /** Probes of this direction that were lost since the controller was started. */
  readonly lost: number
  /** The largest frame that passes in this direction: bytes after its Ethernet header. Undefined until it is found. */
  readonly mtu?: number
  /** Milliseconds between two probes: 250, or more where the budget of probes is spent. */
  readonly probeIntervalMs: number
}

export type LinkView = Link &
  Partial<LinkStatistics> & {
    /** `mesh`: planned for the nodes that were declared. */
    readonly origin: 'declared' | 'mesh' | 'discovered'
    /**
     * `up`: probes arrive, or none ever did and both ports are there. `down`: they do not, in this direction or the other, and no
     * network uses it. `pending`: a switch or a port is not there; whether networks use it is as it was.
     */
    readonly state: 'up' | 'down' | 'pending'
    readonly reason?: string
  }

/** What is counted of a switch. */
export type SwitchFigures = Pick<SwitchView, 'dpid' | 'connected' | 'flows'> & {
  /** When all that it holds was last read; undefined: not since the controller was started. */
  readonly readAt: Date | undefined
}

/** How many attachments are how far. */
export type AttachmentCounts = { readonly [State in Progress['state']]: number }

/** Two ports of a network have sent from one MAC address. */
export type AddressConflict = {
  readonly mac: string
  /** Who has the address: frames to it go there. */
  readonly holder: Endpoint
  /** Who has claimed it. */
  readonly claimant: Endpoint
  /** Since both were last seen to speak. */
  readonly secondsAgo: number
}

/** Two ports of a network have said that an IP address is theirs. */
export type IpConflict = {
  readonly ip: string
  /** Who said it first, or has it by its attachment. */
  readonly holder: Endpoint
  readonly claimant: Endpoint
  readonly secondsAgo: number
}

/** Who gets which multicast in a network that snoops. */
export type MulticastView = {
  /** How many groups somebody has joined. */
  readonly groups: number
  /** Who asks for them: us, or the IPv4 address of a router in the network. */
  readonly querier: string
  /**
   * Ports that get any: of groups that they `joined`, or all, as a `router`, while `unsettled` (what they want is not known
   * yet), or when they want more groups than can be kept (`crowded`).
   */
  readonly ports: readonly {
    readonly dpid: DatapathId
    readonly port: number
    readonly gets: 'joined' | 'router' | 'unsettled' | 'crowded'
    readonly groups: readonly string[]
  }[]
}

/** How the frames of a vlink fare on one of its two ways. */
export type VlinkPathView = {
  /** The switches that they pass now. Absent: they do not get through. */
  readonly path?: readonly DatapathId[]
  /** Nanoseconds, as probes measure the links of the path; absent when it is not known of one of them. `met`: no longer than was wished. */
  readonly latency?: { readonly measured?: number; readonly met?: Met }
  /** When a bandwidth was wished for. `slowest`: bits a second of the slowest port on the way that says its speed. */
  readonly bandwidth?: { readonly limited: boolean; readonly slowest?: number; readonly met: Met }
}
export type Met = boolean | 'unknown'
export type VlinkView = { readonly there: VlinkPathView; readonly back: VlinkPathView }
/** How often links are probed: all every 250 ms while there are up to 100, then more rarely, those that carry networks first. */
export type Probing = {
  readonly [Kind in 'carrying' | 'idle' | 'unknown']: { readonly ports: number; readonly intervalMs: number }
}

/** What api/ may ask of a running controller. */
export type Controller = {
  /** Every switch that has connected since the start, by dpid. */
  switches(): readonly SwitchView[]
  /** What is counted of each, one by one, in no order. */
  eachSwitch(): Iterable<SwitchFigures>
  switch(dpid: DatapathId): SwitchView | undefined
  connected(dpid: DatapathId): boolean
  /** Forgets a switch that is not connected; answers whether it was known. One that is connected stays. */
  forget(dpid: DatapathId): boolean
  /** All links, a direction each, by where they begin. */
  links(): readonly LinkView[]
  /** Whether a link between these switches is known, be it up or down. */
  linked(a: DatapathId, b: DatapathId): boolean
  /** A vlink's two ways; undefined if there is no vlink of that name. */
  vlink(id: string): VlinkView | undefined
  /** The same one by one, in no order: there may be a million, to be taken in slices. */
  eachLink(): Iterable<LinkView>
  link(link: Link): LinkView | undefined
  /** How often links are probed. */
  probing(): Probing
  /**
   * The largest frame that passes on every link that a network's routes use, in bytes after its Ethernet header: what its members' interfaces may
   * have as their MTU. Undefined while one of these links is not measured, or when there is none.
   */
  mtu(network: string): Promise<number | undefined>
  /** A network as a whole; undefined if there is none of that name. */
  network(id: string): Progress | undefined
  /** All attachments, by how far they are. Takes several turns of the event loop. */
  attachmentCounts(): Promise<AttachmentCounts>
  /** A network's switches, by who reaches whom: more than one set when there is no way between some of them. */
  partitions(id: string): readonly ReadonlySet<DatapathId>[]
  /** Who gets which multicast; undefined if the network does not snoop. */
  multicast(id: string): MulticastView | undefined
  /** Addresses from which two ports of this network have lately sent, the newest first. */
  conflicts(id: string): readonly AddressConflict[]
  /** IP addresses that two ports of this network have lately said to be theirs, the newest first. */
  ipConflicts(id: string): readonly IpConflict[]
  /** The limits of an attachment, by attachmentKey, as they were read last. */
  limits(key: string): readonly LimitView[]
  /** Resolves when the limits of this switch have been read lately, or can't be. */
  readLimits(dpid: DatapathId): Promise<void>
  /** All limits that have dropped frames, by port. */
  eachDrop(): Iterable<Endpoint & { readonly network: string; readonly limit: string; readonly dropped: number }>
  /** One attachment, by endpointKey (`<dpid>/<port>`). */
  attachment(key: string): Progress | undefined
  /**
   * Resolves when the switches hold `revision` of a network (also of one deleted meanwhile), or when `timeoutMs` is over: then with what is missing.
   * `about` narrows the answer to one attachment.
   */
  settled(network: string, revision: number, timeoutMs: number, about?: string): Promise<Progress>
  /** Removes flows and groups that are not ours from a switch, in the bundle that installs ours. Answers what was removed, as ovs-ofctl would print it. */
  takeover(
    dpid: DatapathId,
    actor: string,
  ): Promise<{ readonly removed: readonly string[] } | { readonly refused: string }>
  /** What the agent of a switch's node says of its tunnels, of all that are watched by BFD: whether they are up. */
  tunnelsNotified(dpid: DatapathId, states: ReadonlyMap<PortNo, boolean>): void
  /** Whether one port reaches another, and why not. Reads switches. */
  explain(question: ExplainQuestion): Promise<ExplainAnswer>
  /** Where a frame goes. Reads switches, where what they hold is asked for. */
  trace(question: TraceQuestion): Promise<TraceAnswer | BadQuestion>
  /** Whether networks are apart, for all frames. Reads switches, where what they hold is asked for. */
  proof(tables: 'desired' | 'held'): Promise<ProofAnswer>
  /** Whether networks are as they should be on the switches that are connected. */
  ready(): Readiness
}

export type Readiness = {
  readonly ready: boolean
  /** What makes us unready: concerns that have lasted too long. */
  readonly reasons: readonly string[]
  /** All that is not as it should be, and counts; the first fifty. */
  readonly concerns: readonly Concern[]
}

/** What keeps us from being ready, or will if it lasts. */
export type Concern = {
  readonly what: string
  readonly since: Date
  /** For so long it does not make us unready yet; 0: it does. */
  readonly borneForSeconds: number
}

/** What the controller counts of messages; what happens is counted by events (event-metrics.ts). */
export type Record = {
  message(direction: 'in' | 'out', type: string): void
  error(type: string, code: string): void
  connection(result: string): void
  packetIn(reason: string): void
  packetInDropped(): void
  strayReply?(): void
  throttled?(): void
  flowMods(command: string, count: number): void
}
