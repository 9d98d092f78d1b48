// Finds out where ports lead: LLDP of ours goes out of every port that is nobody's, and comes back to us elsewhere.
import { noBuffer, type PacketIn, ports } from '../openflow/index.ts'
import type { Session } from '../openflow/session.ts'
import type { State } from '../store/state.ts'
import type { Store } from '../store/store.ts'
import { probeFrame, readProbe } from '../topology/lldp.ts'
import { type Endpoint, endpointKey, type Link, linkKey } from '../topology/topology.ts'
import { probeVni } from './pipeline.ts'

/** Milliseconds between looks at what is due; also between probes of a link that is known. */
const tickMs = 250
/** Milliseconds between probes of a port that has led nowhere so far. */
const candidateMs = 5000
/** Probes a tick, for the whole controller, new ports included: with more links than this the interval stretches. */
const budget = 250
/** Ports looked at in a tick. */
const lookedAt = 5000
/** A probe that comes back when the last one left longer ago than this (milliseconds), or so many later ones have left, is a replay. */
const freshMs = 3000
const inFlight = 8
/** So many probes in a row without an answer: the link is down. */
const lostProbes = 4

type Way = {
  readonly from: Endpoint
  sequence: number
  dueAt: number
  sentAt: number
  to: Endpoint | undefined
  unanswered: number
}

export type Discovery = {
  /** A switch's ports are there, or changed. */
  ports(session: Session): void
  gone(dpid: string): void
  /** A frame that came to us through our probe entry. */
  heard(session: Session, message: PacketIn): void
  /** Whether probes arrive where this link should lead; undefined while nothing is known, or none may be believed. */
  alive(link: Link): boolean | undefined
  stop(): void
}

type Arguments = {
  readonly store: Store
  /** Signs our probes; made anew at each start, so that none of an earlier run is believed. */
  readonly secret: Buffer
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number
  session(dpid: string): Session | undefined
  failed(error: unknown): void
}

export function discovery({ store, secret, now, session, failed }: Arguments): Discovery {
  const ways = new Map<string, Way>()
  const writing = new Set<string>()
  let round = ways.values()
  let left = budget

  const due = (way: Way): boolean => way.dueAt <= now() && !isAccess(store.state(), way.from)
  const send = (way: Way) => {
    const s = session(way.from.dpid)
    const port = s?.ports().get(way.from.port)
    if (!s || !port) return
    left -= 1
    way.sequence += 1
    way.sentAt = now()
    way.dueAt = way.sentAt + (way.to ? tickMs : candidateMs)
    way.unanswered += 1
    const payload = probeFrame(secret, way, port.hwAddr)
    s.send({
      type: 'packet_out',
      xid: 0,
      bufferId: noBuffer,
      inPort: ports.controller,
      actions: [
        { type: 'set_field', field: 'tunnel_id', value: probeVni },
        { type: 'output', port: way.from.port, maxLen: 0 },
      ],
      payload,
    })
  }
  const tick = () => {
    left = budget
    for (let seen = 0; seen < Math.min(lookedAt, ways.size) && left > 0; seen++) {
      let next = round.next()
      if (next.done) {
        round = ways.values()
        next = round.next()
      }
      if (next.value && due(next.value)) send(next.value)
    }
  }
  const timer = setInterval(tick, tickMs)

  return {
    ports(s) {
      const here = s.ports()
      for (const [key, way] of ways) if (way.from.dpid === s.dpid && !here.has(way.from.port)) ways.delete(key)
      const news: Way[] = []
      for (const port of here.keys()) {
        const from = { dpid: s.dpid, port }
        const key = endpointKey(from)
        if (ways.has(key)) continue
        const way = { from, sequence: 0, dueAt: 0, sentAt: 0, to: undefined, unanswered: 0 }
        ways.set(key, way)
        news.push(way)
      }
      if (news.length === 0) return
      for (const way of news) if (left > 0 && due(way)) send(way)
      // Whoever was asked before these were there to answer is asked again; these too, for their switch may not have
      // our probe entry yet.
      for (const way of ways.values()) if (!way.to) way.dueAt = 0
    },
    gone(dpid) {
      for (const [key, way] of ways) if (way.from.dpid === dpid) ways.delete(key)
    },
    heard(s, message) {
      const probe = readProbe(secret, message.payload)
      const port = message.match.in_port
      if (!probe || typeof port !== 'number') return
      const way = ways.get(endpointKey(probe.from))
      const to = { dpid: s.dpid, port }
      if (!way || way.sequence - probe.sequence > inFlight || now() - way.sentAt > freshMs) return
      if (isAccess(store.state(), to) || isAccess(store.state(), way.from)) return
      way.to = to
      way.unanswered = 0
      way.dueAt = Math.min(way.dueAt, way.sentAt + tickMs)
      const link: Link = { from: way.from, to }
      const key = linkKey(link)
      if (store.state().discoveredLinks.has(key) || writing.has(key)) return
      writing.add(key)
      store
        .write(draft => {
          for (const [old, { from }] of draft.discoveredLinks)
            if (endpointKey(from) === endpointKey(link.from)) draft.deleteLink('discovered', old)
          draft.putLink('discovered', link)
        })
        .catch(failed)
        .finally(() => writing.delete(key))
    },
    alive({ from, to }) {
      const way = ways.get(endpointKey(from))
      if (!way?.to || isAccess(store.state(), from) || isAccess(store.state(), to)) return undefined
      return endpointKey(way.to) === endpointKey(to) && way.unanswered < lostProbes
    },
    stop: () => clearInterval(timer),
  }
}

/** Pods can't be believed: a port that is or was theirs is never an end of a link. */
const isAccess = (state: State, e: Endpoint): boolean =>
  state.accessPorts.has(endpointKey(e)) || state.attachments.has(endpointKey(e))
