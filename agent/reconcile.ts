/**
 * The loop of a node: looks at the plan, the database and the devices, and does what is missing. Every event (a new plan, a
 * row, a device, a timer) only means: look again.
 */

import { hostname } from 'node:os'
import type { NodePlan, NodeReport } from '../api/contract/node-schemas.ts'
import { createDatapathChoice } from './datapath.ts'
import { createFlowRestore } from './flow-restore.ts'
import { createInterfaces } from './interfaces.ts'
import { look } from './look.ts'
import { watchMachine } from './machine/machine.ts'
import { machineId, recordFile } from './machine/record-file.ts'
import { openOvsdb } from './ovsdb/ovsdb.ts'
import { controllersOf, databaseOf, type Memory, type Parts, type ReconcileOptions } from './parts.ts'
import { createPending } from './pending.ts'
import { watchControllers } from './reconnect.ts'
import { type Health, report } from './report.ts'
import { reconnection } from './switch/target.ts'
import { createUplink } from './uplink.ts'
import { createWorkQueue } from './work-queue.ts'

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

export function createReconcile(options: ReconcileOptions): Reconcile {
  const { log, changed } = options
  const parts = assemble(options)
  const { memory, ovsdb, queue, reconnect, uplink } = parts
  // Routing daemons may change routes all the time.
  const look = (what: string) => (what === 'route' ? queue.within(500) : queue.soon())
  const machine = watchMachine(look, why => log.warn({}, why))
  queue.soon()
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
    health: () => healthOf(parts),
    report: () => reportNow(parts),
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
    unread: why => ignoreRow(parts, why),
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

/** A row of another program, perhaps: told once. */
function ignoreRow({ memory, options }: Parts, why: string): void {
  if (memory.unread.size > 20 || memory.unread.has(why)) return
  memory.unread = new Set([...memory.unread, why])
  options.log.warn({}, `a row of the database can not be read, and is ignored: ${why}`)
}

/** What is wrong, or is to be known, of the node now. */
function healthOf({ memory, pending }: Parts): Health {
  const { faults, busy } = memory
  const words = (list: Iterable<string>) => [...list].slice(0, 100).map(text => text.slice(0, 500))
  const warnings = words([...memory.warnings, ...memory.unread])
  const more = warnings.length > 0 ? { warnings } : {}
  if (faults.length > 0) return { state: 'failing', reasons: words(faults), ...more }
  return { state: busy || !pending.isEmpty() ? 'working' : 'ok', reasons: [], ...more }
}

function reportNow(parts: Parts): NodeReport | undefined {
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
      health: healthOf(parts),
      used: new Set([...stock.live, ...stock.stale]),
      version: parts.options.version,
      time: new Date(),
    },
    ...{ machine: machineId(), host: hostname() },
    underlay: { ...(below.is !== 'missing' && { mtu: below.mtu }), ...(device !== undefined && { device }) },
  })
}
