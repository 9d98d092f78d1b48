import { isTooLarge } from '../store/overlay.ts'
import type { State } from '../store/state.ts'
import type { Store } from '../store/store.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Clock } from './clock/clock.ts'
import type { Looks, Tables } from './compile/tables.ts'
import { type CompileQueue, newCompileQueue } from './compile-queue.ts'
import type { Learning } from './learning/learning.ts'
import type { KnownFabric } from './links/fabric.ts'
import type { Usage } from './links/link-usage.ts'
import type { Multicast } from './multicast/multicast.ts'
import { inSlices, inTimedSlices } from './switch/slices.ts'
import { type Switch, touch, want } from './switch/state.ts'
import type { Emit } from './view/event.ts'
import { defectOf } from './view/recorded.ts'
import type { WriteTimes } from './write-times.ts'

type Arguments = {
  readonly store: Store
  readonly tables: Tables
  readonly fabric: KnownFabric
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly learner: Learning
  readonly snooping: Multicast
  readonly used: Usage
  readonly holdings: { compiled(number: number): void }
  readonly times: WriteTimes
  readonly clock: Clock
  readonly emit: Emit
  /** By id, networks that could not be compiled, and why. */
  readonly failed: Map<string, string>
  /** Sets a switch's loop going. */
  start(sw: Switch): void
  /** All that was queued is compiled: these networks, or if it is undefined, the mesh may be another for all of them. */
  done(networks: Iterable<string> | undefined): void
}

export function compiling(args: Arguments): CompileQueue {
  const { store, tables, fabric, switches, learner, snooping, used, holdings, times, clock, emit } = args
  const touched = new Set<Switch>()
  const looked = new Set<number>()
  const named = new Set<string>()
  let isRemeshed = false

  /** What a compile of this network means for each switch. */
  const note = (id: string, { number, at }: Looks, since: number, matters: boolean) => {
    used.compiled(number)
    holdings.compiled(number)
    const { serial = Number.POSITIVE_INFINITY, network } = tables.compiled.get(number) ?? {}
    times.compiled(number, network?.revision ?? Number.POSITIVE_INFINITY, serial)
    looked.add(number)
    if (!tables.compiled.has(number)) {
      learner.forget(number, id)
      snooping.forget(number)
    }
    for (const [dpid, items] of at) {
      const sw = switches.get(dpid)
      if (!sw) continue
      touched.add(sw)
      touch(sw, number, items)
      if (matters) want(sw, number, serial, since)
    }
    noteLost(number)
  }
  /** Entries that timed out in their switch although they are desired. */
  const noteLost = (number: number) => {
    for (const { dpid, rule, key } of learner.takeLost(number)) {
      const sw = switches.get(dpid)
      const items = tables.compiled.get(number)?.parts.get(dpid)?.get(rule)
      const item = items?.find(item => item.key === key)
      if (!sw || !item) continue
      touched.add(sw)
      touch(sw, number, new Map([[key, item]]))
    }
  }

  /** A defect of ours costs the network that it is about, and nobody else. Undefined: it could not be compiled. */
  const attempt = async (id: string) => {
    try {
      const compiled = await inTimedSlices(tables.refresh(id))
      args.failed.delete(id)
      return compiled
    } catch (error) {
      args.failed.set(id, String(error))
      emit(defectOf(`compiling network ${id}`, error))
      return undefined
    }
  }

  return newCompileQueue({
    clock,
    held: () => isTooLarge(store.state()),
    async remesh() {
      isRemeshed = true
      const isOther = await inSlices(fabric.remesh())
      for (const dpid of fabric.factsChanged()) {
        const sw = switches.get(dpid)
        if (!sw) continue
        touch(sw, 0, 'all')
        touched.add(sw)
      }
      return isOther ? store.state().networks.keys() : []
    },
    async compile(id, matters) {
      named.add(id)
      const since = firstUncompiled(store.state(), tables, id)
      const compiled = await attempt(id)
      if (!compiled) return
      const { value: refreshed, seconds } = compiled
      const changed = new Set(refreshed.flatMap(({ at }) => [...at.keys()]))
      emit({ kind: 'network-compiled', network: id, seconds, switches: changed.size })
      for (const looks of refreshed) note(id, looks, since, matters)
    },
    compiled() {
      for (const sw of touched) args.start(sw)
      touched.clear()
      // Where nothing is to be changed, nobody will confirm anything.
      for (const number of looked) times.look(number)
      looked.clear()
      args.done(isRemeshed ? undefined : named)
      named.clear()
      isRemeshed = false
    },
  })
}

/**
 * The revision of the first write to a network that switches may lack when it is compiled again. A port or a link that came makes
 * them lack the last one, though it had been programmed.
 */
function firstUncompiled({ networks, members }: State, { compiled, numberOf }: Tables, id: string): number {
  const before = compiled.get(numberOf(id) ?? 0)
  const own = networks.get(id)?.revision
  if (before) return Math.min(before.revision + 1, own ?? Number.POSITIVE_INFINITY)
  let first = own ?? 0
  for (const { revision } of members.get(id)?.values() ?? []) first = Math.min(first, revision)
  return first
}
