// Networks that wait to be compiled again. Many marks make one compile; nothing is compiled in the middle of an event.
import { slices } from './slices.ts'

/** Ports and links that come and go make us compile at most this often (milliseconds). */
export const portsSettleMs = 100

export type StaleNetworks = {
  readonly ids: ReadonlySet<string>
  /** @param settleMs Milliseconds between two compiles for this reason; left out, it is compiled at once. */
  mark(ids: Iterable<string>, settleMs?: number): void
  /** Nothing waits, and nothing is being compiled. */
  idle(): boolean
}

type Work = {
  /** Milliseconds of a clock that never jumps. */
  now(): number
  /** Compiles one network. */
  compile(id: string): void
  /** All that was marked is compiled; it took so many seconds. */
  compiled(seconds: number): void
}

export function staleNetworks({ now, compile, compiled }: Work): StaleNetworks {
  const ids = new Set<string>()
  let busy = false
  let settling: NodeJS.Timeout | undefined
  let settledAt = 0

  const look = async () => {
    settling = undefined
    const slice = slices()
    const began = now()
    while (ids.size > 0)
      for (const id of ids) {
        ids.delete(id)
        compile(id)
        await slice()
      }
    busy = false
    compiled((now() - began) / 1000)
  }
  return {
    ids,
    idle: () => !busy,
    mark(marked, settleMs = 0) {
      for (const id of marked) ids.add(id)
      if (ids.size === 0) return
      if (settling && settleMs === 0) {
        clearTimeout(settling)
        settling = undefined
        setImmediate(look)
      }
      if (busy) return
      busy = true
      const pause = settleMs > 0 ? Math.max(0, settledAt - now()) : 0
      settledAt = now() + pause + settleMs
      if (pause > 0) settling = setTimeout(look, pause)
      else setImmediate(look)
    },
  }
}
