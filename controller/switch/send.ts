// Sends a switch what is to change there, the marker first.
import type { Session } from '../../openflow/session/session.ts'
import { owner } from '../compile/cookie.ts'
import { type Changes, isEmpty, type Plan, planSteps } from '../compile/diff.ts'
import type { Item } from '../compile/item.ts'
import { commit } from './commit.ts'
import { applySteps } from './content.ts'
import { driftOf } from './drift.ts'
import type { Reconciler } from './reconciler.ts'
import { inSlices } from './slices.ts'
import type { Refusal, Switch } from './state.ts'

/** By owner (network number; 0 is the switch itself): why the switch does not have it. Empty: it has everything. */
export type Refusals = ReadonlyMap<number, Refusal>

/** Sends the changes and, once the switch has them, counts them as held. */
export async function send(
  r: Reconciler,
  sw: Switch,
  session: Session,
  changes: Changes,
  why: Switch['compare'],
): Promise<Refusals> {
  const { add, modify, remove } = changes
  if (why === 'audit') sw.drift = add.length + modify.length + remove.length
  if (isEmpty(changes)) return new Map()
  if (why !== 'audit') return markFirst(r, sw, session, changes)
  const found = driftOf(changes, sw.held.items)
  r.proof?.drifted(sw)
  const refused = await markFirst(r, sw, session, changes)
  const count = [...add, ...modify, ...remove].filter(item => !refused.has(item.owner)).length
  const items = found.filter(({ owner }) => !refused.has(owner)).map(({ drift }) => drift)
  if (count > 0) r.emit({ kind: 'switch-drift', dpid: sw.dpid, count, items })
  return refused
}

/**
 * The marker goes first and alone: if the rest is cut off in the middle, what came so far is known as ours. A switch
 * that refuses it gets nothing else.
 */
async function markFirst(r: Reconciler, sw: Switch, session: Session, changes: Changes): Promise<Refusals> {
  const { add, modify, remove } = changes
  const marker = add.find(item => item.kind === 'flow' && owner(item.cookie).is === 'marker')
  if (!marker) return sendAll(r, sw, session, changes)
  const refused = await sendAll(r, sw, session, { add: [marker], modify: [], remove: [] })
  const [words] = refused.values()
  if (words !== undefined) return new Map([...add, ...modify, ...remove].map(item => [item.owner, words]))
  return sendAll(r, sw, session, { add: add.filter(item => item !== marker), modify, remove })
}

async function sendAll(r: Reconciler, sw: Switch, session: Session, changes: Changes): Promise<Refusals> {
  const { allowed, plan, heldBack } = await provedFirst(r, sw, session, changes)
  if (sw.session !== session || isEmpty(allowed)) return heldBack
  for (const [command, items] of Object.entries(allowed)) {
    const flows = items.filter(i => i.kind === 'flow').length
    if (flows > 0) r.metrics.flowMods(command, flows)
  }
  try {
    const refused = await commit(session, plan)
    if (refused.size === 0 && sw.session === session) await inSlices(applySteps(sw.held, allowed))
    return new Map([...heldBack, ...[...refused].map(([number, words]) => [number, { by: 'switch', words }] as const)])
  } finally {
    r.proof?.done(sw)
  }
}

type Proved = { readonly allowed: Changes; readonly plan: Plan; readonly heldBack: Refusals }

/** What may leave, if it is to be proved first (--prove): a network whose changes would break isolation is held back as a whole. */
async function provedFirst(r: Reconciler, sw: Switch, session: Session, changes: Changes): Promise<Proved> {
  const heldBack = new Map<number, Refusal>()
  let allowed = changes
  for (;;) {
    const plan = await inSlices(planSteps(allowed, sw.held.items))
    const broken = (await r.proof?.broken(sw, plan)) ?? none
    if (broken.size === 0 || sw.session !== session) return { allowed, plan, heldBack }
    for (const [number, words] of broken) heldBack.set(number, { by: 'proof', words })
    const isFree = ({ owner }: Item) => !broken.has(owner)
    const { add, modify, remove } = allowed
    allowed = { add: add.filter(isFree), modify: modify.filter(isFree), remove: remove.filter(isFree) }
  }
}
const none: ReadonlyMap<number, string> = new Map()
