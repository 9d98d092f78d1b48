// How many probes may leave, and when ports that lead nowhere are asked again.
import { type Counts, type Intervals, intervals, probesPerSecond } from '../../topology/budget.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { Ring } from './probed-ports.ts'

/** Probes that are saved up while fewer leave than may: for when many links are in doubt at once. */
const saved = 500
/** Probes that leave in one tick: some 3 ms of work. */
const perTick = 100
/** Ports that lead nowhere are asked again when others came to be there, but not more often than this (milliseconds). */
const newsMs = 500
/** Which switches can answer by now is looked at this often (milliseconds). */
const listenMs = 100

export type ProbePace = {
  /** To be called at each tick, with how many ports there are of each kind. */
  tick(counts: Counts): void
  /** Milliseconds between two probes of a port of this kind; of a pod's, as soon as it is none any more. */
  every(kind: Ring): number
  /** There is budget for one more probe. */
  maySend(): boolean
  /** A probe leaves. */
  spend(): void
  /** A port or a switch came that may answer. */
  news(): void
  /** Who leads nowhere and was asked before this is asked again: others are there to answer now (milliseconds). */
  newsAt(): number
}

type Parts = {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Switches with ports that are probed. */
  dpids(): Iterable<DatapathId>
  /** The switch has confirmed the entry by which probes come to us. */
  ready(dpid: DatapathId): boolean
}

export function probePace({ now, dpids, ready }: Parts): ProbePace {
  let every: Intervals = intervals({ carrying: 0, idle: 0, unknown: 0 })
  let budget = saved
  let left = perTick
  let tickedAt = now()
  let newsAt = Number.NEGATIVE_INFINITY
  let isNews = false
  const answering = new Set<DatapathId>()
  let listenedAt = Number.NEGATIVE_INFINITY

  const listen = () => {
    if (now() - listenedAt < listenMs) return
    listenedAt = now()
    for (const dpid of dpids()) {
      if (ready(dpid) === answering.has(dpid)) continue
      if (answering.delete(dpid)) continue
      answering.add(dpid)
      isNews = true
    }
    if (!isNews || now() - newsAt < newsMs) return
    isNews = false
    newsAt = now()
  }
  return {
    tick(counts) {
      budget = Math.min(saved, budget + ((now() - tickedAt) * probesPerSecond) / 1000)
      left = perTick
      tickedAt = now()
      every = intervals(counts)
      listen()
    },
    every: kind => every[kind === 'access' ? 'unknown' : kind],
    maySend: () => left >= 1 && budget >= 1,
    spend() {
      left -= 1
      budget -= 1
    },
    news() {
      isNews = true
    },
    newsAt: () => newsAt,
  }
}
