// Addresses learned at the edge. Only the place where a frame came in from a pod can teach us where its sender is.
//
// A network has one location for an address. What was added, moved or forgotten is kept by MAC until it is compiled, so
// that one address costs one address, and not its network.
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import type { Location } from '../compile/local-network.ts'
import { macNumber, macText } from './mac.ts'
import { ipv4Sender } from './probe-frames.ts'

/** Addresses that one port may show before it is suppressed. */
export const addressesPerPort = 128

export type Place = { readonly dpid: DatapathId; readonly port: PortNo }
export const samePlace = (a: Place, b: Place): boolean => a.port === b.port && a.dpid === b.dpid
export const placeText = ({ dpid, port }: Place): string => `${dpid}/${port}`

/** What a claim ("this address spoke here") came to. A location: another port holds the address, and contests.ts decides. */
export type Claim = 'new' | 'known' | 'full' | Location

export type LearnedAddresses = {
  of(network: number): readonly Location[]
  at(network: number, mac: number): Location | undefined
  /** @param frame What came from there: its IPv4 address is kept, if it says one, so that its machine can be asked for. */
  claim(network: number, mac: number, dpid: DatapathId, port: PortNo, frame?: Buffer): Claim
  /** An IPv4 address of the machine with this MAC, if its first frame said one. */
  ipv4Of(network: number, mac: number): number | undefined
  /** Takes the address from whoever holds it. */
  move(network: number, mac: number, to: Place): void
  /** Forgets the address, if it is still there. */
  forget(network: number, mac: number, at: Place): boolean
  /** Frames from the address are copied to us, or no more; answers whether that changes anything. */
  watch(network: number, mac: number, isWatched: boolean): boolean
  /** Keeps only what `keep` says; answers whether anything went. */
  prune(network: number, keep: (location: Location) => boolean): boolean
  /**
   * A switch was read: of what it was known to have learned `before` that time, only what it holds counts (`found`). Answers
   * the networks in which that changed something, and what it holds of addresses that are elsewhere by now.
   */
  recall(
    dpid: DatapathId,
    found: readonly Found[],
    before: number,
  ): { readonly changed: ReadonlySet<number>; readonly elsewhere: readonly Found[] }
  networks(): Iterable<number>
  /** The MACs whose location is another than when this was last asked; they count as taken up now. */
  takeChanged(network: number): ReadonlySet<string>
}

/** A location as it is kept. `since`: milliseconds of our clock. */
type Held = Location & { readonly since: number; readonly ipv4: number | undefined }
/** As an entry of a switch shows it. */
export type Found = Location & { readonly network: number }

/** @param now Milliseconds of a monotonic clock. */
export function learnedAddresses(now: () => number): LearnedAddresses {
  const byNetwork = new Map<number, Map<number, Held>>()
  const changed = new Map<number, Set<string>>()
  const counts = portCounts()
  const note = (network: number, mac: string) => {
    const macs = changed.get(network)
    if (macs) macs.add(mac)
    else changed.set(network, new Set([mac]))
  }
  const forget = (network: number, mac: number, at: Place): boolean => {
    const addresses = byNetwork.get(network)
    const held = addresses?.get(mac)
    if (!addresses || !held || !samePlace(held, at)) return false
    addresses.delete(mac)
    if (addresses.size === 0) byNetwork.delete(network)
    counts.add(held, -1)
    note(network, held.mac)
    return true
  }
  const add = (network: number, mac: number, dpid: DatapathId, port: PortNo, ipv4: number | undefined) => {
    let addresses = byNetwork.get(network)
    if (!addresses) byNetwork.set(network, (addresses = new Map()))
    const location = { mac: macText(mac), dpid, port, since: now(), ipv4 }
    addresses.set(mac, location)
    counts.add(location, 1)
    note(network, location.mac)
  }
  return {
    of: network => [...(byNetwork.get(network)?.values() ?? [])],
    at: (network, mac) => byNetwork.get(network)?.get(mac),
    ipv4Of: (network, mac) => byNetwork.get(network)?.get(mac)?.ipv4,
    claim(network, mac, dpid, port, frame) {
      const held = byNetwork.get(network)?.get(mac)
      if (held && held.port === port && held.dpid === dpid) return 'known'
      if (counts.of(dpid, port) >= addressesPerPort) return 'full'
      if (held) return held
      add(network, mac, dpid, port, frame && ipv4Sender(frame))
      return 'new'
    },
    move(network, mac, to) {
      const held = byNetwork.get(network)?.get(mac)
      if (held) forget(network, mac, held)
      add(network, mac, to.dpid, to.port, held?.ipv4)
    },
    forget,
    watch(network, mac, isWatched) {
      const held = byNetwork.get(network)?.get(mac)
      if (!held || (held.watched === true) === isWatched) return false
      const { watched: _, ...unwatched } = held
      byNetwork.get(network)!.set(mac, isWatched ? { ...held, watched: true } : unwatched)
      note(network, held.mac)
      return true
    },
    prune(network, keep) {
      const addresses = byNetwork.get(network)
      if (!addresses) return false
      let went = false
      for (const location of addresses.values())
        if (!keep(location)) went = forget(network, macNumber(location.mac), location) || went
      return went
    },
    recall(dpid, found, before) {
      const relearned = new Set<number>()
      const shown = new Map<number, Map<number, PortNo>>()
      const elsewhere: Found[] = []
      for (const it of found) {
        const macs = shown.get(it.network) ?? new Map<number, PortNo>()
        shown.set(it.network, macs.set(macNumber(it.mac), it.port))
      }
      for (const [network, addresses] of byNetwork)
        for (const [mac, held] of addresses)
          if (held.dpid === dpid && held.since <= before && shown.get(network)?.get(mac) !== held.port) {
            forget(network, mac, held)
            relearned.add(network)
          }
      for (const it of found) {
        const mac = macNumber(it.mac)
        const held = byNetwork.get(it.network)?.get(mac)
        if (!held) {
          add(it.network, mac, dpid, it.port, undefined)
          relearned.add(it.network)
        } else if (held.dpid !== dpid || held.port !== it.port) elsewhere.push(it)
      }
      return { changed: relearned, elsewhere }
    },
    networks: () => byNetwork.keys(),
    takeChanged(network) {
      const macs = changed.get(network)
      changed.delete(network)
      return macs ?? none
    },
  }
}

const none: ReadonlySet<string> = new Set()

/** How many addresses each port has shown, in all its networks. */
function portCounts() {
  const byDatapath = new Map<DatapathId, Map<PortNo, number>>()
  return {
    of: (dpid: DatapathId, port: PortNo): number => byDatapath.get(dpid)?.get(port) ?? 0,
    add({ dpid, port }: Place, by: 1 | -1) {
      let ports = byDatapath.get(dpid)
      if (!ports) byDatapath.set(dpid, (ports = new Map()))
      const count = (ports.get(port) ?? 0) + by
      if (count > 0) ports.set(port, count)
      else ports.delete(port)
      if (ports.size === 0) byDatapath.delete(dpid)
    },
  }
}
