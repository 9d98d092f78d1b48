import { type ProblemError, problem } from './problems.ts'
import { sourceOf } from './source.ts'

/** Wrong credentials, by the address that they came from. */
export type Failures = {
  /** For how many seconds nothing is compared for this address; 0: it may try. */
  blockedFor(address: string): number
  failed(address: string): void
}

/** So many wrong credentials at once, */
const burst = 10
/** and then one in so many milliseconds: 20 a minute, which guesses no token. */
const each = 3000
/** Addresses remembered; beyond it the one that failed longest ago is forgotten. */
const most = 10_000

/** `now` in milliseconds, from any start. */
export const createFailures = (now: () => number): Failures => {
  // When the last failure will have been forgotten, the way a leaky bucket runs empty.
  const emptyAt = new Map<string, number>()
  return {
    blockedFor: address => {
      const excess = (emptyAt.get(sourceOf(address)) ?? 0) - now() - (burst - 1) * each
      return excess > 0 ? Math.ceil(excess / 1000) : 0
    },
    failed: address => {
      const from = sourceOf(address)
      const next = Math.max(emptyAt.get(from) ?? 0, now()) + each
      emptyAt.delete(from)
      emptyAt.set(from, next)
      if (emptyAt.size > most) emptyAt.delete(emptyAt.keys().next().value!)
    },
  }
}

export const tooMany = (address: string, seconds: number): ProblemError =>
  problem('too-many-failures', [address], { hint: `try again in ${seconds} s` }, { 'retry-after': String(seconds) })
