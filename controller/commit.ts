// Brings a plan to a switch, and says of which networks the switch would not have it.
import type { Failure, Session } from '../openflow/session.ts'
import type { Plan, Step } from './diff.ts'

/** By owner (network number; 0 is the switch itself): what the switch said. Empty: it has everything. */
export type Refused = ReadonlyMap<number, string>

export async function commit(session: Session, plan: Plan): Promise<Refused> {
  const refused = new Map<number, string>()
  const note = (steps: readonly Step[], failures: readonly Failure[]) => {
    for (const { index, words } of failures) {
      // -1: the bundle as a whole was refused, and nobody said for whose sake.
      const owner = (steps[index] ?? steps[0])!.owner
      if (!refused.has(owner)) refused.set(owner, words)
    }
  }
  const changes = (steps: readonly Step[]) => steps.map(s => s.change)
  const inOrder = async (steps: readonly Step[]) => {
    if (steps.length > 0) note(steps, await session.apply(changes(steps)))
  }
  const atOnce = async (steps: readonly Step[]) => {
    if (steps.length === 0) return []
    return session.bundle(changes(steps))
  }

  await inOrder(plan.metersFirst)
  if (!session.can.bundles) {
    for (const steps of [plan.leave, plan.arrive, plan.clear]) await inOrder(steps)
  } else {
    const all = [...plan.leave, ...plan.arrive, ...plan.clear]
    const failures = await atOnce(all)
    if (failures.length > 0) {
      // One network that the switch refuses must not hold up the others: each comes by itself, after all departures.
      note(plan.leave, await atOnce(plan.leave))
      for (const steps of byOwner(plan.arrive)) note(steps, await atOnce(steps))
      note(plan.clear, await atOnce(plan.clear))
    }
  }
  await inOrder(plan.metersLast)
  return refused
}

const byOwner = (steps: readonly Step[]): readonly (readonly Step[])[] => {
  const owners = new Map<number, Step[]>()
  for (const step of steps) {
    const own = owners.get(step.owner)
    if (own) own.push(step)
    else owners.set(step.owner, [step])
  }
  return [...owners].sort(([a], [b]) => a - b).map(([, own]) => own)
}
