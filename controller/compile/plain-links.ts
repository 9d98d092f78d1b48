// Where a network's frames cross links that carry networks by VLAN. Pure.
import type { Network } from '../../store/state.ts'
import type { NetworkVlans } from '../../store/vlans.ts'
import type { Route } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { PathVersions } from './rollout.ts'

/** Switches at the ends of plain links that these path versions of a network cross. A vlink crosses none. */
export function plainEnds({ vlink }: Pick<Network, 'vlink'>, pathVersions: PathVersions): ReadonlySet<DatapathId> {
  const ends = new Set<DatapathId>()
  if (vlink) return ends
  const note = ({ egressPorts, ingressPorts }: Route) => {
    for (const hopsBySwitch of [egressPorts, ingressPorts])
      for (const [at, hops] of hopsBySwitch)
        for (const { carries, to } of hops.values()) if (carries === 'vid') ends.add(at).add(to)
  }
  for (const { route } of pathVersions) note(route)
  return ends
}

/** Whether all of these switches are told of the network's VLANs. */
export const isCovered = (vlans: NetworkVlans | undefined, ends: ReadonlySet<DatapathId>): boolean =>
  [...ends].every(dpid => vlans?.dpids.includes(dpid))
