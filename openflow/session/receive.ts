import { decodeLenient, errorName, type Message, type MessageOf, multipartMore, wireVersion } from '../index.ts'
import { asyncRate, type Connection, close, write } from './connection.ts'
import { incompatible, meet } from './handshake.ts'
import { putPacketIn, takePacketIn, waitingPacketIns } from './packet-ins.ts'
import { takeStatus } from './port-watch.ts'
import { answer, fail, forgive, isSpoiled, RequestError } from './requests.ts'
import { isSlave, takeRole } from './role.ts'
import { refill, spend } from './token-bucket.ts'

/** So much of what was read is split into messages at once, so that a flood of tiny ones takes little memory. */
const pieceLength = 16_384

/** Takes bytes from the socket. They are looked at in work(), when it is this connection's turn. */
export function received(c: Connection, chunk: Buffer): void {
  if (c.state.is === 'closed') return
  c.heardAt = c.clock.now()
  c.bytesIn += chunk.length
  c.unread += chunk.length
  c.chunks.push(chunk)
  if (c.unread >= c.limits.unread && !c.paused) {
    c.paused = true
    c.transport.pause()
  }
  c.hooks.busy(c)
}

/** The switch has closed its side: what it said before still counts. */
export function ended(c: Connection): void {
  c.finished = true
  c.hooks.busy(c)
}

/**
 * Looks at messages until `until` (exact time, ms), and then hands packet-ins on for as long again. Returns whether
 * there is more to do. At least one message is looked at, and one packet-in handed on, however late it is.
 */
export function work(c: Connection, until: number): boolean {
  const start = c.clock.exact()
  let more = true
  do more = next(c)
  while (more && c.clock.exact() < until)
  const untilThen = c.clock.exact() + (until - start)
  do if (!deliver(c)) return more
  while (c.clock.exact() < untilThen)
  return more || waitingPacketIns(c.packetIns) > 0
}

/** Looks at one message; false if there is none, or it has to wait. */
function next(c: Connection): boolean {
  if (isResting(c)) return false
  const frame = c.frames[c.nextFrame]
  if (frame !== undefined) {
    c.nextFrame++
    accept(c, frame)
    return true
  }
  if (c.state.is === 'closed') return false
  if (c.fault !== undefined) rubbish(c, c.fault)
  else if (c.chunks.length > 0) {
    split(c)
    return true
  } else if (c.finished) finish(c)
  return false
}

/** Whether the switch has said so much that the rest has to wait: tick() will wake it. What it sends then stays in its socket. */
function isResting(c: Connection): boolean {
  if (c.asyncBudget.messages > 0 && c.asyncBudget.bytes > 0 && !c.asyncBudget.resting) return false
  const before = c.asyncBudget.throttled
  const may = refill(c.asyncBudget, asyncRate(c.limits), c.clock.now())
  if (c.asyncBudget.throttled > before) c.metrics.throttled?.()
  return !may
}

/** Splits the next piece of what was read into messages. */
function split(c: Connection): void {
  c.frames = []
  c.nextFrame = 0
  const chunk = c.chunks[0]!
  const piece = chunk.subarray(0, pieceLength)
  if (piece.length === chunk.length) c.chunks.shift()
  else c.chunks[0] = chunk.subarray(pieceLength)
  c.unread -= piece.length
  if (c.paused && c.unread <= c.limits.unread / 2) {
    c.paused = false
    c.transport.resume()
  }
  try {
    c.framing.push(piece, frame => c.frames.push(frame))
  } catch (error) {
    c.fault = error as Error
  }
  const partial = piece.subarray(piece.length - c.framing.pending())
  if (c.framing.pending() === 0) c.partialSince = undefined
  else if (c.frames.length > 0 || c.partialSince === undefined) {
    c.partialSince = c.clock.now()
    c.fault ??= implausible(c, partial)
  }
}

/**
 * What is wrong with the first bytes of a message, if that can be told from them: bytes of another protocol, or from
 * the middle of a message, seem to announce a long one, and to wait for it is in vain.
 */
function implausible(c: Connection, [version, type]: Buffer): Error | undefined {
  if (c.state.is === 'hello') return (type ?? 0) > 1 ? new Error(`expected HELLO first, got type ${type}`) : undefined
  // An error about HELLO may carry another version, but comes before the features.
  if (c.state.is === 'features' || version === wireVersion) return undefined
  return new Error(`expected version 4 (OpenFlow 1.3), got ${version}`)
}

function finish(c: Connection): void {
  const middle = c.framing.pending() > 0 ? ', in the middle of a message' : ''
  close(c, 'closed', `closed by the switch${middle}`)
}

function deliver(c: Connection): boolean {
  const packetIn = c.state.is === 'live' ? takePacketIn(c.packetIns) : undefined
  if (packetIn === undefined || c.state.is !== 'live') return false
  c.hooks.packetIn(c.state.session, packetIn)
  return true
}

/** Bytes that are not OpenFlow: nothing behind them is read. */
function rubbish(c: Connection, { message }: Error): void {
  if (c.state.is === 'hello') incompatible(c, `sent a HELLO that cannot be read: ${message}`)
  else close(c, 'unreadable', `sent what is not OpenFlow 1.3: ${message}`)
}

/** The last message type of OpenFlow 1.3, METER_MOD (§7.1). */
const lastType = 29
const experimenterType = 4
const multipartReplyType = 19

function accept(c: Connection, frame: Buffer): void {
  const message = parse(c, frame)
  if (message === undefined) return
  c.metrics.message('in', message.type)
  if (c.state.is === 'hello') meet(c, message)
  else {
    const receive = (receivers[message.type] ?? refuse) as Receiver<Message>
    receive(c, message, frame)
  }
}

/** The message in a frame; undefined if it is none for us, and then that is dealt with. */
function parse(c: Connection, frame: Buffer): Message | undefined {
  const type = frame.readUInt8(1)
  if (type > lastType && c.state.is !== 'hello') {
    c.metrics.message('in', 'unknown')
    complain(c, frame, badType)
  } else if (type !== multipartReplyType || !isSpoiled(c.requests, frame.readUInt32BE(4))) {
    try {
      return decodeLenient(frame)
    } catch (error) {
      if (type !== multipartReplyType || !spoil(c, frame, (error as Error).message)) rubbish(c, error as Error)
    }
  } else spoil(c, frame, '')
  return undefined
}

/** Gives up on an answer of which this part cannot be read; false if that is no way out. */
const spoil = (c: Connection, frame: Buffer, reason: string): boolean => {
  const last = frame.length < 12 || (frame.readUInt16BE(10) & multipartMore) === 0
  return forgive(c.requests, frame.readUInt32BE(4), last, `the answer is not OpenFlow 1.3: ${reason}`)
}

type Receiver<M extends Message> = (c: Connection, message: M, frame: Buffer) => void

/** What a switch may say after HELLO, and what is done with it. To take another message: a line here. */
const receivers: { readonly [T in Message['type']]?: Receiver<MessageOf<T>> } = {
  hello: stray,
  error: takeError,
  echo_request: asynchronous((c, { xid, payload }) => write(c, { type: 'echo_reply', xid, payload })),
  echo_reply: takeReply,
  features_reply: takeReply,
  get_config_reply: takeReply,
  multipart_reply: takeReply,
  barrier_reply: takeReply,
  queue_get_config_reply: takeReply,
  role_reply: takeReply,
  get_async_reply: takeReply,
  bundle_control: takeReply,
  tlv_table_reply: takeReply,
  experimenter: (c, message, frame) => {
    if (c.requests.waiting.has(message.xid)) takeReply(c, message, frame)
    else refuse(c, message, frame)
  },
  role_status: asynchronous(takeRole),
  port_status: asynchronous((c, status) => takeStatus(c, status)),
  packet_in: asynchronous((c, packetIn) => {
    // Before it is live nobody knows the switch, and its flows are still to be read.
    if (c.state.is !== 'live') return
    const dropped = putPacketIn(c.packetIns, packetIn, c.limits)
    for (let i = 0; i < dropped; i++) c.metrics.packetInDropped?.()
  }),
  flow_removed: asynchronous((c, flowRemoved) => {
    if (c.state.is === 'live') c.hooks.flowRemoved(c.state.session, flowRemoved)
  }),
}

/** What a switch says by itself counts against its share; answers do not, since we can tell how much we ask. */
function asynchronous<M extends Message>(receive: Receiver<M>): Receiver<M> {
  return (c, message, frame) => {
    spend(c.asyncBudget, frame.length)
    receive(c, message, frame)
  }
}

function stray(c: Connection, _message: Message, frame: Buffer): void {
  spend(c.asyncBudget, frame.length)
  c.strayReplies++
  c.metrics.strayReply?.()
}

function takeReply(c: Connection, reply: Message, frame: Buffer): void {
  const isFlows = reply.type === 'multipart_reply' && reply.body.type === 'flow'
  const most = isFlows ? c.limits.flows : c.limits.reply
  const taken = answer(c.requests, reply, frame.length, { now: c.clock.now(), most })
  if (taken === 'stray') stray(c, reply, frame)
  if (taken === 'oversize') close(c, 'oversize', `answers with more than ${most} bytes to one question`)
}

/** An error belongs to a question, or to a change on its way; both are known by the xid (§7.4.4). */
function takeError(c: Connection, error: MessageOf<'error'>, frame: Buffer): void {
  const { xid, errorType, errorCode, payload } = error
  const words = errorName(errorType, errorCode)
  const [type = '', code = ''] = words.split('/')
  c.metrics.error(type, code)
  const refusal = { errorType, errorCode, words }
  if (errorType === isSlaveError.errorType && errorCode === isSlaveError.errorCode) isSlave(c)
  if (errorType === helloFailed) close(c, 'version', `refuses our HELLO: ${payload.toString('latin1')}`)
  else if (!fail(c.requests, xid, new RequestError('refused', `the switch refuses it: ${words}`, refusal))) {
    const { batch } = c
    const index = batch === undefined ? -1 : xid - batch.first
    if (batch === undefined || index < 0 || index >= batch.count || batch.failures.has(index)) stray(c, error, frame)
    else batch.failures.set(index, { index, ...refusal })
  }
}

const helloFailed = 0
const isSlaveError = { errorType: 1, errorCode: 10 }
const badType = { errorType: 1, errorCode: 1 }
const badExperimenter = { errorType: 1, errorCode: 3 }

const refuse: Receiver<Message> = (c, _message, frame) =>
  complain(c, frame, frame[1] === experimenterType ? badExperimenter : badType)

/** Says that we do not know such a message, with its first bytes (§7.4.4: at least 64), and goes on. */
function complain(c: Connection, frame: Buffer, error: typeof badType): void {
  spend(c.asyncBudget, frame.length)
  write(c, { type: 'error', xid: frame.readUInt32BE(4), ...error, payload: frame.subarray(0, 64) })
}
