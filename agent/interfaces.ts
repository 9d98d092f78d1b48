/** Makes and removes the interfaces for pods, as the plan and the pods want them. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import { makePairs, readMachine, removePairs } from './machine/machine.ts'
import type { Device } from './node/devices.ts'
import { pairSteps } from './node/pairs.ts'
import type { Stock } from './node/stock.ts'
import { encapsulation, type Underlay } from './node/underlay.ts'
import type { Snapshot } from './snapshot.ts'
import type { Datapath } from './switch/desired.ts'

export type Kept = { readonly devices: ReadonlyMap<string, Device>; readonly changes: readonly string[] }

/** Makes what is missing and adjusts what is free; answers the devices after that. */
export async function keepPairs(
  { interfaces, underlay: { address, mtu: planned } }: NodePlan,
  stock: Stock,
  datapath: Datapath,
  underlay: Underlay,
  devices: ReadonlyMap<string, Device>,
): Promise<Kept> {
  const whole = planned ?? (underlay.is === 'missing' ? undefined : underlay.mtu)
  // While nobody knows how long a frame may be, no pod is given a wrong length.
  if (whole === undefined) return { devices, changes: [] }
  const mtu = whole - encapsulation(address)
  const steps = pairSteps(interfaces, stock, devices, mtu)
  if (steps.changes.length === 0) return { devices, changes: [] }
  await makePairs(steps, mtu, datapath === 'netdev')
  return { devices: (await readMachine()).devices, changes: steps.changes }
}

/** Removes the pairs that nobody needs and the switch has no port of any more; answers their ends on the bridge. */
export async function removeSurplus({ plan, copy, stock, devices }: Snapshot): Promise<readonly string[]> {
  const { surplus } = pairSteps(plan.interfaces, stock, devices, 0)
  const ports = new Set([...copy.Port.values()].map(port => port.name))
  const loose = surplus.filter(name => !ports.has(name))
  await removePairs(loose)
  return loose
}
