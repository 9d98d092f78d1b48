/** What one look at the node saw, and what follows from it. Pure. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Device } from './node/devices.ts'
import { markOf, pairOf } from './node/pairs.ts'
import { physical } from './node/record.ts'
import { numberOf, type Stock, stockFor } from './node/stock.ts'
import { physicalBridge, type Underlay } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { troubleOf } from './report.ts'
import {
  type Datapath,
  desired,
  deviceNote,
  isAhead,
  makerOf,
  mark,
  type Now,
  portsOf,
  restoringNote,
  type Wanted,
} from './switch/desired.ts'

export type Snapshot = {
  readonly plan: NodePlan
  readonly copy: Database
  readonly datapath: Datapath
  readonly underlay: Underlay
  readonly stock: Stock
  readonly devices: ReadonlyMap<string, Device>
  /** Somebody restarts ovs-vswitchd, and keeps its flows. */
  readonly restoring: boolean
}

/**
 * Whether somebody restarts ovs-vswitchd at this time, and keeps its flows.
 * @param hasEnded Whether a process is known to have ended: then nobody restores any more.
 */
export const isRestoring = (copy: Database, now: Now, hasEnded: (maker: string) => boolean): boolean => {
  const [root] = copy.Open_vSwitch.values()
  const note = root?.external_ids[restoringNote] ?? ''
  return isAhead(note, now) && !hasEnded(makerOf(note))
}

/** Ends on the bridge that this agent made: they are marked, or its port in the database was made for that very device. */
export const ownEnds = (plan: NodePlan, copy: Database, devices: Snapshot['devices']): ReadonlySet<string> => {
  const { bridge, interfaces } = plan
  const noted = new Set(
    portsOf(copy, bridge).flatMap(({ port, interface: row }) =>
      port.external_ids[mark] === bridge ? [`${row.name} ${row.external_ids[deviceNote]}`] : [],
    ),
  )
  const own = [...devices.values()].filter(({ name, index, alias, peerName }) => {
    if (numberOf(interfaces.bridgePrefix, name) === undefined) return false
    // Whoever made it was killed before it could mark it.
    return alias === markOf(plan) || noted.has(`${name} ${index}`) || peerName === `${name}.x`
  })
  return new Set(own.map(({ name }) => name))
}

/** Of the devices and ports that are there. @param returned Ends for pods that came back from one. */
export const stockOf = (
  plan: NodePlan,
  copy: Database,
  devices: Snapshot['devices'],
  returned: ReadonlySet<string>,
): Stock => {
  const { bridge, interfaces, links } = plan
  const ours = portsOf(copy, bridge).filter(({ port }) => port.external_ids[mark] === bridge)
  const ports = new Set(ours.flatMap(({ port }) => numberOf(interfaces.bridgePrefix, port.name) ?? []))
  const own = ownEnds(plan, copy, devices)
  return stockFor(interfaces, { devices, own, ports, taken: new Set(links.map(({ port }) => port)), returned })
}

/** Devices of interfaces that are complete. */
const complete = ({ plan, copy, stock, devices }: Snapshot): ReadonlyMap<number, Device> => {
  const own = ownEnds(plan, copy, devices)
  return new Map(
    stock.wanted.flatMap(number => {
      const { bridgeEnd, unfinished } = pairOf(plan.interfaces, number)
      const device = devices.get(bridgeEnd)
      return device && own.has(bridgeEnd) && !devices.has(unfinished) ? [[number, device] as const] : []
    }),
  )
}

/** @param bridged Whether br-phy may have the node's addresses. */
export const wanted = (snapshot: Snapshot, bridged: boolean): Wanted => {
  const { plan, datapath, underlay, devices, restoring } = snapshot
  const whole = desired(plan, { datapath, interfaces: complete(snapshot) })
  const bridge = restoring ? { ...whole, controllers: [] } : whole
  const record = underlay.is === 'bridged' && bridged ? underlay.record : undefined
  const more = record ? [physicalBridge(record, devices)] : []
  // The way to the controllers comes first.
  // An address that is nowhere may come back in a moment.
  const unwanted = !bridged || underlay.is === 'plain' ? [physical] : []
  return { bridges: [...more, bridge], unwanted, tls: plan.tls }
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
