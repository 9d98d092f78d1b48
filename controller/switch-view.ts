// A switch as the API shows it. Pure.

import type { Item } from './compile/item.ts'
import type { Compiled } from './compile/tables.ts'
import type { Facts } from './facts.ts'
import { limitsMissing } from './limits/limit-status.ts'
import { isLive, phaseReason, refusals, type Switch } from './switch/state.ts'
import type { SwitchFigures, SwitchView } from './view/view.ts'

export function switchView(facts: Facts, sw: Switch, base: readonly Item[]): SwitchView {
  const { session, phase } = sw
  const live = isLive(sw)
  const missing = session ? limitsMissing(facts.datapaths.get(sw.dpid)) : []
  const refused = [...refusals(sw).values()]
  const [unread] = sw.unread.parts
  const failing = refused.length > 0 || sw.pausing || unread !== undefined
  const reason = !live
    ? phaseReason(sw)
    : (refused[0]?.words ??
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
    flows: flowFigures(facts, sw, base),
    programmedRevision: live ? programmedRevision(facts, sw) : 0,
  }
}

/** What of a switch is counted at each scrape: without its ports, for with a thousand switches they are a hundred thousand. */
export const switchFigures = (facts: Facts, sw: Switch, base: readonly Item[]): SwitchFigures => ({
  ...{ dpid: sw.dpid, connected: sw.session !== undefined, readAt: sw.readAt, flows: flowFigures(facts, sw, base) },
})

function flowFigures(facts: Facts, sw: Switch, base: readonly Item[]): SwitchView['flows'] {
  let desired = base.filter(item => item.kind === 'flow').length
  for (const { flows } of compiledAt(facts, sw)) desired += flows.get(sw.dpid) ?? 0
  const foreign = sw.phase.is === 'unsafe' ? sw.phase.foreign.length : 0
  return { desired, actual: sw.held.flows(), foreign, drift: sw.drift }
}

const conflictView = ({ claimant, decidedBy, claims, since, last }: NonNullable<Switch['conflict']>) => ({
  ...{ claimant, decidedBy, claims, since, last },
})

const compiledAt = ({ tables }: Facts, { dpid }: Switch): readonly Compiled[] =>
  [...tables.at(dpid)].flatMap(id => tables.compiled.get(tables.numberOf(id) ?? 0) ?? [])

/** The newest revision that the switch has confirmed, for everything that concerns it. */
function programmedRevision(facts: Facts, sw: Switch): number {
  const { state, queued } = facts
  let revision = state.revision
  // What is not compiled yet may concern it or not: until we know, it does.
  for (const id of queued) revision = Math.min(revision, (state.networks.get(id)?.revision ?? state.revision) - 1)
  for (const { wanted, confirmed, since } of sw.networks.values())
    if (confirmed < wanted) revision = Math.min(revision, since - 1)
  return revision
}

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). */
export const portView = (p: { portNo: number; name: string; hwAddr: string; config: number; state: number }) => ({
  number: p.portNo,
  name: p.name,
  mac: p.hwAddr,
  up: ((p.config | p.state) & 1) === 0,
})
