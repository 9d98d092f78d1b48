// Brings a plan to a switch, and says of which networks the switch would not have it.
import type { Failure, Session } from '../../openflow/session/session.ts'
import { encodeSteps, type Plan, type Step, takeBack } from '../compile/diff.ts'
import { admits, byOwner, onlyNewAddresses } from './order.ts'

/** By owner (network number; 0 is the switch itself): what the switch said. Empty: it has everything. */
export type Refused = ReadonlyMap<number, string>

/** What the switch said, by owner, of these steps. */
type Note = (steps: readonly Step[], failures: readonly Failure[]) => void

export async function commit(session: Session, plan: Plan): Promise<Refused> {
  const refused = new Map<number, string>()
  const note: Note = (steps, failures) => {
    for (const { index, words } of failures) {
      // -1: the bundle as a whole was refused, and nobody said for whose sake.
      const owner = (steps[index] ?? steps[0])!.owner
      if (!refused.has(owner)) refused.set(owner, words)
    }
  }
  const inOrder = async (steps: readonly Step[]) => {
    if (steps.length > 0) note(steps, await session.apply(encodeSteps(steps)))
  }
  await inOrder(plan.metersFirst)
  if (session.can.bundles && !onlyNewAddresses(plan)) await inBundles(session, plan, note)
  else {
    await inOrder(plan.leave)
    await arrive(session, plan.arrive, refused)
    await inOrder(plan.clear)
  }
  await inOrder(plan.metersLast)
  return refused
}

async function inBundles(session: Session, plan: Plan, note: Note): Promise<void> {
  const atOnce = async (steps: readonly Step[]) => (steps.length === 0 ? [] : session.bundle(encodeSteps(steps)))
  const failures = await atOnce([...plan.leave, ...plan.arrive, ...plan.clear])
  if (failures.length === 0) return
  // One network that the switch refuses must not hold up the others: each comes by itself, after all departures.
  note(plan.leave, await atOnce(plan.leave))
  for (const steps of byOwner(plan.arrive)) note(steps, await atOnce(steps))
  note(plan.clear, await atOnce(plan.clear))
}

/**
 * Without bundles. A network that the switch does not take as a whole is taken back: half of it would fill tables that
 * others have room in. Where several were refused, they may have stood in each other's way: then each comes by itself.
 */
async function arrive(session: Session, steps: readonly Step[], refused: Map<number, string>): Promise<void> {
  const refusals = await arriveOnce(session, steps)
  if (refusals.size === 0) return
  const left = steps.filter(({ owner }) => refusals.has(owner))
  for (const own of refusals.size === 1 ? [] : byOwner(left)) {
    refusals.delete(own[0]!.owner)
    for (const [owner, words] of await arriveOnce(session, own)) refusals.set(owner, words)
  }
  for (const [owner, words] of refusals) if (!refused.has(owner)) refused.set(owner, words)
}

/**
 * Sends what a port or a link brings into a network only when the switch has taken all that follows after it: so that no
 * frame enters what is not all there. Answers by owner what was refused; of those, everything is taken back.
 */
async function arriveOnce(session: Session, steps: readonly Step[]): Promise<Map<number, string>> {
  const refusals = new Map<number, string>()
  const taken: Step[] = []
  const send = async (some: readonly Step[]) => {
    const failures = some.length === 0 ? [] : await session.apply(encodeSteps(some))
    const failed = new Map(failures.map(({ index, words }) => [index, words]))
    for (const [index, step] of some.entries()) {
      const words = failed.get(index)
      if (words === undefined) taken.push(step)
      else if (!refusals.has(step.owner)) refusals.set(step.owner, words)
    }
  }
  await send(steps.filter(step => !admits(step)))
  await send(steps.filter(step => admits(step) && !refusals.has(step.owner)))
  const undone = taken.filter(({ owner }) => refusals.has(owner)).toReversed()
  // What it would not give back is found by the reading that a refusal brings.
  if (undone.length > 0) await session.apply(encodeSteps(undone.map(takeBack)))
  return refusals
}
