// Addresses learned at the edge. Only the place where a frame came in from a pod can teach us where its sender is.
import { endpointKey } from '../../topology/topology.ts'
import type { Location } from '../compile/local-network.ts'

/** Addresses that one port may show before it is suppressed. */
export const addressesPerPort = 128

/**
 * What a claim ("this address spoke here") came to. `elsewhere`: another port holds the address; it moves only when the
 * holder has fallen silent, or else anybody could draw a neighbour's frames by sending from its address.
 */
export type Claim = 'new' | 'known' | 'full' | { readonly elsewhere: Location }

export type LearnedAddresses = {
  of(network: number): readonly Location[]
  at(network: number, mac: string): Location | undefined
  /** Addresses that were learned, moved or forgotten since it was last asked. */
  takeChanged(network: number): ReadonlySet<string>
  claim(network: number, at: Location): Claim
  /** Takes the address from whoever holds it. */
  move(network: number, to: Location): void
  /** Forgets the address, if it is still there. */
  forget(network: number, at: Location): boolean
  /** Keeps only what `keep` says; answers whether anything went. */
  prune(network: number, keep: (location: Location) => boolean): boolean
  networks(): Iterable<number>
}

export function learnedAddresses(): LearnedAddresses {
  const byNetwork = new Map<number, Map<string, Location>>()
  const changed = new Map<number, Set<string>>()
  const perPort = new Map<string, number>()
  const same = (a: Location, b: Location) => a.port === b.port && a.dpid === b.dpid
  const count = (l: Location, by: 1 | -1) => {
    const left = (perPort.get(endpointKey(l)) ?? 0) + by
    if (left > 0) perPort.set(endpointKey(l), left)
    else perPort.delete(endpointKey(l))
  }
  const note = (network: number, mac: string) => {
    const macs = changed.get(network)
    if (macs) macs.add(mac)
    else changed.set(network, new Set([mac]))
  }
  const forget = (network: number, at: Location): boolean => {
    const addresses = byNetwork.get(network)
    const held = addresses?.get(at.mac)
    if (!addresses || !held || !same(held, at)) return false
    addresses.delete(at.mac)
    note(network, at.mac)
    if (addresses.size === 0) byNetwork.delete(network)
    count(held, -1)
    return true
  }
  const add = (network: number, at: Location) => {
    const addresses = byNetwork.get(network) ?? new Map<string, Location>()
    byNetwork.set(network, addresses.set(at.mac, at))
    note(network, at.mac)
    count(at, 1)
  }
  return {
    at: (network, mac) => byNetwork.get(network)?.get(mac),
    takeChanged(network) {
      const macs = changed.get(network) ?? none
      changed.delete(network)
      return macs
    },
    of: network => [...(byNetwork.get(network)?.values() ?? [])],
    claim(network, at) {
      const held = byNetwork.get(network)?.get(at.mac)
      if (held) return same(held, at) ? 'known' : { elsewhere: held }
      if ((perPort.get(endpointKey(at)) ?? 0) >= addressesPerPort) return 'full'
      add(network, at)
      return 'new'
    },
    move(network, to) {
      const held = byNetwork.get(network)?.get(to.mac)
      if (held) forget(network, held)
      add(network, to)
    },
    forget,
    prune(network, keep) {
      const gone = [...(byNetwork.get(network)?.values() ?? [])].filter(l => !keep(l))
      for (const l of gone) forget(network, l)
      return gone.length > 0
    },
    networks: () => byNetwork.keys(),
  }
}

const none: ReadonlySet<string> = new Set()
