/** What one look at the node saw, and what follows from it. Pure. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Device } from './node/devices.ts'
import { pairOf } from './node/pairs.ts'
import { numberOf, type Stock, stockFor } from './node/stock.ts'
import { physical, physicalBridge, type Underlay } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { troubleOf } from './report.ts'
import { type Datapath, desired, mark, portsOf, restoringNote, type Wanted } from './switch/desired.ts'

export type Snapshot = {
  readonly plan: NodePlan
  readonly copy: Database
  readonly datapath: Datapath
  readonly underlay: Underlay
  readonly stock: Stock
  readonly devices: ReadonlyMap<string, Device>
}

/** Whether somebody restarts ovs-vswitchd at this time, and keeps its flows. */
export const isRestoring = (copy: Database, time: number): boolean => {
  const [root] = copy.Open_vSwitch.values()
  return Number(root?.external_ids[restoringNote] ?? 0) > time
}

/** Of the devices and ports that are there. */
export const stockOf = (
  { bridge, interfaces, links }: NodePlan,
  copy: Database,
  devices: Snapshot['devices'],
): Stock => {
  const ours = portsOf(copy, bridge).filter(({ port }) => port.external_ids[mark] === bridge)
  const ports = new Set(ours.flatMap(({ port }) => numberOf(interfaces.bridgePrefix, port.name) ?? []))
  return stockFor(interfaces, { devices, ports, taken: new Set(links.map(({ port }) => port)) })
}

/** Devices of interfaces that are complete. */
const complete = ({ plan: { interfaces }, stock, devices }: Snapshot): ReadonlyMap<number, Device> =>
  new Map(
    stock.wanted.flatMap(number => {
      const { bridgeEnd, unfinished } = pairOf(interfaces, number)
      const device = devices.get(bridgeEnd)
      return device && !devices.has(unfinished) ? [[number, device] as const] : []
    }),
  )

/** @param time In milliseconds since 1970. */
export const wanted = (snapshot: Snapshot, bridged: boolean, time: number): Wanted => {
  const { plan, copy, datapath, underlay, devices } = snapshot
  const whole = desired(plan, { datapath, interfaces: complete(snapshot) })
  const bridge = isRestoring(copy, time) ? { ...whole, controllers: [] } : whole
  const more = underlay.is === 'bridged' && bridged ? [physicalBridge(underlay.saved, devices)] : []
  // The way to the controllers comes first.
  return { bridges: [...more, bridge], unwanted: bridged ? [] : [physical], tls: plan.tls }
}

/** What the node is to be: the plan, and the devices that pods have left of it. */
export const aimOf = (snapshot: Snapshot): string =>
  JSON.stringify([snapshot.plan.version, [...complete(snapshot)].map(([number, { index }]) => [number, index])])

/** Our ports that Open vSwitch could not make as asked. */
export const troubles = ({ bridge }: NodePlan, copy: Database): string[] =>
  portsOf(copy, bridge)
    .filter(({ port }) => port.external_ids[mark] === bridge)
    .flatMap(({ port, interface: row }) => {
      const trouble = troubleOf(row)
      return trouble === undefined ? [] : [`port ${port.name}: ${trouble}`]
    })
