// Whether frames still get through on a route: every link of it is up. Pure.
import type { State } from '../../store/state.ts'
import type { Hop } from '../../topology/mesh.ts'
import type { Route } from '../../topology/route.ts'
import { type DatapathId, linkKey } from '../../topology/topology.ts'
import type { Fabric } from './local-network.ts'

/** Every link that frames of this route may take is up. A route without links is intact. */
export function isIntact({ egressPorts, ingressPorts }: Route, fabric: Fabric, state: State): boolean {
  const isUp = (at: DatapathId, { to, port }: Hop): boolean => {
    if (fabric.paths.mesh.get(at)?.get(to)?.port === port) return true
    // Of parallel links the mesh has the cheapest; another one does as well.
    const arrives = ingressPorts.get(to)?.get(at)
    if (!arrives || fabric.datapaths.get(at)?.ports.has(port) === false) return false
    const key = linkKey({ from: { dpid: at, port }, to: { dpid: to, port: arrives.port } })
    return !state.deadLinks.has(key) && (state.declaredLinks.has(key) || state.discoveredLinks.has(key))
  }
  for (const [at, hops] of egressPorts) for (const hop of hops.values()) if (!isUp(at, hop)) return false
  return true
}
