// What ports are asked about multicast, and when silence means that they want none any more. Time is an argument: pure.
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { packetInsPerSecond } from '../compile/metered.ts'
import type { Outputs } from '../compile/snoop.ts'
import type { Family } from '../switch/our-frames.ts'
import { type Query, queryInterval, robustness } from './igmp.ts'

/** Milliseconds in which members answer a general query, and one that a port is asked by itself. */
const responseMs = 10_000
const quickMs = 1000
/** The longest that another querier's query is waited for. */
const longestMs = 60_000
/** Milliseconds that an answer may take beyond that, through switches and us. */
const slackMs = 500
/** Milliseconds that a router counts as there after it was heard (RFC 3376 §8.5, other querier present). */
export const routerMs = robustness * queryInterval * 1000 + responseMs / 2
/** Queries that a new port is asked by itself, a second apart, before it is believed not to want what it does not name. */
const firstAsks = 3
/** Milliseconds that a port which copied us too much is not listened to. */
const suppressMs = 5000
/** Groups of one port that are asked about singly; more are asked about all at once. */
const singly = 8

export type Member = {
  /** How many general queries of its family its switch had seen when it last reported. */
  asked: number
  /** It said that it leaves. */
  leaving: PendingQueries | undefined
}
/** How often something is still to be asked, and when next; after the last time, until when answers are waited for. */
type PendingQueries = { left: number; at: number }
export type Port = {
  readonly groups: Map<string, Member>
  /** What it is still to be asked by itself. */
  pendingQueries: PendingQueries | undefined
  /** What it wants is not known yet. */
  unsettled: boolean
  /** A multicast router was heard there. */
  routerUntil: number
  /** It copied us more than its share, and is not listened to: until when, and what came since when. */
  suppressedUntil: number
  packetIns: { count: number; since: number }
  /** It wants more than it may: by family, as Member.asked, of the newest report that did not fit. */
  readonly crowded: Map<Family, number>
}
/** A network's ports on one switch. */
export type LocalNetwork = {
  readonly ports: Map<PortNo, Port>
  /** General queries of each family, whoever sent them, and when the last must have been answered. */
  readonly asked: Record<Family, { count: number; answeredAt: number }>
  generalAt: number | undefined
}
export type Network = {
  readonly localNetworks: Map<DatapathId, LocalNetwork>
  /** Queriers that are not us. */
  readonly queriers: Map<Family, { readonly source: string; readonly until: number }>
  /** How many ports joined each group. */
  readonly groups: Map<string, number>
  /** What entries of switches said when they were read, as long as other switches were not. */
  readonly kept: Map<DatapathId, Outputs>
}

export const newNetwork = (): Network => ({
  localNetworks: new Map(),
  queriers: new Map(),
  groups: new Map(),
  kept: new Map(),
})
export const newLocalNetwork = (): LocalNetwork => ({
  ports: new Map(),
  asked: { ipv4: { count: 0, answeredAt: 0 }, ipv6: { count: 0, answeredAt: 0 } },
  generalAt: undefined,
})
export const newPort = (): Port => ({
  groups: new Map(),
  pendingQueries: firstQueries(0),
  unsettled: true,
  routerUntil: 0,
  suppressedUntil: 0,
  packetIns: { count: 0, since: 0 },
  crowded: new Map(),
})
export const firstQueries = (now: number): PendingQueries => ({ left: firstAsks, at: now })
export const leaving = (now: number): PendingQueries => ({ left: robustness, at: now })

export const familyOf = (group: string): Family => (group.includes(':') ? 'ipv6' : 'ipv4')
const families: readonly Family[] = ['ipv4', 'ipv6']

export function join(network: Network, port: Port, group: string, asked: number): void {
  port.groups.set(group, { asked, leaving: undefined })
  network.groups.set(group, (network.groups.get(group) ?? 0) + 1)
}
export function leave(network: Network, port: Port, group: string): void {
  port.groups.delete(group)
  const left = (network.groups.get(group) ?? 1) - 1
  if (left > 0) network.groups.set(group, left)
  else network.groups.delete(group)
}

/** A general query went to all ports. Those that follow each other faster than they are answered count once. */
export function countAsk(localNetwork: LocalNetwork, family: Family, answerMs: number, now: number): void {
  const asked = localNetwork.asked[family]
  if (now < asked.answeredAt) return
  asked.count += 1
  asked.answeredAt = now + Math.min(Math.max(answerMs, responseMs), longestMs) + slackMs
}

/** Of a switch that was away we may have missed reports: what was known stays, and all are asked at once. */
export function askAgain(localNetwork: LocalNetwork, now: number): void {
  for (const port of localNetwork.ports.values()) {
    port.pendingQueries = firstQueries(now)
    if (port.routerUntil > 0) port.routerUntil = Math.max(port.routerUntil, now + routerMs)
    for (const [group, member] of port.groups) {
      member.asked = localNetwork.asked[familyOf(group)].count
      if (member.leaving) member.leaving = leaving(now)
    }
    for (const family of port.crowded.keys()) port.crowded.set(family, localNetwork.asked[family].count)
  }
}

/**
 * A copy of a frame came from this port. Switches that can't meter copies send as many as there are frames: a port that makes
 * too many is not listened to for a while, and gets everything meanwhile. Answers whether that begins now.
 */
export function countCopy(port: Port, now: number): boolean {
  if (now - port.packetIns.since > 1000) port.packetIns = { count: 0, since: now }
  port.packetIns.count += 1
  if (port.packetIns.count <= 2 * packetInsPerSecond || port.suppressedUntil > 0) return false
  port.suppressedUntil = now + suppressMs
  return true
}

/** Takes away what is over; answers whether entries change. */
export function forget(network: Network, localNetwork: LocalNetwork, now: number): boolean {
  let changed = false
  for (const [family, { until }] of network.queriers)
    if (until <= now) {
      network.queriers.delete(family)
      changed = true
    }
  for (const port of localNetwork.ports.values()) {
    if (forgetGroups(network, localNetwork, port, now)) changed = true
    if (port.routerUntil > 0 && port.routerUntil <= now) {
      port.routerUntil = 0
      changed = true
    }
    if (port.suppressedUntil > 0 && port.suppressedUntil <= now) {
      port.suppressedUntil = 0
      port.unsettled = true
      port.pendingQueries = firstQueries(now)
      changed = true
    }
    if (port.pendingQueries?.left === 0 && port.pendingQueries.at <= now) {
      port.pendingQueries = undefined
      changed ||= port.unsettled
      port.unsettled = false
    }
  }
  return changed
}

function forgetGroups(network: Network, localNetwork: LocalNetwork, port: Port, now: number): boolean {
  let changed = false
  const isSilent = (family: Family, asked: number) =>
    localNetwork.asked[family].count - asked >= robustness && now >= localNetwork.asked[family].answeredAt
  for (const [group, { asked, leaving }] of port.groups)
    if ((leaving?.left === 0 && leaving.at <= now) || isSilent(familyOf(group), asked)) {
      leave(network, port, group)
      changed = true
    }
  for (const [family, asked] of port.crowded)
    if (isSilent(family, asked)) {
      port.crowded.delete(family)
      changed = true
    }
  return changed
}

type Asked = Query & { readonly ports: readonly PortNo[] }

/**
 * The queries that are due on a switch, in pieces that count as sent once they were taken: to all ports now and then, to
 * new ports by themselves, and to those that leave about their groups.
 */
export function* dueAsks(network: Network, localNetwork: LocalNetwork, now: number): Generator<readonly Asked[]> {
  const asked = (which: readonly Family[], ms: number, ports: readonly PortNo[]) =>
    which.map(family => ({ family, responseMs: ms, ports }))
  // Whoever is new was asked by itself.
  localNetwork.generalAt ??= now + queryInterval * 1000
  if (localNetwork.generalAt <= now) {
    localNetwork.generalAt = now + queryInterval * 1000
    const ours = families.filter(family => !network.queriers.has(family))
    for (const family of ours) countAsk(localNetwork, family, responseMs, now)
    yield asked(ours, responseMs, [...localNetwork.ports.keys()])
  }
  const alone = [...localNetwork.ports]
    .filter(([, { pendingQueries }]) => pendingQueries && isDue(pendingQueries, now))
    .map(([number]) => number)
  if (alone.length > 0) yield asked(families, quickMs, alone)
  for (const [number, { groups }] of localNetwork.ports) {
    const left = [...groups].flatMap(([group, { leaving }]) =>
      leaving && leaving.left > 0 ? [{ group, leaving }] : [],
    )
    const due = left.filter(({ leaving }) => leaving.at <= now)
    if (due.length <= singly) {
      for (const { group, leaving } of due)
        if (isDue(leaving, now)) yield [{ family: familyOf(group), group, responseMs: quickMs, ports: [number] }]
    } else {
      for (const { leaving } of due) isDue(leaving, now)
      yield asked([...new Set(due.map(({ group }) => familyOf(group)))], quickMs, [number])
    }
  }
}

/** Whether it is time to ask once more; then it counts as asked. */
function isDue(pendingQueries: PendingQueries, now: number): boolean {
  if (pendingQueries.left === 0 || pendingQueries.at > now) return false
  pendingQueries.left -= 1
  pendingQueries.at = now + quickMs + (pendingQueries.left === 0 ? slackMs : 0)
  return true
}
