// A port that leads the frames of its network back into it is cut off, told, and let in again when it does so no more.
//
// Suspicion is cheap: an address that two ports send from, a broadcast limit that drops. Proof is a frame of ours: it left by a port
// of the network, and came in again by one. That port is cut off, for it is where the frames enter; whoever is on the other ports
// of the network can't make it send. While it is cut off it is probed, and let in when nothing has come back for a while, which
// is twice as long each time. A pod between two networks brings no frame back into the one that it came from.
import { type PacketIn, packetOut } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { attachmentIn, attachmentsAt } from '../../store/attachments.ts'
import type { Attachment, State } from '../../store/state.ts'
import { type DatapathId, type Endpoint, endpointKey, type PortNo } from '../../topology/topology.ts'
import type { Cancel, Clock } from '../clock/clock.ts'
import { placeOf } from '../compile/local-network.ts'
import { out } from '../compile/tag.ts'
import type { Reading } from '../switch/content.ts'
import type { Switch } from '../switch/state.ts'
import { isLoopProbe, type LoopProbe, loopProbeFrame, readLoopProbe } from './probe.ts'

const tickMs = 100
/** Milliseconds between two rounds of probes into a network that is suspected, and for how long after the last sign it is. */
const roundMs = 200
const suspectMs = 1500
/** Milliseconds between probes out of, and to, a port that is cut off. */
const heldMs = 1000
/** A probe that came back later than this (milliseconds) says nothing of now. */
const freshMs = 5000
/** Probes in a tick, for the whole controller, and of a network in one round: the ports take turns. */
const probesPerTick = 100
const probesPerRound = 64
/** Milliseconds without a probe that came back before a port is let in, the first time, and at most. */
const firstHoldMs = 5000
const longestHoldMs = 300_000
/** A port that has not looped for so long (milliseconds) begins with the first again. */
const forgiveMs = 600_000
/** Frames a second that look like probes and are none, beyond which a port is cut off: only we send to that address. */
const mostForged = 20

export type Cut = {
  readonly network: number
  readonly dpid: DatapathId
  readonly port: PortNo
  /** Where the frame left that came back; undefined: it was cut off by an earlier run of ours, or for what it sent itself. */
  readonly via: Endpoint | undefined
  readonly why: string
  readonly holdMs: number
}
type Held = Cut & {
  /** When it was cut off, by our clock; when a probe last came back, or there was none to come back. */
  readonly since: number
  clearSince: number
}
/** Why a place was cut off before, and for how long. */
type Past = { readonly holdMs: number; readonly until: number }

export type Loops = {
  /** Something looks like a loop in this network, at this port if that is known. */
  suspect(network: number, at?: Endpoint): void
  /** A copy of a frame to our probes' address. */
  heard(sw: Pick<Switch, 'dpid'>, message: PacketIn): void
  recall(dpid: DatapathId, reading: Pick<Reading, 'cut'>): void
  /** Why a member is cut off, in words. */
  reason(place: string): string | undefined
  cuts(): Iterable<Cut>
  stop(): void
}

type Around = {
  state(): State
  networkOf(number: number): string | undefined
  session(dpid: DatapathId): Session | undefined
  /** The switch tells us of probes that come back. */
  listens(dpid: DatapathId): boolean
  readonly withheld: Map<string, 'leaving' | 'loop'>
  look(id: string): void
  tell(event: { readonly is: 'cut' | 'let-in'; readonly id: string; readonly cut: Cut }): void
  readonly secret: Buffer
  readonly clock: Clock
}

export function loops(around: Around): Loops {
  const { state, networkOf, session, listens, withheld, look, tell, secret, clock } = around
  const { now } = clock
  type Suspicion = { until: number; roundAt: number; first: Map<string, Endpoint>; turn: number }
  const suspicions = new Map<number, Suspicion>()
  const held = new Map<string, Held>()
  const past = new Map<string, Past>()
  const forged = new Map<string, { since: number; count: number }>()

  const membersOf = (number: number): ReadonlyMap<string, Attachment> => {
    const id = networkOf(number)
    return (id === undefined ? undefined : state().members.get(id)) ?? nobody
  }
  const memberAt = (number: number, { dpid, port }: Endpoint): Attachment | undefined => {
    const id = networkOf(number)
    return id === undefined ? undefined : attachmentIn(state(), id, endpointKey({ dpid, port }))
  }
  /** Sends a probe out of a member's port; answers whether it could. */
  const probe = (number: number, { dpid, port, vlan }: Attachment): boolean => {
    const s = session(dpid)
    if (!s?.ports().has(port)) return false
    const payload = loopProbeFrame({ network: number, dpid, port, sentAt: now() }, secret)
    s.send(packetOut({ actions: [...out({ port, vlan })], payload }))
    return true
  }
  const cut = (number: number, at: Attachment, via: Endpoint | undefined, why: string) => {
    const id = networkOf(number)
    const place = placeOf(number, at.dpid, at.port)
    if (id === undefined || held.has(place)) return
    const before = past.get(place)
    const holdMs = before && before.until > now() ? Math.min(longestHoldMs, before.holdMs * 2) : firstHoldMs
    const it: Held = {
      ...{ network: number, dpid: at.dpid, port: at.port, via, why, holdMs },
      ...{ since: now(), clearSince: now() },
    }
    held.set(place, it)
    wake()
    withheld.set(place, 'loop')
    look(id)
    tell({ is: 'cut', id, cut: it })
  }
  const letIn = (place: string, it: Held) => {
    held.delete(place)
    if (withheld.get(place) === 'loop') withheld.delete(place)
    past.delete(place)
    past.set(place, { holdMs: it.holdMs, until: now() + forgiveMs })
    if (past.size > 10_000) for (const oldest of past.keys()) if (past.delete(oldest)) break
    const id = networkOf(it.network)
    if (id === undefined) return
    look(id)
    if (memberAt(it.network, it)) tell({ is: 'let-in', id, cut: it })
  }
  const takeForged = (dpid: DatapathId, port: PortNo) => {
    const key = endpointKey({ dpid, port })
    const seen = forged.get(key)
    const counts = seen && now() - seen.since < 1000 ? seen : { since: now(), count: 0 }
    counts.count++
    if (forged.size > 1000) forged.clear()
    forged.set(key, counts)
    if (counts.count <= mostForged) return
    for (const attachment of attachmentsAt(state(), key)) {
      const number = state().networks.get(attachment.network)?.number
      if (number !== undefined)
        cut(
          number,
          attachment,
          undefined,
          'it sends frames to the address of probes for loops, which only the controller does',
        )
    }
  }
  const takeBack = ({ network, ...from }: LoopProbe, at: Attachment) => {
    for (const place of [placeOf(network, at.dpid, at.port), placeOf(network, from.dpid, from.port)]) {
      const it = held.get(place)
      if (it) it.clearSince = now()
    }
    const isBroken = [at, from].some(({ dpid, port }) => held.has(placeOf(network, dpid, port)))
    if (isBroken) return
    const where =
      from.dpid === at.dpid && from.port === at.port ? 'by itself' : `by port ${from.port} of switch ${from.dpid}`
    const why = `a frame that left network ${networkOf(network)} ${where} came back in at port ${at.port} of switch ${at.dpid}: it leads the network's frames back into it`
    cut(network, at, { dpid: from.dpid, port: from.port }, why)
  }

  /** Probes into a network that is suspected: first out of the ports that showed it, then out of the others by turns. */
  const round = (number: number, suspicion: Suspicion, budget: number): number => {
    const members = [...membersOf(number).values()]
    const first = [...suspicion.first.values()].flatMap(at => memberAt(number, at) ?? [])
    const turns = Array.from(
      { length: Math.min(members.length, probesPerRound) },
      (_, i) => members[(suspicion.turn + i) % members.length]!,
    )
    suspicion.turn += turns.length
    let sent = 0
    for (const at of new Set([...first.slice(-probesPerRound), ...turns])) {
      if (sent >= budget) break
      if (probe(number, at)) sent++
    }
    return sent
  }
  /** Probes out of a port that is cut off, and of the others, which would come back by it. */
  const watch = (place: string, it: Held) => {
    const at = memberAt(it.network, it)
    if (!at || withheld.get(place) !== 'loop') return letIn(place, it)
    const others = it.via ? [it.via] : [...membersOf(it.network).values()].slice(0, probesPerRound)
    const sent = [at, ...others.flatMap(other => memberAt(it.network, other) ?? [])].filter(each =>
      probe(it.network, each),
    )
    // Where no probe can come back, none says that the loop is gone.
    if (sent.length === 0 || !listens(it.dpid)) it.clearSince = now()
    else if (now() - it.clearSince >= it.holdMs) letIn(place, it)
  }
  let watchedAt = 0
  let ticking: Cancel | undefined
  const wake = () => {
    ticking ??= clock.every(tickMs, tick)
  }
  const stop = () => {
    ticking?.()
    ticking = undefined
  }
  const tick = () => {
    let budget = probesPerTick
    for (const [number, suspicion] of suspicions) {
      if (suspicion.until <= now()) suspicions.delete(number)
      else if (suspicion.roundAt <= now() && budget > 0) {
        suspicion.roundAt = now() + roundMs
        budget -= round(number, suspicion, budget)
      }
    }
    if (now() - watchedAt < heldMs) return
    watchedAt = now()
    for (const [place, it] of held) watch(place, it)
    if (suspicions.size + held.size === 0) stop()
  }

  return {
    suspect(network, at) {
      wake()
      const known = suspicions.get(network)
      const suspicion = known ?? { until: 0, roundAt: now(), first: new Map<string, Endpoint>(), turn: 0 }
      suspicions.set(network, suspicion)
      suspicion.until = now() + suspectMs
      if (!at) return
      suspicion.first.delete(endpointKey(at))
      suspicion.first.set(endpointKey(at), { dpid: at.dpid, port: at.port })
      if (suspicion.first.size > probesPerRound)
        for (const key of suspicion.first.keys()) if (suspicion.first.delete(key)) break
    },
    heard({ dpid }, { match, payload }) {
      const port = match.in_port
      if (typeof port !== 'number' || !isLoopProbe(payload)) return
      const read = readLoopProbe(payload, secret)
      if (!read || now() - read.probe.sentAt > freshMs) return takeForged(dpid, port)
      const at = memberAt(read.probe.network, { dpid, port })
      // In another network it is no loop of this one: who joins two networks may mean it.
      if (at && at.vlan === read.vlan) takeBack(read.probe, at)
    },
    recall(dpid, { cut: found }) {
      for (const { network, port } of found) {
        const place = placeOf(network, dpid, port)
        const id = networkOf(network)
        if (id === undefined || held.has(place) || !memberAt(network, { dpid, port })) continue
        const why = 'it led frames of its network back into it before the controller was started, and is being probed'
        const it = { network, dpid, port, via: undefined, why, holdMs: firstHoldMs }
        held.set(place, { ...it, since: now(), clearSince: now() })
        wake()
        withheld.set(place, 'loop')
        look(id)
      }
    },
    reason: place => held.get(place)?.why,
    cuts: () => held.values(),
    stop,
  }
}

const nobody: ReadonlyMap<string, Attachment> = new Map()
