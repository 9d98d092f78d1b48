// Whether each probed link lives: what probes, carriers and BFD say of it, put together.
import type { Session } from '../../openflow/session/session.ts'
import { excused, failed, isDoubtful, looked } from '../../topology/liveness.ts'
import { forgive, shortestMs } from '../../topology/probe-statistics.ts'
import type { DatapathId, Endpoint, Link } from '../../topology/topology.ts'
import type { LinkStateWriter } from './link-state-writer.ts'
import type { Sizing } from './mtu-probes.ts'
import type { ProbedPort } from './probed-ports.ts'
import type { Reachability } from './reachability.ts'

export type LinkLiveness = {
  /** Links that missed probes and are asked more often. */
  readonly suspects: ReadonlySet<ProbedPort>
  /** Links whose last probe has not arrived yet. */
  readonly unanswered: ReadonlySet<ProbedPort>
  /** A probe left: it is waited for. */
  waitFor(probedPort: ProbedPort): void
  /** A link's liveness as it is now, and who is to know of it. */
  become(probedPort: ProbedPort, live: ProbedPort['live']): void
  /** Looks at a link by the clock. */
  judge(probedPort: ProbedPort): void
  /** Its carrier is gone: that is true of both directions. */
  cut(probedPort: ProbedPort): void
  isCut(link: Link): boolean
  /** Nothing that goes there comes back: neither direction is of use. */
  broken(probedPort: ProbedPort): void
  /** It leads elsewhere, or is gone: nothing that was in doubt is any more. */
  settle(probedPort: ProbedPort): void
  /** Asks both switches whether they hear us, if it is doubtful. */
  doubt(probedPort: ProbedPort, from: Session, to: Session): void
  /** To be called often: links that nothing excuses any more have failed. */
  tick(): void
}

type Parts = {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly doubts: Reachability<ProbedPort>
  readonly writing: LinkStateWriter
  readonly sizes: Sizing
  session(dpid: DatapathId): Session | undefined
  /** Whether what becomes of a probe says anything about the link. */
  judged(probedPort: ProbedPort): boolean
  at(end: Endpoint): ProbedPort | undefined
  bfd: ((link: Link) => 'up' | 'down' | undefined) | undefined
}

export function linkLiveness({ now, doubts, writing, sizes, session, judged, at, bfd }: Parts): LinkLiveness {
  const suspects = new Set<ProbedPort>()
  const unanswered = new Set<ProbedPort>()

  const settle = (probedPort: ProbedPort) => {
    suspects.delete(probedPort)
    unanswered.delete(probedPort)
    doubts.clear(probedPort)
    sizes.forget(probedPort)
  }
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
    // It may come back over another underlay, which its other direction has, too, whether that was missed or not.
    if (live.is === 'up') for (const either of bothOf(probedPort)) sizes.again(either)
  }
  /** A link's two directions, those of which something can be said. */
  const bothOf = (probedPort: ProbedPort) =>
    [probedPort, probedPort.link && at(probedPort.link.to)].filter(
      either => either?.link && judged(either),
    ) as ProbedPort[]
  const isCut = (link: Link): boolean => !hasCarrier(session, link.from) || !hasCarrier(session, link.to)
  const shortest = ({ probeStatistics }: ProbedPort) => shortestMs(probeStatistics.took) ?? 0

  return {
    suspects,
    unanswered,
    settle,
    become,
    isCut,
    waitFor: probedPort => void unanswered.add(probedPort),
    judge(probedPort) {
      const { link, live } = probedPort
      if (!link || !judged(probedPort)) {
        if (live.is === 'suspect') forgive(probedPort.probeStatistics, probedPort.lost)
        return become(probedPort, excused(live))
      }
      if (isCut(link) || bfd?.(link) === 'down') return become(probedPort, failed(live, now()))
      become(probedPort, looked(live, now(), shortest(probedPort)))
    },
    cut(probedPort) {
      for (const either of bothOf(probedPort)) if (isCut(either.link!)) become(either, failed(either.live, now()))
    },
    broken(probedPort) {
      for (const either of bothOf(probedPort)) become(either, failed(either.live, now()))
    },
    doubt(probedPort, from, to) {
      if (isDoubtful(probedPort.live)) doubts.doubt(probedPort, from, to, shortest(probedPort))
    },
    tick() {
      for (const probedPort of doubts.tick()) become(probedPort, failed(probedPort.live, now()))
    },
  }
}

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). A port that nobody sees has lost nothing. */
function hasCarrier(session: Parts['session'], { dpid, port }: Endpoint): boolean {
  const seen = session(dpid)?.ports().get(port)
  return !seen || ((seen.config | seen.state) & 1) === 0
}
