// How far the switches are with what was asked: only what they have confirmed counts. Pure.

import { attachmentKey } from '../store/keys.ts'
import type { Attachment, State, Vlink } from '../store/state.ts'
import type { VlanRange } from '../store/vlans.ts'
import { maxFanOut, passes } from '../topology/route.ts'
import {
  type DatapathId,
  type Endpoint,
  endpointKey,
  endpointOf,
  type Link,
  linkKey,
  type PortNo,
} from '../topology/topology.ts'
import type { VlinkPaths } from '../topology/vlink-route.ts'
import type { Item } from './compile/item.ts'
import { type Datapaths, placeOf } from './compile/local-network.ts'
import { goal, inUse } from './compile/rollout.ts'
import type { Steps } from './compile/steps.ts'
import type { Compiled, Tables } from './compile/tables.ts'
import { limitCondition, limitsMissing } from './limits/limit-status.ts'
import { vlanCondition } from './links/plain-links.ts'
import type { Planned } from './links/planned-links.ts'
import { has, isLive, phaseReason, refusals, type Switch } from './switch/state.ts'
import { droppedFor } from './switch/strict-fields.ts'
import { unreadOf } from './switch/unread.ts'
import type {
  AttachmentCounts,
  Condition,
  LinkStatistics,
  LinkView,
  Progress,
  SwitchFigures,
  SwitchView,
} from './view/view.ts'
import { passed, vlinkCondition } from './vlink-status.ts'

export type Status = {
  readonly state: State
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly tables: Tables
  /** Ids of networks that wait to be compiled. */
  readonly queued: ReadonlySet<string>
  /** By id, networks that could not be compiled, and why. */
  readonly failed: ReadonlyMap<string, string>
  readonly planned: Planned
  /** By endpointKey, ports whose links were never seen to carry anything, and soon will, or be found dead. */
  readonly untried: ReadonlySet<string>
  /** What compile knows of switches: their ports, a little later than the sessions do. */
  readonly datapaths: Datapaths
  /** VLANs that networks may have on plain links. */
  readonly vlanRange: VlanRange
  /** Why a member is not let in, by placeOf: `leaving`, or the words of a loop. */
  withheldReason?(place: string): string | undefined
}

/**
 * Where a network stands, or with `about` (an endpointKey) one attachment of it, also one that is gone again.
 * Undefined: there never was such a network.
 * @param since The revision that detached `about`, if it is gone. @param shared See attachmentCounts.
 */
export function progressOf(
  status: Status,
  id: string,
  about?: string,
  since = 0,
  shared?: Shared,
): Progress | undefined {
  const { state, tables, queued, failed } = status
  const network = state.networks.get(id)
  const attachment = about === undefined ? undefined : state.attachments.get(about)
  const revision = (attachment ?? network)?.revision ?? since
  if (queued.has(id)) return { state: 'pending', reason: 'it is being compiled', revision }
  if (!network) return goneProgress(status, id, revision)
  const failure = failed.get(id)
  if (failure !== undefined)
    return { state: 'degraded', reason: `it could not be compiled, which is a defect of l2sm: ${failure}`, revision }
  const compiled = tables.compiled.get(network.number)
  if (!compiled) return { state: 'pending', reason: 'it is being compiled', revision }
  if (attachment?.network === id) return attachmentProgress(status, compiled, attachment, shared)
  if (about !== undefined) return detachedProgress(status, compiled, endpointOf(about).dpid, since)
  return networkProgress(status, compiled)
}

/** The network as a whole: every switch with a member, or between two, must hold its revision, and all reach each other. */
function networkProgress(status: Status, compiled: Compiled): Progress {
  const { network, datapaths } = compiled
  const { revision, number } = network
  if (network.vlink && compiled.vlinkPaths) return vlinkProgress(status, compiled, network.vlink, compiled.vlinkPaths)
  const attachments = [...(status.state.members.get(network.id)?.values() ?? [])]
  const condition =
    firstSwitch(datapaths, dpid => switchCondition(status, dpid, number, revision)) ??
    first(attachments, a => portCondition(status, a) ?? strictCondition(status.datapaths, a)) ??
    first(attachments, a => withheldCondition(status, number, a)) ??
    first(attachments, a => limitCondition(network, a, status.datapaths)) ??
    plainLinkCondition(status, compiled) ??
    trialCondition(status, compiled) ??
    routeCondition(compiled) ??
    rolloutCondition(status, compiled)
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/** A vlink: the switches that its frames pass, its two ports, and the links between. */
function vlinkProgress(status: Status, compiled: Compiled, vlink: Vlink, vlinkPaths: VlinkPaths): Progress {
  const { network } = compiled
  const { revision, number } = network
  const condition =
    firstSwitch(passed(vlinkPaths), dpid => switchCondition(status, dpid, number, revision)) ??
    first([vlink.from, vlink.to], end => portCondition(status, end)) ??
    rolloutCondition(status, compiled) ??
    vlinkCondition(vlink, vlinkPaths, status.switches)
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/**
 * How many attachments are how far, in steps that each look at some. What an attachment has in common with the others of its network
 * is asked once for all of them.
 */
export function* attachmentCounts(status: Status): Steps<AttachmentCounts> {
  const counts = { pending: 0, programmed: 0, degraded: 0 }
  const { members } = status.state
  for (const [id, attachments] of members) {
    const known = new Map<string, unknown>()
    const shared: Shared = (what, work) => {
      if (!known.has(what)) known.set(what, work())
      return known.get(what) as ReturnType<typeof work>
    }
    let looked = 0
    for (const attachment of attachments.values()) {
      const progress = progressOf(status, id, attachmentKey(attachment), 0, shared)
      if (progress) counts[progress.state] += 1
      if (++looked % 256 === 0) yield
    }
    yield
  }
  return counts
}

/** Works something out for a whole network; who asks for many attachments of it keeps it. */
type Shared = <T>(what: 'switches' | 'links' | 'absent', work: () => T) => T

/**
 * One attachment: its own switch and port, and every member switch that is there to be told of it. Those that are not there are
 * named: who is behind them does not hear it yet.
 */
function attachmentProgress(
  status: Status,
  compiled: Compiled,
  attachment: Attachment,
  shared: Shared = (_, work) => work(),
): Progress {
  const { network, datapaths, rollout } = compiled
  const { revision, dpid: own } = attachment
  const isThere = (dpid: DatapathId) => status.switches.get(dpid)?.session !== undefined
  const isAlone = datapaths.size === 0 || (datapaths.size === 1 && datapaths.has(own))
  const { route, frozen } = inUse(rollout)
  // A port on the path version in use is in the network, whatever other path is being built.
  const isServed = !frozen && (isAlone || passes(route, own))
  const condition =
    switchCondition(status, own, network.number, revision) ??
    portCondition(status, attachment) ??
    withheldCondition(status, network.number, attachment) ??
    limitCondition(network, attachment, status.datapaths) ??
    strictCondition(status.datapaths, attachment) ??
    shared('switches', () =>
      firstSwitch(datapaths, dpid =>
        isThere(dpid) ? switchCondition(status, dpid, network.number, revision) : undefined,
      ),
    ) ??
    shared(
      'links',
      () =>
        plainLinkCondition(status, compiled) ?? trialCondition(status, compiled) ?? routeCondition(compiled, isThere),
    ) ??
    (isServed ? undefined : rolloutCondition(status, compiled))
  if (condition) return { ...condition, revision }
  const absent = shared('absent', () => [...datapaths].filter(dpid => !isThere(dpid)).sort()).filter(
    dpid => dpid !== own,
  )
  if (absent.length === 0) return { state: 'programmed', revision }
  const names = absent.slice(0, 3).join(', ') + (absent.length > 3 ? `, ... (${absent.length})` : '')
  const reason = `not connected, so it is not known there yet: ${names}`
  return { state: 'programmed', revision, unconfirmed: absent, reason }
}

/** A port that has left: its switch must know, and the others that are there. */
function detachedProgress(
  status: Status,
  { network, datapaths }: Compiled,
  dpid: DatapathId,
  revision: number,
): Progress {
  const at = (d: DatapathId) => switchCondition(status, d, network.number, revision)
  const condition = at(dpid) ?? firstSwitch(datapaths, d => (status.switches.get(d)?.session ? at(d) : undefined))
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/**
 * A network that was deleted: no switch may hold anything of it, nor of others that had its name before. Undefined: none had.
 */
function goneProgress(status: Status, id: string, revision: number): Progress | undefined {
  const numbers = new Set<number>()
  const last = status.tables.numberOf(id)
  if (last !== undefined) numbers.add(last)
  // This run may never have seen it.
  for (const { number } of status.state.heldByName.get(id)?.values() ?? []) numbers.add(number)
  if (numbers.size === 0) return undefined
  for (const number of numbers) {
    const condition = holderCondition(status, number)
    if (condition) return { ...condition, revision }
  }
  return { state: 'programmed', revision }
}

/** Some switch holds something of this number, or may. */
function holderCondition(status: Status, number: number): Condition | undefined {
  for (const sw of status.switches.values()) {
    if (!sw.held.holds(number) && !sw.dirty.has(number)) continue
    const reason = sw.session
      ? `switch ${sw.dpid} still holds its flows`
      : `switch ${sw.dpid} is not connected, and held its flows when it was`
    return { state: 'pending', reason }
  }
  // Switches that have not been connected since we started, or not yet compared.
  for (const dpid of status.state.heldBy.get(number)?.keys() ?? []) {
    const sw = status.switches.get(dpid)
    const words = sw?.session && unreadOf(sw.unread, number)
    if (words) return { state: 'degraded', reason: unreadReason(sw, words) }
    const reason = status.switches.get(dpid)?.session
      ? `switch ${dpid} has not confirmed yet that its flows are gone`
      : `switch ${dpid} is not connected, and may hold its flows: if it does not come back, DELETE /v1/switches/${dpid}`
    return { state: 'pending', reason }
  }
  return undefined
}

/** What keeps the switch with the least id of those that something keeps. */
function firstSwitch(
  dpids: Iterable<DatapathId>,
  condition: (dpid: DatapathId) => Condition | undefined,
): Condition | undefined {
  let least: DatapathId | undefined
  let found: Condition | undefined
  for (const dpid of dpids) {
    if (least !== undefined && dpid > least) continue
    const here = condition(dpid)
    if (here) [least, found] = [dpid, here]
  }
  return found
}

function first<T>(items: readonly T[], condition: (item: T) => Condition | undefined): Condition | undefined {
  for (const item of items) {
    const found = condition(item)
    if (found) return found
  }
  return undefined
}

function switchCondition(
  { switches }: Status,
  dpid: DatapathId,
  number: number,
  revision: number,
): Condition | undefined {
  const pending = (reason: string): Condition => ({ state: 'pending', reason })
  const sw = switches.get(dpid)
  if (!sw?.session) return pending(`switch ${dpid} is not connected${sw ? `: ${phaseReason(sw)}` : ''}`)
  const refusal = sw.networks.get(number)?.refused ?? sw.networks.get(0)?.refused
  if (refusal !== undefined) return { state: 'degraded', reason: `switch ${dpid} refused its flows: ${refusal}` }
  if (sw.phase.is === 'unsupported') return { state: 'degraded', reason: `switch ${dpid}: ${phaseReason(sw)}` }
  if (sw.phase.is !== 'live') return pending(`switch ${dpid}: ${phaseReason(sw)}`)
  if (!has(sw, number)) return pending(`switch ${dpid} has not confirmed revision ${revision} yet`)
  const words = unreadOf(sw.unread, number)
  if (words !== undefined) return { state: 'degraded', reason: unreadReason(sw, words) }
  return undefined
}

const unreadReason = ({ dpid }: Switch, words: string): string =>
  `switch ${dpid} does not tell all of its flows, so it may hold others of this network: ${words}`

/** It is a member, and not let in for now. */
function withheldCondition(status: Status, number: number, { dpid, port }: Endpoint): Condition | undefined {
  const why = status.withheldReason?.(placeOf(number, dpid, port))
  if (why === undefined) return undefined
  if (why !== 'leaving') return { state: 'degraded', reason: `port ${port} of switch ${dpid} is cut off: ${why}` }
  return { state: 'pending', reason: `port ${port} of switch ${dpid} has to leave another network first` }
}

function portCondition(
  { switches, datapaths }: Status,
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
function strictCondition(datapaths: Datapaths, { dpid, port, guard }: Attachment): Condition | undefined {
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
function routeCondition(
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
function plainLinkCondition(
  { state, tables, vlanRange }: Status,
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
function trialCondition({ untried }: Status, { rollout }: Compiled): Condition | undefined {
  if (untried.size === 0) return undefined
  const { floodTree, nextHops } = inUse(rollout).route
  for (const hopsBySwitch of [floodTree, nextHops])
    for (const [dpid, hops] of hopsBySwitch)
      for (const { to, port } of hops.values())
        if (untried.has(endpointKey({ dpid, port })))
          return {
            state: 'pending',
            reason: `nothing has come yet over the link from port ${port} of switch ${dpid} to switch ${to}`,
          }
  return undefined
}

/** Another path is being built, or cannot be before a switch connects. */
function rolloutCondition({ switches, tables }: Status, compiled: Compiled): Condition | undefined {
  const { rollout, wanted, network, datapaths } = compiled
  if (rollout.is !== 'preparing' && goal(rollout).route === wanted) return undefined
  const absent = [...datapaths].filter(dpid => !switches.get(dpid)?.session && tables.waitsFor(network.number, dpid))
  const until = absent.length > 0 ? `; it waits for switch ${absent.sort()[0]}, which is not connected` : ''
  return { state: 'pending', reason: `another path for its frames is being built${until}` }
}

export function switchView(status: Status, sw: Switch, base: readonly Item[]): SwitchView {
  const { session, phase } = sw
  const live = isLive(sw)
  const missing = session ? limitsMissing(status.datapaths.get(sw.dpid)) : []
  const refused = [...refusals(sw).values()]
  const [unread] = sw.unread.parts
  const failing = refused.length > 0 || sw.pausing || unread !== undefined
  const reason = !live
    ? phaseReason(sw)
    : (refused[0] ??
      (unread ? `it does not tell all of its flows: ${unread.words}` : 'it does not answer as it should'))
  return {
    dpid: sw.dpid,
    connected: session !== undefined,
    state: live ? (failing ? 'failing' : 'live') : phase.is === 'live' ? 'comparing' : phase.is,
    ...(!live || failing ? { reason } : {}),
    ...(session
      ? { remote: session.remote, manufacturer: session.description.mfrDesc, software: session.description.swDesc }
      : {}),
    ...(session?.can.unknown?.length ? { unknown: session.can.unknown } : {}),
    ...(missing.length > 0 && { limitsMissing: missing }),
    ...(sw.conflict && { conflict: conflictView(sw.conflict) }),
    ...(sw.emptied && { emptied: sw.emptied }),
    ports: session ? [...session.ports().values()].map(portView).sort((a, b) => a.number - b.number) : [],
    flows: flowFigures(status, sw, base),
    programmedRevision: live ? programmedRevision(status, sw) : 0,
  }
}

/** What of a switch is counted at each scrape: without its ports, for with a thousand switches they are a hundred thousand. */
export const switchFigures = (status: Status, sw: Switch, base: readonly Item[]): SwitchFigures => ({
  ...{ dpid: sw.dpid, connected: sw.session !== undefined, flows: flowFigures(status, sw, base) },
})

function flowFigures(status: Status, sw: Switch, base: readonly Item[]): SwitchView['flows'] {
  let desired = base.filter(item => item.kind === 'flow').length
  for (const { flows } of compiledAt(status, sw)) desired += flows.get(sw.dpid) ?? 0
  const foreign = sw.phase.is === 'unsafe' ? sw.phase.foreign.length : 0
  return { desired, actual: sw.held.flows(), foreign, drift: sw.drift }
}

const conflictView = ({ claimant, decidedBy, claims, since, last }: NonNullable<Switch['conflict']>) => ({
  ...{ claimant, decidedBy, claims, since, last },
})

const compiledAt = ({ tables }: Status, { dpid }: Switch): readonly Compiled[] =>
  [...tables.at(dpid)].flatMap(id => tables.compiled.get(tables.numberOf(id) ?? 0) ?? [])

/** The newest revision that the switch has confirmed, for everything that concerns it. */
function programmedRevision(status: Status, sw: Switch): number {
  const { state, queued } = status
  let revision = state.revision
  // What is not compiled yet may concern it or not: until we know, it does.
  for (const id of queued) revision = Math.min(revision, (state.networks.get(id)?.revision ?? state.revision) - 1)
  for (const { wanted, confirmed, since } of sw.networks.values())
    if (confirmed < wanted) revision = Math.min(revision, since - 1)
  return revision
}

/** Links of the mesh, declared and discovered ones, a direction each, in no order. @param figures What probes measure. */
export function* linkViews(
  status: Status,
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): Iterable<LinkView> {
  const { declaredLinks, discoveredLinks } = status.state
  const meshed = new Set<string>()
  for (const { planned, link, condition } of status.planned.all()) {
    if (link) meshed.add(linkKey(link))
    if (link) yield viewOf(status, link, 'mesh', linkStatistics)
    else
      yield {
        from: planned.from,
        to: planned.to,
        origin: 'mesh',
        state: 'pending',
        ...(condition && { reason: condition }),
      }
  }
  for (const [key, link] of declaredLinks) if (!meshed.has(key)) yield viewOf(status, link, 'declared', linkStatistics)
  for (const [key, link] of discoveredLinks)
    if (!declaredLinks.has(key) && !meshed.has(key)) yield viewOf(status, link, 'discovered', linkStatistics)
}

/** One direction of a link; undefined if it is neither planned nor declared nor found. */
export function linkView(
  status: Status,
  link: Link,
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): LinkView | undefined {
  const key = linkKey(link)
  const { declaredLinks, discoveredLinks } = status.state
  const meshed = status.planned.at(link.from)
  if (meshed && linkKey(meshed) === key) return viewOf(status, meshed, 'mesh', linkStatistics)
  const declared = declaredLinks.get(key)
  const known = declared ?? discoveredLinks.get(key)
  return known && viewOf(status, known, declared ? 'declared' : 'discovered', linkStatistics)
}

const viewOf = (
  status: Status,
  link: Link,
  origin: LinkView['origin'],
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): LinkView => ({ ...link, origin, ...linkState(status, link), ...linkStatistics(link) })

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN (OpenFlow 1.3.5 §7.2.1). */
const portDown = 1
const linkDown = 1

function linkState({ switches, state }: Status, { from, to }: Link): Pick<LinkView, 'state' | 'reason'> {
  for (const { dpid, port } of [from, to]) {
    const session = switches.get(dpid)?.session
    if (!session) return { state: 'pending', reason: `switch ${dpid} is not connected` }
    if (!session.ports().has(port)) return { state: 'pending', reason: `switch ${dpid} has no port ${port}` }
  }
  const dead = [
    { from, to },
    { from: to, to: from },
  ].find(link => state.deadLinks.has(linkKey(link)))
  if (!dead) return { state: 'up' }
  for (const { dpid, port } of [dead.from, dead.to]) {
    const { config = 0, state: link = 0 } = switches.get(dpid)?.session?.ports().get(port) ?? {}
    if (config & portDown) return { state: 'down', reason: `port ${port} of switch ${dpid} is switched off` }
    if (link & linkDown) return { state: 'down', reason: `port ${port} of switch ${dpid} has no carrier` }
  }
  return {
    state: 'down',
    reason: `probes that leave ${endpointKey(dead.from)} do not arrive at ${endpointKey(dead.to)}`,
  }
}

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). */
export const portView = (p: { portNo: number; name: string; hwAddr: string; config: number; state: number }) => ({
  number: p.portNo,
  name: p.name,
  mac: p.hwAddr,
  up: ((p.config | p.state) & 1) === 0,
})
