import type { Change, Counter, Kind, State, Tables } from './change.ts'
import type { Collection, Index } from './collection.ts'
import { collections, kinds } from './collections.ts'
import { put } from './maps.ts'
import type { Numbering } from './numbers.ts'

/** The state in memory: made, copied and changed as the collections declare it. */

type AnyMap = Map<unknown, any>
type Loose = { [name: string]: AnyMap & Set<string> }
const declaredAs = (kind: Kind) => collections[kind] as unknown as Collection<any>
const indexesOf = (kind: Kind): readonly Index<any>[] => declaredAs(kind).indexes ?? []

export const emptyTables = (numbering: Numbering): Tables => {
  const tables: { [name: string]: unknown } = { revision: 0, complete: false, allocated: 0, numbering }
  for (const kind of kinds) {
    const { table, shape } = declaredAs(kind)
    tables[table] = shape.is === 'one' ? shape.standard : shape.is === 'set' ? new Set() : new Map()
    for (const { name } of indexesOf(kind)) tables[name] = new Map()
  }
  return tables as unknown as Tables
}

/** A second set of tables with the same values: later changes to the one are not seen in the other. */
export const copyTables = (tables: Tables): Tables => {
  for (const copying = copySteps(tables); ; ) {
    const { done, value } = copying.next()
    if (done) return value
  }
}

/** The same, a table at a time: the last step answers the copy. Nothing may change meanwhile. */
export function* copySteps(tables: Tables): Generator<void, Tables> {
  const copy: { [name: string]: unknown } = {}
  for (const [name, table] of Object.entries(tables)) {
    copy[name] = copied(table)
    yield
  }
  return copy as unknown as Tables
}

const copied = (table: unknown): unknown => {
  if (table instanceof Set) return new Set(table)
  if (!(table instanceof Map)) return table
  const [first] = table.values()
  if (!(first instanceof Map)) return new Map(table)
  return new Map(Array.from(table, ([key, group]) => [key, new Map(group)]))
}

export const inverse = (change: Change): Change =>
  ({ ...change, before: change.after, after: change.before }) as unknown as Change

/** What no state may hold, whoever wrote it; or undefined. */
export const violation = (tables: State, change: Change): string | undefined =>
  'key' in change ? declaredAs(change.kind).violation?.(tables, change as any) : undefined

/** Takes one step, indexes included. */
export const apply = (tables: Tables, change: Change): void => {
  if (!('key' in change)) {
    setCounter(tables, change.kind, change.after)
    return
  }
  const { kind, key, before, after } = change
  const { table, shape } = declaredAs(kind)
  const all = tables as unknown as Loose
  if (shape.is === 'one') (tables as unknown as { [name: string]: unknown })[table] = after ?? shape.standard
  else if (shape.is === 'set') after === undefined ? all[table]!.delete(key) : all[table]!.add(key)
  else put(all[table]!, shape.is === 'numbered' ? Number(key) : key, after)
  for (const index of indexesOf(kind))
    indexed[index.shape](all[index.name]!, entriesOf(index, before), entriesOf(index, after))
}

const setCounter = <Name extends Counter>(tables: Tables, name: Name, value: Tables[Name]): void => {
  tables[name] = value
}

type Entries = readonly (readonly unknown[])[]
const none: Entries = []
const entriesOf = ({ entries }: Index<any>, value: unknown): Entries => (value === undefined ? none : entries(value))

/** Entries of an object as it was go, those of it as it is come; what is in both stays where it is. */
const indexed: { readonly [Shape in Index<unknown>['shape']]: (map: AnyMap, before: Entries, after: Entries) => void } =
  {
    unique(map, before, after) {
      for (const [key] of before) if (!after.some(entry => entry[0] === key)) map.delete(key)
      for (const [key, value] of after) map.set(key, value)
    },
    grouped(map, before, after) {
      for (const [group, key] of before) {
        if (after.some(entry => entry[0] === group && entry[1] === key)) continue
        const members = map.get(group)
        members.delete(key)
        if (members.size === 0) map.delete(group)
      }
      for (const [group, key, value] of after) {
        const members = map.get(group)
        members ? members.set(key, value) : map.set(group, new Map([[key, value]]))
      }
    },
    counted(map, before, after) {
      const add = (key: unknown, by: number) => {
        const now = (map.get(key) ?? 0) + by
        put(map, key, now === 0 ? undefined : now)
      }
      for (const [key] of before) add(key, -1)
      for (const [key] of after) add(key, 1)
    },
  }
