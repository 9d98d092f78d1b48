// Finds out where ports lead, and whether links live: LLDP of ours goes out of every port that is nobody's, and comes back to us
// elsewhere. A shell around topology/: liveness, tally, mtu and budget decide.

import { createSecretKey } from 'node:crypto'
import { type Action, noBuffer, type PacketIn, ports } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { isUnplanned } from '../../store/overlay.ts'
import type { State } from '../../store/state.ts'
import type { Store } from '../../store/store.ts'
import type { Counts } from '../../topology/budget.ts'
import { answered, asked, excused, isDoubtful, pauseMs } from '../../topology/liveness.ts'
import { probeFrame, readProbe } from '../../topology/lldp.ts'
import { passed } from '../../topology/mtu.ts'
import { arrive, leave, shortestMs } from '../../topology/probe-statistics.ts'
import { type DatapathId, type Endpoint, endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import { bounceVni, probeVni } from '../compile/pipeline.ts'
import type { LinkStatistics, Probing } from '../view/view.ts'
import { newBounces } from './bounces.ts'
import { linkLiveness } from './link-liveness.ts'
import { newLinkStateWriter } from './link-state-writer.ts'
import { linkStatistics, roundTrips } from './link-statistics.ts'
import { sizing } from './mtu-probes.ts'
import { probePace } from './probe-pace.ts'
import { type Kind, lead, newProbedPorts, type ProbedPort, type Ring } from './probed-ports.ts'
import { newReachability } from './reachability.ts'

/** Milliseconds between looks at what is due. */
export const tickMs = 20
/** Ways of a kind looked at in a tick, whether they are to be probed: many more than may be, and less than 2 ms of work. */
const lookedAt = { carrying: 300, idle: 100, unknown: 100 }
/** Ports of pods looked at in a tick: usually, and when something was declared that may have made them ends of links. */
const podsLookedAt = { usually: 10, soon: 300 }
/** A probe that comes back later than this (milliseconds) is a replay. */
const freshMs = 3000
/** What the store says of a port, and whether networks go over its link, is looked up this often (milliseconds). */
const knownMs = 1000
/** Where links are so many that they are probed more rarely (milliseconds), nobody waits for the first probe over one. */
const worthWaitingMs = 2000
export type Discovery = {
  /** A switch's ports are there, or changed. */
  ports(session: Session): void
  /** Links or nodes were declared, or are not any more. */
  declared(): void
  /** A frame that came to us through our probe entry. */
  heard(session: Session, message: PacketIn): void
  /** What the probes of a link say; undefined when none has come over it, or its switch is not connected. */
  linkStatistics(link: Link): LinkStatistics | undefined
  /** The largest frame that leaves by this port and arrives; undefined while that is not known. */
  mtu(exit: Endpoint): number | undefined
  probing(): Probing
  /** By endpointKey, ports whose links were never seen to carry anything, and soon will, or be found dead. */
  readonly untried: ReadonlySet<string>
  tick(): void
  stop(): void
}

export type Surroundings = {
  readonly store: Store
  /** Signs our probes; made anew at each start, so that none of an earlier run is believed. */
  readonly secret: Buffer
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  session(dpid: DatapathId): Session | undefined
  /** The switch has confirmed the entry by which probes come to us. */
  ready(dpid: DatapathId): boolean
  /** Networks go over it, so that it is probed first. */
  carries(link: Link): boolean
  /** What the link's own switches find out about it (BFD): `down` counts at once, `up` proves nothing about our frames. */
  bfd?(link: Link): 'up' | 'down' | undefined
  /** Where a plain link leads that an operator declared. */
  plain?(end: Endpoint): Link | undefined
  /** Where a port should lead, for what was declared is probed before anything is heard. */
  planned?(end: Endpoint): Link | undefined
  /** A link was seen to carry a frame for the first time, or is known not to. */
  tried?(): void
  failed(error: unknown): void
  /** Calls `work` so often (milliseconds), until told to stop. */
  every(ms: number, work: () => void): () => void
}

export function discovery(around: Surroundings): Discovery {
  const { store, now, session, ready, carries, bfd, plain, planned } = around
  const secret = createSecretKey(around.secret)
  const probedPorts = newProbedPorts()
  const echoes = roundTrips(now)
  const writing = newLinkStateWriter(around)
  const finding = new Set<string>()
  const pace = probePace({ now, ready, dpids: probedPorts.dpids })
  const know = (probedPort: ProbedPort) => {
    const state = store.state()
    const link = plain?.(probedPort.from) ?? state.discoveredFrom.get(probedPort.key) ?? planned?.(probedPort.from)
    probedPort.knownAt = now()
    if (
      link !== probedPort.link &&
      lead(probedPort, link, link !== undefined && state.deadLinks.has(linkKey(link)), now())
    )
      forget(probedPort)
    probedPort.access = isAccess(state, probedPort.key) || (link !== undefined && isAccess(state, probedPort.toKey))
    probedPort.carries = link !== undefined && carries(link)
  }
  const judged = (probedPort: ProbedPort): boolean =>
    probedPort.link !== undefined && !probedPort.access && ready(probedPort.from.dpid) && ready(probedPort.link.to.dpid)

  const send = (probedPort: ProbedPort, mtu: number, vni = probeVni) => {
    const s = session(probedPort.from.dpid)
    const port = s?.ports().get(probedPort.from.port)
    if (!s || !port) return
    pace.spend()
    const sequence =
      mtu > 0 || vni === bounceVni
        ? probedPort.probeStatistics.sequence
        : leave(probedPort.probeStatistics, judged(probedPort) && !isDoubtful(probedPort.live))
    const probe = { from: probedPort.from, sequence, sentAt: Math.round(now() * 1000), mtu }
    const payload = probeFrame(secret, probe, port.hwAddr)
    s.send({
      type: 'packet_out',
      xid: 0,
      bufferId: noBuffer,
      inPort: ports.controller,
      actions: [...probeActions(probedPort, vni)],
      payload,
    })
  }
  const sizes = sizing({ now, send, judged, maySend: pace.maySend })
  const doubts = newReachability<ProbedPort>(now)
  const bounces = newBounces(now, doubts)
  const liveness = linkLiveness({ ...{ now, writing, sizes, session, judged, bfd, doubts }, at: probedPorts.at })
  const untried = new Set<string>()
  const noteTried = ({ key }: ProbedPort) => {
    if (untried.delete(key)) around.tried?.()
  }
  const isUntried = (probedPort: ProbedPort) =>
    judged(probedPort) &&
    probedPort.live.is !== 'down' &&
    shortestMs(probedPort.probeStatistics.took) === undefined &&
    pace.every(probedPort.kind) <= worthWaitingMs
  const forget = (probedPort: ProbedPort) => {
    noteTried(probedPort)
    liveness.settle(probedPort)
    bounces.forget(probedPort)
  }

  const visit = (probedPort: ProbedPort) => {
    const s = session(probedPort.from.dpid)
    if (!s) {
      noteTried(probedPort)
      return liveness.become(probedPort, excused(probedPort.live))
    }
    if (now() - probedPort.knownAt >= knownMs) know(probedPort)
    const kind: Kind = !judged(probedPort) ? 'unknown' : probedPort.carries ? 'carrying' : 'idle'
    const ring: Ring = probedPort.access ? 'access' : kind
    if (ring !== probedPort.kind) probedPorts.setKind(probedPort, ring)
    liveness.judge(probedPort)
    if (isUntried(probedPort)) untried.add(probedPort.key)
    else noteTried(probedPort)
    const waited = now() - probedPort.askedAt
    sizes.consider(probedPort)
    bounce(probedPort, s)
    const isDue =
      waited >= pauseMs(probedPort.live, pace.every(kind)) || (kind === 'unknown' && probedPort.askedAt < pace.newsAt())
    if (!isDue || !pace.maySend() || probedPort.access) return
    probedPort.askedAt = now()
    if (judged(probedPort)) {
      probedPort.live = asked(probedPort.live, now())
      if (probedPort.live.is !== 'suspect') liveness.waitFor(probedPort)
    }
    send(probedPort, 0)
    const to = probedPort.link && session(probedPort.link.to.dpid)
    if (to) liveness.doubt(probedPort, s, to)
  }
  const bounce = (probedPort: ProbedPort, near: Session) => {
    const far = probedPort.link && session(probedPort.link.to.dpid)
    if (!far || !judged(probedPort) || !pace.maySend()) return
    if (bounces.isDue(probedPort, far)) send(probedPort, 0, bounceVni)
    bounces.doubt(probedPort, near, far)
  }
  /** Ports of pods that are to be looked at soon. */
  let declared = 0
  const tick = () => {
    pace.tick(countsOf())
    for (const probedPort of liveness.unanswered) liveness.judge(probedPort)
    for (const probedPort of liveness.suspects) visit(probedPort)
    for (const kind of ['carrying', 'idle', 'unknown'] as const)
      for (const probedPort of probedPorts.next(kind, lookedAt[kind]))
        if (probedPort.live.is !== 'suspect') visit(probedPort)
    const soon = Math.min(declared, podsLookedAt.soon)
    declared -= soon
    for (const probedPort of probedPorts.next('access', Math.max(soon, podsLookedAt.usually))) visit(probedPort)
    sizes.tick()
    echoes.tick(sessions())
    liveness.tick()
    for (const probedPort of bounces.tick()) liveness.broken(probedPort)
    writing.flush()
  }
  function* sessions() {
    for (const dpid of probedPorts.dpids()) {
      const s = session(dpid)
      if (s) yield s
    }
  }
  const countsOf = (): Counts => ({
    carrying: probedPorts.count('carrying'),
    idle: probedPorts.count('idle'),
    unknown: probedPorts.count('unknown'),
  })
  const stop = around.every(tickMs, tick)

  const find = (probedPort: ProbedPort, to: Endpoint) => {
    const link: Link = { from: probedPort.from, to }
    const key = linkKey(link)
    if (finding.has(key) || isUnplanned(store.state(), link)) return
    finding.add(key)
    store
      .write(draft => isUnplanned(draft, link) || draft.putDiscoveredLink(link))
      .then(() => know(probedPort), around.failed)
      .finally(() => finding.delete(key))
  }
  return {
    ports(s) {
      for (const probedPort of probedPorts.keep(s.dpid, s.ports())) forget(probedPort)
      for (const port of s.ports().keys()) {
        const { probedPort, isNew } = probedPorts.put({ dpid: s.dpid, port })
        if (isNew) {
          pace.news()
          visit(probedPort)
        } else if (probedPort.link && judged(probedPort) && liveness.isCut(probedPort.link)) liveness.cut(probedPort)
      }
      writing.flush()
    },
    declared() {
      declared = probedPorts.count('access')
    },
    heard(s, message) {
      const probe = readProbe(secret, message.payload)
      const port = message.match.in_port
      const probedPort = probe && probedPorts.at(probe.from)
      if (!probedPort || typeof port !== 'number') return
      const tookMs = now() - probe.sentAt / 1000
      const to = { dpid: s.dpid, port }
      if (tookMs > freshMs || isAccess(store.state(), endpointKey(to)) || isAccess(store.state(), probedPort.key))
        return
      if (same(to, probedPort.from)) return bounces.back(probedPort)
      // It may have been declared since we looked.
      if (!probedPort.link || !same(probedPort.link.to, to)) know(probedPort)
      const isThere = probedPort.link !== undefined && same(probedPort.link.to, to)
      if (probe.mtu > 0) {
        if (isThere) probedPort.mtu = passed(probedPort.mtu, probe.mtu, now())
        return
      }
      // Only in tunnels can nobody else say that there is a link; a plain one is an operator's word.
      if (!isThere && message.match.tunnel_id !== probeVni) return
      // While a link answers where it always did, a copy that turns up elsewhere is no reason to believe that it moved.
      if (!isThere && probedPort.link && judged(probedPort) && probedPort.live.is !== 'down') return
      if (!arrive(probedPort.probeStatistics, probe.sequence, tookMs)) return
      if (isThere) {
        noteTried(probedPort)
        liveness.become(probedPort, answered(probedPort.live, now()))
      } else find(probedPort, to)
    },
    linkStatistics(link) {
      const probedPort = probedPorts.at(link.from)
      if (!probedPort?.link || !session(link.from.dpid) || linkKey(link) !== probedPort.linkKey) return undefined
      return linkStatistics(probedPort, probedPorts.at(link.to), echoes, pace.every(probedPort.kind))
    },
    untried,
    mtu: exit => probedPorts.at(exit)?.mtu.known || undefined,
    probing() {
      const of = (kind: Kind) => ({ ports: probedPorts.count(kind), intervalMs: pace.every(kind) })
      return { carrying: of('carrying'), idle: of('idle'), unknown: of('unknown') }
    },
    tick,
    stop,
  }
}

/** How a probe gets into a link: a tunnel, or a plain one. */
const probeActions = ({ from: { port }, link }: ProbedPort, vni: number | bigint): readonly Action[] => [
  ...(link?.carries === 'vid' ? [] : [{ type: 'set_field' as const, field: 'tunnel_id' as const, value: vni }]),
  { type: 'output', port, maxLen: 0 },
]

const same = (a: Endpoint, b: Endpoint): boolean => a.dpid === b.dpid && a.port === b.port

/** Pods can't be believed: a port that is theirs is no end of a link, nor one that was, until an operator declares it. */
const isAccess = (state: State, key: string): boolean =>
  state.attachments.has(key) || (state.accessPorts.has(key) && !state.declaredAt.has(key))
