// What a switch can do, asked during the handshake. Every question here is optional: one that is refused, or not answered in
// time, is noted in words, and the switch works without what it would have told.
import { bundleFlags, meters, type TableFeatures } from '../index.ts'
import { ask, type Connection, pause } from './connection.ts'
import { type Asked, named, type ReplyTo, RequestError, type RequestType } from './requests.ts'
import type { Capabilities, Description } from './session.ts'

const undescribed: Description = { mfrDesc: '', hwDesc: '', swDesc: '', serialNum: '', dpDesc: '' }

/** Names for people to read: a switch without them is a switch. */
export async function describe(c: Connection): Promise<Description> {
  const reply = await optional(c, { type: 'multipart_request', flags: 0, body: { type: 'desc' } }, 'it has no names')
  if (reply?.body.type !== 'desc') return undescribed
  const { type: _type, ...description } = reply.body
  return description
}

/** Puts what the switch answers into `c.can`: at once, or when it comes. Resolves when the handshake need not wait any more. */
export async function askCapabilities(c: Connection): Promise<void> {
  await Promise.all([askBundles(c), askMeters(c), askExtensions(c)])
}

const learn = (c: Connection, known: Partial<Capabilities>): void => {
  c.can = { ...c.can, ...known }
  if (c.state.is === 'live') c.hooks.capabilities(c.state.session)
}

const note = (c: Connection, words: string): void => learn(c, { unknown: [...(c.can.unknown ?? []), words] })

/** An empty bundle, opened and thrown away again. */
async function askBundles(c: Connection): Promise<void> {
  const bundle = {
    type: 'bundle_control',
    bundleId: c.nextBundleId++,
    flags: bundleFlags.atomic | bundleFlags.ordered,
  } as const
  const without = 'changes are not atomic there'
  const opened = await optional(c, { ...bundle, ctrlType: 'open_request' }, without)
  if (opened === undefined) return
  const discarded = await optional(c, { ...bundle, ctrlType: 'discard_request' }, without)
  if (discarded !== undefined) learn(c, { bundles: true })
}

/** NXT_TLV_TABLE_REQUEST changes nothing, and only a switch that knows Nicira's messages has an answer. */
async function askExtensions(c: Connection): Promise<void> {
  const reply = await optional(c, { type: 'tlv_table_request' }, 'Nicira extensions are not used')
  if (reply !== undefined) return learn(c, { nicira: true })
  await Promise.all([askTables(c), askGroups(c)])
}

async function askTables(c: Connection): Promise<void> {
  const body = { type: 'table_features', tables: [] } as const
  const take = (reply: ReplyTo<'multipart_request'>) => {
    if (reply.body.type !== 'table_features') return
    const { tables } = reply.body
    learn(c, { tables, metadataBits: metadataOf(tables) })
  }
  const without = 'its tables are believed to match and do all that is needed'
  const reply = await optional(c, { type: 'multipart_request', flags: 0, body }, without, take)
  if (reply !== undefined) take(reply)
}

const allBits = 0xffff_ffff_ffff_ffffn

/** Bits that every table can match, and every table but the last can write. */
const metadataOf = (tables: readonly TableFeatures[]): bigint =>
  tables.reduce(
    (bits, { metadataMatch, metadataWrite }, i) =>
      bits & metadataMatch & (i < tables.length - 1 ? metadataWrite : allBits),
    allBits,
  )

async function askGroups(c: Connection): Promise<void> {
  const take = (reply: ReplyTo<'multipart_request'>) => {
    if (reply.body.type !== 'group_features') return
    const { type: _type, ...groups } = reply.body
    learn(c, { groups })
  }
  const request = { type: 'multipart_request', flags: 0, body: { type: 'group_features' } } as const
  const reply = await optional(c, request, 'it is believed to have groups of type all', take)
  if (reply !== undefined) take(reply)
}

/** Meters count only where they can be listed: else nobody could tell which are there. */
async function askMeters(c: Connection): Promise<void> {
  const listed = { type: 'multipart_request', flags: 0, body: { type: 'meter_config', meterId: meters.all } } as const
  const take = async (reply: ReplyTo<'multipart_request'>) => {
    if (reply.body.type !== 'meter_features' || reply.body.maxMeter === 0) return
    const { maxMeter } = reply.body
    const usable = () => learn(c, { maxMeter })
    if ((await optional(c, listed, 'its meters are not used', usable)) !== undefined) usable()
  }
  const request = { type: 'multipart_request', flags: 0, body: { type: 'meter_features' } } as const
  const reply = await optional(c, request, 'its meters are not used', reply => void take(reply))
  if (reply !== undefined) await take(reply)
}

/**
 * Asks a question that a switch need not know. Undefined: it refused, or did not answer within the limit `probe`; that is noted
 * with what follows from it. An answer that comes later is handed to `late`.
 */
async function optional<T extends RequestType>(
  c: Connection,
  question: Asked<T>,
  without: string,
  late: (reply: ReplyTo<T>) => void = () => undefined,
): Promise<ReplyTo<T> | undefined> {
  const { collation, probe, again } = c.limits
  // A bundle that is opened twice is an error, and so is one that is discarded twice.
  const answer = ask(c, question, collation, question.type === 'bundle_control' ? undefined : again)
  let inTime = true
  const taken = answer.then(
    reply => {
      if (!inTime) late(reply)
      return reply
    },
    error => {
      if (!(error instanceof RequestError) || error.why === 'closed') throw error
      if (inTime) note(c, `${named(question as never)} ${failed(error)}: ${without}`)
      return undefined
    },
  )
  const unanswered = Symbol('unanswered')
  const first = await Promise.race([taken, pause(c, probe).then(() => unanswered as typeof unanswered)])
  if (first !== unanswered) return first as ReplyTo<T> | undefined
  inTime = false
  taken.catch(() => undefined)
  note(c, `${named(question as never)} was not answered within ${probe} ms: ${without}`)
  return undefined
}

const failed = ({ why, refusal, message }: RequestError): string =>
  why === 'refused' ? `was refused (${refusal?.words})` : `was not answered (${message})`
