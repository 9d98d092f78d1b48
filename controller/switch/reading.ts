// What is asked of a switch, and what its answers allow us to do there.
import type { GroupDesc } from '../../openflow/index.ts'
import { RequestError, type Session } from '../../openflow/session/session.ts'
import type { Item } from '../compile/item.ts'
import type { Steps } from '../compile/steps.ts'
import type { Reading } from './content.ts'
import type { Reconciler } from './reconciler.ts'
import type { Phase, Switch } from './state.ts'

/** Sessions of switches that do not list their groups. */
const unlisted = new WeakSet<Session>()

/** The groups that a switch lists. One that does not is believed to hold those that it has taken. */
export async function groupsOf(r: Reconciler, sw: Switch, session: Session): Promise<readonly GroupDesc[]> {
  const believed = () =>
    [...sw.held.items.values()].flatMap(item =>
      item.kind === 'group' ? [{ groupId: item.id, groupType: item.groupType, buckets: [...item.buckets] }] : [],
    )
  if (unlisted.has(session)) return believed()
  try {
    return await session.groups()
  } catch (error) {
    if (!(error instanceof RequestError) || error.why !== 'refused') throw error
    unlisted.add(session)
    const what = `does not list its groups, so what others do to them is not found: ${error.message}`
    r.emit({ kind: 'switch-limit', dpid: sw.dpid, what })
    return believed()
  }
}

/** All that the switch is to hold, as far as it is compiled, by key. */
export function* wantedSteps(r: Reconciler, sw: Switch): Steps<ReadonlyMap<string, Item>> {
  const wanted = new Map<string, Item>()
  for (const item of r.base(sw.dpid)) wanted.set(item.key, item)
  for (const number of r.at(sw.dpid)) {
    for (const items of r.compiled().get(number)?.parts.get(sw.dpid)?.values() ?? [])
      for (const item of items) wanted.set(item.key, item)
    yield
  }
  return wanted
}

/** What this reading allows us to do, and whether what is not ours there goes too. */
export function stand(
  r: Reconciler,
  sw: Switch,
  { ours, foreign, instance }: Reading,
): { phase: Phase; cleans: boolean } {
  // That it was ours is known as long as it stays connected, whatever became of the marker.
  const mine = instance === r.instance || (instance === undefined && sw.phase.is === 'live')
  // Beside our own marker, others' flows came later and are put right like any drift.
  if (foreign.length > 0 && !mine && !sw.takeover) return { phase: { is: 'unsafe', foreign }, cleans: false }
  // Meters alone carry no frame anywhere, and only their numbers say that they are ours.
  const claimed = ours.some(item => item.kind !== 'meter')
  if (claimed && !mine && !r.complete()) return { phase: { is: 'unadopted', instance }, cleans: false }
  return { phase: { is: 'live' }, cleans: true }
}

/** It held flows when we saw it last, or before we were started, and holds none now. */
export function noteEmptied(r: Reconciler, sw: Switch, { ours, instance }: Reading): void {
  if (instance !== undefined || ours.some(item => item.kind === 'flow')) return
  const flows = sw.held.flows()
  if (flows === 0 && (sw.seen || !r.wasKnown(sw))) return
  const before = flows > 0 ? flows : undefined
  sw.emptied = { found: new Date(), since: sw.leftAt, flows: before }
  r.emit({ kind: 'switch-emptied', dpid: sw.dpid, flows: before })
}
