// What every switch must hold for one network.
import type { DatapathId } from '../../topology/topology.ts'
import type { Item } from './item.ts'
import { addresses, type Datapaths, type Subject, sites } from './local-network.ts'
import type { Lanes } from './rollout.ts'
import { admit, admitLinks, deliverHere, deliverThere, flood, guard, mirror, multicast, snoopingOf } from './rules.ts'

/** What each switch must hold for this network. Same arguments, same answer: nothing else is read. */
export function compile(
  subject: Subject,
  datapaths: Datapaths,
  lanes: Lanes,
): ReadonlyMap<DatapathId, readonly Item[]> {
  const locations = addresses(subject)
  const snooping = subject.snooped && snoopingOf(subject.snooped, lanes)
  const compiled = new Map<DatapathId, readonly Item[]>()
  for (const site of sites(subject, datapaths, lanes)) {
    const items: Item[] = []
    for (const attachment of site.local) admit(items, site, attachment)
    if (site.local.length > 0) guard(items, site, locations, subject.hushed)
    if (site.local.length > 0) deliverHere(items, site, locations)
    for (const crossing of site.crossings) {
      if (crossing.frozen || (site.local.length === 0 && crossing.direct)) continue
      admitLinks(items, site, crossing)
      deliverThere(items, site, crossing, locations)
      flood(items, site, crossing)
    }
    if (snooping) multicast(items, site, snooping)
    mirror(items, site, lanes)
    if (items.length > 0) compiled.set(site.dpid, items)
  }
  return compiled
}
