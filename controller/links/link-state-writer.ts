// What probes say of links goes into the store, and from there into the mesh. Level, not edge: a link that died and came back
// before it was written is not written.
import type { Store } from '../../store/store.ts'
import type { Way } from './probed-ports.ts'

/** Milliseconds until a write that failed is tried again. */
const retryMs = 1000

export type Verdicts = {
  /** A link of this way has died, or lives again. */
  changed(way: Way): void
  /** Writes what differs from what the store says, all in one, one write at a time. */
  flush(): void
}

/** Links, by linkKey, a direction each. */
export type Told = { readonly dead: readonly string[]; readonly alive: readonly string[] }

type Parts = {
  readonly store: Store
  readonly now: () => number
  failed(error: unknown): void
  /** What was just written. */
  told?(links: Told): void
}

export function verdicts({ store, now, failed, told }: Parts): Verdicts {
  const waiting = new Set<Way>()
  let writing = false
  let notBefore = Number.NEGATIVE_INFINITY
  const isDead = (way: Way) => way.live.is === 'down'
  const isKnown = (way: Way) => store.state().deadLinks.has(way.linkKey) === isDead(way)

  const write = async () => {
    writing = true
    const verdicts = [...waiting].map(way => ({ way, key: way.linkKey, dead: isDead(way) }))
    try {
      await store.write(draft => {
        for (const { key, dead } of verdicts) draft.setDead(key, dead)
      })
      const keys = (died: boolean) => verdicts.flatMap(({ key, dead }) => (dead === died ? [key] : []))
      told?.({ dead: keys(true), alive: keys(false) })
      // Of a link that the store does not know it keeps nothing: to ask again would be in vain.
      for (const { way, dead } of verdicts) if (isDead(way) === dead) waiting.delete(way)
    } catch (error) {
      notBefore = now() + retryMs
      failed(error)
    } finally {
      writing = false
    }
  }
  return {
    changed: way => void waiting.add(way),
    flush() {
      if (writing || now() < notBefore) return
      for (const way of waiting) if (!way.link || isKnown(way)) waiting.delete(way)
      if (waiting.size > 0) write()
    },
  }
}
