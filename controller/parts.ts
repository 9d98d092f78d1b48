import type { Limits } from '../openflow/session/limits.ts'
import type { Listener, Log } from '../openflow/session/server.ts'
import type { Store } from '../store/store.ts'
import type { VlanRange } from '../store/vlans.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Clock } from './clock/clock.ts'
import type { Tables } from './compile/tables.ts'
import type { CompileQueue } from './compile-queue.ts'
import type { Departures } from './departures.ts'
import type { Facts } from './facts.ts'
import type { FormerMembers } from './former-members.ts'
import type { Learning } from './learning/learning.ts'
import type { MeterReadings } from './limits/meter-readings.ts'
import type { Discovery } from './links/discovery.ts'
import type { KnownFabric } from './links/fabric.ts'
import type { Planned } from './links/planned-links.ts'
import type { Tunnels } from './links/tunnel-status.ts'
import type { Unreachable } from './links/unreachable.ts'
import type { Loops } from './loops/loops.ts'
import type { Multicast } from './multicast/multicast.ts'
import type { readiness } from './readiness.ts'
import type { RolloutLoop } from './rollout-loop.ts'
import type { ProofOfChanges, Prove, Reconciler } from './switch/reconciler.ts'
import type { Lacking, Switch } from './switch/state.ts'
import type { Emit } from './view/event.ts'
import type { Record as Metrics } from './view/view.ts'
import type { Waiting } from './waiters.ts'
import type { WriteTimes } from './write-times.ts'

export type ControllerOptions = {
  readonly store: Store
  readonly listeners: readonly Listener[]
  /** What is counted of messages: of what happens, `emit` is told. */
  readonly metrics: Metrics
  readonly emit: Emit
  /** For what is of use when OpenFlow itself is looked into. */
  readonly log: Log
  /** VLANs that networks may have on plain links between switches. */
  readonly vlanRange?: VlanRange | undefined
  /** The store is all there is: switches that hold another store's flows may be cleaned. */
  readonly adopt?: boolean
  /** Flows and groups that are not ours are removed from every switch that connects. */
  readonly takeover?: boolean
  /** Whether changes are proved before they are sent, and what becomes of those that would break isolation. Default `off`. */
  readonly prove?: Prove
  /** Other than the machine's, for tests. Sessions have a clock of their own. */
  readonly clock?: Clock
  /** What sessions may cost, and how long they wait, where that is not as usual. */
  readonly limits?: Partial<Limits>
}

/** What the parts of the shell share. */
export type Parts = ControllerOptions & {
  readonly switches: Map<DatapathId, Switch>
  readonly lacking: Lacking
  readonly fabric: KnownFabric
  readonly tables: Tables
  readonly compileQueue: CompileQueue
  readonly waiting: Waiting
  readonly learner: Learning
  readonly multicast: Multicast
  readonly reconciler: Reconciler
  readonly discover: Discovery
  /** Who has left a network lately. */
  readonly formerMembers: FormerMembers
  readonly rolloutLoop: RolloutLoop
  readonly unreachable: Unreachable
  readonly planned: Planned
  readonly tunnels: Tunnels
  readonly times: WriteTimes
  readonly meters: MeterReadings
  readonly readiness: ReturnType<typeof readiness>
  readonly loops: Loops
  readonly departures: Departures
  readonly proof: (ProofOfChanges & { stop(): void }) | undefined
  status(): Facts
  /** Sets a switch's loop going. */
  start(sw: Switch): void
}
