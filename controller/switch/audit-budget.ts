// What readings of switches, although nothing happened, may cost: they wait for each other, and for processor time.

/** Of one processor, what audits may take: a twentieth. */
export const auditShare = 1 / 20
/** Seconds of processor time that are saved up while less is taken. */
const mostSaved = 3

export type AuditBudget = {
  /** So many seconds have passed. */
  passed(seconds: number): void
  /** Something is left. What an audit costs is known when it is done, so that one more may begin. */
  isLeft(): boolean
  /** An audit took so many seconds of processor time. */
  took(seconds: number): void
}

export function auditBudget(): AuditBudget {
  let left = mostSaved
  return {
    passed(seconds) {
      left = Math.min(mostSaved, left + seconds * auditShare)
    },
    isLeft: () => left > 0,
    took(seconds) {
      left -= seconds
    },
  }
}
