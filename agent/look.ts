/** One look at the node: what it is, what it should be, and the next step from here to there. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import { removeSurplus, returnedEnds } from './interfaces.ts'
import { deviceTo } from './machine/checksums.ts'
import { readMachine } from './machine/machine.ts'
import { hasEnded } from './machine/process.ts'
import { nowHere } from './machine/record-file.ts'
import { tlsFault } from './machine/tls-files.ts'
import type { Machine } from './node/devices.ts'
import { physical } from './node/record.ts'
import { exhausted } from './node/stock.ts'
import { contradictions, underlay } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { databaseOf, type Parts } from './parts.ts'
import { aimOf, isRestoring, type Snapshot, stockOf, troubles, wanted } from './snapshot.ts'
import { diff } from './switch/diff.ts'

export async function look(parts: Parts): Promise<void> {
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
  await parts.releaseFlows(copy, isRestoring(copy, nowHere(), hasEnded))
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
  const restoring = isRestoring(copy, nowHere(), hasEnded)
  // It may end without a word.
  if (restoring) parts.queue.within(2_000)
  return {
    plan,
    copy,
    datapath,
    underlay: where(placed),
    stock: stockOf(plan, copy, devices, returnedEnds(plan, devices)),
    devices,
    restoring,
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
