// Finds out where ports lead, and whether links live: LLDP of ours goes out of every port that is nobody's, and comes back to us
// elsewhere. A shell around topology/: liveness, tally, mtu and budget decide.

import { createSecretKey } from 'node:crypto'
import { type Action, noBuffer, type PacketIn, ports } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { isUnplanned } from '../../store/overlay.ts'
import type { State } from '../../store/state.ts'
import type { Store } from '../../store/store.ts'
import { type Counts, type Intervals, intervals, probesPerSecond } from '../../topology/budget.ts'
import { answered, asked, excused, failed, isDoubtful, looked, pauseMs } from '../../topology/liveness.ts'
import { probeFrame, readProbe } from '../../topology/lldp.ts'
import { passed } from '../../topology/mtu.ts'
import { arrive, forgive, leave, shortestMs } from '../../topology/probe-statistics.ts'
import { type DatapathId, type Endpoint, endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import { probeVni } from '../compile/pipeline.ts'
import type { LinkStatistics, Probing } from '../view/view.ts'
import { newLinkStateWriter } from './link-state-writer.ts'
import { linkStatistics, roundTrips } from './link-statistics.ts'
import { sizing } from './mtu-probes.ts'
import { type Kind, lead, newWays, type ProbedPort } from './probed-ports.ts'
import { newReachability } from './reachability.ts'

/** Milliseconds between looks at what is due. */
export const tickMs = 20
/** Ways of a kind looked at in a tick, whether they are to be probed: many more than may be, and less than 2 ms of work. */
const lookedAt = { carrying: 300, idle: 100, unknown: 100 }
/** Probes that are saved up while fewer leave than may: for when many links are in doubt at once. */
const saved = 500
/** Probes that leave in one tick: some 3 ms of work. */
const perTick = 100
/** A probe that comes back later than this (milliseconds) is a replay. */
const freshMs = 3000
/** What the store says of a port, and whether networks go over its link, is looked up this often (milliseconds). */
const knownMs = 1000
/** Ports that lead nowhere are asked again when others came to be there, but not more often than this (milliseconds). */
const newsMs = 500
/** Which switches can answer by now is looked at this often (milliseconds). */
const listenMs = 100

export type Discovery = {
  /** A switch's ports are there, or changed. */
  ports(session: Session): void
  /** A frame that came to us through our probe entry. */
  heard(session: Session, message: PacketIn): void
  /** What the probes of a link say; undefined when none has come over it, or its switch is not connected. */
  linkStatistics(link: Link): LinkStatistics | undefined
  /** The largest frame that leaves by this port and arrives; undefined while that is not known. */
  mtu(exit: Endpoint): number | undefined
  probing(): Probing
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
  failed(error: unknown): void
  /** Calls `work` so often (milliseconds), until told to stop. */
  every(ms: number, work: () => void): () => void
}

export function discovery(around: Surroundings): Discovery {
  const { store, now, session, ready, carries, bfd, plain, planned } = around
  const secret = createSecretKey(around.secret)
  const probedPorts = newWays()
  const suspects = new Set<ProbedPort>()
  /** Probes left by these, and have not arrived yet. */
  const unanswered = new Set<ProbedPort>()
  const doubts = newReachability<ProbedPort>(now)
  const echoes = roundTrips(now)
  const writing = newLinkStateWriter(around)
  const finding = new Set<string>()
  let every: Intervals = intervals({ carrying: 0, idle: 0, unknown: 0 })
  let budget = saved
  let left = perTick
  let tickedAt = now()
  /** Whoever leads nowhere and was asked before this is asked again: others are there to answer now. */
  let newsAt = Number.NEGATIVE_INFINITY
  let isNews = false
  const answering = new Set<DatapathId>()
  let listenedAt = Number.NEGATIVE_INFINITY

  const know = (probedPort: ProbedPort) => {
    const state = store.state()
    const link = plain?.(probedPort.from) ?? state.discoveredFrom.get(probedPort.key) ?? planned?.(probedPort.from)
    probedPort.knownAt = now()
    if (
      link !== probedPort.link &&
      lead(probedPort, link, link !== undefined && state.deadLinks.has(linkKey(link)), now())
    )
      settle(probedPort)
    probedPort.access = isAccess(state, probedPort.key) || (link !== undefined && isAccess(state, probedPort.toKey))
    probedPort.carries = link !== undefined && carries(link)
  }
  const settle = (probedPort: ProbedPort) => {
    suspects.delete(probedPort)
    unanswered.delete(probedPort)
    doubts.clear(probedPort)
    sizes.forget(probedPort)
  }
  const maySend = () => left >= 1 && budget >= 1
  const judged = (probedPort: ProbedPort): boolean =>
    probedPort.link !== undefined && !probedPort.access && ready(probedPort.from.dpid) && ready(probedPort.link.to.dpid)

  const send = (probedPort: ProbedPort, mtu: number) => {
    const s = session(probedPort.from.dpid)
    const port = s?.ports().get(probedPort.from.port)
    if (!s || !port) return
    left -= 1
    budget -= 1
    const sequence =
      mtu > 0
        ? probedPort.probeStatistics.sequence
        : leave(probedPort.probeStatistics, judged(probedPort) && !isDoubtful(probedPort.live))
    const probe = { from: probedPort.from, sequence, sentAt: Math.round(now() * 1000), mtu }
    const payload = probeFrame(secret, probe, port.hwAddr)
    s.send({
      type: 'packet_out',
      xid: 0,
      bufferId: noBuffer,
      inPort: ports.controller,
      actions: [...probeActions(probedPort)],
      payload,
    })
  }
  const sizes = sizing({ now, send, judged, maySend })

  /** A link's liveness as it is now, and who is to know of it. */
  const become = (probedPort: ProbedPort, live: ProbedPort['live']) => {
    const before = probedPort.live
    probedPort.live = live
    if (live.is === 'suspect' || live.askedAt === undefined) unanswered.delete(probedPort)
    if (before.is === live.is) return
    settle(probedPort)
    if (live.is === 'suspect') {
      suspects.add(probedPort)
      probedPort.lost = probedPort.probeStatistics.lost
    }
    if ((before.is === 'down') === (live.is === 'down')) return
    writing.changed(probedPort)
    if (live.is === 'up') sizes.again(probedPort)
  }
  const isCut = (link: Link): boolean => !hasCarrier(session, link.from) || !hasCarrier(session, link.to)

  const judge = (probedPort: ProbedPort) => {
    const { link, live } = probedPort
    if (!link || !judged(probedPort)) {
      if (live.is === 'suspect') forgive(probedPort.probeStatistics, probedPort.lost)
      return become(probedPort, excused(live))
    }
    if (isCut(link) || bfd?.(link) === 'down') return become(probedPort, failed(live, now()))
    become(probedPort, looked(live, now(), shortestMs(probedPort.probeStatistics.took) ?? 0))
  }
  /** Its carrier is gone: that is true of both directions. */
  const cut = (probedPort: ProbedPort) => {
    const back = probedPort.link && probedPorts.at(probedPort.link.to)
    for (const either of [probedPort, back])
      if (either?.link && judged(either) && isCut(either.link)) become(either, failed(either.live, now()))
  }
  const visit = (probedPort: ProbedPort) => {
    const s = session(probedPort.from.dpid)
    if (!s) return become(probedPort, excused(probedPort.live))
    if (now() - probedPort.knownAt >= knownMs) know(probedPort)
    const kind: Kind = !judged(probedPort) ? 'unknown' : probedPort.carries ? 'carrying' : 'idle'
    if (kind !== probedPort.kind) probedPorts.setKind(probedPort, kind)
    judge(probedPort)
    const waited = now() - probedPort.askedAt
    sizes.consider(probedPort)
    const isDue = waited >= pauseMs(probedPort.live, every[kind]) || (kind === 'unknown' && probedPort.askedAt < newsAt)
    if (!isDue || !maySend() || probedPort.access) return
    probedPort.askedAt = now()
    if (judged(probedPort)) {
      probedPort.live = asked(probedPort.live, now())
      if (probedPort.live.is !== 'suspect') unanswered.add(probedPort)
    }
    send(probedPort, 0)
    const to = probedPort.link && session(probedPort.link.to.dpid)
    if (to && isDoubtful(probedPort.live))
      doubts.doubt(probedPort, s, to, shortestMs(probedPort.probeStatistics.took) ?? 0)
  }
  const tick = () => {
    budget = Math.min(saved, budget + ((now() - tickedAt) * probesPerSecond) / 1000)
    left = perTick
    tickedAt = now()
    every = intervals(countsOf())
    listen()
    for (const probedPort of unanswered) judge(probedPort)
    for (const probedPort of suspects) visit(probedPort)
    for (const kind of ['carrying', 'idle', 'unknown'] as const)
      for (const probedPort of probedPorts.next(kind, lookedAt[kind]))
        if (probedPort.live.is !== 'suspect') visit(probedPort)
    sizes.tick()
    echoes.tick(sessions())
    for (const probedPort of doubts.tick()) become(probedPort, failed(probedPort.live, now()))
    writing.flush()
  }
  function* sessions() {
    for (const dpid of probedPorts.dpids()) {
      const s = session(dpid)
      if (s) yield s
    }
  }
  const listen = () => {
    if (now() - listenedAt < listenMs) return
    listenedAt = now()
    for (const dpid of probedPorts.dpids()) {
      if (ready(dpid) === answering.has(dpid)) continue
      if (answering.delete(dpid)) continue
      answering.add(dpid)
      isNews = true
    }
    if (!isNews || now() - newsAt < newsMs) return
    isNews = false
    newsAt = now()
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
      for (const probedPort of probedPorts.keep(s.dpid, s.ports())) settle(probedPort)
      for (const port of s.ports().keys()) {
        const { probedPort, isNew } = probedPorts.put({ dpid: s.dpid, port })
        if (isNew) {
          isNews = true
          visit(probedPort)
        } else if (probedPort.link && judged(probedPort) && isCut(probedPort.link)) cut(probedPort)
      }
      writing.flush()
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
      if (isThere) become(probedPort, answered(probedPort.live, now()))
      else find(probedPort, to)
    },
    linkStatistics(link) {
      const probedPort = probedPorts.at(link.from)
      if (!probedPort?.link || !session(link.from.dpid) || linkKey(link) !== probedPort.linkKey) return undefined
      return linkStatistics(probedPort, probedPorts.at(link.to), echoes, every[probedPort.kind])
    },
    mtu: exit => probedPorts.at(exit)?.mtu.known || undefined,
    probing() {
      const of = (kind: Kind) => ({ ports: probedPorts.count(kind), intervalMs: every[kind] })
      return { carrying: of('carrying'), idle: of('idle'), unknown: of('unknown') }
    },
    tick,
    stop,
  }
}

/** How a probe gets into a link: a tunnel, or a plain one. */
const probeActions = ({ from: { port }, link }: ProbedPort): readonly Action[] => [
  ...(link?.carries === 'vid' ? [] : [{ type: 'set_field' as const, field: 'tunnel_id' as const, value: probeVni }]),
  { type: 'output', port, maxLen: 0 },
]

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). A port that nobody sees has lost nothing. */
function hasCarrier(session: Surroundings['session'], { dpid, port }: Endpoint): boolean {
  const seen = session(dpid)?.ports().get(port)
  return !seen || ((seen.config | seen.state) & 1) === 0
}

const same = (a: Endpoint, b: Endpoint): boolean => a.dpid === b.dpid && a.port === b.port

/** Pods can't be believed: a port that is theirs is no end of a link, nor one that was, until an operator declares it. */
const isAccess = (state: State, key: string): boolean =>
  state.attachments.has(key) || (state.accessPorts.has(key) && !state.declaredAt.has(key))
