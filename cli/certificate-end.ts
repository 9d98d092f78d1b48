// That a certificate in use comes to its end: told once a day, and again when another one took its place.

const day = 24 * 3_600_000
/** So long before the end of a certificate it is warned of. */
const notice = 21 * day

export type EndWatch = {
  /** What is in use ends then. */
  look(ends: Date, now: Date): void
}

/** @param measured Is told the end whenever it is another. @param ending It ends soon, or has ended. */
export const watchEnd = (measured: (ends: Date) => void, ending: (ends: Date, isOver: boolean) => void): EndWatch => {
  let known = Number.NaN
  let warnedAt = Number.NEGATIVE_INFINITY
  return {
    look(ends, now) {
      const [end, time] = [ends.getTime(), now.getTime()]
      if (end !== known) {
        measured(ends)
        known = end
        warnedAt = Number.NEGATIVE_INFINITY
      }
      if (end - time > notice || time - warnedAt < day) return
      warnedAt = time
      ending(ends, end < time)
    },
  }
}
