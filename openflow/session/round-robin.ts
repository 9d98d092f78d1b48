/** Round-robin scheduling: every item with work gets a short slice in turn, so one busy item cannot delay the others. */
export type RoundRobin<T> = {
  /** `item` has something to do. */
  add(item: T): void
  remove(item: T): void
}

/**
 * `work` serves one item until `until` (ms, on the clock `exact`) and returns whether more is left. Each call gets
 * `slice` ms. After about `budget` ms the scheduler yields to the event loop through `later`, and then goes on.
 */
export function roundRobin<T>({
  work,
  exact,
  later,
  slice,
  budget,
}: {
  readonly work: (item: T, until: number) => boolean
  readonly exact: () => number
  readonly later: (go: () => void) => void
  readonly slice: number
  readonly budget: number
}): RoundRobin<T> {
  // A Set keeps the order of insertion: the first is next, and one that has more to do goes to the end.
  const ring = new Set<T>()
  let scheduled = false

  function schedule(): void {
    if (scheduled || ring.size === 0) return
    scheduled = true
    later(round)
  }

  function round(): void {
    scheduled = false
    const start = exact()
    let now = start
    while (ring.size > 0 && now - start < budget) {
      const item = ring.values().next().value as T
      ring.delete(item)
      if (work(item, now + slice)) ring.add(item)
      now = exact()
    }
    schedule()
  }

  return {
    add(item) {
      ring.add(item)
      schedule()
    },
    remove: item => void ring.delete(item),
  }
}
