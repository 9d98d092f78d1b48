// A switch that does not answer us is dead, or only out of our reach: then frames go through it as ever, and it must be left alone. Its
// neighbours can tell. A bounce is a probe that a switch sends back to the neighbour it came from without asking us (an entry that
// every switch holds): when none comes back over a link, nothing gets through there, whatever its far end is.
import type { Session } from '../../openflow/session/session.ts'
import { linkMs } from '../../topology/budget.ts'
import { isDoubtful, repeatMs, repeats } from '../../topology/liveness.ts'
import { shortestMs } from '../../topology/probe-statistics.ts'
import type { ProbedPort } from './probed-ports.ts'
import { newReachability, type Reachability } from './reachability.ts'

/** Milliseconds between bounces over a link that nobody doubts: only to know that they come back there. */
const calmMs = 30_000
/** The same until the first one has come back. */
const untriedMs = 2000
/** Who misses probes is asked first whether it hears us, and has so long (milliseconds) to say so. */
const askingMs = 50

export type Bounces = {
  /** A bounce is to leave now: answers true once, and expects it. `far`: the session of the link's far end. */
  isDue(probedPort: ProbedPort, far: Session): boolean
  /** One came back. */
  back(probedPort: ProbedPort): void
  /** What was known of this link is of no use any more. */
  forget(probedPort: ProbedPort): void
  /** Begins to make sure that the link is of no use, if it seems so. `near`, `far`: the sessions of its ends. */
  doubt(probedPort: ProbedPort, near: Session, far: Session): void
  /** Links over which nothing comes back, and whose far end does not answer us. To be called often. */
  tick(): readonly ProbedPort[]
}

type Tally = {
  /** One has come back since the link is known: else that none does proves nothing. */
  isTried: boolean
  backAt: number
  leftAt: number
  /** How many left since the last one that came back. */
  out: number
  /** While it is in doubt: the far end's session, and since when. */
  doubt: { readonly far: Session; readonly since: number } | undefined
}

/** @param answers Who answered us lately: `hears` of the doubts about links. */
export function newBounces(now: () => number, answers: Pick<Reachability<unknown>, 'hears'>): Bounces {
  const tallies = new WeakMap<ProbedPort, Tally>()
  const doubts = newReachability<ProbedPort>(now)
  const tallyOf = (probedPort: ProbedPort): Tally => {
    const known = tallies.get(probedPort)
    if (known) return known
    const tally = {
      isTried: false,
      backAt: Number.NEGATIVE_INFINITY,
      leftAt: Number.NEGATIVE_INFINITY,
      out: 0,
      doubt: undefined,
    }
    tallies.set(probedPort, tally)
    return tally
  }
  const clear = (probedPort: ProbedPort, tally: Tally) => {
    tally.doubt = undefined
    doubts.clear(probedPort)
  }
  return {
    isDue(probedPort, far) {
      const { link, live } = probedPort
      // A bounce is told by its VNI, which a plain link has not.
      if (!link || link.carries === 'vid' || live.is === 'down') return false
      const tally = tallyOf(probedPort)
      if (now() - tally.leftAt < pauseOf(live, tally)) return false
      if (live.is === 'suspect' && (answers.hears(far, live.suspectedAt) || now() - live.suspectedAt < askingMs))
        return false
      tally.leftAt = now()
      tally.out += 1
      return true
    },
    back(probedPort) {
      const tally = tallyOf(probedPort)
      tally.isTried = true
      tally.backAt = now()
      tally.out = 0
      clear(probedPort, tally)
    },
    forget(probedPort) {
      doubts.clear(probedPort)
      tallies.delete(probedPort)
    },
    doubt(probedPort, near, far) {
      const tally = tallyOf(probedPort)
      if (!isDoubtful(probedPort.live) || !tally.isTried || tally.out < repeats || tally.doubt?.far === far) return
      tally.doubt = { far, since: now() }
      answers.hears(far, now())
      // There and back.
      doubts.doubt(probedPort, near, near, 2 * (shortestMs(probedPort.probeStatistics.took) ?? 0))
    },
    tick() {
      return doubts.tick().filter(probedPort => {
        const tally = tallyOf(probedPort)
        const { doubt } = tally
        tally.doubt = undefined
        // One that answers us tells itself which way frames do not go.
        return doubt !== undefined && isDoubtful(probedPort.live) && !answers.hears(doubt.far, doubt.since)
      })
    },
  }
}

/** Milliseconds between two bounces over a link. */
const pauseOf = (live: ProbedPort['live'], { isTried, backAt }: Tally): number => {
  if (live.is === 'suspect') return backAt >= live.suspectedAt ? linkMs : repeatMs
  return isTried ? calmMs : untriedMs
}
