// Networks that wait to be compiled again. Many marks make one compile; nothing is compiled in the middle of an event.
import type { Cancel, Clock } from './clock/clock.ts'
import { slices } from './switch/slices.ts'

/** Ports and links that come and go make us compile at most this often (milliseconds). */
export const portsSettleMs = 100

export type CompileQueue = {
  /** Those that wait for another reason than that an address was learned or forgotten. */
  readonly ids: ReadonlySet<string>
  /** @param settleMs Milliseconds between two compiles because ports or links came or went; else it is compiled at once. */
  mark(ids: Iterable<string>, settleMs?: number): void
  /** Links, or ports at which they end, came or went: the mesh is worked out again, now or when it has settled. */
  markMesh(): void
  /** Other ways are to be built, or old ones to go: compiled at once, and programmed only when switches have confirmed it. */
  markMoved(ids: Iterable<string>): void
  /** An address was learned or forgotten: compiled at once, but what was programmed stays so meanwhile. */
  markLearned(ids: Iterable<string>): void
  /** Nothing waits, and nothing is being compiled. */
  idle(): boolean
}

type Work = {
  readonly clock: Clock
  /** Nothing may be compiled now: what is marked waits for a mark after it may again. */
  held(): boolean
  /** Works out the mesh; answers the networks that another one concerns. */
  remesh(): Promise<Iterable<string>>
  /**
   * Compiles one network. `matters`: switches must confirm what changes before it counts as programmed; not so when an address
   * was learned or forgotten.
   */
  compile(id: string, matters: boolean): Promise<void>
  /** All that was marked is compiled. */
  compiled(): void
}

export function newCompileQueue({ clock, held, remesh, compile, compiled }: Work): CompileQueue {
  const { now } = clock
  const marked = new Set<string>()
  const mattering = new Set<string>()
  let meshMoved = false
  let busy = false
  let isParked = false
  let settling: Cancel | undefined
  let settledAt = 0
  /** The network that is being compiled, in slices: until that is done it still waits for what was asked of it. */
  let current: string | undefined
  let again = false

  const look = async () => {
    settling = undefined
    isParked = held()
    if (isParked) return
    const slice = slices()
    while (marked.size > 0 || meshMoved) {
      if (meshMoved) {
        meshMoved = false
        add(await remesh())
      }
      for (const id of marked) {
        marked.delete(id)
        current = id
        again = false
        await compile(id, mattering.has(id))
        current = undefined
        if (!again) mattering.delete(id)
        await slice()
      }
    }
    busy = false
    compiled()
  }
  const add = (ids: Iterable<string>) => {
    for (const id of ids) {
      marked.add(id)
      mattering.add(id)
      if (id === current) again = true
    }
  }
  const schedule = (settleMs: number) => {
    if (marked.size === 0 && !meshMoved) return
    if (settling && settleMs === 0) {
      settling()
      settling = undefined
      setImmediate(look)
    }
    if (busy && !isParked) return
    busy = true
    isParked = false
    const pause = settleMs > 0 ? Math.max(0, settledAt - now()) : 0
    settledAt = now() + pause + settleMs
    if (pause > 0) settling = clock.after(pause, look)
    else setImmediate(look)
  }
  return {
    ids: mattering,
    idle: () => !busy,
    mark(ids, settleMs = 0) {
      add(ids)
      schedule(settleMs)
    },
    markMesh() {
      meshMoved = true
      schedule(portsSettleMs)
    },
    markMoved(ids) {
      add(ids)
      schedule(0)
    },
    markLearned(ids) {
      for (const id of ids) marked.add(id)
      schedule(0)
    },
  }
}
