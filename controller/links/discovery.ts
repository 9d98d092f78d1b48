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
import { arrive, forgive, leave, shortestMs } from '../../topology/tally.ts'
import { type DatapathId, type Endpoint, endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import { probeVni } from '../compile/pipeline.ts'
import type { Figures, Probing } from '../view/view.ts'
import { type Told, verdicts } from './link-state-writer.ts'
import { figures, roundTrips } from './link-statistics.ts'
import { sizing } from './mtu-probes.ts'
import { type Kind, lead, newWays, type Way } from './probed-ports.ts'
import { witness } from './reachability.ts'

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
  figures(link: Link): Figures | undefined
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
  /** Milliseconds of a clock that never jumps. */
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
  /** Links have died, or live again, and the store knows. */
  told?(links: Told): void
  /** Calls `work` so often (milliseconds), until told to stop. */
  every(ms: number, work: () => void): () => void
}

export function discovery(around: Surroundings): Discovery {
  const { store, now, session, ready, carries, bfd, plain, planned } = around
  const secret = createSecretKey(around.secret)
  const ways = newWays()
  const suspects = new Set<Way>()
  /** Probes left by these, and have not arrived yet. */
  const unanswered = new Set<Way>()
  const doubts = witness<Way>(now)
  const echoes = roundTrips(now)
  const writing = verdicts(around)
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

  const know = (way: Way) => {
    const state = store.state()
    const link = plain?.(way.from) ?? state.discoveredFrom.get(way.key) ?? planned?.(way.from)
    way.knownAt = now()
    if (link !== way.link && lead(way, link, link !== undefined && state.deadLinks.has(linkKey(link)), now()))
      settle(way)
    way.access = isAccess(state, way.key) || (link !== undefined && isAccess(state, way.toKey))
    way.carries = link !== undefined && carries(link)
  }
  const settle = (way: Way) => {
    suspects.delete(way)
    unanswered.delete(way)
    doubts.clear(way)
    sizes.forget(way)
  }
  const maySend = () => left >= 1 && budget >= 1
  const judged = (way: Way): boolean =>
    way.link !== undefined && !way.access && ready(way.from.dpid) && ready(way.link.to.dpid)

  const send = (way: Way, mtu: number) => {
    const s = session(way.from.dpid)
    const port = s?.ports().get(way.from.port)
    if (!s || !port) return
    left -= 1
    budget -= 1
    const sequence = mtu > 0 ? way.tally.sequence : leave(way.tally, judged(way) && !isDoubtful(way.live))
    const probe = { from: way.from, sequence, sentAt: Math.round(now() * 1000), mtu }
    const payload = probeFrame(secret, probe, port.hwAddr)
    s.send({
      type: 'packet_out',
      xid: 0,
      bufferId: noBuffer,
      inPort: ports.controller,
      actions: [...probeActions(way)],
      payload,
    })
  }
  const sizes = sizing({ now, send, judged, maySend })

  /** A link's liveness as it is now, and who is to know of it. */
  const become = (way: Way, live: Way['live']) => {
    const before = way.live
    way.live = live
    if (live.is === 'suspect' || live.askedAt === undefined) unanswered.delete(way)
    if (before.is === live.is) return
    settle(way)
    if (live.is === 'suspect') {
      suspects.add(way)
      way.lost = way.tally.lost
    }
    if ((before.is === 'down') === (live.is === 'down')) return
    writing.changed(way)
    if (live.is === 'up') sizes.again(way)
  }
  const isCut = (link: Link): boolean => !hasCarrier(session, link.from) || !hasCarrier(session, link.to)

  const judge = (way: Way) => {
    const { link, live } = way
    if (!link || !judged(way)) {
      if (live.is === 'suspect') forgive(way.tally, way.lost)
      return become(way, excused(live))
    }
    if (isCut(link) || bfd?.(link) === 'down') return become(way, failed(live, now()))
    become(way, looked(live, now(), shortestMs(way.tally.took) ?? 0))
  }
  /** Its carrier is gone: that is true of both directions. */
  const cut = (way: Way) => {
    const back = way.link && ways.at(way.link.to)
    for (const either of [way, back])
      if (either?.link && judged(either) && isCut(either.link)) become(either, failed(either.live, now()))
  }
  const visit = (way: Way) => {
    const s = session(way.from.dpid)
    if (!s) return become(way, excused(way.live))
    if (now() - way.knownAt >= knownMs) know(way)
    const kind: Kind = !judged(way) ? 'unknown' : way.carries ? 'carrying' : 'idle'
    if (kind !== way.kind) ways.setKind(way, kind)
    judge(way)
    const waited = now() - way.askedAt
    sizes.consider(way)
    const isDue = waited >= pauseMs(way.live, every[kind]) || (kind === 'unknown' && way.askedAt < newsAt)
    if (!isDue || !maySend() || way.access) return
    way.askedAt = now()
    if (judged(way)) {
      way.live = asked(way.live, now())
      if (way.live.is !== 'suspect') unanswered.add(way)
    }
    send(way, 0)
    const to = way.link && session(way.link.to.dpid)
    if (to && isDoubtful(way.live)) doubts.doubt(way, s, to, shortestMs(way.tally.took) ?? 0)
  }
  const tick = () => {
    budget = Math.min(saved, budget + ((now() - tickedAt) * probesPerSecond) / 1000)
    left = perTick
    tickedAt = now()
    every = intervals(countsOf())
    listen()
    for (const way of unanswered) judge(way)
    for (const way of suspects) visit(way)
    for (const kind of ['carrying', 'idle', 'unknown'] as const)
      for (const way of ways.next(kind, lookedAt[kind])) if (way.live.is !== 'suspect') visit(way)
    sizes.tick()
    echoes.tick(sessions())
    for (const way of doubts.tick()) become(way, failed(way.live, now()))
    writing.flush()
  }
  function* sessions() {
    for (const dpid of ways.dpids()) {
      const s = session(dpid)
      if (s) yield s
    }
  }
  const listen = () => {
    if (now() - listenedAt < listenMs) return
    listenedAt = now()
    for (const dpid of ways.dpids()) {
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
    carrying: ways.count('carrying'),
    idle: ways.count('idle'),
    unknown: ways.count('unknown'),
  })
  const stop = around.every(tickMs, tick)

  const find = (way: Way, to: Endpoint) => {
    const link: Link = { from: way.from, to }
    const key = linkKey(link)
    if (finding.has(key) || isUnplanned(store.state(), link)) return
    finding.add(key)
    store
      .write(draft => isUnplanned(draft, link) || draft.putLink('discovered', link))
      .then(() => know(way), around.failed)
      .finally(() => finding.delete(key))
  }
  return {
    ports(s) {
      for (const way of ways.keep(s.dpid, s.ports())) settle(way)
      for (const port of s.ports().keys()) {
        const { way, isNew } = ways.put({ dpid: s.dpid, port })
        if (isNew) {
          isNews = true
          visit(way)
        } else if (way.link && judged(way) && isCut(way.link)) cut(way)
      }
      writing.flush()
    },
    heard(s, message) {
      const probe = readProbe(secret, message.payload)
      const port = message.match.in_port
      const way = probe && ways.at(probe.from)
      if (!way || typeof port !== 'number') return
      const tookMs = now() - probe.sentAt / 1000
      const to = { dpid: s.dpid, port }
      if (tookMs > freshMs || isAccess(store.state(), endpointKey(to)) || isAccess(store.state(), way.key)) return
      // It may have been declared since we looked.
      if (!way.link || !same(way.link.to, to)) know(way)
      const isThere = way.link !== undefined && same(way.link.to, to)
      if (probe.mtu > 0) {
        if (isThere) way.mtu = passed(way.mtu, probe.mtu, now())
        return
      }
      // Only in tunnels can nobody else say that there is a link; a plain one is an operator's word.
      if (!isThere && message.match.tunnel_id !== probeVni) return
      // While a link answers where it always did, a copy that turns up elsewhere is no reason to believe that it moved.
      if (!isThere && way.link && judged(way) && way.live.is !== 'down') return
      if (!arrive(way.tally, probe.sequence, tookMs)) return
      if (isThere) become(way, answered(way.live, now()))
      else find(way, to)
    },
    figures(link) {
      const way = ways.at(link.from)
      if (!way?.link || !session(link.from.dpid) || linkKey(link) !== way.linkKey) return undefined
      return figures(way, ways.at(link.to), echoes, every[way.kind])
    },
    mtu: exit => ways.at(exit)?.mtu.known || undefined,
    probing() {
      const of = (kind: Kind) => ({ ways: ways.count(kind), intervalMs: every[kind] })
      return { carrying: of('carrying'), idle: of('idle'), unknown: of('unknown') }
    },
    tick,
    stop,
  }
}

/** How a probe gets into a link: a tunnel, or a plain one. */
const probeActions = ({ from: { port }, link }: Way): readonly Action[] => [
  ...(link?.carries === 'vid' ? [] : [{ type: 'set_field' as const, field: 'tunnel_id' as const, value: probeVni }]),
  { type: 'output', port, maxLen: 0 },
]

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). A port that nobody sees has lost nothing. */
function hasCarrier(session: Surroundings['session'], { dpid, port }: Endpoint): boolean {
  const seen = session(dpid)?.ports().get(port)
  return !seen || ((seen.config | seen.state) & 1) === 0
}

const same = (a: Endpoint, b: Endpoint): boolean => a.dpid === b.dpid && a.port === b.port

/** Pods can't be believed: a port that is or was theirs is never an end of a link. */
const isAccess = (state: State, key: string): boolean => state.accessPorts.has(key) || state.attachments.has(key)
