// The largest frame of each link is measured when it comes up and now and then afterwards, a few links at a time.
import { patienceMs } from '../../topology/liveness.ts'
import { againMs, doubted, missed, padded, renewed } from '../../topology/mtu.ts'
import { shortestMs } from '../../topology/probe-statistics.ts'
import type { ProbedPort } from './probed-ports.ts'

/** Links that are measured at the same time: at most so many padded probes leave in an eighth of a second. */
const atOnce = 10

export type Sizing = {
  /** A way was looked at: it is measured if that is due and there is room. */
  consider(probedPort: ProbedPort): void
  /** It has come up: what was known of it may not hold any more. */
  again(probedPort: ProbedPort): void
  forget(probedPort: ProbedPort): void
  tick(): void
}

type Parts = {
  readonly now: () => number
  /** Sends a probe of this size. */
  send(probedPort: ProbedPort, mtu: number): void
  /** Whether what becomes of a probe says anything about the link. */
  judged(probedPort: ProbedPort): boolean
  /** There is budget for one more probe. */
  maySend(): boolean
}

export function sizing({ now, send, judged, maySend }: Parts): Sizing {
  const measuring = new Set<ProbedPort>()
  const isOpen = (probedPort: ProbedPort) => probedPort.mtu.size !== undefined
  const isUsable = (probedPort: ProbedPort) => probedPort.live.is === 'up' && judged(probedPort)

  const goOn = (probedPort: ProbedPort) => {
    const waited = now() - probedPort.mtu.sentAt
    if (probedPort.mtu.sent > 0) {
      if (waited < patienceMs + 2 * (shortestMs(probedPort.probeStatistics.took) ?? 0)) return
      probedPort.mtu = missed(probedPort.mtu, now())
    }
    const { size } = probedPort.mtu
    if (size === undefined || !maySend()) return
    probedPort.mtu = padded(probedPort.mtu, now())
    send(probedPort, size)
  }
  return {
    consider(probedPort) {
      if (measuring.size >= atOnce || measuring.has(probedPort) || !isUsable(probedPort)) return
      if (!isOpen(probedPort) && now() - probedPort.mtu.foundAt < againMs) return
      probedPort.mtu = renewed(probedPort.mtu)
      measuring.add(probedPort)
    },
    again(probedPort) {
      probedPort.mtu = doubted(probedPort.mtu)
    },
    forget: probedPort => void measuring.delete(probedPort),
    tick() {
      for (const probedPort of measuring) {
        if (isUsable(probedPort) && isOpen(probedPort)) goOn(probedPort)
        else measuring.delete(probedPort)
      }
    },
  }
}
