import { bundleFlags, type Message } from '../index.ts'
import { ask, type Batch, type Connection, send, write } from './connection.ts'
import { room } from './outbox.ts'
import { type Refusal, RequestError, takeXids } from './requests.ts'
import type { Change, Failure } from './session.ts'

/** See Session.apply. */
export const apply = (c: Connection, changes: readonly Change[]): Promise<Failure[]> =>
  serially(c, changes.length, batch => applyNow(c, changes, batch))

/** See Session.bundle. */
export const bundle = (c: Connection, changes: readonly Change[]): Promise<Failure[]> =>
  serially(c, changes.length, batch => bundleNow(c, changes, batch))

/** Runs `work` when all that was asked for before is over. The errors for its xids end up in its batch. */
function serially(c: Connection, count: number, work: (batch: Batch) => Promise<void>): Promise<Failure[]> {
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

/**
 * A barrier after each window, and not more than two windows on their way: so a slow switch is not flooded, and a
 * barrier's answer that got lost is noticed soon, however long the list.
 */
async function applyNow(c: Connection, changes: readonly Change[], { first }: Batch): Promise<void> {
  let previous: Promise<unknown> = Promise.resolve()
  for (let from = 0; from < changes.length; from += c.limits.window) {
    const to = Math.min(from + c.limits.window, changes.length)
    await pour(c, from, to, index => ({ ...changes[index]!, xid: first + index }))
    const barrier = ask(c, { type: 'barrier_request' }, c.limits.request + 2 * (to - from) * c.limits.change)
    barrier.catch(() => undefined)
    await previous
    previous = barrier
  }
  await previous
}

async function bundleNow(c: Connection, changes: readonly Change[], batch: Batch): Promise<void> {
  if (c.state.is === 'live' && !c.state.session.can.bundles)
    throw new RequestError('refused', `switch ${c.state.session.dpid} has no bundles: use apply`)
  const timeout = c.limits.request + Math.min(changes.length * c.limits.change, c.limits.collation)
  let barrier: Promise<unknown> | undefined
  // Behind it no more errors come.
  const fence = () => (barrier ??= ask(c, { type: 'barrier_request' }, timeout))
  const refusal = await fill(c, changes, batch, timeout, fence)
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
  changes: readonly Change[],
  { first, failures }: Batch,
  timeout: number,
  fence: () => Promise<unknown>,
): Promise<Refusal | undefined> {
  const header = { bundleId: c.nextBundleId++, flags: bundleFlags.atomic | bundleFlags.ordered }
  let step = 'open_request' as Step
  const take = (next: Step) => ask(c, { type: 'bundle_control', ...header, ctrlType: (step = next) }, timeout)
  const add = (index: number): Message => {
    const xid = first + index
    return { type: 'bundle_add', xid, ...header, message: { ...changes[index]!, xid } }
  }
  try {
    await take('open_request')
    await pour(c, 0, changes.length, add, () => failures.size > 0)
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

function writeChange(c: Connection, message: Message, index: number): void {
  try {
    write(c, message)
  } catch (error) {
    throw new Error(`change ${index} cannot be sent: ${(error as Error).message}`, { cause: error })
  }
}

/** How long encoding may go on before others have a turn, ms. */
const longest = 5

/** Sends the messages with the indices `from` to `to`, no faster than the switch reads. Stops early when `stop` says so. */
async function pour(
  c: Connection,
  from: number,
  to: number,
  message: (index: number) => Message,
  stop: () => boolean = () => false,
): Promise<void> {
  let began = c.clock.exact()
  for (let index = from; index < to && !stop(); index++) {
    writeChange(c, message(index), index)
    if (c.outbox.blockedAt !== undefined) await room(c.outbox)
    else if (index % 32 !== 0 || c.clock.exact() - began < longest) continue
    else await c.clock.yield()
    began = c.clock.exact()
    if (c.state.is === 'closed') throw new RequestError('closed', c.state.reason)
  }
}
