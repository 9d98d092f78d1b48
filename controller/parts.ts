import type { Listener } from '../openflow/server.ts'
import type { Store } from '../store/store.ts'
import type { VlanRange } from '../store/vlans.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Away } from './away.ts'
import type { Discovery } from './discover.ts'
import type { KnownFabric } from './fabric.ts'
import type { Learning } from './learning.ts'
import type { Moving } from './moving.ts'
import type { Multicast } from './multicast.ts'
import type { Planned } from './planned.ts'
import type { Log, Reconciler, Switch } from './reconcile.ts'
import type { StaleNetworks } from './stale.ts'
import type { Status } from './status.ts'
import type { Tables } from './tables.ts'
import type { Tunnels } from './tunnels.ts'
import type { Record as Counts } from './view.ts'
import type { Waiting } from './waiting.ts'

export type ControllerOptions = {
  readonly store: Store
  readonly listeners: readonly Listener[]
  readonly record: Counts
  readonly log: Log
  /** VLANs that networks may have on plain links between switches. */
  readonly vlanRange?: VlanRange | undefined
  /** The store is all there is: switches that hold another store's flows may be cleaned. */
  readonly adopt?: boolean
  /** Flows and groups that are not ours are removed from every switch that connects. */
  readonly takeover?: boolean
}

/** What the parts of the shell share. */
export type Parts = ControllerOptions & {
  readonly switches: Map<DatapathId, Switch>
  readonly fabric: KnownFabric
  readonly tables: Tables
  readonly stale: StaleNetworks
  readonly waiting: Waiting
  readonly learner: Learning
  readonly multicast: Multicast
  readonly reconciler: Reconciler
  readonly discover: Discovery
  readonly moving: Moving
  readonly away: Away
  readonly planned: Planned
  readonly tunnels: Tunnels
  status(): Status
  /** Sets a switch's loop going. */
  start(sw: Switch): void
}
