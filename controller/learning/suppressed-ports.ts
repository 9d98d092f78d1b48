// Ports that are not listened to: until their switch says that the time is over, or our clock does.

import type { DatapathId } from '../../topology/topology.ts'
import { placeOf } from '../compile/local-network.ts'
import { suppressSeconds } from '../compile/rules.ts'
import type { Reading } from '../switch/content.ts'
import type { Place } from './learned-addresses.ts'

/** Our own clock (milliseconds) for a port whose switch does not say that the time is over. */
const suppressMs = (suppressSeconds + 2) * 1000

type Around = {
  now(): number
  /** The network is to be compiled: a port of it is listened to no more, or again. */
  look(network: number): void
  suppressed(network: number, at: Place, reason: string): void
}

export function suppressedPorts({ now, look, suppressed }: Around) {
  type Suppressed = { readonly network: number; readonly dpid: DatapathId; readonly until: number }
  const places = new Set<string>()
  const known = new Map<string, Suppressed>()
  const put = (network: number, { dpid, port }: Place) => {
    const place = placeOf(network, dpid, port)
    places.add(place)
    known.set(place, { network, dpid, until: now() + suppressMs })
  }
  const drop = (place: string): boolean => {
    known.delete(place)
    return places.delete(place)
  }
  return {
    /** By placeOf. */
    places: places as ReadonlySet<string>,
    add(network: number, at: Place, reason: string) {
      if (places.has(placeOf(network, at.dpid, at.port))) return
      put(network, at)
      look(network)
      suppressed(network, at, reason)
    },
    remove: (network: number, { dpid, port }: Place): boolean => drop(placeOf(network, dpid, port)),
    /** @param isFirst What a switch that has just connected does not hold is over; else it may be on its way there. */
    recall(dpid: DatapathId, found: Reading['suppressed'], isFirst: boolean) {
      if (isFirst) for (const [place, it] of known) if (it.dpid === dpid) drop(place)
      for (const { network, port } of found) if (!places.has(placeOf(network, dpid, port))) put(network, { dpid, port })
    },
    tick() {
      for (const [place, { network, until }] of known)
        if (until <= now()) {
          drop(place)
          look(network)
        }
    },
  }
}
