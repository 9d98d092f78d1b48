// What limits have dropped, read from the meters of the switches: by a pace of our own, whoever asks and however often.
import type { Session } from '../../openflow/session/session.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import type { Clock } from '../clock/clock.ts'
import { type LimitKind, limitOfMeter, portLimitMeterId } from '../compile/cookie.ts'

/** Milliseconds between two looks; each reads as many switches as the budget allows. */
const tickMs = 250
/**
 * Switches read in a second, for the whole controller: beyond 50 of them, each is read more rarely than twice a second. And meters: a
 * switch with thousands of ports is read more rarely, too.
 */
const readsPerSecond = 100
const metersPerSecond = 20_000
/** Milliseconds between two readings of one switch, at least. */
const leastMs = 500

/** A way that a port is in a network by, and what of it is limited. */
export type Limited = {
  readonly dpid: DatapathId
  readonly port: PortNo
  readonly vlan: number | undefined
  readonly kind: LimitKind
}

export type MeterReadings = {
  /** Frames that were dropped since the controller started. */
  dropped(limited: Limited): number
  /** All limits that have dropped any. */
  each(): Iterable<Limited & { readonly dropped: number }>
  /** Resolves when a switch has been read lately (half a second), or can't be. */
  read(dpid: DatapathId): Promise<void>
  stop(): void
}

type Around = {
  /** Switches that may be asked. */
  sessions(): Iterable<Session>
  session(dpid: DatapathId): Session | undefined
  /** Frames were dropped between two readings. */
  exceeded(limited: Limited, dropped: number): void
  readonly clock: Clock
}

type Meter = { last: bigint; dropped: number }
type Known = { readonly meters: Map<number, Meter>; readAt: number; reading: Promise<void> | undefined }

/** Of one switch: what it makes up must not become memory of ours. */
const mostMeters = 200_000

/** What a switch says that does not count (OpenFlow 1.3.5 §7.3.5.12). */
const uncounted = 0xffff_ffff_ffff_ffffn

export function meterReadings({ sessions, session, exceeded, clock }: Around): MeterReadings {
  const known = new Map<DatapathId, Known>()
  /** Sessions of switches that do not tell. */
  const silent = new WeakSet<Session>()
  let turns: Iterator<Session> | undefined

  const note = (dpid: DatapathId, { meters }: Known, id: number, total: bigint) => {
    const limit = limitOfMeter(id)
    const before = meters.get(id)
    if (!limit || total === uncounted || (!before && meters.size >= mostMeters)) return
    const meter = before ?? { last: 0n, dropped: 0 }
    meters.set(id, meter)
    // One that was made or changed anew begins at 0. What an earlier run of ours has seen is not new.
    const more = before === undefined && !readBefore.has(dpid) ? 0n : total >= meter.last ? total - meter.last : total
    meter.last = total
    if (more === 0n) return
    meter.dropped += Number(more)
    exceeded({ dpid, ...limit }, Number(more))
  }
  /** Switches that were read at least once: a meter that was not there then counts from 0. */
  const readBefore = new Set<DatapathId>()

  const ask = async (s: Session, at: Known): Promise<void> => {
    at.readAt = clock.now()
    try {
      const body = { type: 'meter', meterId: 0xffff_ffff } as const
      const reply = await s.request({ type: 'multipart_request', flags: 0, body })
      if (reply.body.type !== 'meter' || session(s.dpid) !== s) return
      const listed = new Set<number>()
      for (const { meterId, bandStats } of reply.body.meters) {
        listed.add(meterId)
        note(
          s.dpid,
          at,
          meterId,
          bandStats.reduce((sum, band) => sum + band.packetBandCount, 0n),
        )
      }
      for (const id of at.meters.keys()) if (!listed.has(id)) at.meters.delete(id)
      readBefore.add(s.dpid)
    } catch {
      // What a failure means for the switch, its session says; here it is not asked again before it connects anew.
      silent.add(s)
    }
  }
  const read = (s: Session): Promise<void> => {
    const at = known.get(s.dpid) ?? { meters: new Map(), readAt: Number.NEGATIVE_INFINITY, reading: undefined }
    known.set(s.dpid, at)
    if (at.reading) return at.reading
    if (silent.has(s) || s.can.maxMeter === 0 || clock.now() - at.readAt < pause(at)) return Promise.resolve()
    at.reading = ask(s, at).finally(() => {
      at.reading = undefined
    })
    return at.reading
  }
  /** So that one switch alone does not take the whole budget. */
  const pause = ({ meters }: Known) => Math.max(leastMs, (meters.size * 2000) / metersPerSecond)
  const tick = () => {
    let meters = (metersPerSecond * tickMs) / 1000
    for (let left = (readsPerSecond * tickMs) / 1000; left > 0 && meters > 0; left--) {
      turns ??= sessions()[Symbol.iterator]()
      const turn = turns.next()
      if (turn.done) {
        turns = undefined
        forgetAbsent()
        return
      }
      meters -= known.get(turn.value.dpid)?.meters.size ?? 0
      void read(turn.value)
    }
  }
  /** Of a switch that is away nothing is kept: its meters may be others when it is back. */
  const forgetAbsent = () => {
    for (const dpid of known.keys()) {
      if (session(dpid)) continue
      known.delete(dpid)
      readBefore.delete(dpid)
    }
  }
  const stop = clock.every(tickMs, tick)
  return {
    dropped: ({ dpid, port, vlan, kind }) =>
      known.get(dpid)?.meters.get(portLimitMeterId(kind, port, vlan))?.dropped ?? 0,
    *each() {
      for (const [dpid, { meters }] of known)
        for (const [id, { dropped }] of meters) if (dropped > 0) yield { dpid, ...limitOfMeter(id)!, dropped }
    },
    async read(dpid) {
      const s = session(dpid)
      if (s) await read(s)
    },
    stop,
  }
}
