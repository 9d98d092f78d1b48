/** What the loop of a node consists of, and what it remembers between two looks. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { createDatapathChoice } from './datapath.ts'
import type { createFlowRestore } from './flow-restore.ts'
import type { Interfaces } from './interfaces.ts'
import type { Log } from './log.ts'
import type { TcpPlace } from './machine/tcp.ts'
import type { Ovsdb } from './ovsdb/ovsdb.ts'
import type { Database } from './ovsdb/schema.ts'
import type { createPending } from './pending.ts'
import type { Reconnect } from './reconnect.ts'
import type { Snapshot } from './snapshot.ts'
import { bridgeNamed, mark } from './switch/desired.ts'
import type { Uplink } from './uplink.ts'
import type { WorkQueue } from './work-queue.ts'

/** Counts what happens. */
export type Counters = {
  looked(seconds: number): void
  transaction(): void
  /** Something differed from the plan, although the plan was the same and no pod came or went. */
  repaired(changes: number): void
  failed(): void
}

export type ReconcileOptions = {
  /** Of the database's Unix socket. */
  readonly socket: string
  readonly version: string
  /** What this node is called, if that is known without a plan. */
  readonly node: string | undefined
  /** The folder for what the agent keeps itself. */
  readonly state: string
  /** Below it are the TLS files that a plan may name. */
  readonly tlsFolder: string
  /** Whom the plan comes from. */
  readonly controller: TcpPlace | undefined
  readonly log: Log
  readonly counters: Counters
  /** Called when something that a report says may have changed. */
  readonly changed: () => void
}

/** What the loop remembers between two looks. */
export type Memory = {
  plan: NodePlan | undefined
  last: Snapshot | undefined
  faults: readonly string[]
  /** What somebody should know although all is as planned. */
  warnings: readonly string[]
  /** Rows of the database that could not be read. */
  unread: ReadonlySet<string>
  busy: boolean
  /** What was carried out in full. If the aim is still this one, whatever differs was changed by somebody else. */
  settled: string | undefined
}

export type Parts = {
  readonly options: ReconcileOptions
  readonly memory: Memory
  readonly ovsdb: Ovsdb
  readonly queue: WorkQueue
  readonly reconnect: Reconnect
  readonly uplink: Uplink
  readonly interfaces: Interfaces
  readonly pending: ReturnType<typeof createPending>
  readonly releaseFlows: ReturnType<typeof createFlowRestore>
  readonly datapathOf: ReturnType<typeof createDatapathChoice>['datapathOf']
  readonly kernel: ReturnType<typeof createDatapathChoice>['kernel']
}

export const databaseOf = ({ ovsdb }: Parts): Database | undefined => {
  const state = ovsdb.state()
  return state.is === 'live' ? state.database : undefined
}

/** The controllers of our bridge, as the database has them. */
export const controllersOf = (parts: Parts) => {
  const copy = databaseOf(parts)
  const { plan } = parts.memory
  const bridge = copy && plan && bridgeNamed(copy, plan.bridge)
  if (!bridge || bridge.external_ids[mark] !== bridge.name) return []
  return bridge.controller.flatMap(uuid => copy.Controller.get(uuid) ?? [])
}
