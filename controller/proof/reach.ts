// Which switches are joined, and where links begin, as far as a proof depends on it.
import { type DatapathId, endpointKey } from '../../topology/topology.ts'
import type { DataPlane } from './data-plane.ts'

/** What each switch reaches over links that are up. */
export function reachOf(plane: DataPlane): ReadonlyMap<DatapathId, ReadonlySet<DatapathId>> {
  const near = new Map<DatapathId, Set<DatapathId>>()
  for (const { dpid, ports } of plane.switches.values())
    for (const port of ports.keys()) {
      const link = plane.link({ dpid, port })
      if (!link || plane.isDead(link)) continue
      near.set(dpid, (near.get(dpid) ?? new Set()).add(link.to.dpid))
    }
  const found = new Map<DatapathId, Set<DatapathId>>()
  for (const dpid of plane.switches.keys()) {
    if (found.has(dpid)) continue
    const together = new Set([dpid])
    for (const at of together) for (const next of near.get(at) ?? []) together.add(next)
    for (const at of together) found.set(at, together)
  }
  return found
}
export const sameReach = (a: ReturnType<typeof reachOf>, b: ReturnType<typeof reachOf>): boolean =>
  a.size === b.size && [...a].every(([dpid, set]) => b.get(dpid)?.size === set.size)

export const linksAt = (plane: DataPlane, dpid: DatapathId): string =>
  [...(plane.switches.get(dpid)?.ports.keys() ?? [])]
    .map(port => {
      const link = plane.link({ dpid, port })
      return `${port}=${link ? `${endpointKey(link.to)}${link.carries ?? ''}` : ''}`
    })
    .join(' ')
export function changedPorts(before: string, now: string): number[] {
  const [a, b] = [before, now].map(text => new Set(text.split(' ')))
  const changed = [...[...a!].filter(x => !b!.has(x)), ...[...b!].filter(x => !a!.has(x))]
  return [...new Set(changed.map(x => Number(x.split('=')[0])))]
}
