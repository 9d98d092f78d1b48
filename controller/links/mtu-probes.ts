// The largest frame of each link is measured when it comes up and now and then afterwards, a few links at a time.
import { patienceMs } from '../../topology/liveness.ts'
import { againMs, missed, padded, renewed } from '../../topology/mtu.ts'
import { shortestMs } from '../../topology/tally.ts'
import type { Way } from './probed-ports.ts'

/** Links that are measured at the same time: at most so many padded probes leave in an eighth of a second. */
const atOnce = 10

export type Sizing = {
  /** A way was looked at: it is measured if that is due and there is room. */
  consider(way: Way): void
  /** It has come up: what was known of it may not hold any more. */
  again(way: Way): void
  forget(way: Way): void
  tick(): void
}

type Parts = {
  readonly now: () => number
  /** Sends a probe of this size. */
  send(way: Way, mtu: number): void
  /** Whether what becomes of a probe says anything about the link. */
  judged(way: Way): boolean
  /** There is budget for one more probe. */
  maySend(): boolean
}

export function sizing({ now, send, judged, maySend }: Parts): Sizing {
  const measuring = new Set<Way>()
  const isOpen = (way: Way) => way.mtu.size !== undefined
  const isUsable = (way: Way) => way.live.is === 'up' && judged(way)

  const goOn = (way: Way) => {
    const waited = now() - way.mtu.sentAt
    if (way.mtu.sent > 0) {
      if (waited < patienceMs + 2 * (shortestMs(way.tally.took) ?? 0)) return
      way.mtu = missed(way.mtu, now())
    }
    const { size } = way.mtu
    if (size === undefined || !maySend()) return
    way.mtu = padded(way.mtu, now())
    send(way, size)
  }
  return {
    consider(way) {
      if (measuring.size >= atOnce || measuring.has(way) || !isUsable(way)) return
      if (!isOpen(way) && now() - way.mtu.foundAt < againMs) return
      way.mtu = renewed(way.mtu)
      measuring.add(way)
    },
    again(way) {
      way.mtu = { ...way.mtu, foundAt: Number.NEGATIVE_INFINITY }
    },
    forget: way => void measuring.delete(way),
    tick() {
      for (const way of measuring) {
        if (isUsable(way) && isOpen(way)) goOn(way)
        else measuring.delete(way)
      }
    },
  }
}
