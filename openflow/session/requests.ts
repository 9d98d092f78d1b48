import type { Message, MessageOf } from '../index.ts'
import { type Collation, collate, isLast, type MultipartReply, whole } from './collate.ts'

/** Every question that may be asked, and the type of its answer. To add one: a line here. */
const answers = {
  echo_request: 'echo_reply',
  features_request: 'features_reply',
  get_config_request: 'get_config_reply',
  multipart_request: 'multipart_reply',
  barrier_request: 'barrier_reply',
  queue_get_config_request: 'queue_get_config_reply',
  role_request: 'role_reply',
  get_async_request: 'get_async_reply',
  bundle_control: 'bundle_control',
  tlv_table_request: 'tlv_table_reply',
  experimenter: 'experimenter',
} as const satisfies { readonly [T in Message['type']]?: Message['type'] }

type Answers = typeof answers
export type RequestType = keyof Answers
export type ReplyTo<T extends RequestType> = MessageOf<Answers[T]>

/** A message as it is handed to a session, which sets its xid. */
export type Unsent<M extends Message> = M extends Message ? Omit<M, 'xid'> & { readonly xid?: number } : never

/** A question of type T. */
export type Asked<T extends RequestType> = { readonly type: T } & Unsent<MessageOf<T>>
type AnyAsked = Unsent<MessageOf<RequestType>>

/** What a switch said in an ERROR message (§7.4.4). */
export type Refusal = { readonly errorType: number; readonly errorCode: number; readonly words: string }

/**
 * Why a request has no answer. `refused`: the switch answered with an error (`refusal`). `timeout`: it did not answer
 * in time. `unreadable`: it answered, but in bytes that are not OpenFlow 1.3. `closed`: the session ended first.
 */
export class RequestError extends Error {
  override name = 'RequestError'
  readonly why: 'refused' | 'timeout' | 'unreadable' | 'closed'
  readonly refusal: Refusal | undefined

  constructor(why: RequestError['why'], words: string, refusal?: Refusal) {
    super(words)
    this.why = why
    this.refusal = refusal
  }
}

type Waiting = {
  readonly asked: AnyAsked
  readonly timeout: number
  /** When to give up; each part of a multipart reply moves it on, but never beyond `latest`. Session time, ms. */
  deadline: number
  readonly latest: number
  /** When to send `bytes` again, should the switch have lost the question, and how long after that once more. */
  again: { at: number; readonly every: number; readonly bytes: Buffer } | undefined
  /** Bodies of the parts that came so far, where nobody wants them decoded; and their length. */
  readonly bodies: Buffer[] | undefined
  bodyBytes: number
  collation: Collation | undefined
  /** Set when a part could not be read: the rest is passed over, and then the request fails. */
  unreadable: string | undefined
  readonly resolve: (reply: any) => void
  readonly reject: (error: RequestError) => void
}

/** The questions of one session that wait for an answer, by xid. */
export type Requests = { nextXid: number; readonly waiting: Map<number, Waiting> }

export const newRequests = (): Requests => ({ nextXid: 1, waiting: new Map() })

/**
 * `count` xids in a row; the first is returned. They begin anew at 1 after 2 ** 32 - 1 (0 is left to messages that
 * answer nothing): by then no answer to the first can be outstanding.
 */
export function takeXids(requests: Requests, count: number): number {
  if (requests.nextXid + count > 0x1_0000_0000) requests.nextXid = 1
  const first = requests.nextXid
  requests.nextXid += count
  return first
}

/** How long an answer may take, in ms: a whole one, and the last part of one. */
type Times = { readonly now: number; readonly timeout: number; readonly longest: number }

/** Notes that the request `asked` was sent with `xid`. Rejects with RequestError. */
export const expectReply = <T extends RequestType>(
  requests: Requests,
  xid: number,
  asked: Asked<T>,
  times: Times,
): Promise<ReplyTo<T>> => expect(requests, xid, asked as AnyAsked, times, undefined)

/** The same, of a multipart request whose answer nobody wants decoded: resolves with the bodies of its parts. */
export const expectBodies = (
  requests: Requests,
  xid: number,
  asked: Asked<'multipart_request'>,
  times: Times,
): Promise<readonly Buffer[]> => expect(requests, xid, asked, times, [])

function expect(
  requests: Requests,
  xid: number,
  asked: AnyAsked,
  { now, timeout, longest }: Times,
  bodies: Buffer[] | undefined,
): Promise<any> {
  return new Promise((resolve, reject) => {
    requests.waiting.set(xid, {
      ...{ asked, timeout, deadline: now + timeout, latest: now + longest, again: undefined, bodies, bodyBytes: 0 },
      ...{ collation: undefined, unreadable: undefined, resolve, reject },
    })
  })
}

/** Sends a question again every so many ms until it is answered. `bytes`: the whole message; its xid stays. */
export function repeat(requests: Requests, xid: number, bytes: Buffer, now: number, every: number): void {
  const waiting = requests.waiting.get(xid)
  if (waiting !== undefined) waiting.again = { at: now + every, every, bytes }
}

/** The questions that are to be sent again now. */
export function repetitions(requests: Requests, now: number): { readonly asked: AnyAsked; readonly bytes: Buffer }[] {
  const due: { asked: AnyAsked; bytes: Buffer }[] = []
  for (const { asked, again } of requests.waiting.values()) {
    if (again === undefined || again.at > now) continue
    again.at = now + again.every
    due.push({ asked, bytes: again.bytes })
  }
  return due
}

/** Whether `reply` is of the type that answers `asked`. */
function fits(asked: AnyAsked, reply: Message): boolean {
  if (reply.type !== answers[asked.type]) return false
  if (asked.type === 'bundle_control' && reply.type === 'bundle_control')
    return reply.bundleId === asked.bundleId && reply.ctrlType === asked.ctrlType.replace('request', 'reply')
  if (asked.type === 'experimenter' && reply.type === 'experimenter') return reply.experimenter === asked.experimenter
  if (asked.type === 'multipart_request' && reply.type === 'multipart_reply') return reply.body.type === asked.body.type
  return true
}

/**
 * Gives a reply of `length` bytes on the wire to whoever waits for it. `stray`: nobody does, so it is to be counted and
 * ignored. `oversize`: the parts are now longer than `most` bytes.
 */
export function answer(
  requests: Requests,
  reply: Message,
  length: number,
  { now, most }: { readonly now: number; readonly most: number },
): 'taken' | 'stray' | 'oversize' {
  const waiting = requests.waiting.get(reply.xid)
  if (waiting === undefined || !fits(waiting.asked, reply)) return 'stray'
  if (reply.type === 'multipart_reply') return takePart(requests, waiting, reply, length, now, most)
  requests.waiting.delete(reply.xid)
  waiting.resolve(reply)
  return 'taken'
}

function takePart(
  requests: Requests,
  waiting: Waiting,
  part: MultipartReply,
  length: number,
  now: number,
  most: number,
): 'taken' | 'oversize' {
  waiting.again = undefined
  waiting.collation = collate(waiting.collation, part, length)
  waiting.deadline = Math.min(now + waiting.timeout, waiting.latest)
  if (waiting.collation.bytes > most) return 'oversize'
  if (isLast(part)) {
    requests.waiting.delete(part.xid)
    waiting.resolve(whole(waiting.collation))
  }
  return 'taken'
}

/** Whether the answer to this xid is wanted as bytes. */
export const wantsBodies = (requests: Requests, xid: number): boolean => requests.waiting.get(xid)?.bodies !== undefined

/** Whether an answer about flows is on its way. */
export function isReadingFlows(requests: Requests): boolean {
  for (const { bodies } of requests.waiting.values()) if (bodies !== undefined) return true
  return false
}

/** Takes a part of an answer that is wanted as bytes. `oversize`: all parts are now longer than `most` bytes. */
export function takeBody(
  requests: Requests,
  xid: number,
  body: Buffer,
  last: boolean,
  { now, most }: { readonly now: number; readonly most: number },
): 'taken' | 'oversize' {
  const waiting = requests.waiting.get(xid)!
  waiting.again = undefined
  waiting.bodies!.push(body)
  waiting.bodyBytes += body.length
  waiting.deadline = Math.min(now + waiting.timeout, waiting.latest)
  if (waiting.bodyBytes > most) return 'oversize'
  if (last) {
    requests.waiting.delete(xid)
    waiting.resolve(waiting.bodies)
  }
  return 'taken'
}

/**
 * An answer, or a part of one, cannot be read: the request fails with `unreadable`, after the parts that follow were passed
 * over. False if nobody waits for it.
 */
export function spoil(requests: Requests, xid: number, last: boolean, reason: string): boolean {
  const waiting = requests.waiting.get(xid)
  if (waiting === undefined) return false
  waiting.unreadable ??= reason
  waiting.collation = undefined
  if (last) fail(requests, xid, new RequestError('unreadable', waiting.unreadable))
  return true
}

export const isSpoiled = (requests: Requests, xid: number): boolean =>
  requests.waiting.get(xid)?.unreadable !== undefined

/** Fails the request with this xid; false if nobody waits for it. */
export function fail(requests: Requests, xid: number, error: RequestError): boolean {
  const waiting = requests.waiting.get(xid)
  if (waiting === undefined) return false
  requests.waiting.delete(xid)
  waiting.reject(error)
  return true
}

/** Fails the requests whose time is over at `now`. */
export function expire(requests: Requests, now: number): void {
  for (const [xid, { asked, deadline, timeout, unreadable }] of requests.waiting) {
    if (deadline > now) continue
    const error =
      unreadable === undefined
        ? new RequestError('timeout', `no answer to ${named(asked)} (xid ${xid}) within ${timeout} ms`)
        : new RequestError('unreadable', unreadable)
    fail(requests, xid, error)
  }
}

/** Fails all that wait. */
export function abandon(requests: Requests, reason: string): void {
  for (const [xid, { asked }] of requests.waiting)
    fail(requests, xid, new RequestError('closed', `no answer to ${named(asked)}: ${reason}`))
}

/** A request in words: `multipart_request flow`. */
export function named(asked: AnyAsked): string {
  if (asked.type === 'multipart_request') return `${asked.type} ${asked.body.type}`
  if (asked.type === 'bundle_control') return `bundle ${asked.ctrlType}`
  return asked.type
}
