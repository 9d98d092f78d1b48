// How many events of one kind the log and the history take: a flood of one kind must not push out all others. Pure.
import { type Severity, severities } from '../view/event.ts'

/** Events of one kind about one thing: so many at once, and one more each so many milliseconds. */
const perSubject = { burst: 10, everyMs: 10_000 }
/** Events of one kind, whatever they are about. */
const perKind = { burst: 1000, everyMs: 20 }
/** Things that are remembered at once; the one that was heard of first is forgotten first. */
const mostSubjects = 10_000

/** Events of one kind that were left out. `about`: what, while it is one thing; else how many things. */
export type LeftOut = {
  readonly of: string
  readonly about: string
  readonly count: number
  /** Of the one that matters most. */
  readonly as: Severity
}

export type Limits = {
  /** Whether an event is taken; else it counts as left out. */
  admit(kind: string, about: string, severity: Severity): boolean
  /** What was left out since this was asked last. */
  leftOut(): readonly LeftOut[]
}

type Bucket = { left: number; at: number }

/** @param now Milliseconds of a monotonic clock. */
export function newLimits(now: () => number): Limits {
  const subjects = new Map<string, Bucket>()
  const kinds = new Map<string, Bucket>()
  const out = new Map<string, { count: number; level: number; readonly about: Set<string> }>()

  const bucket = (buckets: Map<string, Bucket>, key: string, { burst, everyMs }: typeof perKind): Bucket => {
    const found = buckets.get(key)
    if (!found) {
      const [oldest] = buckets.size < mostSubjects ? [] : buckets.keys()
      if (oldest !== undefined) buckets.delete(oldest)
      const made = { left: burst, at: now() }
      buckets.set(key, made)
      return made
    }
    const earned = Math.floor((now() - found.at) / everyMs)
    found.left = Math.min(burst, found.left + earned)
    found.at += earned * everyMs
    return found
  }
  const leaveOut = (kind: string, about: string, severity: Severity) => {
    const found = out.get(kind) ?? { count: 0, level: 0, about: new Set<string>() }
    out.set(kind, found)
    found.count += 1
    found.level = Math.max(found.level, severities.indexOf(severity))
    if (found.about.size < mostSubjects) found.about.add(about)
  }
  return {
    admit(kind, about, severity) {
      const all = bucket(kinds, kind, perKind)
      const own = all.left < 1 ? undefined : bucket(subjects, `${kind} ${about}`, perSubject)
      if (!own || own.left < 1) {
        leaveOut(kind, about, severity)
        return false
      }
      own.left -= 1
      all.left -= 1
      return true
    },
    leftOut() {
      const found = [...out].map(([of, { count, level, about }]) => {
        const [only = ''] = about
        return { of, count, about: about.size > 1 ? `of ${about.size} subjects` : only, as: severities[level]! }
      })
      out.clear()
      return found
    },
  }
}
