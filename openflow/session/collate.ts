import { type MessageOf, multipartMore } from '../index.ts'

export type MultipartReply = MessageOf<'multipart_reply'>

/** The parts of one multipart reply that came so far (OpenFlow 1.3.5 §7.3.5): one xid, one type, all but the last with REPLY_MORE. */
export type Collation = {
  readonly reply: MultipartReply
  /** Of an experimenter's reply only: we cannot know what its bytes list, so they are put one behind the other. */
  readonly payloads: Buffer[]
  /** Length of all parts on the wire. */
  bytes: number
}

type Body = MultipartReply['body']

/** Takes one more part in. Lists grow in place, so that a reply of many parts costs no more than one of few. */
export function collate(sofar: Collation | undefined, part: MultipartReply, length: number): Collation {
  const collation = sofar ?? { reply: part, payloads: [], bytes: 0 }
  collation.bytes += length
  if (part.body.type === 'experimenter') collation.payloads.push(part.body.payload)
  if (sofar !== undefined) extend(sofar.reply.body, part.body)
  return collation
}

function extend(whole: Body, part: Body): void {
  const lists = whole as unknown as Readonly<{ [field: string]: unknown }>
  for (const [field, value] of Object.entries(part)) {
    const list = lists[field]
    if (Array.isArray(list) && Array.isArray(value)) for (const item of value) list.push(item)
  }
}

export const isLast = (part: MultipartReply): boolean => (part.flags & multipartMore) === 0

/** The reply as if it had come in one part. */
export function whole({ reply, payloads }: Collation): MultipartReply {
  const { body } = reply
  const joined = body.type === 'experimenter' ? { ...body, payload: Buffer.concat(payloads) } : body
  return { ...reply, flags: 0, body: joined }
}
