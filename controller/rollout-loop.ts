// Takes networks from one route to another, step by step, as the switches confirm them (path versions.ts says which steps).

import type { Store } from '../store/store.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Cancel, Clock } from './clock/clock.ts'
import { type Confirmation, due, goal, keeps, persisted } from './compile/rollout.ts'
import type { Compiled, Tables } from './compile/tables.ts'
import type { CompileQueue } from './compile-queue.ts'
import { has, type Switch } from './switch/state.ts'

/** Milliseconds until a write that failed is tried again. */
const retryMs = 1000

export type RolloutLoop = {
  /** Something was confirmed, or a switch came or went. @param numbers Of these networks alone. */
  look(numbers?: readonly number[]): void
  stop(): void
}

type Arguments = {
  readonly store: Store
  readonly tables: Tables
  readonly compileQueue: CompileQueue
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly clock: Clock
  failed(error: unknown): void
}

export function newRolloutLoop({ store, tables, compileQueue, switches, clock, failed }: Arguments): RolloutLoop {
  const writing = new Set<number>()
  const timers = new Map<number, Cancel>()
  const retries = new Set<Cancel>()
  let stopped = false

  /** A timer may fire a little before its time by the monotonic clock: then it is set again. */
  const lookAt = (number: number, when: number) => {
    // What it waited for may come earlier now.
    timers.get(number)?.()
    const due = clock.after(Math.max(1, when - clock.now()), () => {
      timers.delete(number)
      look()
    })
    timers.set(number, due)
  }
  /** Until then the network is left as it is: to ask a store again at once that can't write would be all we do. */
  const retryAt = (number: number) => {
    if (stopped) return
    const retry = clock.after(retryMs, () => {
      retries.delete(retry)
      writing.delete(number)
      look()
    })
    retries.add(retry)
  }
  const step = (number: number, at: Compiled, confirmation: Confirmation) => {
    const stepped = tables.step(number, confirmation)
    // What waits for a switch is looked at when one connects, or a link fails.
    const when = confirmation === 'waits' && !stepped ? undefined : due(stepped ?? at.rollout)
    if (when !== undefined) lookAt(number, when)
    if (stepped && stepped.serial !== at.rollout.serial) compileQueue.markMoved([at.network.id])
  }
  const lookAtOne = (number: number, at: Compiled) => {
    const network = store.state().networks.get(at.network.id)
    if (!network || writing.has(number)) return
    // At rest there is no step to take, and nobody to ask.
    const confirmation = at.rollout.is === 'steady' ? undefined : confirmationOf(at, number, { switches, tables })
    const entering = at.rollout.is === 'preparing' && confirmation === 'confirmed'
    const kept = persisted(at.rollout, at.wanted, entering)
    if (keeps(network, kept)) return confirmation && step(number, at, confirmation)
    // What is on disk of a network's ways is ahead of what switches are told: a restart goes on from there.
    writing.add(number)
    store
      .write(draft => draft.setPathVersion(at.network.id, kept))
      .then(
        () => writing.delete(number),
        error => {
          failed(error)
          retryAt(number)
        },
      )
  }
  const look = (numbers?: readonly number[]) => {
    if (stopped) return
    for (const number of numbers?.filter(each => tables.rollingOut.has(each)) ?? tables.rollingOut) {
      const at = tables.compiled.get(number)
      if (at && !compileQueue.ids.has(at.network.id)) lookAtOne(number, at)
    }
    const back: string[] = []
    for (const number of numbers ?? tables.outdated.keys())
      for (const dpid of tables.outdated.get(number) ?? []) {
        const sw = switches.get(dpid)
        if (!sw?.networks.has(number) || !has(sw, number) || !tables.returned(number, dpid)) continue
        const id = tables.compiled.get(number)?.network.id
        if (id !== undefined) back.push(id)
      }
    compileQueue.markMoved(back)
  }
  return {
    look,
    stop() {
      stopped = true
      for (const cancel of [...timers.values(), ...retries]) cancel()
    },
  }
}

/**
 * Whether the switches that matter for the next step have confirmed the last change of the rollout: those that the new path version
 * passes, and once frames enter there, those where they do.
 */
function confirmationOf(
  { rollout, serial, datapaths }: Compiled,
  number: number,
  { switches, tables }: Pick<Arguments, 'switches' | 'tables'>,
): Confirmation {
  // A step is in force from the compile after it on.
  if (serial < rollout.serial) return 'pending'
  let confirmation: Confirmation = 'confirmed'
  const { ingressPorts, floodTree, nextHops } = goal(rollout).route
  const ways = [ingressPorts, floodTree, nextHops]
  for (const dpid of datapaths) {
    if (rollout.is === 'preparing' && !ways.some(way => way.has(dpid))) continue
    const sw = switches.get(dpid)
    if (has(sw, number, rollout.serial)) continue
    if (sw?.session && ['unsafe', 'unadopted', 'unsupported'].includes(sw.phase.is)) continue
    // Away, not read yet, or slow: its frames go on as they did. One that refuses the network keeps nobody waiting.
    const isSilent = sw?.networks.get(number)?.refused === undefined
    if (isSilent && tables.waitsFor(number, dpid)) return 'waits'
    if (sw?.session) confirmation = 'pending'
  }
  return confirmation
}
