/** Makes one transaction of what the database holds and what it should hold, and says the same in sentences. Pure. */

import type { Operation } from '../ovsdb/ovsdb.ts'
import { type Database, mapOf, namedUuid, type Row, setOf, type TableName, uuidOf } from '../ovsdb/schema.ts'
import { bridgeNamed, deviceNote, mark, portsOf, type Wanted, type WantedBridge, type WantedPort } from './desired.ts'
import { spelledAlike } from './target.ts'

export type Difference = {
  /** Empty: all is as it should be. */
  readonly operations: readonly Operation[]
  /** The same in sentences, for the log. */
  readonly changes: readonly string[]
  /** What stands in the way and is not ours to change. */
  readonly faults: readonly string[]
}

type Draft = { operations: Operation[]; changes: string[]; faults: string[]; next: number }
type Where = readonly (readonly unknown[])[]

/** `owner` is the value of the mark. Rows without it are not touched. */
export function diff(wanted: Wanted, database: Database, owner: string): Difference {
  const draft: Draft = { operations: [], changes: [], faults: [], next: 0 }
  const [root] = database.Open_vSwitch.values()
  if (!root) return { operations: [], changes: [], faults: ['the database is empty: ovs-vsctl init, as ovs-ctl does'] }
  for (const bridge of wanted.bridges) {
    const actual = bridgeNamed(database, bridge.name)
    if (!actual) insertBridge(draft, bridge, database, owner)
    else if (actual.external_ids[mark] !== owner)
      draft.faults.push(
        `bridge ${bridge.name} exists and does not belong to this agent: ovs-vsctl br-set-external-id ${bridge.name} ${mark} ${owner} ` +
          'hands it over, ovs-vsctl del-br removes it',
      )
    else changeBridge(draft, bridge, actual, database, owner)
  }
  for (const name of wanted.unwanted ?? []) {
    const actual = bridgeNamed(database, name)
    if (actual?.external_ids[mark] !== owner) continue
    draft.operations.push(mutate('Open_vSwitch', [], [['bridges', 'delete', setOf([uuidOf(actual.uuid)])]]))
    draft.changes.push(`bridge ${name} removed`)
  }
  secure(draft, wanted, root, database, owner)
  const { operations, changes, faults } = draft
  return { operations: operations.length === 0 ? [] : carriedOut(operations, changes), changes, faults }
}

/** Everything that is marked as ours. */
export function removal(database: Database, owner: string): Difference {
  const bridges = [...database.Bridge.values()].filter(bridge => bridge.external_ids[mark] === owner)
  const [root] = database.Open_vSwitch.values()
  const ssl = root?.ssl === undefined ? undefined : database.SSL.get(root.ssl)
  const operations: Operation[] = []
  if (bridges.length > 0) {
    const uuids = bridges.map(({ uuid }) => uuidOf(uuid))
    operations.push(mutate('Open_vSwitch', [], [['bridges', 'delete', setOf(uuids)]]))
  }
  if (ssl?.external_ids[mark] === owner) operations.push(update('Open_vSwitch', [], { ssl: setOf([]) }))
  const changes = bridges.map(({ name }) => `bridge ${name} removed`)
  return { operations: operations.length === 0 ? [] : carriedOut(operations, changes), changes, faults: [] }
}

/** ovs-vswitchd writes `cur_cfg` when it has done what `next_cfg` numbers (ovs-vswitchd.conf.db(5)). */
function carriedOut(operations: readonly Operation[], changes: readonly string[]): Operation[] {
  const comment = `l2sm agent: ${changes.slice(0, 3).join('; ')}${changes.length > 3 ? ` and ${changes.length - 3} more` : ''}`
  return [...operations, mutate('Open_vSwitch', [], [['next_cfg', '+=', 1]]), { op: 'comment', comment }]
}

function insertBridge(draft: Draft, bridge: WantedBridge, database: Database, owner: string): void {
  const local = { name: bridge.name, type: 'internal', options: {}, bfd: {}, number: undefined, notes: {} } as const
  const ports = [local, ...bridge.ports.filter(port => isFree(draft, port, database))].map(port =>
    insertPort(draft, port, owner),
  )
  const controllers = bridge.controllers.map(controller => insertController(draft, controller, owner))
  const id = name(draft)
  draft.operations.push(
    insert('Bridge', id, {
      name: bridge.name,
      datapath_type: bridge.datapath,
      fail_mode: bridge.failMode,
      protocols: setOf(bridge.protocols),
      other_config: mapOf(bridge.config),
      external_ids: mapOf({ [mark]: owner, ...bridge.notes }),
      ports: setOf(ports),
      controller: setOf(controllers),
    }),
    mutate('Open_vSwitch', [], [['bridges', 'insert', setOf([namedUuid(id)])]]),
  )
  draft.changes.unshift(`bridge ${bridge.name} made, with ${bridge.ports.length} ports`)
}

function changeBridge(
  draft: Draft,
  bridge: WantedBridge,
  actual: Row<'Bridge'>,
  database: Database,
  owner: string,
): void {
  const label = `bridge ${bridge.name}`
  const where = rowIs(actual.uuid)
  setColumns(draft, 'Bridge', where, label, actual, {
    datapath_type: bridge.datapath,
    fail_mode: bridge.failMode,
    protocols: bridge.protocols.toSorted(),
  })
  setKeys(draft, 'Bridge', where, label, 'other_config', actual.other_config, bridge.config)
  setKeys(draft, 'Bridge', where, label, 'external_ids', actual.external_ids, bridge.notes, bridge.silent)
  changePorts(draft, bridge, actual, database, owner)
  changeControllers(draft, bridge, actual, database, owner)
}

function changePorts(
  draft: Draft,
  bridge: WantedBridge,
  { uuid }: Row<'Bridge'>,
  database: Database,
  owner: string,
): void {
  const there = new Map(portsOf(database, bridge.name).map(own => [own.port.name, own]))
  const wanted = new Map(bridge.ports.map(port => [port.name, port]))
  const gone: string[] = []
  const added: unknown[] = []
  const remove = (port: Row<'Port'>, why: string) => {
    gone.push(port.uuid)
    draft.changes.push(`port ${port.name} of ${bridge.name} removed: ${why}`)
  }
  for (const { port, interface: actual } of there.values()) {
    if (port.external_ids[mark] !== owner || port.name === bridge.name) continue
    const want = wanted.get(port.name)
    if (!want) remove(port, 'not planned any more')
    else if (actual.type !== want.type) remove(port, `of type "${actual.type}", expected "${want.type}"`)
    // In userspace, Open vSwitch goes on reading a device that is gone, though another one has its name now.
    else if (actual.external_ids[deviceNote] !== want.notes[deviceNote]) remove(port, 'its device is another one now')
    else changePort(draft, want, actual)
  }
  for (const port of wanted.values()) {
    const own = there.get(port.name)
    if (own && own.port.external_ids[mark] !== owner)
      draft.faults.push(
        `port ${port.name} of ${bridge.name} exists and does not belong to this agent: ovs-vsctl del-port ${port.name}`,
      )
    // One that was just removed comes back when ovs-vswitchd has seen that: in one step it would see no change.
    else if (!own && isFree(draft, port, database)) {
      added.push(insertPort(draft, port, owner))
      draft.changes.push(`port ${port.name} of ${bridge.name} added as number ${port.number}`)
    }
  }
  const mutations = [
    ...(gone.length > 0 ? [['ports', 'delete', setOf(gone.map(uuidOf))]] : []),
    ...(added.length > 0 ? [['ports', 'insert', setOf(added)]] : []),
  ]
  if (mutations.length > 0) draft.operations.push(mutate('Bridge', rowIs(uuid), mutations))
}

function changePort(draft: Draft, want: WantedPort, actual: Row<'Interface'>): void {
  const where = rowIs(actual.uuid)
  const label = `port ${want.name}`
  const { options, bfd, number } = want
  setColumns(draft, 'Interface', where, label, actual, { ofport_request: number, options, bfd })
  setKeys(draft, 'Interface', where, label, 'external_ids', actual.external_ids, want.notes)
}

/** Names of ports are unique in a database. */
function isFree(draft: Draft, port: { readonly name: string }, database: Database): boolean {
  const other = [...database.Bridge.values()].find(bridge =>
    bridge.ports.some(uuid => database.Port.get(uuid)?.name === port.name),
  )
  if (other)
    draft.faults.push(
      `port ${port.name} is on bridge ${other.name}, which is not its own: ovs-vsctl del-port ${port.name}`,
    )
  return other === undefined
}

/** A controller that nobody planned could put frames of one network into another: all of them are ours. */
function changeControllers(
  draft: Draft,
  bridge: WantedBridge,
  { uuid, controller }: Row<'Bridge'>,
  database: Database,
  owner: string,
): void {
  if (bridge.controllers.length === 0) return
  const label = `controllers of ${bridge.name}`
  const there = controller.map(each => database.Controller.get(each)!)
  const kept: string[] = []
  const added: unknown[] = []
  for (const want of bridge.controllers) {
    const same = there.find(({ uuid, target }) => !kept.includes(uuid) && spelledAlike(target, want.target))
    if (same) {
      kept.push(same.uuid)
      setColumns(draft, 'Controller', rowIs(same.uuid), `controller ${want.target}`, same, want.settings)
    } else {
      added.push(insertController(draft, want, owner))
      draft.changes.push(`${label}: ${want.target} added`)
    }
  }
  const gone = there.filter(({ uuid }) => !kept.includes(uuid))
  for (const { target } of gone) draft.changes.push(`${label}: ${target} removed`)
  if (added.length + gone.length === 0) return
  // In one step: a set that is empty for a moment costs all flows.
  const all = [...kept.map(uuidOf), ...added]
  draft.operations.push(update('Bridge', rowIs(uuid), { controller: setOf(all) }))
}

function secure(draft: Draft, { tls }: Wanted, root: Row<'Open_vSwitch'>, database: Database, owner: string): void {
  if (!tls) return
  const row = { private_key: tls.key, certificate: tls.cert, ca_cert: tls.ca }
  const actual = root.ssl === undefined ? undefined : database.SSL.get(root.ssl)
  if (actual?.external_ids[mark] === owner) setColumns(draft, 'SSL', rowIs(actual.uuid), 'TLS', actual, row)
  else if (actual) {
    const differs = Object.entries(row).some(([column, value]) => actual[column as keyof typeof row] !== value)
    if (differs)
      draft.faults.push('Open vSwitch already has other TLS files, and takes only one set: ovs-vsctl del-ssl')
  } else {
    const id = name(draft)
    draft.operations.push(
      insert('SSL', id, { ...row, external_ids: mapOf({ [mark]: owner }) }),
      update('Open_vSwitch', [], { ssl: namedUuid(id) }),
    )
    draft.changes.push(`TLS with ${tls.cert}`)
  }
}

type NewPort = Omit<WantedPort, 'type' | 'number'> & { readonly type: string; readonly number: number | undefined }

function insertPort(draft: Draft, port: NewPort, owner: string): readonly [string, string] {
  const [device, id] = [name(draft), name(draft)]
  draft.operations.push(
    insert('Interface', device, {
      ...{ name: port.name, type: port.type, options: mapOf(port.options), bfd: mapOf(port.bfd) },
      ...(port.number !== undefined && { ofport_request: port.number }),
      external_ids: mapOf({ [mark]: owner, ...port.notes }),
    }),
    insert('Port', id, { name: port.name, interfaces: namedUuid(device), external_ids: mapOf({ [mark]: owner }) }),
  )
  return namedUuid(id)
}

function insertController(
  draft: Draft,
  { target, settings }: WantedBridge['controllers'][number],
  owner: string,
): readonly [string, string] {
  const id = name(draft)
  draft.operations.push(insert('Controller', id, { target, ...settings, external_ids: mapOf({ [mark]: owner }) }))
  return namedUuid(id)
}

type Value = string | number | undefined | readonly string[] | Readonly<Record<string, string>>

/** Writes those columns that are otherwise. Arrays are in order, as those of the database's copy are. */
function setColumns(
  draft: Draft,
  table: TableName,
  where: Where,
  label: string,
  actual: object,
  wanted: Readonly<Record<string, Value>>,
): void {
  const different = Object.entries(wanted).filter(
    ([column, value]) => !same((actual as Record<string, Value>)[column], value),
  )
  if (different.length === 0) return
  const row = Object.fromEntries(different.map(([column, value]) => [column, spell(value)]))
  draft.operations.push(update(table, where, row))
  for (const [column, value] of different)
    draft.changes.push(changeText(`${label}: ${column}`, (actual as Record<string, Value>)[column], value))
}

/** The same for some keys of a map; what else it holds is left alone. */
function setKeys(
  draft: Draft,
  table: TableName,
  where: Where,
  label: string,
  column: string,
  actual: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  silent: readonly string[] = [],
): void {
  const different = Object.entries(wanted).filter(([key, value]) => actual[key] !== value)
  if (different.length === 0) return
  const keys = different.map(([key]) => key)
  // An insertion alone leaves a key as it is that is there already (RFC 7047 §5.1).
  const mutations = [
    [column, 'delete', setOf(keys)],
    [column, 'insert', mapOf(Object.fromEntries(different))],
  ]
  draft.operations.push(mutate(table, where, mutations))
  for (const [key, value] of different)
    if (!silent.includes(key)) draft.changes.push(changeText(`${label}: ${column}:${key}`, actual[key], value))
}

const changeText = (what: string, was: Value, is: Value): string =>
  `${what} set to ${JSON.stringify(is)}, was ${was === undefined ? 'nothing' : JSON.stringify(was)}`

/** By what they hold: keys of maps come in any order. */
const same = (a: Value, b: Value): boolean => canonical(a) === canonical(b)
const canonical = (value: Value): string =>
  isMap(value) ? JSON.stringify(Object.entries(value).toSorted()) : JSON.stringify(value ?? null)
const isMap = (value: Value): value is Readonly<Record<string, string>> =>
  typeof value === 'object' && !Array.isArray(value)

const spell = (value: Value): unknown =>
  Array.isArray(value) ? setOf(value) : isMap(value) ? mapOf(value) : value === undefined ? setOf([]) : value

const name = (draft: Draft): string => `row${draft.next++}`
const rowIs = (uuid: string): Where => [['_uuid', '==', uuidOf(uuid)]]
const insert = (table: TableName, id: string, row: object): Operation => ({ op: 'insert', table, 'uuid-name': id, row })
const update = (table: TableName, where: Where, row: object): Operation => ({ op: 'update', table, where, row })
const mutate = (table: TableName, where: Where, mutations: readonly unknown[]): Operation => ({
  ...{ op: 'mutate', table, where, mutations },
})
