// Who wants which multicast: what each port reported, until it leaves or answers no more. Time is an argument: pure.
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import type { LocalSnooping, Recalled, Snooped } from '../compile/snoop.ts'
import { isSnooped } from '../compile/snoop.ts'
import { ourSources } from '../switch/our-frames.ts'
import type { Heard, Query } from './igmp.ts'
import {
  askAgain,
  countAsk,
  countCopy,
  dueAsks,
  familyOf,
  firstQueries,
  forget,
  join,
  type LocalNetwork,
  leave,
  leaving,
  type Network,
  newLocalNetwork,
  newNetwork,
  newPort,
  type Port,
  routerMs,
} from './querier.ts'

/** Groups that one port may join, and one network have. A port whose groups are too many gets all multicast of its network. */
export const groupsPerPort = 128
export const groupsPerNetwork = 1024

/** Ports looked at in a tick. */
const lookedAt = 5000

/** A query to send out of these ports. */
export type Ask = Query & { readonly network: number; readonly dpid: DatapathId; readonly ports: readonly PortNo[] }

export type Memberships = {
  /** The ports that a network has, from now on. New ones are asked what they want, and get everything until they have answered. */
  follow(network: number, ports: Iterable<{ readonly dpid: DatapathId; readonly port: PortNo }>): void
  /** The network snoops no more. */
  drop(network: number): void
  /** Any copy of a frame from there. Answers whether it is one too many, and entries change. */
  copied(network: number, at: { readonly dpid: DatapathId; readonly port: PortNo }, now: number): boolean
  /** What such a frame says. Answers whether entries change. */
  heard(network: number, at: { readonly dpid: DatapathId; readonly port: PortNo }, heard: Heard, now: number): boolean
  /** A switch has connected, and was read: `found` by network. Answers the networks whose entries change. */
  recall(dpid: DatapathId, found: ReadonlyMap<number, Recalled>, now: number): readonly number[]
  /**
   * What is due: at most `budget` queries, and the networks whose entries change. Of a switch that is not `ready` (it is
   * away, or does not hold the network yet) nothing is forgotten.
   */
  tick(now: number, ready: (network: number, dpid: DatapathId) => boolean, budget: number): Due
  of(network: number): Snooped | undefined
  networks(): Iterable<number>
}
type Due = { readonly asks: readonly Ask[]; readonly changed: readonly number[] }

export function memberships(): Memberships {
  const networks = new Map<number, Network>()
  const read = new Set<DatapathId>()
  let round = everySite(networks)
  return {
    follow(number, ports) {
      const network = networks.get(number) ?? newNetwork()
      networks.set(number, network)
      followPorts(network, ports)
    },
    drop: number => void networks.delete(number),
    copied(number, at, now) {
      const port = networks.get(number)?.localNetworks.get(at.dpid)?.ports.get(at.port)
      return port !== undefined && countCopy(port, now)
    },
    heard(number, at, heard, now) {
      const network = networks.get(number)
      const localNetwork = network?.localNetworks.get(at.dpid)
      const port = localNetwork?.ports.get(at.port)
      if (!network || !localNetwork || !port) return false
      if (heard.is === 'report') return takeReport(network, localNetwork, port, heard, now)
      const isNew = port.routerUntil <= now
      if (heard.is === 'router') {
        port.routerUntil = now + routerMs
        return isNew
      }
      // Whoever asks from 0.0.0.0 is a switch like us, no router (RFC 4541 §2.1.1).
      if (heard.source === ourSources[heard.family]) return false
      port.routerUntil = now + routerMs
      return takeQuery(network, heard, now) || isNew
    },
    recall(dpid, found, now) {
      const isFirst = !read.has(dpid)
      read.add(dpid)
      const changed: number[] = []
      for (const [number, network] of networks) {
        const localNetwork = network.localNetworks.get(dpid)
        const entries = found.get(number)
        if (!isFirst && localNetwork) askAgain(localNetwork, now)
        if (!isFirst || (!localNetwork && !entries)) continue
        if (entries) network.kept.set(dpid, entries.outputs)
        if (entries?.querier) network.queriers.set('ipv4', { source: entries.querier, until: now + routerMs })
        if (localNetwork) recallLocalNetwork(network, localNetwork, entries, now)
        changed.push(number)
      }
      return changed
    },
    tick(now, ready, budget) {
      const asks: Ask[] = []
      const changed = new Set<number>()
      let left = 0
      for (const network of networks.values()) left += network.localNetworks.size
      for (let looked = 0; left > 0 && looked < lookedAt && asks.length < budget; left--) {
        let next = round.next()
        if (next.done) {
          round = everySite(networks)
          next = round.next()
          if (next.done) break
        }
        const [number, network, dpid, localNetwork] = next.value
        if (
          network.localNetworks.get(dpid) !== localNetwork ||
          networks.get(number) !== network ||
          !ready(number, dpid)
        )
          continue
        looked += localNetwork.ports.size
        if (forget(network, localNetwork, now)) changed.add(number)
        for (const piece of dueAsks(network, localNetwork, now)) {
          asks.push(...piece.map(ask => ({ ...ask, network: number, dpid })))
          if (asks.length >= budget) break
        }
      }
      return { asks, changed: [...changed] }
    },
    of(number) {
      const network = networks.get(number)
      if (!network) return undefined
      const localNetworks = [...network.localNetworks].filter(([dpid]) => read.has(dpid))
      if (localNetworks.length === network.localNetworks.size) network.kept.clear()
      return {
        kept: network.kept,
        localNetworks: new Map(localNetworks.map(([dpid, localNetwork]) => [dpid, localSnooping(localNetwork)])),
        unread: new Set([...network.localNetworks.keys()].filter(dpid => !read.has(dpid))),
        querier: network.queriers.get('ipv4')?.source,
      }
    },
    networks: () => networks.keys(),
  }
}

function* everySite(
  networks: ReadonlyMap<number, Network>,
): Generator<[number, Network, DatapathId, LocalNetwork], undefined> {
  for (const [number, network] of networks)
    for (const [dpid, localNetwork] of network.localNetworks) yield [number, network, dpid, localNetwork]
}

function followPorts(network: Network, ports: Iterable<{ dpid: DatapathId; port: PortNo }>): void {
  const has = new Map<DatapathId, Set<PortNo>>()
  for (const { dpid, port } of ports) has.set(dpid, (has.get(dpid) ?? new Set()).add(port))
  for (const [dpid, localNetwork] of network.localNetworks)
    for (const [number, port] of localNetwork.ports) {
      if (has.get(dpid)?.has(number)) continue
      for (const group of port.groups.keys()) leave(network, port, group)
      localNetwork.ports.delete(number)
      if (localNetwork.ports.size === 0) network.localNetworks.delete(dpid)
    }
  for (const [dpid, numbers] of has) {
    const localNetwork = network.localNetworks.get(dpid) ?? newLocalNetwork()
    network.localNetworks.set(dpid, localNetwork)
    for (const number of numbers) if (!localNetwork.ports.has(number)) localNetwork.ports.set(number, newPort())
  }
}

function takeReport(
  network: Network,
  localNetwork: LocalNetwork,
  port: Port,
  report: Extract<Heard, { is: 'report' }>,
  now: number,
) {
  let changed = false
  for (const group of report.leaves) {
    const member = port.groups.get(group)
    if (member) member.leaving ??= leaving(now)
  }
  for (const group of report.joins) {
    const { count } = localNetwork.asked[familyOf(group)]
    const member = port.groups.get(group)
    if (member) {
      member.asked = count
      member.leaving = undefined
    } else if (fits(network, port, group)) {
      join(network, port, group, count)
      changed = true
    } else {
      changed ||= port.crowded.size === 0
      port.crowded.set(familyOf(group), count)
    }
  }
  return changed
}
const fits = (network: Network, port: Port, group: string): boolean =>
  port.groups.size < groupsPerPort && (network.groups.has(group) || network.groups.size < groupsPerNetwork)

/** A query of another querier: everybody answers it, so it counts as one of ours. Of several, the first one heard stays. */
function takeQuery(
  network: Network,
  { family, source, group, responseMs }: Extract<Heard, { is: 'query' }>,
  now: number,
) {
  const known = network.queriers.get(family)
  const isOther = known !== undefined && known.until > now && known.source !== source
  if (!isOther) network.queriers.set(family, { source, until: now + routerMs })
  if (group === undefined)
    for (const localNetwork of network.localNetworks.values()) countAsk(localNetwork, family, responseMs, now)
  return !isOther && known?.source !== source
}

function recallLocalNetwork(
  network: Network,
  localNetwork: LocalNetwork,
  found: Recalled | undefined,
  now: number,
): void {
  const everything = found?.outputs.get('everything')
  const routers = found?.outputs.get('reports')
  for (const [number, port] of localNetwork.ports) {
    port.pendingQueries = firstQueries(now)
    if (routers?.has(number)) port.routerUntil = now + routerMs
    port.unsettled = !found?.admitted.has(number) || (everything?.has(number) === true && !routers?.has(number))
    if (everything?.has(number)) continue
    for (const [group, ports] of found?.outputs ?? [])
      if (ports.has(number) && isSnooped(group)) join(network, port, group, localNetwork.asked[familyOf(group)].count)
  }
}

function localSnooping({ ports }: LocalNetwork): LocalSnooping {
  const joined = new Map<string, Set<PortNo>>()
  const routers = new Set<PortNo>()
  const everything = new Set<PortNo>()
  const crowded = new Set<PortNo>()
  const suppressed = new Set<PortNo>()
  for (const [number, port] of ports) {
    if (port.crowded.size > 0) crowded.add(number)
    for (const group of port.groups.keys()) joined.set(group, (joined.get(group) ?? new Set()).add(number))
    if (port.routerUntil > 0) routers.add(number)
    if (port.suppressedUntil > 0) suppressed.add(number)
    if (port.routerUntil > 0 || port.unsettled || port.crowded.size > 0 || port.suppressedUntil > 0)
      everything.add(number)
  }
  return { joined, routers, everything, crowded, suppressed }
}
