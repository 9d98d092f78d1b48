import type {
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

/** What the switch can do beyond OpenFlow 1.3's required part: asked of it during the handshake, not guessed. */
export type Capabilities = {
  /** ONF bundles for 1.3 (experimenter 0x4f4e4600). */
  readonly bundles: boolean
  /** Nicira's extensions (experimenter 0x2320). */
  readonly nicira: boolean
  /** Meters that it can hold; 0 without meters. */
  readonly maxMeter: number
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
  /** Reads flow entries. Asks again table by table if the switch's answer about all tables cannot be read. */
  flows(filter?: FlowFilter): Promise<FlowStats[]>
  groups(): Promise<GroupDesc[]>
  meters(): Promise<MeterConfig[]>
  /**
   * All or nothing, in one ONF bundle, then a barrier. [] = the switch has it; otherwise it has none of it. Rejects with
   * RequestError when it is not known which: read the switch again. bundle() and apply() take turns on a session.
   */
  bundle(changes: readonly Change[]): Promise<Failure[]>
  /**
   * One after the other, then a barrier. [] = the barrier's answer came, and no error for any of them; else what was
   * refused, while the rest was done. Rejects as bundle() does. A long list has more barriers on the way.
   */
  apply(changes: readonly Change[]): Promise<Failure[]>
  /** How often the switch sent what was thrown away, and was made to wait since it said too much. */
  counts(): { readonly packetInsDropped: number; readonly strayReplies: number; readonly throttled: number }
  close(reason: string): void
}

/** What a server tells of its switches. Each means "look again"; none may block. */
export type Events = {
  up(session: Session): void
  /** Once for each `up`. */
  down(session: Session, reason: string): void
  portStatus(session: Session): void
  packetIn(session: Session, packetIn: PacketIn): void
  flowRemoved(session: Session, flowRemoved: FlowRemoved): void
}

/** What a server counts. */
export type Metrics = {
  message(direction: 'in' | 'out', type: string): void
  /** An ERROR of a switch, in the specification's words: FLOW_MOD_FAILED, TABLE_FULL. */
  error(type: string, code: string): void
  /** How a connection went: `up` when its handshake was done, and when it ends one word of `Ending`. */
  connection(result: string): void
  /** A packet-in that found its switch's queue full pushed the oldest out. */
  packetInDropped?(): void
  /** A reply that nobody asked for, or not any more. */
  strayReply?(): void
  /** A switch said more than it may unasked, and is not read for a while. */
  throttled?(): void
  /** Seconds from an ECHO_REQUEST to its answer. */
  echo?(dpid: string, seconds: number): void
}

/** Why a connection ended, as a word to count by. */
export type Ending =
  | 'closed' // by the switch
  | 'stopped' // by us, on request
  | 'lost' // reset, or another failure of the socket
  | 'tls_failed' // not TLS, or none that both sides speak
  | 'tls_timeout'
  | 'certificate' // none, expired, or not of our CA
  | 'wrong_dpid' // its certificate stands for other datapaths
  | 'not_master' // we claim to be its only master, and it has another, or no roles
  | 'hello_timeout'
  | 'version'
  | 'handshake'
  | 'handshake_timeout'
  | 'auxiliary'
  | 'duplicate'
  | 'replaced'
  | 'silent'
  | 'partial_message'
  | 'not_reading'
  | 'unreadable'
  | 'oversize'

/** Times in ms, sizes in bytes. */
export type Limits = { readonly [K in keyof typeof limits]: number }

export const limits = {
  /** From the connection to the end of its TLS handshake. What follows counts from there. */
  tls: 10_000,
  /** From the connection to the switch's HELLO. */
  hello: 5_000,
  /** From the connection to the end of the handshake. */
  handshake: 10_000,
  /** From the first byte of a message to its last. */
  partial: 10_000,
  /** Between our ECHO_REQUESTs. */
  echo: 5_000,
  /** Without a byte from the switch. */
  silence: 15_000,
  /** From a request to its answer. */
  request: 5_000,
  /** From a multipart request to the last part of its answer. */
  collation: 60_000,
  /** For a question that a switch may not know, and for a sign of life of a session that another claims to replace. */
  probe: 2_000,
  /** From a PORT_STATUS until the ports are read again. */
  reread: 500,
  /** From our closing a connection until we stop waiting for what is queued to leave. */
  linger: 1_000,
  /** How often all these times are looked at. */
  tick: 100,
  /** Written but not yet taken by the kernel. */
  queued: 4 * 1024 * 1024,
  /** All parts of one multipart reply; 100,000 flow entries of ours take some 16 MiB, and a switch may hold more. */
  reply: 16 * 1024 * 1024,
  flows: 64 * 1024 * 1024,
  /** Read but not yet looked at, before we stop reading a switch that sends faster than its share of our time. */
  unread: 128 * 1024,
  /** Ports of one switch: as many as OpenFlow 1.0 could number, and Open vSwitch still allows. */
  ports: 65_280,
  /** What one switch may say in a second without being asked: messages, and their bytes. Then it is not read until it may again. */
  asyncMessages: 50_000,
  asyncBytes: 32 * 1024 * 1024,
  /** Packet-ins of one switch that wait for their turn, and their bytes. */
  packetIns: 1_024,
  packetInBytes: 1024 * 1024,
  /** Connections at once, handshakes included. */
  connections: 8_192,
  /** Changes between two barriers of apply(). */
  window: 1_000,
  /** Time that a switch is given for each change, beyond `request` (in a bundle: up to `collation`), before its answer counts as lost. */
  change: 5,
}
