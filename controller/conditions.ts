// What may keep a network, or a port, from working, each in words. Pure.

import type { Attachment } from '../store/state.ts'
import { maxFanOut } from '../topology/route.ts'
import { type DatapathId, type Endpoint, endpointKey, type PortNo } from '../topology/topology.ts'
import { type Datapaths, placeOf } from './compile/local-network.ts'
import { goal, inUse } from './compile/rollout.ts'
import type { Compiled } from './compile/tables.ts'
import type { Facts } from './facts.ts'
import { vlanCondition } from './links/plain-links.ts'
import { has, phaseReason, refusalReason, type Switch } from './switch/state.ts'
import { droppedFor } from './switch/strict-fields.ts'
import { unreadOf } from './switch/unread.ts'
import type { Condition } from './view/view.ts'

export function switchCondition(
  { switches }: Facts,
  dpid: DatapathId,
  number: number,
  revision: number,
): Condition | undefined {
  const pending = (reason: string): Condition => ({ state: 'pending', reason })
  const sw = switches.get(dpid)
  if (!sw?.session) return pending(`switch ${dpid} is not connected${sw ? `: ${phaseReason(sw)}` : ''}`)
  const refusal = sw.networks.get(number)?.refused ?? sw.networks.get(0)?.refused
  if (refusal) return { state: 'degraded', reason: refusalReason(dpid, refusal) }
  if (sw.phase.is === 'unsupported') return { state: 'degraded', reason: `switch ${dpid}: ${phaseReason(sw)}` }
  if (sw.phase.is !== 'live') return pending(`switch ${dpid}: ${phaseReason(sw)}`)
  if (!has(sw, number)) return pending(`switch ${dpid} has not confirmed revision ${revision} yet`)
  const words = unreadOf(sw.unread, number)
  if (words !== undefined) return { state: 'degraded', reason: unreadReason(sw, words) }
  return undefined
}

export const unreadReason = ({ dpid }: Switch, words: string): string =>
  `switch ${dpid} does not tell all of its flows, so it may hold others of this network: ${words}`

/** It is a member, and not let in for now. */
export function withheldCondition(facts: Facts, number: number, { dpid, port }: Endpoint): Condition | undefined {
  const why = facts.withheldReason?.(placeOf(number, dpid, port))
  if (why === undefined) return undefined
  if (why !== 'leaving') return { state: 'degraded', reason: `port ${port} of switch ${dpid} is cut off: ${why}` }
  return { state: 'pending', reason: `port ${port} of switch ${dpid} has to leave another network first` }
}

export function portCondition(
  { switches, datapaths }: Facts,
  { dpid, port, portName }: Endpoint & Pick<Attachment, 'portName'>,
): Condition | undefined {
  const ports = switches.get(dpid)?.session?.ports()
  if (!ports) return undefined
  const named = portName === undefined ? undefined : nameCondition(dpid, port, portName, ports)
  if (named) return named
  if (ports.has(port)) {
    if (datapaths.get(dpid)?.ports.has(port) !== false) return undefined
    return { state: 'pending', reason: `port ${port} of switch ${dpid} has just appeared` }
  }
  const has = [...ports.keys()].sort((a, b) => a - b)
  const listed = has.length > 12 ? `${has.slice(0, 12).join(', ')}, ...` : has.join(', ')
  return {
    state: 'pending',
    reason: `port ${port} of switch ${dpid} does not exist: the switch has ${listed || 'no ports'}`,
  }
}

/** A switch that can't hold a strict port to its addresses drops what it can't judge. */
export function strictCondition(datapaths: Datapaths, { dpid, port, guard }: Attachment): Condition | undefined {
  const missing = guard === 'strict' ? datapaths.get(dpid)?.missing : undefined
  const dropped = missing && droppedFor(missing)
  if (dropped === undefined) return undefined
  const reason = `switch ${dpid} drops part of what strict port ${port} sends: ${dropped}`
  return { state: 'degraded', reason }
}

function nameCondition(
  dpid: DatapathId,
  port: PortNo,
  wanted: string,
  ports: ReadonlyMap<PortNo, { readonly name: string }>,
): Condition | undefined {
  if (ports.get(port)?.name === wanted) return undefined
  const [number, ...others] = [...ports].flatMap(([portNo, { name }]) => (name === wanted ? [portNo] : []))
  if (others.length > 0) {
    const numbers = [number, ...others].sort((a, b) => a! - b!).join(', ')
    return { state: 'pending', reason: `switch ${dpid} has several ports called ${wanted} (${numbers}): none is meant` }
  }
  const has = [...ports.values()].map(({ name }) => name).slice(0, 12)
  const reason =
    number === undefined
      ? `switch ${dpid} has no port ${wanted}: it has ${has.join(', ') || 'none'}`
      : `port ${wanted} of switch ${dpid} is number ${number} now, which is in use otherwise, or was not its only port of that name`
  return { state: 'pending', reason }
}

/**
 * What keeps members from reaching each other: no way between their switches, or one that is only being built.
 * @param matters Switches that are to be reached.
 */
export function routeCondition(
  { wanted, members }: Compiled,
  matters: (dpid: DatapathId) => boolean = () => true,
): Condition | undefined {
  const { partitions: all, floodTree } = wanted
  const partitions = all.filter(partition => [...partition].some(matters))
  const [one, another] = partitions
  if (one && another) {
    const names = (partition: ReadonlySet<DatapathId>) =>
      [...partition].slice(0, 3).join(', ') + (partition.size > 3 ? ', ...' : '')
    const parts = partitions.length > 2 ? ` (it is in ${partitions.length} parts)` : ''
    return {
      state: 'degraded',
      reason: `no way between switches ${names(one)} and ${names(another)} is known, so their members do not reach each other${parts}: declare a link, PUT /v1/links/{dpid}/{port}/{dpid}/{port}, or a mesh, PUT /v1/mesh`,
    }
  }
  for (const [dpid, hops] of floodTree) {
    if (hops.size <= maxFanOut) continue
    const reason = `switch ${dpid} has links to ${hops.size} switches of its ${members.size}; it copies a broadcast to ${maxFanOut} at most`
    return { state: 'degraded', reason }
  }
  return undefined
}

/** What keeps frames, or a mirror's copies, from crossing plain links. */
export function plainLinkCondition(
  { state, tables, vlanRange }: Facts,
  { network, rollout }: Compiled,
): Condition | undefined {
  if (tables.wanting.has(network.number))
    return vlanCondition(state.vlans, vlanRange, number => tables.compiled.has(number))
  const { mirror } = network
  const { nextHops } = goal(rollout).route
  for (const [dpid, hops] of mirror ? nextHops : []) {
    if (hops.get(mirror!.dpid)?.carries !== 'vid') continue
    const reason = `copies for its mirror do not cross the plain link from switch ${dpid}: they go over tunnels only`
    return { state: 'degraded', reason }
  }
  return undefined
}

/** A first frame over a new link may be lost, or all of them: nothing is said before a probe has come over it. */
export function trialCondition({ untried }: Facts, { rollout }: Compiled): Condition | undefined {
  if (untried.size === 0) return undefined
  for (const [dpid, hops] of inUse(rollout).route.egressPorts)
    for (const { to, port } of hops.values())
      if (untried.has(endpointKey({ dpid, port })))
        return {
          state: 'pending',
          reason: `nothing has come yet over the link from port ${port} of switch ${dpid} to switch ${to}`,
        }
  return undefined
}

/** Another path is being built, or cannot be before a switch connects. */
export function rolloutCondition({ switches, tables }: Facts, compiled: Compiled): Condition | undefined {
  const { rollout, wanted, network, datapaths } = compiled
  if (rollout.is !== 'preparing' && goal(rollout).route === wanted) return undefined
  const absent = [...datapaths].filter(dpid => !switches.get(dpid)?.session && tables.waitsFor(network.number, dpid))
  const until = absent.length > 0 ? `; it waits for switch ${absent.sort()[0]}, which is not connected` : ''
  return { state: 'pending', reason: `another path for its frames is being built${until}` }
}
