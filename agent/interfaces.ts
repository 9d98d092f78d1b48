/** Makes and removes the interfaces for pods, as the plan and the pods want them. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import { isFresh, makePairs, readMachine, removePairs } from './machine/machine.ts'
import type { Device } from './node/devices.ts'
import { markOf, pairSteps } from './node/pairs.ts'
import { numberOf } from './node/stock.ts'
import { encapsulation, type Underlay } from './node/underlay.ts'
import { ownEnds, type Snapshot } from './snapshot.ts'

export type Kept = {
  readonly devices: ReadonlyMap<string, Device>
  readonly changes: readonly string[]
  readonly faults: readonly string[]
}

/** Makes what is missing, and adjusts what is free; answers the devices after that. */
export async function keepPairs({ plan, copy, datapath, underlay, stock, devices }: Snapshot): Promise<Kept> {
  const mtu = podMtu(plan, underlay)
  // While nobody knows how long a frame may be, no pod is given a wrong length.
  if (mtu === undefined) return { devices, changes: [], faults: [] }
  const mark = markOf(plan)
  const own = ownEnds(plan, copy, devices)
  const steps = pairSteps({ names: plan.interfaces, mark, devices, own, mtu }, stock)
  const { changes, faults } = steps
  if (changes.length === 0) return { devices, changes, faults }
  await makePairs(steps, mark, mtu, datapath === 'netdev')
  return { devices: (await readMachine()).devices, changes, faults }
}

/** No longer than what the device below carries, whatever was declared. */
const podMtu = ({ underlay: { address, mtu: planned } }: NodePlan, below: Underlay): number | undefined => {
  const real = below.is === 'missing' ? undefined : below.mtu
  const whole = planned === undefined || (real !== undefined && real < planned) ? real : planned
  return whole === undefined ? undefined : whole - encapsulation(address)
}

/** Ends for pods that were never in one. */
export const freshEnds = ({ interfaces }: NodePlan, devices: ReadonlyMap<string, Device>): ReadonlySet<string> =>
  new Set([...devices.keys()].filter(name => numberOf(interfaces.podPrefix, name) !== undefined && isFresh(name)))

/** Removes the pairs that nobody needs and the switch has no port of any more; answers their ends on the bridge. */
export async function removeSurplus({ plan, copy, stock, devices }: Snapshot): Promise<readonly string[]> {
  const own = ownEnds(plan, copy, devices)
  const { surplus } = pairSteps({ names: plan.interfaces, mark: markOf(plan), devices, own, mtu: 0 }, stock)
  const ports = new Set([...copy.Port.values()].map(port => port.name))
  const loose = surplus.filter(name => !ports.has(name))
  await removePairs(loose)
  return loose
}
