// The largest frame that passes everywhere in a network: the least of all links that its routes use. Pure.
import type { Route } from './route.ts'
import { type Endpoint, endpointKey } from './topology.ts'

/** The ports by which frames of these routes leave a datapath for another, each once. */
export function* exits(routes: Iterable<Route>): Iterable<Endpoint> {
  const told = new Set<string>()
  for (const { egressPorts } of routes)
    for (const [dpid, hops] of egressPorts)
      for (const { port } of hops.values()) {
        const exit = { dpid, port }
        const key = endpointKey(exit)
        if (told.has(key)) continue
        told.add(key)
        yield exit
      }
}
