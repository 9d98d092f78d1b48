// A MAC that several ports may use, such as a virtual router's: frames to it go to all of these. So it is reached wherever it is, the
// moment that it moves, and with no controller; who does not have it now drops them as any interface does. Pure.
import type { Attachment } from '../../store/state.ts'
import type { Pruned } from '../../topology/pruned.ts'
import { maxFanOut } from '../../topology/route.ts'
import type { Endpoint } from '../../topology/topology.ts'
import { entry, type Item } from './item.ts'
import type { LocalNetwork } from './local-network.ts'
import { into, mirroredPort } from './rules.ts'
import { intoAll } from './snoop.ts'
import { out } from './tag.ts'

/** @param holders Ports that may use it, or have it. @param reach Of each path version. */
export function sharedMac(
  items: Item[],
  localNetwork: LocalNetwork,
  mac: string,
  holders: readonly Endpoint[],
  reach: readonly Pruned[],
): void {
  const { dpid, byPort, local, transits, marks } = localNetwork
  // A member that is the mirror too has had its copy from the guard.
  const here = [...new Set(holders.flatMap(at => (at.dpid === dpid ? [at.port] : [])))]
    .filter(port => port !== mirroredPort(localNetwork))
    .sort((a, b) => a - b)
    .flatMap((port): Attachment[] => [byPort.get(port) ?? []].flat())
    .map(out)
  const there = new Set(holders.flatMap(at => (at.dpid === dpid ? [] : [at.dpid])))
  const put = (metadata: LocalNetwork['entered']['either'] | bigint, ways: Parameters<typeof intoAll>[0]) => {
    const match = { metadata, eth_dst: mac }
    items.push(entry(marks.number, 'deliver', 'shared', { ...marks.fixed, match, apply: intoAll(ways) }))
  }
  for (const [i, transit] of transits.entries()) {
    if (transit.frozen || (local.length === 0 && transit.direct)) continue
    const hops = new Set(reach[i]!(dpid, there))
    const links = transit.floodTree.filter(hop => hops.has(hop)).slice(0, maxFanOut)
    put(transit.direct ? transit.local : transit.either, [...here, ...links.map(hop => into(transit, hop))])
    if (transit.direct && transit.ingressPorts.length > 0) put(transit.remote, here)
  }
}
