/** Makes and removes the interfaces for pods, as the plan and the pods want them. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import { hasTravelled, makePairs, readMachine, removePairs } from './machine/machine.ts'
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

/** Milliseconds that an interface is left alone when it is back: whoever brings it back may still give it its name. */
const arriving = 1_000

export type Interfaces = {
  /** Makes what is missing, and adjusts what is free; answers the devices after that. */
  keep(snapshot: Snapshot): Promise<Kept>
}

/** @param later Look again after so many milliseconds. */
export function createInterfaces(later: (ms: number) => void): Interfaces {
  let since = new Map<number, number>()
  const settled = (stale: ReadonlySet<number>): ReadonlySet<number> => {
    const now = performance.now()
    since = new Map([...stale].map(number => [number, since.get(number) ?? now]))
    const waits = [...since.values()].map(began => arriving - (now - began))
    const left = waits.filter(wait => wait > 0)
    if (left.length > 0) later(Math.min(...left) + 10)
    return new Set([...since].flatMap(([number, began]) => (now - began >= arriving ? [number] : [])))
  }
  return { keep: snapshot => keepPairs(snapshot, settled(snapshot.stock.stale)) }
}

async function keepPairs(
  { plan, copy, datapath, underlay, stock, devices }: Snapshot,
  settled: ReadonlySet<number>,
): Promise<Kept> {
  const mtu = podMtu(plan, underlay)
  // While nobody knows how long a frame may be, no pod is given a wrong length.
  if (mtu === undefined) return { devices, changes: [], faults: [] }
  const mark = markOf(plan)
  const own = ownEnds(plan, copy, devices)
  const steps = pairSteps({ names: plan.interfaces, mark, devices, own, mtu, settled }, stock)
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

/** Ends for pods that are here, and came back from another network namespace. */
export const returnedEnds = (plan: NodePlan, devices: ReadonlyMap<string, Device>): ReadonlySet<string> => {
  const ends = [...devices.values()].filter(({ name }) => numberOf(plan.interfaces.bridgePrefix, name) !== undefined)
  const names = ends.flatMap(({ name, peerName }) =>
    peerName === undefined || peerName === `${name}.x` ? [] : [peerName],
  )
  return new Set(names.filter(hasTravelled))
}

/** Removes the pairs that nobody needs and the switch has no port of any more; answers their ends on the bridge. */
export async function removeSurplus({ plan, copy, stock, devices }: Snapshot): Promise<readonly string[]> {
  const own = ownEnds(plan, copy, devices)
  const { surplus } = pairSteps(
    { names: plan.interfaces, mark: markOf(plan), devices, own, mtu: 0, settled: new Set() },
    stock,
  )
  const ports = new Set([...copy.Port.values()].map(port => port.name))
  const loose = surplus.filter(name => !ports.has(name))
  await removePairs(loose)
  return loose
}
