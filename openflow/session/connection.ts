import { encode, type FlowRemoved, type Framing, framing, type Message, type PacketIn } from '../index.ts'
import type { Limits } from './limits.ts'
import { flush, newOutbox, type Outbox, post, shut, type Transport } from './outbox.ts'
import { clearPacketIns, newPacketIns, type PacketIns } from './packet-ins.ts'
import type { PortStatus, Ports } from './ports.ts'
import {
  type Asked,
  abandon,
  expectBodies,
  expectReply,
  newRequests,
  type ReplyTo,
  RequestError,
  type Requests,
  type RequestType,
  repeat,
  takeXids,
  type Unsent,
} from './requests.ts'
import type { Capabilities, Ending, Failure, Features, Metrics, Session } from './session.ts'
import { newTokenBucket, type Rate, type TokenBucket } from './token-bucket.ts'

/** Where a connection stands. It only ever moves down this list. */
export type State =
  | { readonly is: 'hello' }
  | { readonly is: 'features' }
  | { readonly is: 'describing'; readonly features: Features }
  /** Its handshake is done; another connection may still be live for its datapath. */
  | { readonly is: 'claiming'; readonly session: Session }
  | { readonly is: 'live'; readonly session: Session }
  | { readonly is: 'closed'; readonly reason: string }

export type Clock = {
  /** Session time in ms: it stands still while this process is stopped, so that no switch is blamed for that. Coarse. */
  now(): number
  /** Monotonic time in ms, exact. */
  exact(): number
  /** Resolves when the event loop has done everything else that waits. */
  yield(): Promise<void>
}

/** What is known of a switch beyond its connection. */
export type Memory = {
  /** Its answer about all flows did not come, or not whole: until then (session time, ms) they are read in parts. */
  readonly partsUntil: number
  /** Its software then; another may do better. */
  readonly swDesc: string
}

/** What a connection notifies its server of. */
export type Hooks = {
  /** It has something to do: call work() soon, again and again until that returns false. */
  busy(connection: Connection): void
  /** Its first bytes came: it is not one of those that connect and say nothing. */
  heard(connection: Connection): void
  /** Its handshake is done: make it live, or close it. */
  claim(connection: Connection, session: Session): void
  ended(connection: Connection, was: State, ending: Ending, reason: string): void
  portStatus(session: Session, ports: ReadonlySet<number>): void
  capabilities(session: Session): void
  packetIn(session: Session, packetIn: PacketIn): void
  flowRemoved(session: Session, flowRemoved: FlowRemoved): void
}

/** Changes on their way, with xids from `first` on: what of them the switch has refused. */
export type Batch = { readonly first: number; readonly count: number; readonly failures: Map<number, Failure> }

/** One switch's connection. Only the functions of this folder write to it. */
export type Connection = {
  readonly transport: Transport
  readonly clock: Clock
  readonly limits: Limits
  readonly metrics: Metrics
  readonly hooks: Hooks
  /** With which generation we claim to be master; without, we are one of equals. */
  readonly generation: (() => bigint) | undefined
  /** By dpid. */
  readonly memories: Map<string, Memory>
  /** Ports of all connections together. */
  readonly allPorts: { count: number }
  readonly outbox: Outbox
  readonly framing: Framing
  readonly requests: Requests
  readonly packetIns: PacketIns
  readonly asyncBudget: TokenBucket
  state: State
  /** Session times. */
  readonly openedAt: number
  heardAt: number
  echoAt: number
  partialSince: number | undefined
  /** What was read from the socket and not looked at yet, as it came; `unread` is its length in bytes. */
  chunks: Buffer[]
  unread: number
  /** Whole messages that are next, and what is wrong with the bytes behind them. */
  frames: Buffer[]
  nextFrame: number
  fault: Error | undefined
  /** The switch has said all that it will. */
  finished: boolean
  paused: boolean
  bytesIn: number
  strayReplies: number
  /** Messages and parts of messages that could not be read: in all, and messages in a row. */
  unreadable: number
  unreadableRun: number
  /** The last message that could be read was about flows. */
  afterFlows: boolean
  /** What its tables count is not what they list: that was found out once. */
  miscounts: boolean
  nextBundleId: number
  can: Capabilities
  role: 'equal' | 'master' | 'slave'
  ports: Ports
  /** PORT_STATUSes that came while the ports are being read; undefined while they are not. */
  statuses: PortStatus[] | undefined
  /** When to read the ports again, and the latest time for it; undefined: no need. */
  rereadAt: number | undefined
  rereadBy: number | undefined
  /** Ports that changed since the last notice, and when that was. */
  changedPorts: Set<number>
  noticeAt: number
  /** Who waits for a time to pass. */
  alarms: { readonly at: number; readonly wake: () => void }[]
  batch: Batch | undefined
  /** Settles when the last bundle() or apply() that was asked for is over. */
  lastBatch: Promise<unknown>
}

/** What all connections of a server have in common. */
export type Context = 'clock' | 'limits' | 'metrics' | 'hooks' | 'generation' | 'memories' | 'allPorts'

export const asyncRate = ({ asyncMessages, asyncBytes }: Limits): Rate => ({
  messages: asyncMessages,
  bytes: asyncBytes,
})

/** `phase`, from 0 to 1: when in the interval between echoes this one sends its own, so that not all do at once. */
export function newConnection(transport: Transport, context: Pick<Connection, Context>, phase: number): Connection {
  const { clock, limits } = context
  const now = clock.now()
  return {
    transport,
    ...context,
    outbox: newOutbox(transport),
    framing: framing(),
    requests: newRequests(),
    packetIns: newPacketIns(),
    asyncBudget: newTokenBucket(asyncRate(limits), now),
    state: { is: 'hello' },
    openedAt: now,
    heardAt: now,
    echoAt: now - phase * limits.echo,
    partialSince: undefined,
    chunks: [],
    unread: 0,
    frames: [],
    nextFrame: 0,
    fault: undefined,
    finished: false,
    paused: false,
    bytesIn: 0,
    strayReplies: 0,
    ...{ unreadable: 0, unreadableRun: 0, afterFlows: false, miscounts: false },
    nextBundleId: 1,
    can: { bundles: false, nicira: false, maxMeter: 0 },
    role: 'equal',
    ports: new Map(),
    statuses: undefined,
    ...{ rereadAt: undefined, rereadBy: undefined, changedPorts: new Set(), noticeAt: now, alarms: [] },
    batch: undefined,
    lastBatch: Promise.resolve(),
  }
}

/**
 * Sends a message as it is, xid included. A switch that reads too little of what it is sent loses its connection.
 * Throws a WireError if there is no such message.
 */
export const write = (c: Connection, message: Message): void => put(c, encode(message), message.type)

/** Sends the bytes of one message. */
export function put(c: Connection, bytes: Buffer, type: Message['type']): void {
  if (c.state.is === 'closed') return
  post(c.outbox, bytes, c.clock.now())
  c.metrics.message('out', type)
  checkQueue(c)
}

function checkQueue(c: Connection): void {
  const queued = c.outbox.bytes + c.transport.queued()
  if (queued > c.limits.queued)
    close(c, 'not_reading', `does not read: ${queued} bytes wait for it, at most ${c.limits.queued} may`)
}

/** Sends a message with an xid of ours, and returns that. */
export function send(c: Connection, message: Unsent<Message>): number {
  const xid = takeXids(c.requests, 1)
  write(c, { ...message, xid } as Message)
  return xid
}

/**
 * Asks a question; the answer is due within `timeout` ms. With `again`, it is sent once more after each so many ms, with the
 * same xid: for a switch that may have lost it. Rejects with RequestError, or WireError as write().
 */
export async function ask<T extends RequestType>(
  c: Connection,
  message: Asked<T>,
  timeout = c.limits.request,
  again?: number,
): Promise<ReplyTo<T>> {
  const { xid, bytes, times } = question(c, message, timeout)
  const reply = expectReply(c.requests, xid, message, times)
  put(c, bytes, message.type)
  if (again !== undefined) repeat(c.requests, xid, bytes, times.now, again)
  return reply
}

/** Asks for what may be long, and resolves with the bodies of the answer's parts. Rejects as ask(). */
export async function askBodies(c: Connection, message: Asked<'multipart_request'>): Promise<readonly Buffer[]> {
  const { xid, bytes, times } = question(c, message, c.limits.request)
  const reply = expectBodies(c.requests, xid, message, times)
  put(c, bytes, message.type)
  return reply
}

function question(c: Connection, message: { readonly type: RequestType }, timeout: number) {
  if (c.state.is === 'closed') throw new RequestError('closed', c.state.reason)
  const xid = takeXids(c.requests, 1)
  const bytes = encode({ ...message, xid } as Message)
  return { xid, bytes, times: { now: c.clock.now(), timeout, longest: Math.max(timeout, c.limits.collation) } }
}

/** Sends bytes of whole messages, `count` of them, all of one type. They are not copied. */
export function writeBytes(c: Connection, bytes: Buffer, type: Message['type'], count: number): void {
  if (c.state.is === 'closed') return
  post(c.outbox, bytes, c.clock.now())
  for (let i = 0; i < count; i++) c.metrics.message('out', type)
  checkQueue(c)
}

/** Resolves when so many ms of session time have passed, or the connection is closed. */
export const pause = (c: Connection, ms: number): Promise<void> =>
  new Promise(resolve => {
    if (c.state.is === 'closed') resolve()
    else c.alarms.push({ at: c.clock.now() + ms, wake: resolve })
  })

/**
 * Ends a connection. What was sent last (an error that says why) still leaves, unless it is the switch that does not
 * read. Nothing that arrives later is looked at.
 */
export function close(c: Connection, ending: Ending, reason: string): void {
  if (c.state.is === 'closed') return
  const orderly = ending !== 'not_reading' && ending !== 'silent' && ending !== 'lost' && ending !== 'too_many'
  if (orderly) flush(c.outbox, c.clock.now())
  const was = c.state
  c.state = { is: 'closed', reason }
  c.transport.close(orderly)
  c.chunks = []
  c.frames = []
  c.unread = 0
  clearPacketIns(c.packetIns)
  abandon(c.requests, reason)
  shut(c.outbox)
  for (const { wake } of c.alarms.splice(0)) wake()
  c.hooks.ended(c, was, ending, reason)
  // Whoever keeps the session of a switch that is gone must not keep thousands of ports with it.
  setPorts(c, new Map())
}

/** Swaps a connection's ports. */
export function setPorts(c: Connection, ports: Ports): void {
  c.allPorts.count += ports.size - c.ports.size
  c.ports = ports
}

/** Whether the switch gives a sign of life within the limit `probe`, when asked for one. */
export async function isAlive(c: Connection): Promise<boolean> {
  const before = c.bytesIn
  try {
    await ask(c, { type: 'echo_request', payload: Buffer.alloc(0) }, c.limits.probe)
    return true
  } catch {
    return c.bytesIn > before || c.unread > 0
  }
}
