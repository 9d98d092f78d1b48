// Takes networks from one route to another, step by step, as the switches confirm them (lanes.ts says which steps).
import type { Store } from '../store/store.ts'
import type { DatapathId } from '../topology/topology.ts'
import { goal } from './lanes.ts'
import type { Switch } from './reconcile.ts'
import type { StaleNetworks } from './stale.ts'
import type { Compiled, Tables } from './tables.ts'

export type Moving = {
  /** Something was confirmed, or a switch came or went. */
  look(): void
  stop(): void
}

type Arguments = {
  readonly store: Store
  readonly tables: Tables
  readonly stale: StaleNetworks
  readonly switches: ReadonlyMap<DatapathId, Switch>
  /** Milliseconds of a clock that never jumps. */
  now(): number
  failed(error: unknown): void
}

export function moving({ store, tables, stale, switches, now, failed }: Arguments): Moving {
  const writing = new Set<number>()
  const timers = new Map<number, NodeJS.Timeout>()

  /** A timer may fire a little before its time by the clock that never jumps: then it is set again. */
  const lookAt = (number: number, when: number) => {
    if (timers.has(number)) return
    const timer = setTimeout(
      () => {
        timers.delete(number)
        look()
      },
      Math.max(1, when - now()),
    )
    timers.set(number, timer)
  }
  const step = (number: number, at: Compiled) => {
    const stepped = tables.step(number, isConfirmed(at, number, switches), now())
    const course = stepped ?? at.course
    if (course.is === 'draining' && course.until !== undefined) lookAt(number, course.until)
    else if (stepped) stale.markMoved([at.network.id])
  }
  /** The epoch is on disk before frames enter it: a restart goes on where they are. */
  const remember = (number: number, at: Compiled) => {
    if (writing.has(number)) return
    writing.add(number)
    store
      .write(draft => draft.setEpoch(at.network.id, goal(at.course).epoch))
      .catch(failed)
      .finally(() => writing.delete(number))
  }
  const look = () => {
    for (const number of tables.moving) {
      const at = tables.compiled.get(number)
      if (!at || stale.ids.has(at.network.id)) continue
      const entering = at.course.is === 'preparing' && isConfirmed(at, number, switches)
      const written = store.state().networks.get(at.network.id)?.epoch ?? 0
      if (entering && written !== goal(at.course).epoch) remember(number, at)
      else step(number, at)
    }
    const back: string[] = []
    for (const [number, dpids] of tables.strays)
      for (const dpid of dpids) {
        if (!switches.get(dpid)?.serials.has(number) || !tables.returned(number, dpid)) continue
        const id = tables.compiled.get(number)?.network.id
        if (id !== undefined) back.push(id)
      }
    stale.markMoved(back)
  }
  return {
    look,
    stop() {
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}

/** All switches that can be told have confirmed the last change of the course. */
function isConfirmed({ course, datapaths }: Compiled, number: number, switches: Arguments['switches']): boolean {
  for (const dpid of datapaths) {
    const sw = switches.get(dpid)
    if (!sw?.session || sw.standing.is === 'unsafe' || sw.standing.is === 'unadopted') continue
    if ((sw.serials.get(number) ?? 0) < course.serial) return false
  }
  return true
}
