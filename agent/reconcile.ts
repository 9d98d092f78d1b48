/**
 * The loop of a node: looks at the plan, the database and the devices, and does what is missing. Every event (a new plan, a
 * row, a device, a timer) only means: look again.
 */

import type { NodePlan, NodeReport } from '../api/contract/node-schemas.ts'
import { moveAddresses } from './node/addresses.ts'
import type { Device } from './node/devices.ts'
import { kernelDatapath, makePairs, readMachine, removePairs, watchMachine } from './node/machine.ts'
import { pairSteps } from './node/pairs.ts'
import type { Stock } from './node/stock.ts'
import { encapsulation, physical, type Saved, type Surroundings, type Underlay, underlay } from './node/underlay.ts'
import { type Operation, openOvsdb } from './ovsdb/ovsdb.ts'
import { type Database, setOf } from './ovsdb/schema.ts'
import { type Health, report } from './report.ts'
import { aimOf, type Sight, stockOf, troubles, wanted } from './sight.ts'
import { bridgeNamed, type Datapath, mark } from './switch/desired.ts'
import { diff } from './switch/diff.ts'
import { watchControllers } from './switch/reconnect.ts'
import { reconnection } from './switch/target.ts'
import { takeTurns } from './turns.ts'

export type Log = {
  debug(fields: object, words: string): void
  info(fields: object, words: string): void
  warn(fields: object, words: string): void
  error(fields: object, words: string): void
}

/** Counts what happens. */
export type Record = {
  looked(seconds: number): void
  transaction(): void
  /** Something was otherwise than planned, although nothing new was planned and no pod came or went. */
  repaired(changes: number): void
  failed(): void
}

export type ReconcileOptions = {
  /** Of the database's Unix socket. */
  readonly socket: string
  readonly version: string
  readonly log: Log
  readonly record: Record
  /** Something that a report tells may have changed. */
  readonly changed: () => void
}

export type Reconcile = {
  setPlan(plan: NodePlan): void
  /** The controller was away and is back. */
  controllerReturned(): void
  health(): Health
  /** Undefined while there is nothing to tell yet. */
  report(): NodeReport | undefined
  /** Resolves when no step is under way any more. Leaves everything as it is. */
  close(): Promise<void>
}

/** Milliseconds that ovs-vswitchd may hold flows back, waiting for somebody to restore them, who may have died. */
const restoring = 8_000
/** Milliseconds in which ovs-vswitchd should have carried out what the database says. */
const prompt = 5_000

export function createReconcile({ socket, version, log, record, changed }: ReconcileOptions): Reconcile {
  let plan: NodePlan | undefined
  let last: Sight | undefined
  let faults: readonly string[] = ['no look at the node yet']
  let busy = true
  /** What was carried out in full: what differs from it later, though this is the same, was changed by somebody else. */
  let settled: string | undefined
  /** The configuration that ovs-vswitchd was told last, until it has carried it out. */
  let pending: { readonly config: number; readonly since: number } | undefined
  let heldSince: number | undefined
  let remembered: Saved | undefined
  /** Why the node's addresses can not be on br-phy: not tried again until there is another plan. */
  let unbridged: string | undefined
  const kernel = new Map<string, Promise<boolean>>()

  const ovsdb = openOvsdb({
    path: socket,
    changed: () => {
      turns.soon()
      reconnect.look(controllersNow())
      changed()
    },
  })
  const database = (): Database | undefined => {
    const state = ovsdb.state()
    return state.is === 'live' ? state.database : undefined
  }
  const controllersNow = () => {
    const copy = database()
    const bridge = copy && plan && bridgeNamed(copy, plan.bridge)
    if (!bridge || bridge.external_ids[mark] !== bridge.name) return []
    return bridge.controller.flatMap(uuid => copy.Controller.get(uuid) ?? [])
  }
  const reconnect = watchControllers(async controllers => {
    log.info(
      { targets: controllers.map(({ target }) => target) },
      'a controller answers: the switch connects to it now',
    )
    await ovsdb.transact(reconnection(controllers))
  })
  const machine = watchMachine(
    () => turns.soon(),
    why => log.warn({}, why),
  )

  const look = async (): Promise<void> => {
    const state = ovsdb.state()
    if (state.is !== 'live') {
      faults = [
        `the database of Open vSwitch at ${socket} is not there: ${state.is === 'connecting' ? state.why : state.is}`,
      ]
      return
    }
    const copy = state.database
    await releaseFlows(copy)
    if (!plan) {
      faults = ['no plan yet']
      return
    }
    const seen = await readMachine()
    const datapath = await datapathFor(plan, copy)
    const below = underlay(plan.underlay.address, datapath === 'netdev', seen, copy, plan.bridge, remembered)
    if (below.is === 'bridged') remembered = below.saved
    // Before anything else: a node that is cut off can't be told what is wrong.
    if (below.is === 'bridged') await place(plan, below.saved, copy, seen)
    if (carriedOut(copy)) await carryOut(plan, copy, datapath, below, seen)
  }

  const carryOut = async (
    current: NodePlan,
    copy: Database,
    datapath: Datapath,
    below: Underlay,
    seen: Surroundings,
  ): Promise<void> => {
    const shelf = stockOf(current, copy, seen.devices)
    const made = await keepPairs(current, shelf, datapath, below, seen.devices)
    const sight: Sight = { plan: current, copy, datapath, below, shelf, devices: made.devices }
    const difference = diff(wanted(sight, unbridged === undefined, Date.now()), copy, current.bridge)
    tell(sight, [...made.changes, ...difference.changes])
    last = sight
    const missing = [...(below.is === 'missing' ? [below.why] : []), ...(unbridged === undefined ? [] : [unbridged])]
    faults = [...missing, ...difference.faults, ...troubles(current, copy)].slice(0, 100)
    if (difference.operations.length > 0) {
      await ovsdb.transact(difference.operations)
      const [root] = (database() ?? copy).Open_vSwitch.values()
      pending = { config: root!.next_cfg, since: performance.now() }
      record.transaction()
    } else if (made.changes.length === 0 && !(await removeSurplus(sight))) {
      if (difference.faults.length === 0) settled = aimOf(sight)
      busy = false
      return
    }
    // What was done is seen before what is left: pairs without ports go, ports that were removed come back.
    turns.soon()
  }

  /** ovs-vswitchd holds flows back while somebody restores them; if that takes too long, that somebody is gone. */
  const releaseFlows = async (copy: Database): Promise<void> => {
    const [root] = copy.Open_vSwitch.values()
    if (root?.other_config['flow-restore-wait'] !== 'true') {
      heldSince = undefined
      return
    }
    heldSince ??= performance.now()
    const left = restoring - (performance.now() - heldSince)
    if (left > 0) return turns.within(left)
    log.warn(
      {},
      `flow-restore-wait has been set for ${restoring / 1000} s: cleared, so that the switch takes flows again`,
    )
    await ovsdb.transact([release])
  }

  /** Whether ovs-vswitchd has done what it was told last. Two changes in one step could be none to it. */
  const carriedOut = (copy: Database): boolean => {
    const [root] = copy.Open_vSwitch.values()
    if (pending === undefined || !root || root.cur_cfg >= pending.config) {
      pending = undefined
      return true
    }
    const left = prompt - (performance.now() - pending.since)
    if (left > 0) turns.within(left)
    else faults = ['ovs-vswitchd does not carry out what the database says: does it run?']
    return false
  }

  const datapathFor = async ({ bridge, openvswitch }: NodePlan, copy: Database): Promise<Datapath> => {
    if (openvswitch.datapath !== 'auto') return openvswitch.datapath === 'kernel' ? 'system' : 'netdev'
    const actual = bridgeNamed(copy, bridge)
    // Another datapath would be another switch, without flows: it is not changed for a module that was loaded later.
    if (actual) return actual.datapath_type === 'netdev' ? 'netdev' : 'system'
    const offered = [...copy.Open_vSwitch.values()][0]?.datapath_types ?? []
    const key = offered.join()
    if (!kernel.has(key)) kernel.set(key, kernelDatapath(offered))
    return (await kernel.get(key)) ? 'system' : 'netdev'
  }

  const place = async (current: NodePlan, saved: Saved, copy: Database, seen: Surroundings): Promise<void> => {
    const bridge = seen.devices.get(physical)
    const ours = bridgeNamed(copy, physical)?.external_ids[mark] === current.bridge
    // Without ovs-vswitchd it is there and leads nowhere.
    const leads = bridge !== undefined && (bridge.carrier || !bridge.up)
    const target = ours && leads && unbridged === undefined ? physical : saved.device
    const careful = settled === undefined ? current : undefined
    const say = (commands: readonly string[]) => log.info({ commands }, `the node's addresses go to ${target}`)
    const moved = await moveAddresses(saved, target, seen, careful, say)
    if (moved.is === 'put back') {
      unbridged = `the node's addresses can not be on ${physical}, and are on ${saved.device} again: ${moved.why}`
      log.error({}, unbridged)
      turns.soon()
    } else if (moved.is === 'moved') {
      if (moved.but !== undefined) log.error({}, moved.but)
      reconnect.hurry()
    }
  }

  const keepPairs = async (
    { interfaces, underlay: { address, mtu: planned } }: NodePlan,
    shelf: Stock,
    datapath: Datapath,
    below: Underlay,
    devices: ReadonlyMap<string, Device>,
  ) => {
    const whole = planned ?? (below.is === 'missing' ? undefined : below.mtu)
    // Nobody knows how long a frame may be, and nobody is to be told a wrong length.
    if (whole === undefined) return { devices, changes: [] }
    const mtu = whole - encapsulation(address)
    const steps = pairSteps(interfaces, shelf, devices, mtu)
    if (steps.changes.length === 0) return { devices, changes: [] }
    await makePairs(steps, mtu, datapath === 'netdev')
    return { devices: (await readMachine()).devices, changes: steps.changes }
  }

  /** Answers whether there were any. */
  const removeSurplus = async ({ plan: { interfaces }, copy, shelf, devices }: Sight): Promise<boolean> => {
    const { surplus } = pairSteps(interfaces, shelf, devices, 0)
    const ports = new Set([...copy.Port.values()].map(port => port.name))
    const loose = surplus.filter(name => !ports.has(name))
    if (loose.length > 0) log.info({}, `${loose.join(' ')} removed: not needed any more`)
    await removePairs(loose)
    return loose.length > 0
  }

  /** What nobody planned and no pod did is told as a warning. */
  const tell = (sight: Sight, changes: readonly string[]) => {
    if (changes.length === 0) return
    busy = true
    const repairs = settled === aimOf(sight)
    if (repairs) record.repaired(changes.length)
    for (const change of changes.slice(0, 20)) {
      if (repairs) log.warn({}, `put right: ${change}`)
      else log.info({}, change)
    }
    if (changes.length > 20) log.info({}, `and ${changes.length - 20} more`)
  }

  const turns = takeTurns(look, {
    failed: error => {
      faults = [error.message]
      record.failed()
      log.error({}, error.message)
    },
    ended: seconds => {
      record.looked(seconds)
      changed()
    },
  })
  turns.soon()

  const health = (): Health => {
    if (faults.length > 0) return { state: 'failing', reasons: faults.map(fault => fault.slice(0, 500)) }
    return { state: busy || pending !== undefined ? 'working' : 'ok', reasons: [] }
  }
  return {
    setPlan(next) {
      if (next.version === plan?.version) return
      plan = next
      unbridged = undefined
      busy = true
      turns.soon()
    },
    controllerReturned: () => reconnect.hurry(),
    health,
    report() {
      const copy = database()
      if (!copy || !last) return undefined
      const { below, shelf, plan, datapath } = last
      const device = below.is === 'plain' ? below.device : below.is === 'bridged' ? below.saved.device : undefined
      return report({
        ...{ plan, database: copy, datapath, health: health(), live: shelf.live, version, time: new Date() },
        underlay: { ...(below.is !== 'missing' && { mtu: below.mtu }), ...(device !== undefined && { device }) },
      })
    },
    async close() {
      machine.close()
      reconnect.close()
      await turns.close()
      ovsdb.close()
    },
  }
}

const release: Operation = {
  ...{ op: 'mutate', table: 'Open_vSwitch', where: [] },
  mutations: [['other_config', 'delete', setOf(['flow-restore-wait'])]],
}
