// How far the switches are with what was asked: only what they have confirmed counts. Pure.

import { attachmentKey } from '../store/keys.ts'
import { isTooLarge } from '../store/overlay.ts'
import type { Attachment, Vlink } from '../store/state.ts'
import { passes } from '../topology/route.ts'
import { type DatapathId, endpointOf } from '../topology/topology.ts'
import type { VlinkPaths } from '../topology/vlink-route.ts'
import { inUse } from './compile/rollout.ts'
import type { Steps } from './compile/steps.ts'
import type { Compiled } from './compile/tables.ts'
import {
  plainLinkCondition,
  portCondition,
  rolloutCondition,
  routeCondition,
  strictCondition,
  switchCondition,
  trialCondition,
  unreadReason,
  withheldCondition,
} from './conditions.ts'
import type { Facts } from './facts.ts'
import { limitCondition } from './limits/limit-status.ts'
import { unreadOf } from './switch/unread.ts'
import type { AttachmentCounts, Condition, Progress } from './view/view.ts'
import { passed, vlinkCondition } from './vlink-status.ts'

/**
 * Where a network stands, or with `about` (an endpointKey) one attachment of it, also one that is gone again.
 * Undefined: there never was such a network.
 * @param since The revision that detached `about`, if it is gone. @param shared See attachmentCounts.
 */
export function progressOf(facts: Facts, id: string, about?: string, since = 0, shared?: Shared): Progress | undefined {
  const { state, tables, queued, failed } = facts
  const network = state.networks.get(id)
  const attachment = about === undefined ? undefined : state.attachments.get(about)
  const revision = (attachment ?? network)?.revision ?? since
  if (isTooLarge(state))
    return { state: 'pending', reason: 'the mesh is too large to be worked out: /readyz says what to do', revision }
  if (queued.has(id)) return { state: 'pending', reason: 'it is being compiled', revision }
  if (!network) return goneProgress(facts, id, revision)
  const failure = failed.get(id)
  if (failure !== undefined)
    return { state: 'degraded', reason: `it could not be compiled, which is a defect of l2sm: ${failure}`, revision }
  const compiled = tables.compiled.get(network.number)
  if (!compiled) return { state: 'pending', reason: 'it is being compiled', revision }
  if (attachment?.network === id) return attachmentProgress(facts, compiled, attachment, shared)
  if (about !== undefined) return detachedProgress(facts, compiled, endpointOf(about).dpid, since)
  return networkProgress(facts, compiled)
}

/** The network as a whole: every switch with a member, or between two, must hold its revision, and all reach each other. */
function networkProgress(facts: Facts, compiled: Compiled): Progress {
  const { network, datapaths } = compiled
  const { revision, number } = network
  if (network.vlink && compiled.vlinkPaths) return vlinkProgress(facts, compiled, network.vlink, compiled.vlinkPaths)
  const attachments = [...(facts.state.members.get(network.id)?.values() ?? [])]
  const condition =
    firstSwitch(datapaths, dpid => switchCondition(facts, dpid, number, revision)) ??
    first(attachments, a => portCondition(facts, a) ?? strictCondition(facts.datapaths, a)) ??
    first(attachments, a => withheldCondition(facts, number, a)) ??
    first(attachments, a => limitCondition(network, a, facts.datapaths)) ??
    plainLinkCondition(facts, compiled) ??
    trialCondition(facts, compiled) ??
    routeCondition(compiled) ??
    rolloutCondition(facts, compiled)
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/** A vlink: the switches that its frames pass, its two ports, and the links between. */
function vlinkProgress(facts: Facts, compiled: Compiled, vlink: Vlink, vlinkPaths: VlinkPaths): Progress {
  const { network } = compiled
  const { revision, number } = network
  const condition =
    firstSwitch(passed(vlinkPaths), dpid => switchCondition(facts, dpid, number, revision)) ??
    first([vlink.from, vlink.to], end => portCondition(facts, end)) ??
    rolloutCondition(facts, compiled) ??
    vlinkCondition(vlink, vlinkPaths, facts.switches)
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/**
 * How many attachments are how far, in steps that each look at some. What an attachment has in common with the others of its network
 * is asked once for all of them.
 */
export function* attachmentCounts(facts: Facts): Steps<AttachmentCounts> {
  const counts = { pending: 0, programmed: 0, degraded: 0 }
  const { members } = facts.state
  for (const [id, attachments] of members) {
    const known = new Map<string, unknown>()
    const shared: Shared = (what, work) => {
      if (!known.has(what)) known.set(what, work())
      return known.get(what) as ReturnType<typeof work>
    }
    let looked = 0
    for (const attachment of attachments.values()) {
      const progress = progressOf(facts, id, attachmentKey(attachment), 0, shared)
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
  facts: Facts,
  compiled: Compiled,
  attachment: Attachment,
  shared: Shared = (_, work) => work(),
): Progress {
  const { network, datapaths, rollout } = compiled
  const { revision, dpid: own } = attachment
  const isThere = (dpid: DatapathId) => facts.switches.get(dpid)?.session !== undefined
  const isAlone = datapaths.size === 0 || (datapaths.size === 1 && datapaths.has(own))
  const { route, frozen } = inUse(rollout)
  // A port on the path version in use is in the network, whatever other path is being built.
  const isServed = !frozen && (isAlone || passes(route, own))
  const condition =
    switchCondition(facts, own, network.number, revision) ??
    portCondition(facts, attachment) ??
    withheldCondition(facts, network.number, attachment) ??
    limitCondition(network, attachment, facts.datapaths) ??
    strictCondition(facts.datapaths, attachment) ??
    shared('switches', () =>
      firstSwitch(datapaths, dpid =>
        isThere(dpid) ? switchCondition(facts, dpid, network.number, revision) : undefined,
      ),
    ) ??
    shared(
      'links',
      () => plainLinkCondition(facts, compiled) ?? trialCondition(facts, compiled) ?? routeCondition(compiled, isThere),
    ) ??
    (isServed ? undefined : rolloutCondition(facts, compiled))
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
  facts: Facts,
  { network, datapaths }: Compiled,
  dpid: DatapathId,
  revision: number,
): Progress {
  const at = (d: DatapathId) => switchCondition(facts, d, network.number, revision)
  const condition = at(dpid) ?? firstSwitch(datapaths, d => (facts.switches.get(d)?.session ? at(d) : undefined))
  return condition ? { ...condition, revision } : { state: 'programmed', revision }
}

/**
 * A network that was deleted: no switch may hold anything of it, nor of others that had its name before. Undefined: none had.
 */
function goneProgress(facts: Facts, id: string, revision: number): Progress | undefined {
  const numbers = new Set<number>()
  const last = facts.tables.numberOf(id)
  if (last !== undefined) numbers.add(last)
  // This run may never have seen it.
  for (const { number } of facts.state.heldByName.get(id)?.values() ?? []) numbers.add(number)
  if (numbers.size === 0) return undefined
  for (const number of numbers) {
    const condition = holderCondition(facts, number)
    if (condition) return { ...condition, revision }
  }
  return { state: 'programmed', revision }
}

/** Some switch holds something of this number, or may. */
function holderCondition(facts: Facts, number: number): Condition | undefined {
  for (const sw of facts.switches.values()) {
    if (!sw.held.holds(number) && !sw.dirty.has(number)) continue
    const reason = sw.session
      ? `switch ${sw.dpid} still holds its flows`
      : `switch ${sw.dpid} is not connected, and held its flows when it was`
    return { state: 'pending', reason }
  }
  // Switches that have not been connected since we started, or not yet compared.
  for (const dpid of facts.state.heldBy.get(number)?.keys() ?? []) {
    const sw = facts.switches.get(dpid)
    const words = sw?.session && unreadOf(sw.unread, number)
    if (words) return { state: 'degraded', reason: unreadReason(sw, words) }
    const reason = facts.switches.get(dpid)?.session
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
