import { encode, type FlowRemoved, type Framing, framing, type Message, type PacketIn } from '../index.ts'
import { flush, newOutbox, type Outbox, post, shut, type Transport } from './outbox.ts'
import { clearPacketIns, newPacketIns, type PacketIns } from './packet-ins.ts'
import type { PortStatus, Ports } from './ports.ts'
import {
  type Asked,
  abandon,
  expectReply,
  newRequests,
  type ReplyTo,
  RequestError,
  type Requests,
  type RequestType,
  takeXids,
  type Unsent,
} from './requests.ts'
import type { Ending, Failure, Features, Limits, Metrics, Session } from './session.ts'
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
  /** Resolves when everybody else had a turn. */
  yield(): Promise<void>
}

/** What a connection tells whoever opened it. */
export type Hooks = {
  /** It has something to do: call work() soon, again and again until that returns false. */
  busy(connection: Connection): void
  /** Its handshake is done: make it live, or close it. */
  claim(connection: Connection, session: Session): void
  ended(connection: Connection, was: State, ending: Ending, reason: string): void
  portStatus(session: Session): void
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
  nextBundleId: number
  role: 'equal' | 'master' | 'slave'
  ports: Ports
  /** PORT_STATUSes that came while the ports are being read; undefined while they are not. */
  statuses: PortStatus[] | undefined
  /** When to read the ports again; undefined: no need. */
  rereadAt: number | undefined
  batch: Batch | undefined
  /** Settles when the last bundle() or apply() that was asked for is over. */
  lastBatch: Promise<unknown>
}

/** What all connections of a server have in common. */
export type Context = 'clock' | 'limits' | 'metrics' | 'hooks' | 'generation'

export const asyncRate = ({ asyncMessages, asyncBytes }: Limits): Rate => ({
  messages: asyncMessages,
  bytes: asyncBytes,
})

/** `phase`, from 0 to 1: when in the interval between echoes this one sends its own, so that not all do at once. */
export function newConnection(
  transport: Transport,
  { clock, limits, metrics, hooks, generation }: Pick<Connection, Context>,
  phase: number,
): Connection {
  const now = clock.now()
  return {
    transport,
    clock,
    limits,
    metrics,
    hooks,
    generation,
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
    nextBundleId: 1,
    role: 'equal',
    ports: new Map(),
    statuses: undefined,
    rereadAt: undefined,
    batch: undefined,
    lastBatch: Promise.resolve(),
  }
}

/**
 * Sends a message as it is, xid included. A switch that reads too little of what it is sent loses its connection.
 * Throws a WireError if there is no such message.
 */
export const write = (c: Connection, message: Message): void => put(c, encode(message), message.type)

function put(c: Connection, bytes: Buffer, type: Message['type']): void {
  if (c.state.is === 'closed') return
  post(c.outbox, bytes, c.clock.now())
  c.metrics.message('out', type)
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

/** Asks a question; the answer is due within `timeout` ms. Rejects with RequestError, or WireError as write(). */
export async function ask<T extends RequestType>(
  c: Connection,
  message: Asked<T>,
  timeout = c.limits.request,
): Promise<ReplyTo<T>> {
  if (c.state.is === 'closed') throw new RequestError('closed', c.state.reason)
  const xid = takeXids(c.requests, 1)
  const bytes = encode({ ...message, xid } as Message)
  const longest = Math.max(timeout, c.limits.collation)
  const reply = expectReply(c.requests, xid, message, { now: c.clock.now(), timeout, longest })
  put(c, bytes, message.type)
  return reply
}

/**
 * Ends a connection. What it was told last (an error that says why) still leaves, unless the switch is the one that
 * does not read. Nothing that arrives later is looked at.
 */
export function close(c: Connection, ending: Ending, reason: string): void {
  if (c.state.is === 'closed') return
  const orderly = ending !== 'not_reading' && ending !== 'silent' && ending !== 'lost'
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
  c.hooks.ended(c, was, ending, reason)
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
