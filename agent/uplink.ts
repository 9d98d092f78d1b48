/**
 * Keeps the node's addresses where they belong: on br-phy while Open vSwitch in userspace needs them there and leads
 * anywhere, else on the node's own device. What the owner of the node does with them meanwhile is followed and kept in two
 * places; giving them back needs neither a plan nor a database.
 */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Log } from './log.ts'
import { moveAddresses, trap, type Witnesses, witnessesOf } from './machine/addresses.ts'
import { computeChecksums, leaveChecksums } from './machine/checksums.ts'
import { readMachine, readSettings } from './machine/machine.ts'
import { hereNow, type RecordFile } from './machine/record-file.ts'
import { type TcpPlace, wrongChecksums } from './machine/tcp.ts'
import type { Machine } from './node/devices.ts'
import { parseRecord, physical, reconstruct, recordOf, refreshed, type UplinkRecord } from './node/record.ts'
import { recordNote, type Underlay } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { bridgeNamed, mark } from './switch/desired.ts'

export type UplinkOptions = {
  readonly log: Log
  readonly file: (node: string) => RecordFile
  /** Whom the agent asks for its plan. */
  readonly controller: TcpPlace | undefined
  /** The node has its address at another place now. */
  readonly moved: () => void
  /** Look again, after so many milliseconds at the latest. */
  readonly later: (ms: number) => void
}

export type Uplink = {
  record(): UplinkRecord | undefined
  /** Why the addresses can not be on br-phy. They are not moved again until there is another plan. */
  fault(): string | undefined
  forget(): void
  /** Follows the owner, and gives addresses back that are on a br-phy which leads nowhere. Answers the machine after that. */
  keep(node: string, machine: Machine, copy: Database | undefined): Promise<Machine>
  /** Makes a device compute checksums, before anybody else in userspace reads what it sends. */
  prepare(node: string, device: string, machine: Machine): Promise<void>
  /** Moves them as the plan wants. */
  place(plan: NodePlan, below: Underlay, copy: Database, machine: Machine): Promise<Machine>
}

/** `first` and `last`: segments dropped, before the move and at the last look. `times`: looks at which there were more. */
type Watch = { readonly until: number; readonly first: number; readonly last: number; readonly times: number }

type State = {
  record: UplinkRecord | undefined
  file: RecordFile | undefined
  /** The copy in the database was compared with the one in the file. */
  compared: boolean
  fault: string | undefined
  /** Moves that others could not follow, and when the next one is tried. */
  tries: number
  again: number | undefined
  /** Why the record could not be written. */
  unwritten: string | undefined
  /** The node was still connected after the addresses had gone to br-phy. Another plan may want others there. */
  proven: boolean
  /** What is known of wrong checksums since the last move to br-phy. */
  watch: Watch | undefined
}

/**
 * Others find out within this time, milliseconds, that their TCP to this node is dead. Segments dropped at so many looks prove
 * it: those of a node whose own agent is about to start are soon over.
 */
const watching = { time: 60_000, pace: 1_000, times: 4 }
/** Milliseconds before such a move is tried again, once for each: others may have been put right meanwhile. */
const retries = [60_000, 300_000, 1_500_000]

export function createUplink(options: UplinkOptions): Uplink {
  const state = newState()
  return {
    record: () => state.record,
    fault: () => state.fault,
    forget: () => {
      state.fault = undefined
      state.again = undefined
      state.tries = 0
      state.proven = false
    },
    keep: (node, machine, copy) => keep(state, options, node, machine, copy),
    async prepare(node, name, machine) {
      const device = machine.devices.get(name)
      if (!device || state.record || !(await computeChecksums(device))) return
      options.log.info({}, `${name} computes the checksums of what it sends: Open vSwitch in userspace needs them`)
      save(state, { ...recordOf(name, machine, settingsOf(name), hereNow(node)), checksums: 'hardware' })
    },
    place: (plan, below, copy, machine) => place(state, options, plan, below, copy, machine),
  }
}

const newState = (): State => ({
  ...{ record: undefined, file: undefined, fault: undefined, watch: undefined, unwritten: undefined },
  ...{ compared: false, proven: false, tries: 0, again: undefined },
})

const settingsOf = (...devices: readonly string[]) => new Map(devices.map(name => [name, readSettings(name)]))

/** A disk that is full keeps nobody from giving an address back. */
function save(state: State, record: UplinkRecord): void {
  state.record = record
  try {
    state.file!.write(record)
    state.unwritten = undefined
  } catch (error) {
    state.unwritten = `${state.file!.path} can not be written: ${(error as Error).message}`
  }
}

async function keep(
  state: State,
  options: UplinkOptions,
  node: string,
  machine: Machine,
  copy: Database | undefined,
): Promise<Machine> {
  state.file ??= options.file(node)
  load(state, node, machine, copy)
  if (!state.record) return machine
  const { device, at } = state.record
  const next = refreshed(state.record, machine, settingsOf(device, at?.device ?? device))
  if (next !== state.record) save(state, next)
  checkTcp(state, options)
  if (state.again !== undefined && performance.now() >= state.again) {
    state.again = undefined
    state.fault = undefined
  }
  const bridge = machine.devices.get(physical)
  const leads = bridge?.carrier === true && (copy === undefined || bridgeNamed(copy, physical) !== undefined)
  const stays = next.at?.device === next.device || (leads && state.fault === undefined)
  return stays ? machine : move(state, options, next.device, machine)
}

/** The newest record that there is. */
function load(state: State, node: string, machine: Machine, copy: Database | undefined): void {
  const here = hereNow(node)
  state.record ??= state.file!.read(here)
  if (copy && !state.compared) {
    state.compared = true
    const note = bridgeNamed(copy, physical)?.external_ids[recordNote]
    const kept = note === undefined ? undefined : parseRecord(note, here)
    if (kept && kept.serial > (state.record?.serial ?? 0)) state.record = kept
  }
  const owner = copy && bridgeNamed(copy, physical)?.external_ids[mark]
  if (!state.record && copy && owner === undefined) state.record = reconstruct(machine, settingsOf(physical), here)
}

/** Others can not reach this node by TCP, if what they send arrives with wrong checksums: only this node sees that. */
function checkTcp(state: State, { log, later }: UplinkOptions): void {
  if (!state.watch || state.fault !== undefined) return
  if (performance.now() > state.watch.until) {
    state.watch = undefined
    return
  }
  later(watching.pace)
  const { first, last, times } = state.watch
  const now = wrongChecksums()
  state.watch = { ...state.watch, last: now, times: now > last ? times + 1 : times }
  if (state.watch.times < watching.times) return
  state.watch = undefined
  state.fault = `the node's addresses can not be on ${physical}: ${now - first} TCP segments were dropped there${trap}`
  log.error({}, state.fault)
  const wait = retries[state.tries++]
  if (wait === undefined) return
  state.again = performance.now() + wait
  later(wait)
}

const nobody: Witnesses = { hosts: [], tcp: [] }

/** Moves what the record has to a device, and makes sure that these witnesses still answer; else all goes back. */
async function move(
  state: State,
  options: UplinkOptions,
  target: string,
  machine: Machine,
  witnesses = nobody,
): Promise<Machine> {
  const { log, moved, later } = options
  const record = state.record!
  const there = machine.devices.get(target)
  if (!there) return machine
  const isThere = record.at?.device === target && record.at.index === there.index
  const count = wrongChecksums()
  const below = machine.devices.get(record.device)
  // A device that was replaced leaves them to hardware again.
  const computes = !isThere && below !== undefined && (await computeChecksums(below))
  if (!isThere) save(state, { ...onTheWay(record), ...(computes && { checksums: 'hardware' }) })
  const result = await moveAddresses(state.record!, target, machine, witnesses, commands =>
    log.info({ commands }, `the node's addresses go to ${target}`),
  )
  if (result.is === 'useless' && target === physical) {
    state.fault = `the node's addresses can not be on ${physical}, and are on ${record.device} again: ${result.why}`
    log.error({}, state.fault)
    later(0)
    return move(state, options, record.device, await readMachine())
  }
  if (!isThere) save(state, arrived(state.record!, target, there.index))
  if (result.is === 'nothing to do') return machine
  if (result.is === 'useless') log.error({}, `on ${target}: ${result.why}`)
  else if (result.but !== undefined) log.error({}, result.but)
  if (target === physical && !isThere) {
    state.proven = true
    state.watch = { until: performance.now() + watching.time, first: count, last: count, times: 0 }
    later(watching.pace)
  }
  moved()
  return readMachine()
}

const onTheWay = ({ at: _, ...record }: UplinkRecord): UplinkRecord => ({ ...record, serial: record.serial + 1 })
const arrived = (record: UplinkRecord, device: string, index: number): UplinkRecord => ({
  ...record,
  ...{ at: { device, index }, serial: record.serial + 1 },
})

async function place(
  state: State,
  options: UplinkOptions,
  plan: NodePlan,
  below: Underlay,
  copy: Database,
  machine: Machine,
): Promise<Machine> {
  if (below.is === 'missing') return machine
  if (state.record && (below.is === 'plain' || state.record.device !== below.device))
    return release(state, options, machine)
  if (below.is === 'plain') return machine
  const record = state.record ?? (await take(state, options.log, plan.node, below.device, machine))
  if (state.unwritten !== undefined && record.at?.device !== physical) {
    state.fault = `the node's addresses stay on ${record.device}: ${state.unwritten}`
    return machine
  }
  const bridge = machine.devices.get(physical)
  const ours = bridgeNamed(copy, physical)?.external_ids[mark] === plan.bridge
  // Without ovs-vswitchd the device is there and leads nowhere.
  const leads = ours && bridge !== undefined && (bridge.carrier || !bridge.up)
  const target = leads && state.fault === undefined ? physical : record.device
  const { controller } = options
  const careful = target === physical && record.at?.device !== physical && !state.proven
  const witnesses = careful ? witnessesOf(plan, record, controller ? [controller] : []) : nobody
  return move(state, options, target, machine, witnesses)
}

/** Begins to keep the record of a device. */
async function take(state: State, log: Log, node: string, name: string, machine: Machine): Promise<UplinkRecord> {
  const virtual = await computeChecksums(machine.devices.get(name)!)
  const record = recordOf(name, machine, settingsOf(name), hereNow(node))
  save(state, { ...record, ...(virtual && { checksums: 'hardware' }) })
  if (state.unwritten !== undefined) log.error({}, state.unwritten)
  return state.record!
}

/**
 * Gives the addresses back, for good: for who removes all of the agent's work.
 * @return the device that has them again, or undefined if none had lost them.
 */
export async function giveBack(file: RecordFile, node: string, copy: Database | undefined, log: Log) {
  const state = newState()
  state.file = file
  const machine = await readMachine()
  load(state, node, machine, copy)
  if (!state.record) return undefined
  const { device, at } = state.record
  state.record = refreshed(state.record, machine, settingsOf(device, at?.device ?? device))
  const options = { log, file: () => file, controller: undefined, moved: () => {}, later: () => {} }
  await release(state, options, machine)
  return at?.device === device ? undefined : device
}

/** Gives the device everything back that it had. */
async function release(state: State, options: UplinkOptions, machine: Machine): Promise<Machine> {
  const record = state.record!
  const after = record.at?.device === record.device ? machine : await move(state, options, record.device, machine)
  if (record.checksums) await leaveChecksums(record.device)
  state.file!.remove()
  state.record = undefined
  state.proven = false
  options.log.info({}, `${record.device} is not the uplink any more, and is as it was before`)
  return after
}
