// One loop per switch: look again, compare, send what differs, wait for the barrier, report.
// Every event only marks a network or a switch; nothing here knows what kind of change it was.
import type { Session } from '../../openflow/session/session.ts'
import { owner } from '../compile/cookie.ts'
import { type Changes, diffSteps } from '../compile/diff.ts'
import type { Item } from '../compile/item.ts'
import type { Touched } from '../compile/parts.ts'
import { each } from '../compile/steps.ts'
import { conflictsWith, meets } from './conflicts.ts'
import { holdings, readSteps } from './content.ts'
import { limitPacketIns } from './packet-ins.ts'
import { groupsOf, noteEmptied, stand, wantedSteps } from './reading.ts'
import type { Reconciler } from './reconciler.ts'
import { type Refusals, send } from './send.ts'
import { inSlices, slices } from './slices.ts'
import { confirm, doubt, leave, phaseEvent, refusals, refuse, type Switch, touch } from './state.ts'
import { touchedSteps } from './touched.ts'
import { isReadSoon, isUnread, next, type Unread } from './unread.ts'

/** Runs until nothing is left to do on this switch. Calling it again meanwhile is harmless. */
export async function run(r: Reconciler, sw: Switch): Promise<void> {
  if (sw.running) return
  sw.running = true
  while (sw.session && !sw.pausing && (sw.compare || sw.dirty.size > 0)) {
    const { session } = sw
    try {
      if (sw.phase.is === 'unsupported') passOver(r, sw)
      else if (sw.compare) await compareAll(r, sw, session)
      else await reconcile(r, sw, session, takeDirty(sw))
    } catch (error) {
      if (sw.session === session) pause(r, sw, error)
    }
  }
  sw.running = false
}

type Dirty = ReadonlyMap<number, Touched | 'all'>

const takeDirty = (sw: Switch): Dirty => {
  const dirty = new Map(sw.dirty)
  sw.dirty.clear()
  // Of a network that it refused it may have nothing: what has changed since is not all that it lacks.
  for (const number of dirty.keys()) if (sw.networks.get(number)?.refused !== undefined) dirty.set(number, 'all')
  return dirty
}

/** There is nothing to be done on a switch that lacks something; who waits for it is told. */
function passOver(r: Reconciler, sw: Switch): void {
  sw.compare = undefined
  r.progress(sw, takeDirty(sw).keys())
}

/** Its answers failed us, not its connection: it is read again later, rather than guess what it holds. */
function pause(r: Reconciler, sw: Switch, error: unknown): void {
  r.emit({ kind: 'switch-unreadable', dpid: sw.dpid, error: String(error) })
  sw.compare = 'asked'
  sw.pausing = true
  r.later(sw, () => {
    sw.pausing = false
    void run(r, sw)
  })
}

/** Reads all that the switch holds, decides what we may do there, and compares everything. */
async function compareAll(r: Reconciler, sw: Switch, session: Session): Promise<void> {
  const why = sw.compare
  const { maxMeter } = session.can
  const [flows, groups, meters] = await Promise.all([
    session.readFlows(),
    groupsOf(r, sw, session),
    maxMeter > 0 ? session.meters() : [],
  ])
  // That it has meters may come out meanwhile: then it is read again, for those that it holds must not be made anew.
  if (sw.session !== session || session.can.maxMeter !== maxMeter) return
  const wanted = await inSlices(wantedSteps(r, sw))
  if (sw.session !== session) return
  const reading = await inSlices(
    readSteps(sw.dpid, { flows, groups, meters }, key => wanted.get(key) ?? sw.held.items.get(key)),
  )
  const unread = next(sw.unread, flows.missing)
  // Whose the switch is must be known.
  if (unread.parts.length > 0 && sw.phase.is !== 'live' && reading.instance !== r.instance)
    throw new Error(unread.parts[0]!.words)
  sw.compare = undefined
  const { phase, cleans } = stand(r, sw, reading)
  const held = holdings()
  await inSlices(each([...reading.ours, ...(cleans ? reading.foreign : [])], held.put))
  // What it has confirmed in this connection is believed to be there. Else all would be sent again at each look.
  if (sw.phase.is === 'live')
    for (const item of sw.held.items.values()) if (isUnread(unread, item) && !held.items.has(item.key)) held.put(item)
  if (sw.session !== session) return
  if (why === 'connected') noteEmptied(r, sw, reading)
  noteUnread(r, sw, unread)
  // What is marked is looked at below with all else. It stays marked until it is known what is held: a network that is gone must
  // not seem to be gone from here meanwhile.
  sw.dirty.clear()
  sw.held = held
  sw.readAt = new Date()
  const isOther = phase.is !== sw.phase.is
  if (isOther) r.emit(phaseEvent(sw.dpid, sw.phase, phase))
  sw.phase = phase
  // Until the changes that this reading asks for are confirmed, the switch has nothing as far as we know.
  if (isOther)
    for (const number of everything(r, sw).keys()) {
      const { serial = 0, revision = 0 } = r.compiled().get(number) ?? {}
      doubt(sw, number, serial, revision)
    }
  if (phase.is === 'live') {
    const words = await limitPacketIns(session, meters)
    if (words && why === 'connected')
      r.emit({ kind: 'switch-limit', dpid: sw.dpid, what: `has no controller meter: ${words}` })
  }
  r.learnt(sw, reading)
  await r.fresh()
  if (sw.session !== session) return
  if (!sw.seen) {
    // Not before what it has learned is compiled: until then others keep what leads there.
    sw.seen = true
    r.firstRead(sw)
  }
  await reconcile(r, sw, session, everything(r, sw), why)
}

/** What the switch did not tell: it is read again soon, for it may have been busy only. */
function noteUnread(r: Reconciler, sw: Switch, unread: Unread): void {
  const [part] = unread.parts
  if (part && sw.unread.parts.length === 0) {
    const what = `does not tell all of its flows, so networks that may have some there are degraded: ${part.words}`
    r.emit({ kind: 'switch-limit', dpid: sw.dpid, what })
  }
  sw.unread = unread
  if (isReadSoon(unread))
    r.soon(() => {
      if (!sw.session || sw.compare || sw.unread !== unread) return
      sw.compare = 'asked'
      void run(r, sw)
    })
}

/** Everything that the switch holds or should hold, and what else it is to confirm. */
const everything = (r: Reconciler, sw: Switch): Dirty =>
  new Map([0, ...r.at(sw.dpid), ...sw.held.owners(), ...sw.networks.keys()].map(number => [number, 'all']))

/** @param dirty What to compare. @param why The comparison that it is part of, if it is of all. */
async function reconcile(
  r: Reconciler,
  sw: Switch,
  session: Session,
  dirty: Dirty,
  why?: Switch['compare'],
): Promise<void> {
  if (sw.phase.is === 'unsafe') return r.progress(sw, dirty.keys())
  // What it refused is not asked of it again until the pause is over, whoever looks meanwhile; nor is that it lacks it drift.
  const isPaused = why === 'refused' || (why === 'audit' && sw.retrying !== false)
  const left = new Set(isPaused ? refusals(sw).keys() : [])
  const serials = new Map([...dirty.keys()].map(n => [n, r.compiled().get(n)?.serial ?? Number.POSITIVE_INFINITY]))
  const changes = await changesFor(r, sw, dirty, left)
  const refused = await send(r, sw, session, changes, why)
  if (sw.session !== session) return
  if (why === 'audit' && refused.size === 0) sw.drift = 0
  if (why && refused.size === 0) sw.rightAt = new Date()
  for (const [number, serial] of serials) {
    if (left.has(number)) continue
    refuse(sw, number, undefined)
    // Of a switch that is another store's we have not sent all, so it has not confirmed anything.
    if (refused.has(number) || sw.phase.is !== 'live') continue
    if (number === 0 || r.compiled().has(number)) confirm(sw, number, serial)
    else leave(sw, number)
  }
  for (const { by, words } of refused.values()) if (by === 'switch') r.refused(session, words)
  if (refused.size > 0) retryRefused(r, sw, refused)
  else if (refusals(sw).size === 0) sw.retries = 0
  if (changes.remove.some(makesRoom)) roomMade(r, sw)
  r.progress(sw, dirty.keys())
}

/** A refusal leaves us unsure what the switch has: it is read again at once, and asked again later. */
function retryRefused(r: Reconciler, sw: Switch, refused: Refusals): void {
  for (const [number, refusal] of refused) {
    const { serial = 0, revision = 0 } = r.compiled().get(number) ?? {}
    if (!sw.networks.has(number)) doubt(sw, number, serial, revision)
    refuse(sw, number, refusal)
    // What was held back has been told as a proof that failed.
    if (refusal.by === 'proof') continue
    const network = r.compiled().get(number)?.network.id
    r.emit({ kind: 'network-refused', dpid: sw.dpid, network, words: refusal.words })
  }
  sw.compare = 'refused'
  if (sw.retrying) return
  sw.retrying = 'later'
  r.later(sw, () => askAgain(r, sw, 'later'))
}

/** Addresses come and go all the time: whoever waits for their room would have no pause. */
const makesRoom = (item: Item): boolean =>
  // A meter that was read and is nobody's may be that of a network which was refused: taking it away makes room for nobody else.
  item.kind === 'meter' ? item.owner !== 0 : item.kind !== 'flow' || owner(item.cookie).is !== 'learned'

/** Something of ours is gone from a switch: what it refused may fit now. */
function roomMade(r: Reconciler, sw: Switch): void {
  if (sw.retrying === 'soon' || refusals(sw).size === 0) return
  sw.retrying = 'soon'
  r.soon(() => askAgain(r, sw, 'soon'))
}

function askAgain(r: Reconciler, sw: Switch, waited: Switch['retrying']): void {
  // Whoever waits longer has been overtaken.
  if (sw.retrying !== waited) return
  sw.retrying = false
  for (const number of refusals(sw).keys()) touch(sw, number, 'all')
  void run(r, sw)
}

/** What to change, leaving the networks `left` as they are. Long comparisons are cut into slices. */
async function changesFor(r: Reconciler, sw: Switch, dirty: Dirty, left: ReadonlySet<number>): Promise<Changes> {
  const isFree = sw.phase.is === 'live'
  if (isFree && left.size === 0 && isNamed(dirty)) {
    const keys = removable(r, sw, dirty, left)
    return inSlices(touchedSteps(dirty, sw.held, keys))
  }
  const compiled = r.compiled()
  const occupied = isFree ? undefined : conflictsWith(sw.held)
  // What may go is decided before what is desired is gathered, for meanwhile another switch may be read: its
  // addresses are then desired, while what leads to them was still to stay.
  const owned = isFree ? removable(r, sw, dirty, left) : []
  const desired = new Map<string, Item>()
  const slice = slices()
  for (const [number, touched] of dirty) {
    const part = compiled.get(number)?.parts.get(sw.dpid)
    if (left.has(number) || (occupied && part && meets([...part.values()].flat(), number, occupied))) continue
    if (touched !== 'all') for (const [key, item] of touched) item && desired.set(key, item)
    else for (const items of part?.values() ?? []) for (const item of items) desired.set(item.key, item)
    if (number === 0 && isFree) for (const item of r.base(sw.dpid)) desired.set(item.key, item)
    await slice()
  }
  // A meter does not say whose it is, and stays when its port moves to another network: what is as it should be has its
  // new owner from now on. Else the next look at the former one would take it away.
  for (const [key, item] of desired) {
    const has = sw.held.items.get(key)
    if (has?.form === item.form && has.owner !== item.owner) sw.held.put(item)
  }
  return inSlices(diffSteps(desired, sw.held.items, owned))
}

/** Keys of what these networks own on the switch, and of which nothing has to stay for now. */
function removable(r: Reconciler, sw: Switch, dirty: Dirty, left: ReadonlySet<number>): readonly string[] {
  const keys: string[] = []
  for (const [number, touched] of dirty) {
    if (left.has(number)) continue
    for (const key of touched === 'all' ? sw.held.keysOf([number]) : goneOf(touched)) {
      const item = sw.held.items.get(key)
      if (item?.owner !== number) continue
      if (r.isRetained(sw.dpid, item)) sw.retaining.add(number)
      else keys.push(key)
    }
  }
  return keys
}

type Named = ReadonlyMap<number, Touched>
/** Whether only some items are to be looked at, and not all that a network owns there. */
const isNamed = (dirty: Dirty): dirty is Named => {
  for (const touched of dirty.values()) if (touched === 'all') return false
  return true
}

/** Keys of the items that are not desired any more. */
function* goneOf(touched: Touched): Iterable<string> {
  for (const [key, item] of touched) if (item === undefined) yield key
}
