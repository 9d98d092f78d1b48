// By which ports frames of networks leave their switches: links that are used are probed first. Kept as networks are compiled, for to
// look through all networks whenever a link is asked about would take too long.
import { exits } from '../../topology/path-mtu.ts'
import type { Route } from '../../topology/route.ts'
import type { DatapathId, Endpoint, PortNo } from '../../topology/topology.ts'
import { pathVersionsOf } from '../compile/rollout.ts'
import type { Tables } from '../compile/tables.ts'

export type Usage = {
  /** A network was compiled anew, or is gone. */
  compiled(number: number): void
  /** Whether frames of any network leave by this port for another switch. */
  has(exit: Endpoint): boolean
}

export function usage(tables: Pick<Tables, 'compiled'>): Usage {
  const known = new Map<number, readonly Route[]>()
  const counts = new Map<DatapathId, Map<PortNo, number>>()
  const count = (routes: readonly Route[], by: 1 | -1) => {
    for (const { dpid, port } of exits(routes)) {
      const here = counts.get(dpid) ?? new Map<PortNo, number>()
      counts.set(dpid, here)
      const uses = (here.get(port) ?? 0) + by
      if (uses === 0) here.delete(port)
      else here.set(port, uses)
    }
  }
  return {
    compiled(number) {
      const rollout = tables.compiled.get(number)?.rollout
      const now = rollout ? pathVersionsOf(rollout).map(({ route }) => route) : []
      const before = known.get(number) ?? []
      // Routes are kept as long as nothing about them changes.
      if (now.length === before.length && now.every((route, i) => route === before[i])) return
      count(before, -1)
      count(now, 1)
      if (now.length > 0) known.set(number, now)
      else known.delete(number)
    },
    has: ({ dpid, port }) => counts.get(dpid)?.has(port) === true,
  }
}
