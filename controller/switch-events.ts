// What switches tell us: each event marks what is to be looked at again, and no more.

import type { Events, Session } from '../openflow/session/session.ts'
import { attachmentsAt } from '../store/attachments.ts'
import { followNames, ownNames, type PortNames, renumbered } from '../store/port-names.ts'
import { type DatapathId, endpointKey } from '../topology/topology.ts'
import { owner } from './compile/cookie.ts'
import { portsSettleMs } from './compile-queue.ts'
import { isLoopProbe } from './loops/probe.ts'
import type { Parts } from './parts.ts'
import { shownBy, unknownCookie } from './switch/copies.ts'
import { leaveAll, newSwitch, phaseEvent } from './switch/state.ts'
import { unsupported } from './switch/unsupported.ts'

export function switchEvents(parts: Parts): Events {
  const sharedNames = new Map<DatapathId, Set<string>>()
  const ports = (s: Session) => {
    const shared = sharedNames.get(s.dpid) ?? new Set<string>()
    const names = ownNames(s.ports().values(), shared)
    if (shared.size > 0) sharedNames.set(s.dpid, shared)
    return portsChanged(parts, s, names)
  }
  const { switches, compileQueue, tables, discover, learner, multicast, emit, metrics, waiting, start } = parts
  const current = (s: Session) => {
    const sw = switches.get(s.dpid)
    return sw?.session === s ? sw : undefined
  }
  return {
    up(s) {
      const sw = switches.get(s.dpid) ?? newSwitch(s.dpid, parts.lacking)
      switches.set(s.dpid, sw)
      sw.session = s
      const before = sw.phase
      const missing = unsupported(s)
      sw.phase = missing === undefined ? { is: 'comparing' } : { is: 'unsupported', missing }
      sw.compare = 'connected'
      sw.pausing = false
      sw.retrying = false
      sw.retries = 0
      sw.takeover ||= parts.takeover === true
      leaveAll(sw)
      emit({ kind: 'switch-connected', dpid: s.dpid, remote: s.remote, software: s.description.swDesc })
      // It holds nothing of ours that others would have to wait for.
      sw.seen ||= missing !== undefined
      if (missing !== undefined) emit(phaseEvent(s.dpid, before, sw.phase))
      parts.unreachable.came(s.dpid)
      ports(s)
      compileQueue.mark(tables.at(s.dpid))
      start(sw)
    },
    down(s, reason) {
      const sw = current(s)
      if (!sw) return
      sw.session = undefined
      sw.leftAt = new Date()
      sw.phase = { is: 'disconnected', reason }
      parts.unreachable.left(s.dpid)
      emit({ kind: 'switch-disconnected', dpid: s.dpid, reason })
      parts.rolloutLoop.look()
      waiting.wake()
    },
    capabilities(s) {
      const sw = current(s)
      if (!sw) return
      const missing = unsupported(s)
      const before = sw.phase.is === 'unsupported' ? sw.phase.missing : undefined
      // Another answer may have been the last one that was missing, or show that something else is.
      if (missing !== before) {
        const phase = sw.phase
        sw.phase = missing === undefined ? { is: 'comparing' } : { is: 'unsupported', missing }
        emit(phaseEvent(s.dpid, phase, sw.phase))
        sw.seen ||= missing !== undefined
      }
      if (missing === undefined) sw.compare ??= 'asked'
      ports(s)
      compileQueue.mark(tables.at(s.dpid))
      start(sw)
    },
    portStatus(s) {
      if (current(s)) compileQueue.mark(ports(s), portsSettleMs)
    },
    packetIn(s, message) {
      metrics.packetIn(message.reason)
      const sw = current(s)
      if (!sw) return
      const is = message.cookie === unknownCookie ? shownBy(message) : owner(message.cookie).is
      if (is === 'base') (isLoopProbe(message.payload) ? parts.loops : discover).heard(s, message)
      else if (is === 'multicast') multicast.packetIn(sw, message)
      else learner.packetIn(sw, message)
    },
    conflict(dpid, conflict) {
      const sw = switches.get(dpid)
      if (sw) sw.conflict = conflict
      if (conflict) emit({ kind: 'datapath-claimed', dpid, remote: conflict.claimant, holder: conflict.remote })
    },
    flowRemoved(s, message) {
      const sw = current(s)
      if (sw) learner.flowRemoved(sw, message)
    },
  }
}

/** Attachments by name go where their ports went. Until that is stored, what is compiled leaves out ports of another name. */
function follow({ store, emit }: Parts, { dpid }: Session, names: PortNames): void {
  if (renumbered(store.state(), dpid, names).length === 0) return
  store
    .write(draft => followNames(draft, dpid, names))
    .catch(error => emit({ kind: 'not-stored', what: `the new port numbers of switch ${dpid}`, error: String(error) }))
}

/** Takes a switch's ports as they are; answers the networks of those that came or went. */
function portsChanged(parts: Parts, s: Session, names: PortNames): readonly string[] {
  const { store, switches, fabric, discover, compileQueue, tables } = parts
  const { changed, ofLinks } = fabric.ports(s)
  if (changed.length > 0) follow(parts, s, names)
  if (switches.get(s.dpid)?.phase.is !== 'unsupported') discover.ports(s)
  const state = store.state()
  if (ofLinks) compileQueue.markMesh()
  const usedAt = (dpid: DatapathId, port: number): string[] =>
    [...tables.at(dpid)].filter(id => {
      const { mirror, vlink } = state.networks.get(id) ?? {}
      return [mirror, vlink?.from, vlink?.to].some(used => used?.dpid === dpid && used.port === port)
    })
  return changed.flatMap(port => {
    const attached = attachmentsAt(state, endpointKey({ dpid: s.dpid, port }))
    return attached.length > 0 ? attached.map(({ network }) => network) : usedAt(s.dpid, port)
  })
}
