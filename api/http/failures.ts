import { type ProblemError, problem } from './problems.ts'

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
      const excess = (emptyAt.get(source(address)) ?? 0) - now() - (burst - 1) * each
      return excess > 0 ? Math.ceil(excess / 1000) : 0
    },
    failed: address => {
      const from = source(address)
      const next = Math.max(emptyAt.get(from) ?? 0, now()) + each
      emptyAt.delete(from)
      emptyAt.set(from, next)
      if (emptyAt.size > most) emptyAt.delete(emptyAt.keys().next().value!)
    },
  }
}

/** Whoever has an IPv6 address has a /64 of them. */
const source = (address: string): string => {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter(group => group !== '')
  if (tail === undefined) return groups.slice(0, 4).join(':')
  const last = tail.split(':').filter(group => group !== '')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - last.length) }, () => '0')
  return [...groups, ...zeros, ...last].slice(0, 4).join(':')
}

export const tooMany = (address: string, seconds: number): ProblemError =>
  problem('too-many-failures', [address], { hint: `try again in ${seconds} s` }, { 'retry-after': String(seconds) })
