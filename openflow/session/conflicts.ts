// Datapath ids that two switches claim at once. The one that is live stays, or the one with a certificate; that there is
// another must be seen, whoever came first.
import type { Conflict } from './session.ts'

export type Conflicts = {
  readonly current: ReadonlyMap<string, Conflict>
  /** `claimant` claims a dpid that `remote` has. Returns what is known of it now. */
  claimed(dpid: string, remote: string, claimant: string, decidedBy: Conflict['decidedBy']): Conflict
  /** The dpid has no live session any more. */
  gone(dpid: string): void
  /** Forgets conflicts without a claim for so long. */
  tick(): void
}

/** `now`: session time, ms; `forget`: how long a conflict is remembered after the last claim, ms; `over` is told of its end. */
export function newConflicts(
  now: () => number,
  date: () => Date,
  forget: number,
  over: (dpid: string) => void,
): Conflicts {
  const current = new Map<string, Conflict>()
  const until = new Map<string, number>()
  const end = (dpid: string) => {
    until.delete(dpid)
    if (current.delete(dpid)) over(dpid)
  }
  return {
    current,
    claimed(dpid, remote, claimant, decidedBy) {
      const before = current.get(dpid)
      const last = date()
      const claims = (before?.claims ?? 0) + 1
      const conflict = { dpid, remote, claimant, decidedBy, claims, since: before?.since ?? last, last }
      current.set(dpid, conflict)
      until.set(dpid, now() + forget)
      return conflict
    },
    gone: end,
    tick() {
      for (const [dpid, time] of until) if (time <= now()) end(dpid)
    },
  }
}
