import { bundleFlags, type EncodedChanges, experimenters, type Message } from '../index.ts'
import { ask, type Batch, type Connection, send, write, writeBytes } from './connection.ts'
import { room } from './outbox.ts'
import { type Refusal, RequestError, takeXids } from './requests.ts'
import type { Change, Changes, Failure } from './session.ts'

/** See Session.apply. */
export const apply = (c: Connection, changes: Changes): Promise<Failure[]> => {
  const source = sourceOf(changes)
  return oneAfterAnother(c, source.count, batch => applyNow(c, source, batch))
}

/** See Session.bundle. */
export const bundle = (c: Connection, changes: Changes): Promise<Failure[]> => {
  const source = sourceOf(changes)
  return oneAfterAnother(c, source.count, batch => bundleNow(c, source, batch))
}

/** Runs `work` when all that was asked for before is over. The errors for its xids end up in its batch. */
function oneAfterAnother(c: Connection, count: number, work: (batch: Batch) => Promise<void>): Promise<Failure[]> {
  if (count === 0) return Promise.resolve([])
  const mine = c.lastBatch.then(async () => {
    const batch: Batch = { first: takeXids(c.requests, count), count, failures: new Map() }
    c.batch = batch
    try {
      await work(batch)
    } finally {
      c.batch = undefined
    }
    return [...batch.failures.values()].sort((a, b) => a.index - b.index)
  })
  c.lastBatch = mine.catch(() => undefined)
  return mine
}

/** Changes to be written one after the other. */
type Source = {
  readonly count: number
  /**
   * Writes the next changes, numbered from `index` on, up to number `to`, each with `first` + its number as xid, and in a
   * bundle if one is given. Returns the number of the change after those that it wrote.
   */
  write(c: Connection, index: number, to: number, first: number, inside: Bundle | undefined): number
}

/** A bundle's id and flags (ONF EXT-230). */
type Bundle = { readonly bundleId: number; readonly flags: number }

const sourceOf = (changes: Changes): Source => ('bytes' in changes ? encoded(changes) : values(changes))

/** Changes as values: each is encoded when it is written. */
const values = (changes: readonly Change[]): Source => ({
  count: changes.length,
  write(c, index, _to, first, inside) {
    const xid = first + index
    const change = { ...changes[index]!, xid }
    const message: Message = inside ? { type: 'bundle_add', xid, ...inside, message: change } : change
    try {
      write(c, message)
    } catch (error) {
      throw new Error(`change ${index} cannot be sent: ${(error as Error).message}`, { cause: error })
    }
    return index + 1
  },
})

/** Bytes that are copied and written in one go. */
const chunkLength = 61_440

/** Changes as bytes: copied, with their xids, and behind the head of a bundle_add if they go into a bundle. */
function encoded({ bytes, count }: EncodedChanges): Source {
  let at = 0
  return {
    count,
    write(c, index, to, first, inside) {
      const head = inside === undefined ? emptyHead : headOf(inside)
      const chunk = Buffer.allocUnsafeSlow(Math.min(chunkLength, bytes.length - at + (to - index) * head.length))
      const type = inside ? 'bundle_add' : typeNames[bytes[at + 1]!]!
      let used = 0
      let next = index
      for (; next < to; next++) {
        const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
        if (used > 0 && (used + head.length + length > chunk.length || (!inside && typeNames[bytes[at + 1]!] !== type)))
          break
        // One that is longer than a chunk goes by itself.
        if (head.length + length > chunk.length) {
          writeBytes(c, whole(head, bytes.subarray(at, at + length), first + next), type, 1)
          at += length
          return next + 1
        }
        used += copyChange(chunk, used, head, bytes, at, length, first + next)
        at += length
      }
      writeBytes(c, chunk.subarray(0, used), type, next - index)
      return next
    },
  }
}

/** Types of changes. */
const typeNames: { readonly [type: number]: 'flow_mod' | 'group_mod' | 'meter_mod' } = {
  ...{ 14: 'flow_mod', 15: 'group_mod', 29: 'meter_mod' },
}

function whole(head: Buffer, change: Buffer, xid: number): Buffer {
  const message = Buffer.allocUnsafe(head.length + change.length)
  copyChange(message, 0, head, change, 0, change.length, xid)
  return message
}

/** Puts one change at `to`, and returns how long it is there. */
function copyChange(
  out: Buffer,
  to: number,
  head: Buffer,
  bytes: Buffer,
  at: number,
  length: number,
  xid: number,
): number {
  const inner = to + head.length
  head.copy(out, to)
  bytes.copy(out, inner, at, at + length)
  out.writeUInt32BE(xid, inner + 4)
  if (head.length === 0) return length
  // The xids of a bundle_add and of the message in it are the same (EXT-230).
  out.writeUInt16BE(head.length + length, to + 2)
  out.writeUInt32BE(xid, to + 4)
  return head.length + length
}

const emptyHead = Buffer.alloc(0)
const bundleAddType = 2301

/** The 24 bytes of a bundle_add before its message; length and xid are 0. */
function headOf({ bundleId, flags }: Bundle): Buffer {
  const head = Buffer.alloc(24)
  head[0] = 4
  head[1] = 4
  head.writeUInt32BE(experimenters.onf, 8)
  head.writeUInt32BE(bundleAddType, 12)
  head.writeUInt32BE(bundleId, 16)
  head.writeUInt16BE(flags, 22)
  return head
}

/**
 * A barrier after each window, and not more than two windows on their way: so a slow switch is not flooded, and a
 * barrier's answer that got lost is noticed soon, however long the list.
 */
async function applyNow(c: Connection, source: Source, { first }: Batch): Promise<void> {
  let previous: Promise<unknown> = Promise.resolve()
  for (let from = 0; from < source.count; from += c.limits.window) {
    const to = Math.min(from + c.limits.window, source.count)
    await sendAll(c, source, from, to, first, undefined)
    const barrier = ask(c, { type: 'barrier_request' }, c.limits.request + 2 * (to - from) * c.limits.change)
    barrier.catch(() => undefined)
    await previous
    previous = barrier
  }
  await previous
}

async function bundleNow(c: Connection, source: Source, batch: Batch): Promise<void> {
  if (c.state.is === 'live' && !c.can.bundles)
    throw new RequestError('refused', `switch ${c.state.session.dpid} has no bundles: use apply`)
  const timeout = c.limits.request + Math.min(source.count * c.limits.change, c.limits.collation)
  let barrier: Promise<unknown> | undefined
  // Behind it no more errors come.
  const fence = () => (barrier ??= ask(c, { type: 'barrier_request' }, timeout))
  const refusal = await fill(c, source, batch, timeout, fence)
  await fence()
  if (refusal !== undefined && batch.failures.size === 0) batch.failures.set(-1, { index: -1, ...refusal })
}

type Step = 'open_request' | 'close_request' | 'commit_request' | 'discard_request'

/**
 * ONF extension EXT-230: opens a bundle, fills and closes it, and commits or discards it. Resolves with what the switch
 * said if it refused one of these steps. The COMMIT of a bundle succeeds although an ADD was refused (seen, Open
 * vSwitch 3.1): so it is only sent when CLOSE was answered and no error came before.
 * @param fence Sends a barrier, once.
 */
async function fill(
  c: Connection,
  source: Source,
  { first, failures }: Batch,
  timeout: number,
  fence: () => Promise<unknown>,
): Promise<Refusal | undefined> {
  const header = { bundleId: c.nextBundleId++, flags: bundleFlags.atomic | bundleFlags.ordered }
  let step = 'open_request' as Step
  const take = (next: Step) => ask(c, { type: 'bundle_control', ...header, ctrlType: (step = next) }, timeout)
  try {
    await take('open_request')
    await sendAll(c, source, 0, source.count, first, header, () => failures.size > 0)
    if (failures.size === 0) await take('close_request')
    const end = take(failures.size === 0 ? 'commit_request' : 'discard_request')
    // In one write with it: after a commit Open vSwitch works its caches over before it reads on, 4 ms with 1,000 ports.
    fence().catch(() => undefined)
    await end
    return undefined
  } catch (error) {
    const refusal = error instanceof RequestError ? error.refusal : undefined
    // What is left of it must not stay. A commit that was refused leaves nothing.
    if (refusal === undefined || step !== 'commit_request')
      send(c, { type: 'bundle_control', ...header, ctrlType: 'discard_request' })
    if (refusal === undefined) throw error
    return refusal
  }
}

/** How long encoding may go on before the event loop goes on, ms. */
const longest = 5

/** Sends the changes numbered `from` to `to`, no faster than the switch reads. Stops early when `stop` says so. */
async function sendAll(
  c: Connection,
  source: Source,
  from: number,
  to: number,
  first: number,
  inside: Bundle | undefined,
  stop: () => boolean = () => false,
): Promise<void> {
  let began = c.clock.exact()
  let looked = from
  for (let index = from; index < to && !stop(); ) {
    index = source.write(c, index, to, first, inside)
    if (c.outbox.blockedAt !== undefined) await room(c.outbox)
    else if (index - looked < 32 || c.clock.exact() - began < longest) continue
    else await c.clock.yield()
    looked = index
    began = c.clock.exact()
    if (c.state.is === 'closed') throw new RequestError('closed', c.state.reason)
  }
}
