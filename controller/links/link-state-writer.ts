// What probes say of links goes into the store, and from there into the mesh. Level, not edge: a link that died and came back
// before it was written is not written.
import type { Store } from '../../store/store.ts'
import type { ProbedPort } from './probed-ports.ts'

/** Milliseconds until a write that failed is tried again. */
const retryMs = 1000

export type LinkStateWriter = {
  /** A link of this way has died, or lives again. */
  changed(probedPort: ProbedPort): void
  /** Writes what differs from what the store says, all in one, one write at a time. */
  flush(): void
}

type Parts = {
  readonly store: Store
  readonly now: () => number
  failed(error: unknown): void
}

export function newLinkStateWriter({ store, now, failed }: Parts): LinkStateWriter {
  const waiting = new Set<ProbedPort>()
  let writing = false
  let notBefore = Number.NEGATIVE_INFINITY
  const isDead = (probedPort: ProbedPort) => probedPort.live.is === 'down'
  const isKnown = (probedPort: ProbedPort) => store.state().deadLinks.has(probedPort.linkKey) === isDead(probedPort)

  const write = async () => {
    writing = true
    const states = [...waiting].map(probedPort => ({
      probedPort,
      key: probedPort.linkKey,
      dead: isDead(probedPort),
    }))
    try {
      await store.write(draft => {
        for (const { key, dead } of states) draft.setDead(key, dead)
      })
      // Of a link that the store does not know it keeps nothing: to ask again would be in vain.
      for (const { probedPort, dead } of states) if (isDead(probedPort) === dead) waiting.delete(probedPort)
    } catch (error) {
      notBefore = now() + retryMs
      failed(error)
    } finally {
      writing = false
    }
  }
  return {
    changed: probedPort => void waiting.add(probedPort),
    flush() {
      if (writing || now() < notBefore) return
      for (const probedPort of waiting) if (!probedPort.link || isKnown(probedPort)) waiting.delete(probedPort)
      if (waiting.size > 0) write()
    },
  }
}
