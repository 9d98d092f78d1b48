// Where a network's frames cross links that carry networks by VLAN. Pure.
import type { NetworkVlans } from '../../store/vlans.ts'
import type { Route } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { Lanes } from './rollout.ts'

/** Switches at the ends of plain links that these lanes cross. */
export function plainEnds(lanes: Lanes): ReadonlySet<DatapathId> {
  const ends = new Set<DatapathId>()
  const note = ({ branches, towards, entrances }: Route) => {
    for (const ways of [branches, towards, entrances])
      for (const [at, hops] of ways)
        for (const { carries, to } of hops.values()) if (carries === 'vid') ends.add(at).add(to)
  }
  for (const { route } of lanes) note(route)
  return ends
}

/** Whether all of these switches are told of the network's VLANs. */
export const isCovered = (vlans: NetworkVlans | undefined, ends: ReadonlySet<DatapathId>): boolean =>
  [...ends].every(dpid => vlans?.dpids.includes(dpid))
