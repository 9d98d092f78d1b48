// What every switch must hold for one network.
import type { DatapathId } from '../../topology/topology.ts'
import type { Item } from './item.ts'
import { addresses, type Datapaths, localNetworks, type Subject } from './local-network.ts'
import type { PathVersions } from './rollout.ts'
import { admit, admitLinks, deliverHere, deliverThere, flood, guard, mirror, multicast, snoopingOf } from './rules.ts'

/** What each switch must hold for this network. Same arguments, same answer: nothing else is read. */
export function compile(
  subject: Subject,
  datapaths: Datapaths,
  pathVersions: PathVersions,
): ReadonlyMap<DatapathId, readonly Item[]> {
  const locations = addresses(subject)
  const snooping = subject.snooped && snoopingOf(subject.snooped, pathVersions)
  const compiled = new Map<DatapathId, readonly Item[]>()
  for (const localNetwork of localNetworks(subject, datapaths, pathVersions)) {
    const items: Item[] = []
    for (const attachment of localNetwork.local) admit(items, localNetwork, attachment)
    if (localNetwork.local.length > 0) guard(items, localNetwork, locations, subject.suppressed)
    if (localNetwork.local.length > 0) deliverHere(items, localNetwork, locations)
    for (const transit of localNetwork.transits) {
      if (transit.frozen || (localNetwork.local.length === 0 && transit.direct)) continue
      admitLinks(items, localNetwork, transit)
      deliverThere(items, localNetwork, transit, locations)
      flood(items, localNetwork, transit)
    }
    if (snooping) multicast(items, localNetwork, snooping)
    mirror(items, localNetwork, pathVersions)
    if (items.length > 0) compiled.set(localNetwork.dpid, items)
  }
  return compiled
}
