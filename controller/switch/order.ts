// In which parts a plan reaches a switch. Pure.
import type { Plan, Step } from '../compile/diff.ts'
import { isLearned } from '../compile/item.ts'
import { pipeline } from '../compile/pipeline.ts'

/**
 * The parts of a plan, one after the other: after each of them frames may meet what then stands there. With bundles that is after all
 * that leaves, after each network's arrivals (commit.ts: where one is refused, the others come by themselves) and at the end; without,
 * after every message.
 */
export function* prefixes(plan: Plan, bundles: boolean): Iterable<readonly Step[]> {
  const { leave, arrive, clear } = plan
  if (bundles && !onlyNewAddresses(plan)) {
    for (const part of [leave, ...byOwner(arrive), clear]) if (part.length > 0) yield part
    return
  }
  const entering = arrive.filter(admits)
  for (const step of [...leave, ...arrive.filter(step => !admits(step)), ...entering, ...clear]) yield [step]
}

/**
 * Addresses that were learned, and nothing else: what leads to each is new, and no frame is worse off before the last of them is there.
 * So they need no bundle, which is two more round trips and three more writes for the commonest change by far.
 */
export const onlyNewAddresses = ({ leave, arrive, clear }: Plan): boolean =>
  leave.length === 0 &&
  clear.length === 0 &&
  arrive.every(({ item, does, was }) => does === 'add' && !was && isLearned(item))

/** What a port or a link brings into a network. */
export const admits = ({ item }: Step): boolean => item.kind === 'flow' && item.tableId === pipeline.admit.id

export const byOwner = (steps: readonly Step[]): readonly (readonly Step[])[] => {
  const owners = new Map<number, Step[]>()
  for (const step of steps) {
    const own = owners.get(step.owner)
    if (own) own.push(step)
    else owners.set(step.owner, [step])
  }
  return [...owners].sort(([a], [b]) => a - b).map(([, own]) => own)
}
