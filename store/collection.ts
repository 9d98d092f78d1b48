import type { Change, Draft, Kind, Kinds, Put, State, Tables } from './change.ts'

/**
 * One kind of object that the store keeps, declared once. Tables, indexes, copies of them, rows on disk and notices of change all
 * derive from it (tables.ts, rows.ts, draft.ts, store.ts).
 *
 * To add a kind: a file in collections/, and a row in collections.ts.
 */
export type Collection<K extends Kind = Kind, W = unknown> = {
  /** Where its objects are. */
  readonly table: keyof Tables
  readonly shape: Shape<Kinds[K]>
  readonly indexes?: readonly Index<Kinds[K]>[]
  /** Whether a row on disk holds such an object under its own key; its revision, if it has one, is not in it yet. */
  readonly isRow: (value: unknown, key: string) => boolean
  /** The object of such a row, where it is not just what the row says. */
  readonly fromRow?: (value: unknown) => Kinds[K]
  /** Its objects say which revision wrote them. */
  readonly isRevised?: true
  /** What is wrong with a state that has taken this step. Clients are refused long before (desired.ts): here it is a bug or a bad file. */
  readonly violation?: (state: State, change: Put<K>) => string | undefined
  /** Who must look again when an object under this key has changed. */
  readonly marks: (key: string, state: State) => Mark | undefined
  readonly writers: (writing: Writing) => W
}

/** A network's id, or all that depends on links, or on nodes. */
export type Mark = { readonly network: string } | 'links' | 'nodes'

/** A write under way: its draft, how to take one step, and the revision that it makes. */
export type Writing = {
  readonly draft: Draft
  readonly step: (change: Change) => void
  readonly revision: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/**
 * How a table holds its objects: a map by key, a map by the number that the key spells, a set of keys (the object is `true`),
 * or one value that is always there.
 */
export type Shape<Value> =
  | { readonly is: 'map' | 'numbered' | 'set' }
  | { readonly is: 'one'; readonly standard: Value }

/** A second way to find objects; kept up to date with each step. */
export type Index<Value> = {
  readonly name: keyof Tables
  readonly shape: 'unique' | 'grouped' | 'counted'
  readonly entries: (value: Value) => readonly (readonly unknown[])[]
}

type Entry<T> = T extends Map<infer K, infer V> ? readonly [K, V] : never
type GroupedEntry<T> =
  T extends Map<infer G, infer M> ? (M extends Map<infer K, infer V> ? readonly [G, K, V] : never) : never
type CountedEntry<T> = T extends Map<infer K, number> ? readonly [K] : never

/** A map, to which each object gives entries; no two objects give the same key. */
export const unique = <Value, Name extends keyof Tables>(
  name: Name,
  entries: (value: Value) => readonly Entry<Tables[Name]>[],
): Index<Value> => ({ name, shape: 'unique', entries })

/** A map of maps, without empty ones. */
export const grouped = <Value, Name extends keyof Tables>(
  name: Name,
  entries: (value: Value) => readonly GroupedEntry<Tables[Name]>[],
): Index<Value> => ({ name, shape: 'grouped', entries })

/** How many objects give this key; none with zero. */
export const counted = <Value, Name extends keyof Tables>(
  name: Name,
  entries: (value: Value) => readonly CountedEntry<Tables[Name]>[],
): Index<Value> => ({ name, shape: 'counted', entries })
