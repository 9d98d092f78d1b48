import type {
  EncodedChanges,
  FlowMod,
  FlowRemoved,
  FlowStats,
  GroupDesc,
  GroupMod,
  Message,
  MessageOf,
  MeterConfig,
  MeterMod,
  PacketIn,
  PortDesc,
  TableFeatures,
} from '../index.ts'
import type { Asked, ReplyTo, RequestType, Unsent } from './requests.ts'

export { type Asked, type Refusal, type ReplyTo, RequestError, type RequestType, type Unsent } from './requests.ts'

type Body<T extends string> = Extract<MessageOf<'multipart_reply'>['body'], { type: T }>
type RequestBody<T extends string> = Extract<MessageOf<'multipart_request'>['body'], { type: T }>

/** Which flows to read; what is left out does not narrow. OpenFlow 1.3.5 §7.3.5.2. */
export type FlowFilter = Partial<Omit<RequestBody<'flow'>, 'type'>>

/** What changes a switch's tables. The xid is set by the session. */
export type Change = Unsent<FlowMod | GroupMod | MeterMod>

/** Changes in order: messages, or bytes that changeBatch() made (whose xids the session sets; leave them to it). */
export type Changes = readonly Change[] | EncodedChanges

/** Flow entries as the switch answered them. */
export type FlowReading = {
  /** Entries one behind the other, in pieces of up to 64 KiB: see eachEntry() and flowSet(). */
  readonly bodies: readonly Buffer[]
  /** How many entries there are in them. */
  readonly count: number
  /** What could not be read. Empty: the switch has no other entries that the filter would take. */
  readonly missing: readonly MissingFlows[]
}

export type MissingFlows = {
  /** undefined: not known. */
  readonly tableId: number | undefined
  /** Of entries whose cookie is `cookie` in these bits. No bit: of all. */
  readonly cookie: bigint
  readonly cookieMask: bigint
  /** A sentence: which entries, and why. */
  readonly words: string
}

export type Counts = {
  readonly packetInsDropped: number
  readonly strayReplies: number
  readonly throttled: number
  /** Messages, and parts of messages, that are not OpenFlow 1.3. */
  readonly unreadable: number
}

/** A second switch that claims a datapath id while the first is live. Never are both. */
export type Conflict = {
  readonly dpid: string
  /** Who is live, as `address:port`. */
  readonly remote: string
  /** Who claims it too: the last one that did. */
  readonly claimant: string
  /** `first`: the live one came first, and answers. `certificate`: it has a certificate for the dpid, and the other has none. */
  readonly decidedBy: 'first' | 'certificate'
  /** Claims so far, and when the first and the last of them came. */
  readonly claims: number
  readonly since: Date
  readonly last: Date
}

/** A change that the switch refused. */
export type Failure = {
  /** Into what was sent; -1 where the switch refused the bundle as a whole and did not say which change is at fault. */
  readonly index: number
  readonly errorType: number
  readonly errorCode: number
  /** The specification's, for example FLOW_MOD_FAILED/TABLE_FULL. */
  readonly words: string
}

export type Features = Omit<MessageOf<'features_reply'>, 'type' | 'xid'>
export type Description = Omit<Body<'desc'>, 'type'>
/** By type (all, select, indirect, fast failover): bit n of `types` and entry n of `maxGroups`. §7.3.5.9. */
export type GroupFeatures = Omit<Body<'group_features'>, 'type'>

/**
 * What the switch can do beyond OpenFlow 1.3's required part: asked of it during the handshake, not guessed. Each question is
 * optional; an answer that comes late is put in here when it comes.
 */
export type Capabilities = {
  /** ONF bundles for 1.3 (experimenter 0x4f4e4600). */
  readonly bundles: boolean
  /** Nicira's extensions (experimenter 0x2320). */
  readonly nicira: boolean
  /**
   * How many meters it can hold: a count, not the highest id (§7.3.5.13). 0 if it has none, or cannot list those that it has: then
   * nobody could tell whether one is as it should be.
   */
  readonly maxMeter: number
  /** Bits of metadata that each of its tables can match and write; absent: it did not say, so all 64 are believed. */
  readonly metadataBits?: bigint | undefined
  /** What it refused or did not answer, a sentence each; absent or empty: nothing. */
  readonly unknown?: readonly string[]
  /**
   * What its tables can match and do, and its groups, as it says. Absent where it has no answer, and where it was not asked:
   * of a switch with Nicira's extensions all of it is known, and Open vSwitch's answer is half a megabyte long.
   */
  readonly tables?: readonly TableFeatures[] | undefined
  readonly groups?: GroupFeatures | undefined
}

/** A switch that has finished its handshake. After its connection has ended every method that asks rejects. */
export type Session = {
  /** 16 lower-case hex digits. */
  readonly dpid: string
  /** `address:port` of the switch's end. */
  readonly remote: string
  readonly features: Features
  readonly description: Description
  readonly can: Capabilities
  /** `equal` unless the server claims its switches (`generation`): then it is master as long as it lives. */
  role(): 'equal' | 'master' | 'slave'
  /** By number, without the reserved ones; kept current. The map changes: copy what you keep. */
  ports(): ReadonlyMap<number, PortDesc>
  /** Sends one message and returns the xid that it got. An error of the switch about it is counted, not reported. */
  send(message: Unsent<Message>): number
  /**
   * Asks, and resolves with the answer (all parts of a multipart reply in one). Rejects with RequestError: refused by
   * the switch, no answer within 5 s (for a multipart reply: no further part, or not the last one within 60 s), closed.
   */
  request<T extends RequestType>(message: Asked<T>): Promise<ReplyTo<T>>
  /**
   * Reads flow entries as bytes, for flowSet() and eachEntry(). The number of entries is held against what the switch counts
   * (OFPMP_TABLE); where they differ, or the answer does not come or cannot be read, it reads table by table, then by
   * cookie, and remembers that for this switch beyond its connection. What could not be read is in `missing`.
   */
  readFlows(filter?: FlowFilter): Promise<FlowReading>
  /**
   * The same, decoded. Rejects as request() does, and with RequestError `unreadable` when something is missing. An entry that
   * cannot be decoded is left out and counted.
   */
  flows(filter?: FlowFilter): Promise<FlowStats[]>
  groups(): Promise<GroupDesc[]>
  meters(): Promise<MeterConfig[]>
  /**
   * All or nothing, in one ONF bundle, then a barrier. [] = the switch has it; otherwise it has none of it. Rejects with
   * RequestError when it is not known which: read the switch again. bundle() and apply() of a session run one after the other.
   */
  bundle(changes: Changes): Promise<Failure[]>
  /**
   * One after the other, then a barrier. [] = the barrier's answer came, and no error for any of them; else what was
   * refused, while the rest was done. Rejects as bundle() does. A long list has more barriers on the way.
   */
  apply(changes: Changes): Promise<Failure[]>
  /**
   * Asks again what the switch has told once: its ports, or its capabilities. What is another than before is notified as if
   * it had come by itself.
   */
  refresh(what: 'ports' | 'capabilities'): void
  /** What the switch sent that was dropped, and how often it was not read because it sent too much. */
  counts(): Counts
  close(reason: string): void
}

/** What a server notifies of. Each means "look again"; none may block. */
export type Events = {
  up(session: Session): void
  /** Once for each `up`. */
  down(session: Session, reason: string): void
  /** Ports with these numbers came, went or changed. At most ten times a second for each switch. */
  portStatus(session: Session, ports: ReadonlySet<number>): void
  /** An answer about its capabilities came late: `session.can` has it now. */
  capabilities?(session: Session): void
  /** A second switch claims a live dpid: at each claim. Without a conflict: there was none for a minute, or the dpid is gone. */
  conflict?(dpid: string, conflict: Conflict | undefined): void
  packetIn(session: Session, packetIn: PacketIn): void
  flowRemoved(session: Session, flowRemoved: FlowRemoved): void
}

/** What a server counts. */
export type Metrics = {
  message(direction: 'in' | 'out', type: string): void
  /** An ERROR of a switch, in the specification's words: FLOW_MOD_FAILED, TABLE_FULL. */
  error(type: string, code: string): void
  /** How a connection went: `up` when its handshake was done, and one word of `Ending` when it ends. */
  connection(result: string): void
  /** A packet-in was dropped because newer ones filled its switch's queue. */
  packetInDropped?(): void
  /** A reply came that nobody waits for. */
  strayReply?(): void
  /** A switch sent more asynchronous messages than it may, and is not read for a while. */
  throttled?(): void
  /** A message of this type, or a part of one, is not OpenFlow 1.3 and was dropped. */
  unreadable?(type: string): void
  /** A switch claims a dpid that another live switch has. */
  conflict?(dpid: string): void
  /** Seconds from an ECHO_REQUEST to its answer. */
  echo?(dpid: string, seconds: number): void
}

/** Why a connection ended, as a word to count by. */
export type Ending =
  | 'closed' // by the switch
  | 'stopped' // by us, on request
  | 'lost' // reset, or another failure of the socket
  | 'tls_on_tcp' // it speaks TLS, on a listener without
  | 'tls_failed' // not TLS, or none that both sides speak
  | 'tls_timeout'
  | 'certificate' // none, expired, not of our CA, or for no datapath
  | 'wrong_dpid' // its certificate is for other datapaths
  | 'too_many' // connections, handshakes, or sessions of its address
  | 'not_master' // we claim to be its only master, and it has another, or no roles
  | 'hello_timeout'
  | 'version'
  | 'handshake'
  | 'handshake_timeout'
  | 'auxiliary'
  | 'duplicate' // another session is live for its dpid
  | 'replaced' // by a session for the same dpid, because it did not answer or has no certificate
  | 'silent'
  | 'partial_message'
  | 'not_reading'
  | 'unreadable'
  | 'oversize'
