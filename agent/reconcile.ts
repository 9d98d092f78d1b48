/**
 * The loop of a node: looks at the plan, the database and the devices, and does what is missing. Every event (a new plan, a
 * row, a device, a timer) only means: look again.
 */

import { hostname } from 'node:os'
import type { NodePlan, NodeReport } from '../api/contract/node-schemas.ts'
import { createDatapathChoice } from './datapath.ts'
import { createFlowRestore } from './flow-restore.ts'
import { createInterfaces, type Interfaces, removeSurplus, returnedEnds } from './interfaces.ts'
import type { Log } from './log.ts'
import { deviceTo } from './machine/checksums.ts'
import { readMachine, watchMachine } from './machine/machine.ts'
import { machineId, nowHere, recordFile } from './machine/record-file.ts'
import type { TcpPlace } from './machine/tcp.ts'
import { tlsFault } from './machine/tls-files.ts'
import type { Machine } from './node/devices.ts'
import { physical } from './node/record.ts'
import { exhausted } from './node/stock.ts'
import { contradictions, underlay } from './node/underlay.ts'
import { type Ovsdb, openOvsdb } from './ovsdb/ovsdb.ts'
import type { Database } from './ovsdb/schema.ts'
import { createPending } from './pending.ts'
import { type Reconnect, watchControllers } from './reconnect.ts'
import { type Health, report } from './report.ts'
import { aimOf, type Snapshot, stockOf, troubles, wanted } from './snapshot.ts'
import { bridgeNamed, mark } from './switch/desired.ts'
import { diff } from './switch/diff.ts'
import { reconnection } from './switch/target.ts'
import { createUplink, type Uplink } from './uplink.ts'
import { createWorkQueue, type WorkQueue } from './work-queue.ts'

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

export type Reconcile = {
  setPlan(plan: NodePlan): void
  /** The controller was unreachable and answers again. */
  controllerReturned(): void
  health(): Health
  /** Undefined while there is nothing to report yet. */
  report(): NodeReport | undefined
  /** Resolves when no step is under way any more. Leaves everything as it is. */
  close(): Promise<void>
}

/** What the loop remembers between two looks. */
type Memory = {
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

type Parts = {
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

export function createReconcile(options: ReconcileOptions): Reconcile {
  const { log, changed } = options
  const parts = assemble(options)
  const { memory, ovsdb, queue, reconnect, uplink, pending } = parts
  // Routing daemons may change routes all the time.
  const look = (what: string) => (what === 'route' ? queue.within(500) : queue.soon())
  const machine = watchMachine(look, why => log.warn({}, why))
  queue.soon()
  const health = (): Health => {
    const { faults, busy } = memory
    const words = (list: Iterable<string>) => [...list].slice(0, 100).map(text => text.slice(0, 500))
    const warnings = words([...memory.warnings, ...memory.unread])
    const said = warnings.length > 0 ? { warnings } : {}
    if (faults.length > 0) return { state: 'failing', reasons: words(faults), ...said }
    return { state: busy || !pending.isEmpty() ? 'working' : 'ok', reasons: [], ...said }
  }
  return {
    setPlan(next) {
      if (next.version === memory.plan?.version) return
      memory.plan = next
      memory.busy = true
      uplink.forget()
      queue.soon()
      changed()
    },
    controllerReturned: () => reconnect.hurry(),
    health,
    report: () => reportNow(parts, health()),
    async close() {
      machine.close()
      reconnect.close()
      await queue.close()
      ovsdb.close()
    },
  }
}

function assemble(options: ReconcileOptions): Parts {
  const { socket, log, counters, changed } = options
  const memory: Memory = {
    ...{ plan: undefined, last: undefined, settled: undefined },
    ...{ faults: ['the node was not looked at yet'], warnings: [], unread: new Set(), busy: true },
  }
  const queue = createWorkQueue(() => look(parts), {
    failed: error => {
      memory.faults = [error.message]
      counters.failed()
      log.error({}, error.message)
    },
    ended: seconds => {
      counters.looked(seconds)
      changed()
    },
  })
  const ovsdb = openOvsdb({
    path: socket,
    unread: why => {
      if (memory.unread.size > 20 || memory.unread.has(why)) return
      memory.unread = new Set([...memory.unread, why])
      log.warn({}, `a row of the database can not be read, and is ignored: ${why}`)
    },
    changed: () => {
      queue.soon()
      reconnect.look(controllersOf(parts))
      changed()
    },
  })
  const reconnect = watchControllers(async controllers => {
    const targets = controllers.map(({ target }) => target)
    log.info({ targets }, 'a controller answers: the switch connects to it now')
    await ovsdb.transact(reconnection(controllers))
  })
  const parts: Parts = {
    ...{ options, memory, ovsdb, queue, reconnect, pending: createPending(), ...createDatapathChoice() },
    interfaces: createInterfaces(queue.within),
    uplink: createUplink({
      ...{ log, controller: options.controller, moved: reconnect.hurry, later: queue.within },
      file: node => recordFile(options.state, node, socket),
    }),
    releaseFlows: createFlowRestore(ovsdb, words => log.warn({}, words), queue.within),
  }
  return parts
}

const databaseOf = ({ ovsdb }: Parts): Database | undefined => {
  const state = ovsdb.state()
  return state.is === 'live' ? state.database : undefined
}

/** The controllers of our bridge, as the database has them. */
const controllersOf = (parts: Parts) => {
  const copy = databaseOf(parts)
  const { plan } = parts.memory
  const bridge = copy && plan && bridgeNamed(copy, plan.bridge)
  if (!bridge || bridge.external_ids[mark] !== bridge.name) return []
  return bridge.controller.flatMap(uuid => copy.Controller.get(uuid) ?? [])
}

async function look(parts: Parts): Promise<void> {
  const { memory, ovsdb, options, uplink } = parts
  const state = ovsdb.state()
  const copy = state.is === 'live' ? state.database : undefined
  // Another one may come meanwhile: that is the next look's.
  const { plan } = memory
  const node = options.node ?? plan?.node
  const seen = await readMachine()
  // Before anything else: a node that is cut off gets no plan, and can not be told what is wrong.
  const machine = node === undefined ? seen : await uplink.keep(node, seen, copy)
  if (!copy) {
    const why = state.is === 'connecting' ? state.why : state.is
    memory.faults = [`the database of Open vSwitch at ${options.socket} can not be reached: ${why}`]
    return
  }
  await parts.releaseFlows(copy)
  if (!plan) {
    memory.faults = ['no plan yet']
    return prepare(parts, copy, machine)
  }
  const snapshot = await takeSnapshot(parts, plan, copy, machine)
  if (isCarriedOut(parts, copy)) await carryOut(parts, snapshot)
}

/** The controller may be on a node whose Open vSwitch reads packets in userspace: without checksums it would hear nothing. */
async function prepare({ options, uplink, kernel }: Parts, copy: Database, machine: Machine): Promise<void> {
  const { controller, node } = options
  if (!controller || node === undefined || uplink.record() || (await kernel(copy))) return
  const device = await deviceTo(controller.host)
  if (device !== undefined && device !== physical) await uplink.prepare(node, device, machine)
}

async function takeSnapshot(parts: Parts, plan: NodePlan, copy: Database, machine: Machine): Promise<Snapshot> {
  const { uplink, datapathOf } = parts
  const datapath = await datapathOf(plan, copy)
  const where = (now: Machine) => underlay(plan.underlay.address, datapath === 'netdev', now, copy, uplink.record())
  const placed = await uplink.place(plan, where(machine), copy, machine)
  const { devices } = placed
  return {
    plan,
    copy,
    datapath,
    underlay: where(placed),
    stock: stockOf(plan, copy, devices, returnedEnds(plan, devices)),
    devices,
    now: nowHere(),
  }
}

/** Whether ovs-vswitchd has done what it was told last: it would take two changes at once for none. */
function isCarriedOut({ pending, memory, queue }: Parts, copy: Database): boolean {
  const state = pending.look(copy)
  if (state.is === 'waiting') queue.within(state.wait)
  if (state.is === 'late') memory.faults = ['ovs-vswitchd does not carry out what the database says: does it run?']
  return state.is === 'done'
}

async function carryOut(parts: Parts, seen: Snapshot): Promise<void> {
  const { memory, uplink, queue, options } = parts
  const { plan, copy, underlay: below } = seen
  const made = await parts.interfaces.keep(seen)
  const snapshot: Snapshot = { ...seen, devices: made.devices }
  const noTls = tlsFault(plan.tls, options.tlsFolder)
  const aim = wanted(snapshot, uplink.fault() === undefined)
  const difference = diff(noTls === undefined ? aim : { ...aim, tls: undefined }, copy, plan.bridge)
  say(parts, snapshot, [...made.changes, ...difference.changes])
  memory.last = snapshot
  const missing = [...(below.is === 'missing' ? [below.why] : []), uplink.fault(), noTls].filter(
    why => why !== undefined,
  )
  memory.warnings = [exhausted(plan.interfaces, snapshot.stock)].filter(why => why !== undefined)
  memory.faults = [
    ...missing,
    ...contradictions(plan, below),
    ...made.faults,
    ...difference.faults,
    ...troubles(plan, copy),
  ].slice(0, 100)
  if (difference.operations.length > 0) {
    await parts.ovsdb.transact(difference.operations)
    parts.pending.wrote(databaseOf(parts) ?? copy)
    options.counters.transaction()
  } else if (made.changes.length === 0) {
    const removed = await removeSurplus(snapshot)
    if (removed.length > 0) options.log.info({}, `${removed.join(' ')} removed: not needed any more`)
    else {
      if (difference.faults.length === 0) memory.settled = aimOf(snapshot)
      memory.busy = false
      return
    }
  }
  // What was done is looked at before the rest is done: pairs without ports go, ports that were removed come back.
  queue.soon()
}

/** Logs changes. Those that neither a plan nor a pod has caused are warnings. */
function say({ memory, options: { log, counters } }: Parts, snapshot: Snapshot, changes: readonly string[]): void {
  if (changes.length === 0) return
  memory.busy = true
  const repairs = memory.settled === aimOf(snapshot)
  if (repairs) counters.repaired(changes.length)
  for (const change of changes.slice(0, 20)) {
    if (repairs) log.warn({}, `put right: ${change}`)
    else log.info({}, change)
  }
  if (changes.length > 20) log.info({}, `and ${changes.length - 20} more`)
}

function reportNow(parts: Parts, health: Health): NodeReport | undefined {
  const copy = databaseOf(parts)
  const { last } = parts.memory
  if (!copy || !last) return undefined
  const { underlay: below, stock, plan, datapath } = last
  const device = below.is === 'missing' ? below.record?.device : below.device
  return report({
    ...{
      plan,
      database: copy,
      datapath,
      health,
      used: new Set([...stock.live, ...stock.stale]),
      version: parts.options.version,
      time: new Date(),
    },
    ...{ machine: machineId(), host: hostname() },
    underlay: { ...(below.is !== 'missing' && { mtu: below.mtu }), ...(device !== undefined && { device }) },
  })
}
