// What the probes of one direction of a link have measured lately. All times in milliseconds.

/** So many later probes may have left before one that has not arrived counts as lost; one that comes still later is a replay. */
export const inFlight = 8
/** Probes over which loss is told: those in the 32 bits below that are not in flight any more. */
export const lossWindow = 32 - inFlight

export type ProbeStatistics = {
  /** Of the last probe that left: 1, 2, ... */
  sequence: number
  /** Bit i stands for probe `sequence - i`: it has arrived; it counts. */
  arrived: number
  counted: number
  /** Ever. */
  lost: number
  readonly took: Shortest
}

export const newProbeStatistics = (): ProbeStatistics => ({
  sequence: 0,
  arrived: 0,
  counted: 0,
  lost: 0,
  took: newShortest(32),
})

const settled = 1 << (inFlight - 1)

/** A probe leaves: answers its sequence number. `counts`: that it is lost would be the link's fault. */
export function leave(probeStatistics: ProbeStatistics, counts: boolean): number {
  if ((probeStatistics.counted & ~probeStatistics.arrived & settled) !== 0) probeStatistics.lost += 1
  probeStatistics.arrived <<= 1
  probeStatistics.counted = (probeStatistics.counted << 1) | (counts ? 1 : 0)
  return ++probeStatistics.sequence
}

/** What has not arrived since the last probe that did was not the link's fault after all. @param lost How many were lost before. */
export function forgive(probeStatistics: ProbeStatistics, lost: number): void {
  const { arrived } = probeStatistics
  probeStatistics.counted &= arrived === 0 ? 0 : -(arrived & -arrived)
  probeStatistics.lost = lost
}

/** A probe arrives that took so long: false if it has arrived before, never left, or left too long ago to be believed. */
export function arrive(probeStatistics: ProbeStatistics, sequence: number, tookMs: number): boolean {
  const ago = probeStatistics.sequence - sequence
  const bit = 1 << ago
  if (ago < 0 || ago >= inFlight || (probeStatistics.arrived & bit) !== 0) return false
  probeStatistics.arrived |= bit
  note(probeStatistics.took, tookMs)
  return true
}

/** The share (0 to 1) of the last probes that was lost; undefined while none can be told. */
export function loss({ arrived, counted }: ProbeStatistics): number | undefined {
  const told = counted & ~(2 ** inFlight - 1)
  return told === 0 ? undefined : ones(told & ~arrived) / ones(told)
}

function ones(bits: number): number {
  let count = 0
  for (let left = bits >>> 0; left !== 0; left &= left - 1) count++
  return count
}

/** The shortest of the last times: of a full window and the one that is filling, so of one to two windows. */
export type Shortest = { readonly window: number; filling: number; full: number; times: number }

export const newShortest = (window: number): Shortest => ({
  window,
  filling: Number.POSITIVE_INFINITY,
  full: Number.POSITIVE_INFINITY,
  times: 0,
})

export function note(shortest: Shortest, ms: number): void {
  shortest.filling = Math.min(shortest.filling, ms)
  if (++shortest.times < shortest.window) return
  shortest.full = shortest.filling
  shortest.filling = Number.POSITIVE_INFINITY
  shortest.times = 0
}

/** Undefined while there is none. */
export function shortestMs({ filling, full }: Shortest): number | undefined {
  const least = Math.min(filling, full)
  return Number.isFinite(least) ? least : undefined
}
