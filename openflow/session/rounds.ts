/** Work of many, done in turns: nobody waits for more than a round of short slices, however much another has to do. */
export type Rounds<T> = {
  /** `item` has something to do. */
  add(item: T): void
  remove(item: T): void
}

/**
 * `work` does something for an item until `until` (a time of `exact`, ms) and returns whether there is more. It is
 * called for `slice` ms at a time, item after item, for about `budget` ms in all; then everything else that happens in
 * the process has a turn (`later`), and the round goes on.
 */
export function newRounds<T>({
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
}): Rounds<T> {
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
