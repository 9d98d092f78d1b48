// What the probes of a link say of it.

import type { Session } from '../../openflow/session/session.ts'
import { loss, newShortest, note, type Shortest, shortestMs } from '../../topology/probe-statistics.ts'
import { type DatapathId, linkKey } from '../../topology/topology.ts'
import type { LinkStatistics } from '../view/view.ts'
import type { ProbedPort } from './probed-ports.ts'

/** Milliseconds between two echo requests to one switch; they leave one at a time, so with many switches it takes longer. */
const echoMs = 1000

export type RoundTrips = {
  /** Asks the switch whose turn it is, if it is time. To be called often. */
  tick(sessions: Iterable<Session>): void
  /** The shortest of the last ones, in milliseconds. */
  shortestMs(dpid: DatapathId): number | undefined
}

export function roundTrips(now: () => number): RoundTrips {
  type Echo = { readonly took: Shortest; askedAt: number }
  const echoes = new Map<DatapathId, Echo>()
  let turns: Iterator<Session> | undefined
  const ask = async (session: Session) => {
    const echo = echoes.get(session.dpid) ?? { took: newShortest(32), askedAt: Number.NEGATIVE_INFINITY }
    echoes.set(session.dpid, echo)
    const leaves = now()
    if (leaves - echo.askedAt < echoMs) return
    echo.askedAt = leaves
    try {
      await session.request({ type: 'echo_request', payload: Buffer.alloc(0) })
      note(echo.took, now() - leaves)
    } catch {
      // No answer is no time; what it means, the session says.
    }
  }
  return {
    tick(sessions) {
      turns ??= sessions[Symbol.iterator]()
      const turn = turns.next()
      if (turn.done) turns = undefined
      else ask(turn.value)
    },
    shortestMs(dpid) {
      const known = echoes.get(dpid)
      return known && shortestMs(known.took)
    },
  }
}

/** @param back The way from the link's other end. */
export function linkStatistics(
  probedPort: ProbedPort,
  back: ProbedPort | undefined,
  echoes: RoundTrips,
  probeIntervalMs: number,
): LinkStatistics {
  const [rttMs, lossNow] = [rtt(probedPort, back, echoes), loss(probedPort.probeStatistics)]
  return {
    ...(rttMs !== undefined && { rttMs }),
    ...(lossNow !== undefined && { loss: lossNow }),
    lost: probedPort.probeStatistics.lost,
    ...(probedPort.mtu.known > 0 && { mtu: probedPort.mtu.known }),
    probeIntervalMs,
  }
}

function rtt(probedPort: ProbedPort, back: ProbedPort | undefined, echoes: RoundTrips): number | undefined {
  if (
    !probedPort.link ||
    !back?.link ||
    linkKey(back.link) !== linkKey({ from: probedPort.link.to, to: probedPort.link.from })
  )
    return
  const there = shortestMs(probedPort.probeStatistics.took)
  const here = shortestMs(back.probeStatistics.took)
  const echo = [probedPort.from.dpid, back.from.dpid].map(dpid => echoes.shortestMs(dpid))
  if (there === undefined || here === undefined || echo[0] === undefined || echo[1] === undefined) return undefined
  return Math.max(0, there + here - echo[0] - echo[1])
}
