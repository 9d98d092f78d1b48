import { decodeLenient, errorName, type Message, type MessageOf, multipartMore, wireVersion } from '../index.ts'
import { asyncRate, type Connection, close, write } from './connection.ts'
import { remember } from './flow-reading.ts'
import { incompatible, takeHello } from './handshake.ts'
import { putPacketIn, takePacketIn, waitingPacketIns } from './packet-ins.ts'
import { noticePorts, rereadSoon, takeStatus } from './port-watch.ts'
import { answer, fail, isReadingFlows, isSpoiled, RequestError, spoil, takeBody, wantsBodies } from './requests.ts'
import { isSlave, takeRole } from './role.ts'
import { refill, spend } from './token-bucket.ts'

/** So much of what was read is split into messages at once, so that a flood of tiny ones takes little memory. */
const pieceLength = 16_384

/** Takes bytes from the socket. work() looks at them. */
export function received(c: Connection, chunk: Buffer): void {
  if (c.state.is === 'closed') return
  c.heardAt = c.clock.now()
  if (c.bytesIn === 0) c.hooks.heard(c)
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
  noticePorts(c)
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
  if (c.fault !== undefined) lostFraming(c, c.fault)
  else if (c.chunks.length > 0) {
    split(c)
    return true
  } else if (c.finished) finish(c)
  return false
}

/** Whether the switch has sent so much that the rest has to wait in its socket: tick() goes on with it. */
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
  const foreign = c.state.is === 'hello' && c.framing.pending() === 0 ? foreignTo(piece) : undefined
  if (foreign !== undefined) return void foreign(c)
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

/** What ends a connection whose first bytes are another protocol's; undefined: they may be OpenFlow. */
function foreignTo(first: Buffer): ((c: Connection) => void) | undefined {
  // A TLS record: handshake (22), version 3.x (RFC 8446 §5.1).
  if (first[0] === 22 && first[1] === 3)
    return c =>
      close(
        c,
        'tls_on_tcp',
        "speaks TLS, but this listener is plain TCP: use tls: here, or tcp: as the switch's target",
      )
  if (/^[A-Z]{3,7} /.test(first.toString('latin1', 0, 8)))
    return c => incompatible(c, 'speaks HTTP, or another protocol of text, but this port is for OpenFlow switches')
  return undefined
}

/**
 * What is wrong with the first bytes of a message, if that can be seen from them: bytes of another protocol, or from
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

/** Where a message ends is not known any more: nothing behind it is read. */
function lostFraming(c: Connection, { message }: Error): void {
  const { state } = c
  if (state.is === 'hello') return void incompatible(c, `sent a HELLO that cannot be read: ${message}`)
  // Seen: an answer about flows of more than 64 KiB, whose length is too short by that. It is asked for in parts from now on.
  if ((state.is === 'live' || state.is === 'claiming') && (c.afterFlows || isReadingFlows(c.requests)))
    remember(c, { dpid: state.session.dpid, swDesc: state.session.description.swDesc }, Infinity)
  close(c, 'unreadable', `sent what is not OpenFlow 1.3: ${message}`)
}

/** The last message type of OpenFlow 1.3, METER_MOD (§7.1). */
const lastType = 29
const types = { hello: 0, error: 1, experimenter: 4, portStatus: 12, multipartReply: 19 }

function accept(c: Connection, frame: Buffer): void {
  const type = frame.readUInt8(1)
  if (c.state.is !== 'hello') {
    if (frame[0] !== wireVersion && type !== types.hello && type !== types.error)
      return void lostFraming(c, new Error(`expected version 4 (OpenFlow 1.3), got ${frame[0]}`))
    if (type > lastType) {
      c.metrics.message('in', 'unknown')
      return void complain(c, frame, badType)
    }
  }
  if (type === types.multipartReply && takePart(c, frame)) return
  c.afterFlows = false
  const message = parse(c, frame)
  if (message === undefined) return
  c.unreadableRun = 0
  c.metrics.message('in', message.type)
  if (c.state.is === 'hello') takeHello(c, message)
  else {
    const receive = (receivers[message.type] ?? refuse) as Receiver<Message>
    receive(c, message, frame)
  }
}

/** The message in a frame; undefined if it cannot be read: that costs this message only, and whoever waits for it. */
function parse(c: Connection, frame: Buffer): Message | undefined {
  try {
    return decodeLenient(frame)
  } catch (error) {
    if (c.state.is === 'hello') lostFraming(c, error as Error)
    else unreadable(c, frame, error as Error)
    return undefined
  }
}

/** Counts a message whose frame is sound but which cannot be read. Too many in a row, and its frames are no messages. */
function unreadable(c: Connection, frame: Buffer, { message }: Error): void {
  const type = frame.readUInt8(1)
  c.unreadable++
  c.metrics.unreadable?.(names[type] ?? 'unknown')
  spend(c.asyncBudget, frame.length)
  spoil(c.requests, frame.readUInt32BE(4), isLastPart(frame), `the answer is not OpenFlow 1.3: ${message}`)
  if (type === types.portStatus) rereadSoon(c)
  if (++c.unreadableRun > c.limits.unreadable) lostFraming(c, new Error(message))
}

/** For metrics: types whose messages switches send. */
const names: { readonly [type: number]: string } = {
  ...{ 0: 'hello', 1: 'error', 2: 'echo_request', 3: 'echo_reply', 4: 'experimenter', 6: 'features_reply' },
  ...{ 8: 'get_config_reply', 10: 'packet_in', 11: 'flow_removed', 12: 'port_status', 19: 'multipart_reply' },
  ...{ 21: 'barrier_reply', 23: 'queue_get_config_reply', 25: 'role_reply', 27: 'get_async_reply' },
}

const isLastPart = (frame: Buffer): boolean =>
  frame[1] !== types.multipartReply || frame.length < 12 || (frame.readUInt16BE(10) & multipartMore) === 0

/** Bytes of a multipart reply before its body (§7.3.5), and the type of one about flows. */
const multipartHeader = 16
const flowType = 1

/**
 * Takes a part of a multipart reply that is not to be decoded: whoever asked wants its bytes, or an earlier part could not be
 * read. False if it is to be decoded.
 */
function takePart(c: Connection, frame: Buffer): boolean {
  const xid = frame.readUInt32BE(4)
  const last = isLastPart(frame)
  if (isSpoiled(c.requests, xid)) {
    c.metrics.message('in', 'multipart_reply')
    return spoil(c.requests, xid, last, '')
  }
  if (!wantsBodies(c.requests, xid) || frame.length < multipartHeader || frame.readUInt16BE(8) !== flowType)
    return false
  c.metrics.message('in', 'multipart_reply')
  c.afterFlows = true
  c.unreadableRun = 0
  const most = c.limits.flows
  const taken = takeBody(c.requests, xid, frame.subarray(multipartHeader), last, { now: c.clock.now(), most })
  if (taken === 'oversize') close(c, 'oversize', `answers with more than ${most} bytes to one question`)
  return true
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

/** Asynchronous messages take from the switch's budget. Answers do not: how many there are is up to us. */
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
  const isMultipart = reply.type === 'multipart_reply'
  const most = isMultipart && reply.body.type === 'flow' ? c.limits.flows : c.limits.reply
  const skipped = (isMultipart && reply.unreadable?.length) || 0
  c.unreadable += skipped
  for (let i = 0; i < skipped; i++) c.metrics.unreadable?.('multipart_reply')
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
  // A question that is refused with it proves nothing: switches were seen that answer so to all that they do not know.
  const isQuestion = c.state.is !== 'live' && c.requests.waiting.has(xid)
  if (errorType === isSlaveError.errorType && errorCode === isSlaveError.errorCode && !isQuestion) isSlave(c)
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
  complain(c, frame, frame[1] === types.experimenter ? badExperimenter : badType)

/** Says that we do not know such a message, with its first bytes (§7.4.4: at least 64), and goes on. */
function complain(c: Connection, frame: Buffer, error: typeof badType): void {
  spend(c.asyncBudget, frame.length)
  write(c, { type: 'error', xid: frame.readUInt32BE(4), ...error, payload: frame.subarray(0, 64) })
}
