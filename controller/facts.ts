// What it is worked out from how far the switches are: what was asked, and what they have said.

import type { State } from '../store/state.ts'
import type { VlanRange } from '../store/vlans.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Datapaths } from './compile/local-network.ts'
import type { Tables } from './compile/tables.ts'
import type { Planned } from './links/planned-links.ts'
import type { Switch } from './switch/state.ts'

export type Facts = {
  readonly state: State
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly tables: Tables
  /** Ids of networks that wait to be compiled. */
  readonly queued: ReadonlySet<string>
  /** By id, networks that could not be compiled, and why. */
  readonly failed: ReadonlyMap<string, string>
  readonly planned: Planned
  /** By endpointKey, ports whose links were never seen to carry anything, and soon will, or be found dead. */
  readonly untried: ReadonlySet<string>
  /** What compile knows of switches: their ports, a little later than the sessions do. */
  readonly datapaths: Datapaths
  /** VLANs that networks may have on plain links. */
  readonly vlanRange: VlanRange
  /** Why a member is not let in, by placeOf: `leaving`, or the words of a loop. */
  withheldReason?(place: string): string | undefined
}
