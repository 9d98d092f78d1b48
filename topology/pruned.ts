import type { Hop } from './mesh.ts'
import type { Route } from './route.ts'
import type { DatapathId } from './topology.ts'

/** Links by which a frame leaves a datapath to reach these others, and no more of them than that takes; in order of ports. */
export type Pruned = (at: DatapathId, wanting: ReadonlySet<DatapathId>) => readonly Hop[]

/** A route for frames to some of its members. */
export function pruned(route: Route): Pruned {
  const { floodTree, direct } = route
  if (direct)
    return (at, wanting) => {
      const hops = floodTree.get(at)
      return [...wanting].flatMap(dpid => hops?.get(dpid) ?? []).sort(byPort)
    }
  const { above, order } = rooted(route)
  // How many of those that want it are at each datapath or below it.
  const counted = new WeakMap<ReadonlySet<DatapathId>, ReadonlyMap<DatapathId, number>>()
  const count = (wanting: ReadonlySet<DatapathId>) => {
    const counts = new Map<DatapathId, number>()
    for (const dpid of order.toReversed()) {
      const here = (counts.get(dpid) ?? 0) + (wanting.has(dpid) ? 1 : 0)
      counts.set(dpid, here)
      const up = above.get(dpid)
      if (up !== undefined) counts.set(up, (counts.get(up) ?? 0) + here)
    }
    counted.set(wanting, counts)
    return counts
  }
  const top = new Map<DatapathId, DatapathId>()
  for (const dpid of order) top.set(dpid, top.get(above.get(dpid) ?? '') ?? dpid)
  return (at, wanting) => {
    const counts = counted.get(wanting) ?? count(wanting)
    const at0 = counts.get(at) ?? 0
    const all = counts.get(top.get(at) ?? '') ?? 0
    const leads = (to: DatapathId) => (above.get(at) === to ? all - at0 : (counts.get(to) ?? 0)) > 0
    return [...(floodTree.get(at)?.values() ?? [])].filter(({ to }) => leads(to)).sort(byPort)
  }
}

const byPort = (a: Hop, b: Hop): number => a.port - b.port

/** The trees of a route hung up by one of their datapaths each: what is above each, and all of them, roots first. */
function rooted({ floodTree }: Route): { above: ReadonlyMap<DatapathId, DatapathId>; order: readonly DatapathId[] } {
  const above = new Map<DatapathId, DatapathId>()
  const order: DatapathId[] = []
  const reached = new Set<DatapathId>()
  for (const root of floodTree.keys()) {
    if (reached.has(root)) continue
    reached.add(root)
    for (const next = [root]; next.length > 0; ) {
      const dpid = next.pop()!
      order.push(dpid)
      for (const to of floodTree.get(dpid)?.keys() ?? []) {
        if (reached.has(to)) continue
        reached.add(to)
        above.set(to, dpid)
        next.push(to)
      }
    }
  }
  return { above, order }
}
