import { decodeLenient, errorName, type Message, type MessageOf, multipartMore, wireVersion } from '../index.ts'
import { type Connection, close, write } from './connection.ts'
import { remember } from './flow-reading.ts'
import { incompatible, takeHello } from './handshake.ts'
import { putPacketIn } from './packet-ins.ts'
import { rereadSoon, takeStatus } from './port-watch.ts'
import { answer, fail, isReadingFlows, isSpoiled, RequestError, spoil, takeBody, wantsBodies } from './requests.ts'
import { isSlave, takeRole } from './role.ts'
import { spend } from './token-bucket.ts'

/** Where a message ends is not known any more: nothing behind it is read. */
export function lostFraming(c: Connection, { message }: Error): void {
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

/** Takes one message. */
export function accept(c: Connection, frame: Buffer): void {
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
