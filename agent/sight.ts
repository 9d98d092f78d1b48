/** What one look at the node has seen, and what follows from it. Pure. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Device } from './node/devices.ts'
import { pairOf } from './node/pairs.ts'
import { numberOf, type Stock, stock } from './node/stock.ts'
import { physical, physicalBridge, type Underlay } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { troubleOf } from './report.ts'
import { type Datapath, desired, mark, portsOf, restoringNote, type Wanted } from './switch/desired.ts'

export type Sight = {
  readonly plan: NodePlan
  readonly copy: Database
  readonly datapath: Datapath
  readonly below: Underlay
  readonly shelf: Stock
  readonly devices: ReadonlyMap<string, Device>
}

/** Whether somebody restarts ovs-vswitchd at this time, and keeps its flows. */
export const isRestoring = (copy: Database, time: number): boolean => {
  const [root] = copy.Open_vSwitch.values()
  return Number(root?.external_ids[restoringNote] ?? 0) > time
}

/** Of the devices and ports that are there. */
export const stockOf = ({ bridge, interfaces, links }: NodePlan, copy: Database, devices: Sight['devices']): Stock => {
  const ours = portsOf(copy, bridge).filter(({ port }) => port.external_ids[mark] === bridge)
  const ports = new Set(ours.flatMap(({ port }) => numberOf(interfaces.near, port.name) ?? []))
  return stock(interfaces, { devices, ports, taken: new Set(links.map(({ port }) => port)) })
}

/** Devices of interfaces that are complete. */
const complete = ({ plan: { interfaces }, shelf, devices }: Sight): ReadonlyMap<number, Device> =>
  new Map(
    shelf.wanted.flatMap(number => {
      const { near, unfinished } = pairOf(interfaces, number)
      const device = devices.get(near)
      return device && !devices.has(unfinished) ? [[number, device] as const] : []
    }),
  )

/** @param time In milliseconds since 1970. */
export const wanted = (sight: Sight, bridged: boolean, time: number): Wanted => {
  const { plan, copy, datapath, below, devices } = sight
  const whole = desired(plan, { datapath, interfaces: complete(sight) })
  const bridge = isRestoring(copy, time) ? { ...whole, controllers: [] } : whole
  const more = below.is === 'bridged' && bridged ? [physicalBridge(below.saved, devices)] : []
  // First of all the way to the controllers.
  return { bridges: [...more, bridge], unwanted: bridged ? [] : [physical], tls: plan.tls }
}

/** What the node is to be: the plan, and the devices that pods have left of it. */
export const aimOf = (sight: Sight): string =>
  JSON.stringify([sight.plan.version, [...complete(sight)].map(([number, { index }]) => [number, index])])

/** Ports of ours that Open vSwitch could not make as asked. */
export const troubles = ({ bridge }: NodePlan, copy: Database): string[] =>
  portsOf(copy, bridge)
    .filter(({ port }) => port.external_ids[mark] === bridge)
    .flatMap(({ port, interface: row }) => {
      const trouble = troubleOf(row)
      return trouble === undefined ? [] : [`port ${port.name}: ${trouble}`]
    })
