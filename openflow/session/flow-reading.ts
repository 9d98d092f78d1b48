// Reads what a switch's tables hold, from switches whose long answers cannot be trusted, too.
//
// Example: a switch with 743 entries sends 70 KB under a header that says 70 KB modulo 64 KiB. That parses as 62 good entries;
// then come bytes that are no message, or nothing. So the number of entries is held against what the switch counts, and
// where it falls short, or the answer does not come, the same is asked in parts that are short enough: table by table, and
// in a large table by one more bit of the cookie each time.
import {
  decodeEntry,
  eachEntry,
  type FlowStats,
  groups,
  type MultipartRequest,
  ports,
  tables,
  WireError,
} from '../index.ts'
import { ask, askBodies, type Connection } from './connection.ts'
import { RequestError } from './requests.ts'
import type { FlowFilter, FlowReading, MissingFlows } from './session.ts'

type Filter = Omit<Extract<MultipartRequest['body'], { type: 'flow' }>, 'type'>
type Of = { readonly dpid: string; readonly swDesc: string; readonly nTables: number }

/** As many entries of ours as surely fit in 64 KiB: 270 bytes each. */
const safeEntries = 240
/** Cookies are split by these bits only, the lowest first: in them networks differ. */
const cookieBits = 32n
/** A length of 16 bits that wraps loses a multiple of 64 KiB; so much less than that is another matter. */
const wrapBytes = 32_768

/** See Session.readFlows. */
export async function readFlows(c: Connection, of: Of, filter: FlowFilter): Promise<FlowReading> {
  const whole: Filter = {
    ...{ tableId: tables.all, outPort: ports.any, outGroup: groups.any, cookie: 0n, cookieMask: 0n, match: {} },
    ...filter,
  }
  if (isRemembered(c, of)) return readParts(c, of, whole)
  // Asked in one go: what is counted then is what was listed.
  const counting = countWhole(c, filter)
  counting.catch(() => undefined)
  const read = await readOnce(c, whole)
  if (typeof read === 'string') {
    remember(c, of, c.limits.parts)
    return readParts(c, of, whole)
  }
  const counted = await counting
  if (counted === undefined || read.count >= counted || c.miscounts) return { ...read, missing: [] }
  const wraps = isWrap(read, counted)
  if (wraps) remember(c, of, Infinity)
  const parts = await readParts(c, of, whole)
  if (wraps || parts.count > read.count) return parts
  // However it is asked it lists the same: what it counts beside that, it does not show.
  c.miscounts = true
  return { ...read, missing: [] }
}

/** Whether the entries that an answer lacks are so many that a wrapped length explains it. */
const isWrap = ({ bodies, count }: { readonly bodies: readonly Buffer[]; readonly count: number }, counted: number) => {
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  return (counted - count) * Math.max(56, count === 0 ? 0 : bytes / count) >= wrapBytes
}

/** Entries that the filter takes, as the switch counts them; undefined: it does not, or the filter is too narrow for that. */
async function countWhole(c: Connection, filter: FlowFilter): Promise<number | undefined> {
  if (Object.keys(filter).length > 0) return aggregate(c, filter)
  const counts = await countTables(c)
  return counts && [...counts.values()].reduce((sum, count) => sum + count, 0)
}

/** OFPMP_TABLE: entries by table; undefined where the switch does not count them. */
async function countTables(c: Connection): Promise<ReadonlyMap<number, number> | undefined> {
  const reply = await answered(ask(c, { type: 'multipart_request', flags: 0, body: { type: 'table' } }))
  if (reply?.body.type !== 'table' || reply.body.tables.length === 0) return undefined
  const counts = new Map(reply.body.tables.map(({ tableId, activeCount }) => [tableId, activeCount]))
  return [...counts.values()].includes(notCounted) ? undefined : counts
}
/** All ones: not available (§7.3.5). */
const notCounted = 0xffff_ffff

/** OFPMP_AGGREGATE: entries that a filter takes. */
async function aggregate(c: Connection, filter: FlowFilter): Promise<number | undefined> {
  const body = {
    ...{ type: 'aggregate' as const, tableId: tables.all, outPort: ports.any, outGroup: groups.any },
    ...{ cookie: 0n, cookieMask: 0n, match: {}, ...filter },
  }
  const reply = await answered(ask(c, { type: 'multipart_request', flags: 0, body }))
  if (reply?.body.type !== 'aggregate' || reply.body.flowCount === notCounted) return undefined
  return reply.body.flowCount
}

/** An answer that can be done without: undefined where there is none while the session lasts. */
async function answered<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RequestError && error.why !== 'closed') return undefined
    throw error
  }
}

/** One question; in words why its answer did not come or cannot be read. Rejects when it was refused, or the session ended. */
async function readOnce(c: Connection, filter: Filter): Promise<{ bodies: readonly Buffer[]; count: number } | string> {
  try {
    const bodies = await askBodies(c, { type: 'multipart_request', flags: 0, body: { type: 'flow', ...filter } })
    return { bodies, count: bodies.reduce((sum, body) => sum + eachEntry(body, () => undefined), 0) }
  } catch (error) {
    if (error instanceof WireError) return error.message
    if (error instanceof RequestError && (error.why === 'timeout' || error.why === 'unreadable')) return error.message
    throw error
  }
}

/** What the parts of one reading have in common: until when it may go on (session time), and what it found. */
type Work = { readonly until: number; readonly bodies: Buffer[]; count: number; readonly missing: MissingFlows[] }

/** Entries of a part: as the switch counts them, and as many as may be expected where it does not; undefined: unknown. */
type Size = { readonly counted: number | undefined; readonly expected: number | undefined }

/** Table by table. */
async function readParts(c: Connection, { nTables }: Of, filter: Filter): Promise<FlowReading> {
  const work: Work = { until: c.clock.now() + c.limits.collation, bodies: [], count: 0, missing: [] }
  const isNarrow = filter.cookieMask !== 0n || filter.outPort !== ports.any || filter.outGroup !== groups.any
  const counts = isNarrow || Object.keys(filter.match).length > 0 ? undefined : await countTables(c)
  const all = counts ? [...counts.keys()] : Array.from({ length: nTables }, (_, i) => i)
  for (const tableId of filter.tableId === tables.all ? all : [filter.tableId]) {
    const counted = counts?.get(tableId)
    await readPart(c, work, { ...filter, tableId }, { counted, expected: counted })
  }
  return work
}

/**
 * One part. Too large a one is not asked for but split by the lowest free bit of the cookie, and so is one whose answer falls
 * short. What still does when no bit is left, or no time, is missing.
 */
async function readPart(c: Connection, work: Work, filter: Filter, size: Size): Promise<void> {
  if (size.counted === 0) return
  const bit = freeBit(filter)
  const splits = bit !== undefined && c.clock.now() < work.until
  if (splits && size.expected !== undefined && size.expected > safeEntries) return split(c, work, filter, size, bit)
  const read = await readOnce(c, filter)
  const short = typeof read === 'string' ? read : await shortfall(c, filter, read.count, size.counted)
  if (short !== undefined && splits) return split(c, work, filter, size, bit)
  if (typeof read !== 'string') {
    work.bodies.push(...read.bodies)
    work.count += read.count
  }
  if (short !== undefined) miss(work, filter, short)
}

const miss = ({ missing }: Work, { tableId, cookie, cookieMask }: Filter, words: string): void =>
  void missing.push({ tableId, cookie, cookieMask, words: `table ${tableId}: ${words}` })

/** In words, how an answer of `read` entries falls short; undefined if it does not. `counted`: before it was asked for. */
async function shortfall(c: Connection, filter: Filter, read: number, counted: number | undefined) {
  if (counted === undefined || read >= counted) return undefined
  // Entries may have gone meanwhile.
  const now = (await aggregate(c, filter)) ?? counted
  return read < now ? `${read} of ${now} entries were in its answer` : undefined
}

/** The lowest bit of the cookie that a filter leaves open, as a value; undefined: none of those that are split. */
function freeBit({ cookieMask }: Filter): bigint | undefined {
  for (let bit = 1n; bit < 1n << cookieBits; bit <<= 1n) if ((cookieMask & bit) === 0n) return bit
  return undefined
}

async function split(c: Connection, work: Work, filter: Filter, size: Size, bit: bigint): Promise<void> {
  const [before, missed] = [work.count, work.missing.length]
  for (const value of [0n, bit]) {
    const half = { ...filter, cookie: filter.cookie | value, cookieMask: filter.cookieMask | bit }
    const counted = await aggregate(c, half)
    const expected = counted ?? (size.expected === undefined ? undefined : Math.ceil(size.expected / 2))
    await readPart(c, work, half, { counted, expected })
  }
  if (work.missing.length > missed) return
  const short = await shortfall(c, filter, work.count - before, size.counted)
  if (short !== undefined) miss(work, filter, short)
}

/** Switches that are remembered at most; the oldest is forgotten first. */
const mostMemories = 4_096

/** Has this switch read in parts for so many ms, also when it comes back. */
export function remember(c: Connection, { dpid, swDesc }: Pick<Of, 'dpid' | 'swDesc'>, ms: number): void {
  const before = c.memories.get(dpid)?.partsUntil ?? 0
  c.memories.delete(dpid)
  c.memories.set(dpid, { partsUntil: Math.max(before, c.clock.now() + ms), swDesc })
  for (const oldest of c.memories.keys()) if (c.memories.size > mostMemories) c.memories.delete(oldest)
}

function isRemembered(c: Connection, { dpid, swDesc }: Of): boolean {
  const memory = c.memories.get(dpid)
  if (memory === undefined) return false
  if (memory.swDesc === swDesc && memory.partsUntil > c.clock.now()) return true
  c.memories.delete(dpid)
  return false
}

/** The entries of a reading as values, decoded in slices so that nobody waits long meanwhile. */
export async function decodeFlows(c: Connection, { bodies, missing }: FlowReading): Promise<FlowStats[]> {
  if (missing.length > 0)
    throw new RequestError('unreadable', `not all flows could be read: ${missing.map(({ words }) => words).join('; ')}`)
  const flows: FlowStats[] = []
  let began = c.clock.exact()
  for (const body of bodies) {
    eachEntry(body, (bytes, at, length) => {
      try {
        flows.push(decodeEntry(bytes, at, length))
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        c.unreadable++
        c.metrics.unreadable?.('flow entry')
      }
    })
    if (c.clock.exact() - began < longest) continue
    await c.clock.yield()
    began = c.clock.exact()
  }
  return flows
}

/** How long decoding may go on before others are served, ms. */
const longest = 5
