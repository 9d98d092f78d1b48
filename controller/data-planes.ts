// The data plane as it is to be, and as it was last seen, for trace and proof.
import { numbersOf } from '../store/collections/network.ts'
import type { State } from '../store/state.ts'
import { type DatapathId, type Endpoint, endpointKey, linkKey } from '../topology/topology.ts'
import type { Item } from './compile/item.ts'
import type { Parts } from './parts.ts'
import type { DataPlane, HeldItem, PlaneNetwork, PlaneSwitch, Use } from './proof/data-plane.ts'
import { foreignOwner } from './switch/content.ts'
import type { Switch } from './switch/state.ts'
import { portView } from './switch-view.ts'

/** What was declared, and how switches are joined. */
export type Declared = Pick<Parts, 'store' | 'planned'>
export type DataPlanes = Pick<Parts, 'store' | 'switches' | 'fabric' | 'tables' | 'planned' | 'reconciler'>

/**
 * What switches are to hold, or what they held when they were last read or confirmed something. Live: it is to be used before anything is awaited, or
 * what changes meanwhile is seen in part. Nothing is decoded before it is asked for.
 */
export function dataPlane(parts: DataPlanes, tables: DataPlane['tables']): DataPlane {
  const kept = new Map<DatapathId, PlaneSwitch>()
  const itemsOf = (sw: Switch) => (tables === 'desired' ? desiredItems(parts, sw.dpid) : heldItems(sw))
  for (const sw of parts.switches.values()) kept.set(sw.dpid, planeSwitch(sw, itemsOf(sw)))
  return planeOf(parts, tables, kept)
}

/** The same over these switches, of which some may hold something else. */
export function planeOf(
  parts: Declared,
  tables: DataPlane['tables'],
  switches: ReadonlyMap<DatapathId, PlaneSwitch>,
): DataPlane {
  const { store, planned } = parts
  const state = store.state()
  return {
    tables,
    revision: state.revision,
    switches,
    link(from) {
      const key = endpointKey(from)
      return state.declaredAt.get(key) ?? planned.at(from) ?? state.discoveredFrom.get(key)
    },
    isDead: link => state.deadLinks.has(linkKey(link)),
    at: port => usesOf(state, port),
    *networks() {
      for (const { number } of state.networks.values()) yield number
    },
    network: number => planeNetwork(parts, number),
  }
}

function usesOf(state: State, port: Endpoint): readonly Use[] {
  const key = endpointKey(port)
  const untagged = state.attachments.get(key)
  const members = [...(untagged ? [untagged] : []), ...(state.taggedAt.get(key)?.values() ?? [])]
  const other = (is: 'mirror' | 'vlink', network: string | undefined): readonly Use[] =>
    network === undefined ? [] : [{ network, is }]
  return [
    ...members.map(member => ({ network: member.network, is: 'member' as const, member })),
    ...other('mirror', state.mirrors.get(key)),
    ...other('vlink', state.vlinkEnds.get(key)),
  ]
}

/** With its ports as they are now. */
export function planeSwitch({ session, dpid }: Switch, items: PlaneSwitch['items']): PlaneSwitch {
  const ports = new Map([...(session?.ports().values() ?? [])].map(p => [p.portNo, portView(p)]))
  return { dpid, ports, isOpenVSwitch: session?.can.nicira, items }
}

function desiredItems({ tables, reconciler }: DataPlanes, dpid: DatapathId) {
  return function* (owner?: number): Iterable<HeldItem> {
    if (owner === undefined || owner === 0) yield* reconciler.base(dpid)
    const numbers = owner === undefined ? [...tables.at(dpid)].map(id => tables.numberOf(id)) : [owner]
    for (const number of numbers)
      for (const items of tables.compiled
        .get(number ?? 0)
        ?.parts.get(dpid)
        ?.values() ?? [])
        yield* items
  }
}

/** What it held when it was last read or confirmed something. Live. */
export function heldItems(sw: Switch) {
  return function* (owner?: number): Iterable<Item> {
    const { held, phase } = sw
    const foreign: readonly Item[] = phase.is === 'unsafe' ? phase.foreign : []
    if (owner === undefined) yield* held.items.values()
    else for (const key of held.keysOf([owner])) yield held.items.get(key)!
    if (owner === undefined || owner === foreignOwner) yield* foreign
  }
}

function planeNetwork({ store }: Declared, number: number): PlaneNetwork | undefined {
  const state = store.state()
  const network = state.networks.get(state.numbers.get(number) ?? '')
  if (!network) return undefined
  const { id, mirror, vlink, multicast } = network
  return {
    ...{ id, number: network.number, numbers: numbersOf(network) },
    members: () => state.members.get(id)?.values() ?? [],
    ...(mirror && { mirror }),
    ...(vlink && { vlink }),
    ...(multicast && { multicast }),
  }
}
