// What the loops of the switches ask of everybody else.
import type { Store } from '../store/store.ts'
import { type DatapathId, endpointKey } from '../topology/topology.ts'
import type { Clock } from './clock/clock.ts'
import { base } from './compile/default-flows.ts'
import type { Tables } from './compile/tables.ts'
import type { Learning } from './learning/learning.ts'
import type { KnownFabric } from './links/fabric.ts'
import type { Multicast } from './multicast/multicast.ts'
import type { Reading } from './switch/content.ts'
import type { Reconciler } from './switch/reconciler.ts'
import { isRetained } from './switch/retained.ts'
import { type Switch, touch } from './switch/state.ts'

type Arguments = Pick<Reconciler, 'metrics' | 'emit' | 'fresh' | 'progress' | 'proof'> & {
  readonly store: Store
  readonly tables: Tables
  readonly fabric: KnownFabric
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly learner: Learning
  readonly snooping: Multicast
  readonly clock: Clock
  /** What else a reading says: of ports that are cut off, or where they should not be. */
  recall(dpid: DatapathId, reading: Reading): void
  /** What this switch can do has become another: its networks are compiled again. */
  recompile(dpid: DatapathId): void
  /** Sets a switch's loop going. */
  start(sw: Switch): void
}

/** It cannot hold such a meter; not that it has one that we did not know of, or lacks one. */
const meterRefused = /METER_MOD_FAILED\/(?!METER_EXISTS|UNKNOWN_METER)/

export function newReconciler(args: Arguments): Reconciler {
  const { store, tables, fabric, switches, learner, snooping, clock, metrics, emit, fresh, progress, proof } = args
  /** Switches that keep something of these networks until all of its members are read. */
  const retaining = function* (dpid: DatapathId): Iterable<readonly [number, Switch]> {
    for (const id of tables.at(dpid)) {
      const number = tables.numberOf(id)
      if (number === undefined) continue
      for (const member of tables.compiled.get(number)?.members ?? []) {
        const other = switches.get(member)
        if (other && member !== dpid && other.retaining.has(number)) yield [number, other]
      }
    }
  }
  return {
    ...{ metrics, emit, fresh, progress, proof },
    instance: store.instance,
    base: dpid => base(store.instance, fabric.switchFacts(dpid)),
    complete: () => store.state().complete,
    compiled: () => tables.compiled,
    *at(dpid) {
      for (const id of tables.at(dpid)) yield tables.numberOf(id)!
    },
    learnt(sw, reading) {
      learner.recall(sw, reading)
      snooping.recall(sw, reading)
      args.recall(sw.dpid, reading)
    },
    refused(session, words) {
      if (!meterRefused.test(words) || !fabric.meterRefused(session, words)) return
      emit({ kind: 'switch-limit', dpid: session.dpid, what: `has no limits for ports: it refused a meter, ${words}` })
      args.recompile(session.dpid)
    },
    wasKnown({ dpid, session }) {
      const { discoveredFrom } = store.state()
      for (const port of session?.ports().keys() ?? []) if (discoveredFrom.has(endpointKey({ dpid, port }))) return true
      return false
    },
    firstRead(sw) {
      for (const [number, other] of retaining(sw.dpid)) {
        other.retaining.delete(number)
        touch(other, number, 'all')
        args.start(other)
      }
    },
    isRetained: (dpid, item) => isRetained({ switches, tables, fabric, store }, dpid, item),
    later(sw, again) {
      sw.retries += 1
      const pause = Math.min(60_000, 500 * 2 ** sw.retries) * (0.75 + Math.random() / 2)
      clock.after(pause, again)
    },
    soon: again => void clock.after(1000, again),
  }
}
