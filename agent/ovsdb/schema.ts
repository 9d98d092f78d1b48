/**
 * The tables and columns of Open vSwitch's database (ovs-vswitchd.conf.db(5)) that the agent reads or writes; none of those
 * that change by themselves, such as statistics, so that a node at rest is told of nothing.
 * To use another column: a word here.
 */

/** `one`: exactly one value. `optional`: none or one. A uuid is spelled as a plain string here, whatever the wire has. */
type Kind =
  | { readonly is: 'one' | 'optional'; readonly of: 'string' | 'integer' | 'boolean' | 'uuid' }
  | { readonly is: 'set'; readonly of: 'string' | 'uuid' }
  | { readonly is: 'map' }

const text = { is: 'one', of: 'string' } as const
const number = { is: 'one', of: 'integer' } as const
const yes = { is: 'one', of: 'boolean' } as const
const maybeText = { is: 'optional', of: 'string' } as const
const maybeNumber = { is: 'optional', of: 'integer' } as const
const maybeRow = { is: 'optional', of: 'uuid' } as const
const texts = { is: 'set', of: 'string' } as const
const rows = { is: 'set', of: 'uuid' } as const
const map = { is: 'map' } as const

export const schema = {
  Open_vSwitch: {
    ...{ bridges: rows, ssl: maybeRow, next_cfg: number, cur_cfg: number, ovs_version: maybeText },
    ...{ datapath_types: texts, other_config: map, external_ids: map },
  },
  Bridge: {
    ...{ name: text, datapath_type: text, datapath_id: maybeText, fail_mode: maybeText, protocols: texts },
    ...{ other_config: map, external_ids: map, ports: rows, controller: rows },
  },
  Port: { name: text, interfaces: rows, external_ids: map },
  Interface: {
    ...{ name: text, type: text, options: map, ofport: maybeNumber, ofport_request: maybeNumber, error: maybeText },
    ...{ ifindex: maybeNumber, link_state: maybeText, bfd: map, bfd_status: map, external_ids: map },
  },
  Controller: {
    ...{ target: text, connection_mode: maybeText, inactivity_probe: maybeNumber, max_backoff: maybeNumber },
    ...{ is_connected: yes, external_ids: map },
  },
  SSL: { private_key: text, certificate: text, ca_cert: text, external_ids: map },
} as const satisfies { readonly [table: string]: { readonly [column: string]: Kind } }

export type TableName = keyof typeof schema
export const tableNames = Object.keys(schema) as readonly TableName[]

type Scalar<Of> = Of extends 'integer' ? number : Of extends 'boolean' ? boolean : string
type ValueOf<K> = K extends { readonly is: 'map' }
  ? Readonly<Record<string, string>>
  : K extends { readonly is: 'set' }
    ? readonly string[]
    : K extends { readonly is: 'optional'; readonly of: infer Of }
      ? Scalar<Of> | undefined
      : K extends { readonly of: infer Of }
        ? Scalar<Of>
        : never

export type Row<T extends TableName> = {
  readonly uuid: string
} & { readonly [C in keyof (typeof schema)[T]]: ValueOf<(typeof schema)[T][C]> }

/** What the database holds, by uuid. */
export type Database = { readonly [T in TableName]: ReadonlyMap<string, Row<T>> }

export const emptyDatabase = (): Database =>
  Object.fromEntries(tableNames.map(table => [table, new Map()])) as unknown as Database

/** The columns of a table, as `monitor` wants them. */
export const columnsOf = (table: TableName): string[] => Object.keys(schema[table])

/** A row as it comes over the wire (RFC 7047 §5.1). Throws when it is not as the schema says: another version of Open vSwitch. */
export function readRow<T extends TableName>(table: T, uuid: string, wire: Readonly<Record<string, unknown>>): Row<T> {
  const columns: Readonly<Record<string, Kind>> = schema[table]
  const values = Object.entries(columns).map(([column, kind]) => {
    const value = read(kind, wire[column])
    if (value === unreadable)
      throw new Error(`${table}.${column} of ${uuid}: expected ${spell(kind)}, got ${JSON.stringify(wire[column])}`)
    return [column, value]
  })
  return { uuid, ...Object.fromEntries(values) }
}

const unreadable = Symbol('unreadable')
const spell = (kind: Kind) => (kind.is === 'map' ? 'a map of strings' : `${kind.is} ${kind.of}`)

function read(kind: Kind, wire: unknown): unknown {
  if (kind.is === 'map') {
    const pairs = tagged(wire, 'map')
    return Array.isArray(pairs) ? Object.fromEntries(pairs) : unreadable
  }
  // A set of one is spelled as its only member.
  const members = tagged(wire, 'set') ?? [wire]
  if (!Array.isArray(members)) return unreadable
  const values = members.map(member => (kind.of === 'uuid' ? tagged(member, 'uuid') : member))
  const type = kind.of === 'integer' ? 'number' : kind.of === 'boolean' ? 'boolean' : 'string'
  if (values.some(value => typeof value !== type)) return unreadable
  if (kind.is === 'set') return values.toSorted()
  if (values.length > 1 || (kind.is === 'one' && values.length === 0)) return unreadable
  return values[0]
}

const tagged = (wire: unknown, tag: string): unknown =>
  Array.isArray(wire) && wire.length === 2 && wire[0] === tag ? wire[1] : undefined

/** How values are spelled in operations. */
export const setOf = (values: readonly unknown[]) => ['set', values] as const
export const mapOf = (values: Readonly<Record<string, string>>) => ['map', Object.entries(values)] as const
export const uuidOf = (uuid: string) => ['uuid', uuid] as const
/** A row that the same transaction inserts with this `uuid-name`. */
export const namedUuid = (name: string) => ['named-uuid', name] as const
