/**
 * The loop of a node: looks at the plan, the database and the devices, and does what is missing. Every event (a new plan, a
 * row, a device, a timer) only means: look again.
 */

import type { NodePlan, NodeReport } from '../api/node-schemas.ts'
import { ipBatch } from './command.ts'
import { bridgeNamed, type Datapath, desired, mark, portsOf, type Wanted } from './desired.ts'
import type { Device } from './devices.ts'
import { diff } from './diff.ts'
import { answering, kernelDatapath, makePairs, readMachine, removePairs, watchMachine } from './machine.ts'
import { type Operation, openOvsdb } from './ovsdb.ts'
import { pairOf, pairSteps } from './pairs.ts'
import { watchControllers } from './reconnect.ts'
import { type Health, report, troubleOf } from './report.ts'
import { type Database, setOf } from './schema.ts'
import { numberOf, type Stock, stock } from './stock.ts'
import { placeOf, reconnection } from './target.ts'
import {
  encapsulation,
  physical,
  physicalBridge,
  placement,
  type Saved,
  type Surroundings,
  type Underlay,
  underlay,
} from './underlay.ts'

export type Log = {
  debug(fields: object, words: string): void
  info(fields: object, words: string): void
  warn(fields: object, words: string): void
  error(fields: object, words: string): void
}

/** Counts what happens. */
export type Record = {
  looked(seconds: number): void
  transaction(changes: number): void
  /** Something was otherwise than planned, although nothing new was planned. */
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

/** Milliseconds that events are gathered in, so that a hundred of them are one look. */
const gather = 20
/** Milliseconds between two looks without any reason, jittered by a fifth. */
const audit = 60_000
/** Milliseconds before a look that failed is repeated, and at most. */
const retry = { first: 250, most: 10_000 }
/** Milliseconds that ovs-vswitchd may hold flows back, waiting for somebody to restore them, who may have died. */
const restoring = 8_000
/** Milliseconds in which ovs-vswitchd should have carried out what the database says. */
const prompt = 5_000

type Looked = {
  readonly plan: NodePlan
  readonly datapath: Datapath
  readonly shelf: Stock
  readonly underlay: Underlay
}

export function createReconcile({ socket, version, log, record, changed }: ReconcileOptions): Reconcile {
  let plan: NodePlan | undefined
  let looked: Looked | undefined
  let faults: readonly string[] = ['no look at the node yet']
  /** Of the plan that was once carried out in full: what differs from it later was changed by somebody else. */
  let settled: string | undefined
  let pending: { readonly config: number; readonly since: number } | undefined
  let busy = true
  const clock = () => performance.now()

  const ovsdb = openOvsdb({
    path: socket,
    changed: () => {
      soon()
      reconnect.look(controllersOf())
      changed()
    },
  })
  const database = (): Database | undefined => {
    const state = ovsdb.state()
    return state.is === 'live' ? state.database : undefined
  }
  const controllersOf = () => {
    const copy = database()
    const bridge = copy && plan && bridgeNamed(copy, plan.bridge)
    return bridge?.external_ids[mark] === plan?.bridge
      ? (bridge?.controller ?? []).flatMap(uuid => copy!.Controller.get(uuid) ?? [])
      : []
  }
  const reconnect = watchControllers(async controllers => {
    log.info(
      { targets: controllers.map(({ target }) => target) },
      'a controller answers: Open vSwitch is made to connect',
    )
    await ovsdb.transact(reconnection(controllers))
  }, clock)

  const datapaths = new Map<string, Promise<boolean>>()
  const datapathFor = async (of: NodePlan, copy: Database): Promise<Datapath> => {
    if (of.openvswitch.datapath !== 'auto') return of.openvswitch.datapath === 'kernel' ? 'system' : 'netdev'
    const actual = bridgeNamed(copy, of.bridge)
    // Another datapath would be another switch, without flows: it is not changed for a module that was loaded later.
    if (actual) return actual.datapath_type === 'netdev' ? 'netdev' : 'system'
    const [root] = copy.Open_vSwitch.values()
    const offered = root?.datapath_types ?? []
    const key = offered.join()
    if (!datapaths.has(key)) datapaths.set(key, kernelDatapath(offered))
    return (await datapaths.get(key)) ? 'system' : 'netdev'
  }

  /** ovs-vswitchd holds flows back while somebody restores them; if that takes too long, that somebody is gone. */
  let heldSince: number | undefined
  const releaseFlows = async (copy: Database): Promise<void> => {
    const [root] = copy.Open_vSwitch.values()
    if (root?.other_config['flow-restore-wait'] !== 'true') {
      heldSince = undefined
      return
    }
    heldSince ??= clock()
    const left = restoring - (clock() - heldSince)
    if (left > 0) return later(left)
    log.warn(
      {},
      `flow-restore-wait has been set for ${restoring / 1000} s: cleared, so that the switch takes flows again`,
    )
    await ovsdb.transact([release])
  }

  /** Answers whether ovs-vswitchd has done what it was told last. */
  const carriedOut = (copy: Database): boolean => {
    const [root] = copy.Open_vSwitch.values()
    if (pending === undefined || !root || root.cur_cfg >= pending.config) {
      pending = undefined
      return true
    }
    if (clock() - pending.since > prompt)
      faults = ['ovs-vswitchd does not carry out what the database says: does it run?']
    else later(prompt)
    return false
  }

  const look = async (): Promise<void> => {
    const copy = database()
    const state = ovsdb.state()
    if (!copy) {
      faults = [
        `the database of Open vSwitch at ${socket} is not there: ${state.is === 'connecting' ? state.why : state.is}`,
      ]
      return
    }
    await releaseFlows(copy)
    if (!plan) {
      faults = ['no plan yet']
      return
    }
    const current = plan
    const seen = await readMachine()
    const datapath = await datapathFor(current, copy)
    const below = underlay(current.underlay.address, datapath === 'netdev', seen, copy, current.bridge)
    // Before anything else: a node that is cut off can't be told what is wrong.
    if (below.is === 'bridged') await place(below.saved, copy, seen, current)
    if (!carriedOut(copy)) return
    const { shelf, devices, changes } = await keepPairs(current, copy, seen, datapath, below)
    looked = { plan: current, datapath, shelf, underlay: below }
    const wanted = wantedFor(current, datapath, shelf, devices, below)
    const difference = diff(wanted, copy, current.bridge)
    tell(current, [...changes, ...difference.changes])
    faults = [...(below.is === 'missing' ? [below.why] : []), ...difference.faults, ...troubles(current, copy)].slice(
      0,
      100,
    )
    if (difference.operations.length > 0) {
      await ovsdb.transact(difference.operations)
      const [root] = (database() ?? copy).Open_vSwitch.values()
      pending = { config: root!.next_cfg, since: clock() }
      record.transaction(difference.changes.length)
      // What it did is seen before what is left: pairs without ports go, ports that were removed come back.
      soon()
      return
    }
    if (await removeSurplus(current, copy, shelf, devices)) return soon()
    if (changes.length > 0) return soon()
    if (difference.faults.length === 0) settled = current.version
    busy = false
  }

  /** What nobody planned is told as a warning: by hand, or because a pod took its interface with it. */
  const tell = (current: NodePlan, changes: readonly string[]) => {
    if (changes.length === 0) return
    busy = true
    const repairs = settled === current.version
    if (repairs) record.repaired(changes.length)
    for (const change of changes.slice(0, 20))
      log[repairs ? 'warn' : 'info']({}, repairs ? `put right: ${change}` : change)
    if (changes.length > 20) log.info({}, `and ${changes.length - 20} more`)
  }

  const keepPairs = async (
    current: NodePlan,
    copy: Database,
    { devices }: Surroundings,
    datapath: Datapath,
    below: Underlay,
  ) => {
    const own = portsOf(copy, current.bridge)
    const numbers = own.flatMap(({ port }) =>
      port.external_ids[mark] === current.bridge ? (numberOf(current.interfaces.near, port.name) ?? []) : [],
    )
    const taken = new Set(current.links.map(({ port }) => port))
    const shelf = stock(current.interfaces, { devices, ports: new Set(numbers), taken })
    // Without an underlay nobody knows how long a frame may be, and nobody is to be told a wrong length.
    const whole = current.underlay.mtu ?? (below.is === 'missing' ? undefined : below.mtu)
    if (whole === undefined) return { shelf, devices, changes: [] }
    const mtu = whole - encapsulation(current.underlay.address)
    const steps = pairSteps(current.interfaces, shelf, devices, mtu)
    if (steps.finish.length + steps.adjust.length === 0) return { shelf, devices, changes: [] }
    await makePairs(steps, mtu, datapath === 'netdev')
    const after = await readMachine()
    return { shelf, devices: after.devices, changes: steps.changes }
  }

  const removeSurplus = async (
    current: NodePlan,
    copy: Database,
    shelf: Stock,
    devices: ReadonlyMap<string, Device>,
  ): Promise<boolean> => {
    const { surplus } = pairSteps(current.interfaces, shelf, devices, 0)
    const loose = surplus.filter(name => ![...copy.Port.values()].some(port => port.name === name))
    if (loose.length > 0) log.info({}, `${loose.join(' ')} removed: not needed any more`)
    await removePairs(loose)
    return loose.length > 0
  }

  /** Of an underlay that could not be bridged: not tried again until there is another plan. */
  let refused: string | undefined
  const place = async (saved: Saved, copy: Database, seen: Surroundings, current: NodePlan): Promise<void> => {
    const ours = bridgeNamed(copy, physical)?.external_ids[mark] === current.bridge
    const target = ours && seen.devices.has(physical) ? physical : saved.device
    const lines = placement(saved, target, seen)
    if (lines.length === 0) return
    const first = target === physical && settled === undefined
    const hosts = first ? await answering(hostsOf(current, saved)) : []
    log.info({ commands: lines }, `the node's addresses go to ${target}`)
    try {
      await ipBatch(lines)
      if (hosts.length > 0 && !(await anyAnswers(hosts)))
        throw new Error(`of ${hosts.join(', ')} none answers any more`)
    } catch (error) {
      if (!first) throw error
      refused = (error as Error).message
      log.error({}, `the node's addresses can not be on ${physical}, and are put back: ${refused}`)
      await ipBatch(placement(saved, saved.device, await readMachine()))
      throw error
    }
    reconnect.hurry()
  }

  const wantedFor = (
    current: NodePlan,
    datapath: Datapath,
    { wanted }: Stock,
    devices: ReadonlyMap<string, Device>,
    below: Underlay,
  ): Wanted => {
    const interfaces = wanted.flatMap(number => {
      const { near, unfinished } = pairOf(current.interfaces, number)
      const device = devices.get(near)
      return device && !devices.has(unfinished) ? [[number, device] as const] : []
    })
    const bridge = desired(current, { datapath, interfaces: new Map(interfaces) })
    const more = below.is === 'bridged' && refused === undefined ? [physicalBridge(below.saved, devices)] : []
    // First of all the way to the controllers.
    return { bridges: [...more, bridge], tls: current.tls }
  }

  let dirty = false
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let delay = retry.first
  let closed = false
  const later = (ms: number) => {
    timers.add(setTimeout(() => soon(), ms).unref())
  }
  const timers = new Set<NodeJS.Timeout>()
  const soon = () => {
    dirty = true
    if (running || closed) return
    timer ??= setTimeout(turn, gather)
  }
  const turn = () => {
    timer = undefined
    if (running || closed) return
    dirty = false
    const began = clock()
    running = look()
      .then(
        () => {
          delay = retry.first
        },
        (error: Error) => {
          faults = [error.message.slice(0, 500)]
          record.failed()
          log.error({}, error.message)
          setTimeout(soon, delay * (0.8 + Math.random() / 5)).unref()
          delay = Math.min(2 * delay, retry.most)
        },
      )
      .finally(() => {
        running = undefined
        record.looked((clock() - began) / 1000)
        for (const old of timers) if (!old.hasRef()) timers.delete(old)
        changed()
        if (dirty) soon()
      })
  }
  const audits = setInterval(soon, audit * (0.8 + Math.random() * 0.4)).unref()
  const machine = watchMachine(soon, why => log.warn({}, why))

  const health = (): Health => {
    if (faults.length > 0) return { state: 'failing', reasons: faults.map(fault => fault.slice(0, 500)) }
    return { state: busy || pending !== undefined ? 'working' : 'ok', reasons: [] }
  }
  return {
    setPlan(next) {
      if (next.version === plan?.version) return
      plan = next
      refused = undefined
      busy = true
      soon()
    },
    controllerReturned: () => reconnect.hurry(),
    health,
    report() {
      const copy = database()
      if (!copy || !looked) return undefined
      const { underlay: below, shelf } = looked
      const device = below.is === 'plain' ? below.device : below.is === 'bridged' ? below.saved.device : undefined
      return report({
        ...{ plan: looked.plan, database: copy, datapath: looked.datapath, health: health(), live: shelf.live },
        underlay: { ...(below.is !== 'missing' && { mtu: below.mtu }), ...(device !== undefined && { device }) },
        ...{ version, time: new Date() },
      })
    },
    async close() {
      closed = true
      clearTimeout(timer)
      clearInterval(audits)
      for (const one of timers) clearTimeout(one)
      machine.close()
      reconnect.close()
      await running
      ovsdb.close()
    },
  }
}

const release: Operation = {
  ...{ op: 'mutate', table: 'Open_vSwitch', where: [] },
  mutations: [['other_config', 'delete', setOf(['flow-restore-wait'])]],
}

/** Who can tell whether this node is still connected. */
const hostsOf = ({ controllers, links }: NodePlan, { routes }: Saved): string[] => {
  const gateways = routes.flatMap(({ via }) => via ?? [])
  const all = [
    ...gateways,
    ...controllers.map(target => placeOf(target)?.host ?? ''),
    ...links.map(({ remote }) => remote),
  ]
  return [...new Set(all)].filter(host => host !== '').slice(0, 8)
}

async function anyAnswers(hosts: readonly string[]): Promise<boolean> {
  for (let tries = 0; tries < 5; tries++) if ((await answering(hosts)).length > 0) return true
  return false
}

/** Ports of ours that Open vSwitch could not make as asked. */
const troubles = (plan: NodePlan, database: Database): string[] =>
  portsOf(database, plan.bridge)
    .filter(({ port }) => port.external_ids[mark] === plan.bridge)
    .flatMap(own => {
      const trouble = troubleOf(own.interface)
      return trouble === undefined ? [] : [`port ${own.port.name}: ${trouble}`]
    })
