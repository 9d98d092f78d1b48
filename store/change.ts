import type { Numbering } from './numbers.ts'

/**
 * The types that all collections share. A collection adds its own kind, tables and writers to the three interfaces here, in its
 * own file (collections/), by merging declarations: so what there is of a kind stands in one place, and this file imports none of them.
 */

/** What the store keeps: by kind, the word for it in rows and changes, the value of an object. */
// biome-ignore lint/suspicious/noEmptyInterface: each file of collections/ adds to it.
export interface Kinds {}
export type Kind = keyof Kinds

/** State that can be written to, with the indexes that make every decision a look-up. */
export interface Tables {
  revision: number
  /** A client said that this state is all there is (PUT /v1/state, --adopt): switches under another instance may be cleaned. */
  complete: boolean
  /** How many indexes of the numbering were used: it says which number is next. */
  allocated: number
  readonly numbering: Numbering
}
export type Counter = 'revision' | 'allocated' | 'complete'

type Frozen<T> =
  T extends Map<infer K, infer V> ? ReadonlyMap<K, Frozen<V>> : T extends Set<infer V> ? ReadonlySet<V> : T

/** Everything that clients asked for, at one revision. Readers never change it. */
export type State = { readonly [Name in keyof Tables]: Frozen<Tables[Name]> }

/** What a write may do besides reading. */
export interface Writers {
  setComplete(complete: boolean): void
  /**
   * A number that no network or mirror ever had: 1 to maxNetworkNumber, or undefined when there is none left.
   * Their order is another one for each instance, and cannot be guessed (numbers.ts): so a number that was seen does not tell
   * the next, and two instances that meet on one switch rarely mean two networks by one number. A number is never handed out twice, not even
   * after its network is gone: a switch that was away may still hold it. So an instance has maxNetworkNumber
   * (8,388,605) of them in its life: one new network a minute for 15 years.
   */
  nextNumber(): number | undefined
  /** So many numbers are not handed out: a file that was put back does not know which ones were since. */
  skipNumbers(count: number): void
}

/**
 * What `decide` sees: the state with all writes so far in it, its own included, and the writers.
 * Its maps are live: take from them what you need before `decide` returns. Writing what is there already changes
 * nothing. Writers throw on what no state may hold (the `violation` of a collection): decide through desired.ts.
 */
export type Draft = State & Writers

/** An object that is put where `before` was, or taken away. */
export type Put<K extends Kind> = {
  readonly kind: K
  readonly key: string
  readonly before: Kinds[K] | undefined
  readonly after: Kinds[K] | undefined
}
export type Count<Name extends Counter> = {
  readonly kind: Name
  readonly before: Tables[Name]
  readonly after: Tables[Name]
}

/** One step from one state to the next; read backwards, it undoes itself. */
export type Change = { [K in Kind]: Put<K> }[Kind] | { [Name in Counter]: Count<Name> }[Counter]

/** A value as a caller gives it: the draft fills in the revision of the write. */
export type Unrevised<T> = Omit<T, 'revision'>
