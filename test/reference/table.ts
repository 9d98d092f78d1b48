// A flow table (OpenFlow 1.3.5 §5.2): entries by priority and by the bits that their matches compare, so that a look-up
// costs one hash for each such shape, however many entries there are.
import type { FlowMod, Instruction, Match } from '../../openflow/index.ts'
import type { Compiled } from './match.ts'

export type Entry = {
  readonly tableId: number
  readonly priority: number
  readonly match: Match
  readonly compiled: Compiled
  readonly cookie: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  readonly instructions: readonly Instruction[]
  /** What its instructions refer to: with these it is removed (§6.5, §6.6), by these it is chosen (out_port). */
  readonly ports: ReadonlySet<number>
  readonly groups: ReadonlySet<number>
  readonly meters: ReadonlySet<number>
  /** §5.8; shared with the entry that a MODIFY makes of it. Times in seconds of the switch's clock. */
  readonly counters: Counters
}
export type Counters = { packets: bigint; bytes: bigint; created: number; used: number }

type Shape = {
  readonly priority: number
  readonly shape: string
  readonly words: readonly number[]
  readonly masks: readonly number[]
  readonly entries: Map<number, Entry[]>
  size: number
}
export type Table = { readonly shapes: Shape[]; size: number }

export const newTable = (): Table => ({ shapes: [], size: 0 })

const mix = (hash: number, value: number): number => Math.imul(hash ^ value, 0x9e3779b1) ^ (hash >>> 15)
const hashValues = (values: readonly number[]): number => values.reduce(mix, 0)

/** Where entries of this priority and match stand; shapes are kept in descending order of priority. */
function shapeOf(table: Table, priority: number, { words, masks, shape }: Compiled, make: boolean): Shape | undefined {
  const same = (s: Shape) => s.priority === priority && s.shape === shape
  const found = table.shapes.find(same)
  if (found || !make) return found
  const made: Shape = { priority, shape, words, masks, entries: new Map(), size: 0 }
  const after = table.shapes.findIndex(s => s.priority < priority)
  table.shapes.splice(after < 0 ? table.shapes.length : after, 0, made)
  return made
}

/** The entry with this priority and identical match fields (§6.4, strict). */
export function findStrict(table: Table, priority: number, compiled: Compiled): Entry | undefined {
  const shape = shapeOf(table, priority, compiled, false)
  return shape?.entries.get(hashValues(compiled.values))?.find(e => e.compiled.identity === compiled.identity)
}

/** Puts an entry in, in the place of the one with its priority and match. */
export function put(table: Table, entry: Entry): void {
  const shape = shapeOf(table, entry.priority, entry.compiled, true)!
  const hash = hashValues(entry.compiled.values)
  const bucket = shape.entries.get(hash)
  if (!bucket) shape.entries.set(hash, [entry])
  else {
    const at = bucket.findIndex(e => e.compiled.identity === entry.compiled.identity)
    if (at >= 0) {
      bucket[at] = entry
      return
    }
    bucket.push(entry)
  }
  shape.size++
  table.size++
}

export function remove(table: Table, entry: Entry): void {
  const shape = shapeOf(table, entry.priority, entry.compiled, false)
  const hash = hashValues(entry.compiled.values)
  const bucket = shape?.entries.get(hash)
  if (!shape || !bucket?.includes(entry)) return
  if (bucket.length === 1) shape.entries.delete(hash)
  else bucket.splice(bucket.indexOf(entry), 1)
  shape.size--
  table.size--
  if (shape.size === 0) table.shapes.splice(table.shapes.indexOf(shape), 1)
}

export function* entriesOf(table: Table): Generator<Entry> {
  for (const shape of table.shapes) for (const bucket of shape.entries.values()) yield* bucket
}

/** Of two that match at one priority, which is chosen is undefined (§5.3). */
export type Hit = { readonly entry: Entry; readonly ambiguous: boolean }

/** The matching entry of the highest priority (§5.3). */
export function lookUp(table: Table, key: Int32Array): Hit | undefined {
  let hit: Entry | undefined
  for (const shape of table.shapes) {
    if (hit && shape.priority < hit.priority) break
    const entry = lookUpShape(shape, key)
    if (!entry) continue
    if (hit) return { entry: hit, ambiguous: true }
    hit = entry
  }
  return hit && { entry: hit, ambiguous: false }
}

function lookUpShape({ words, masks, entries }: Shape, key: Int32Array): Entry | undefined {
  let hash = 0
  for (let i = 0; i < words.length; i++) hash = mix(hash, key[words[i]!]! & masks[i]!)
  const bucket = entries.get(hash)
  if (!bucket) return undefined
  for (const entry of bucket) {
    const { values } = entry.compiled
    let i = 0
    while (i < values.length && (key[words[i]!]! & masks[i]!) === values[i]) i++
    if (i === values.length) return entry
  }
  return undefined
}

/** §6.4: whether an entry's cookie is one of those that the request speaks of. */
export const hasCookie = (entry: Entry, { cookie, cookieMask }: Pick<FlowMod, 'cookie' | 'cookieMask'>): boolean =>
  (entry.cookie & cookieMask) === (cookie & cookieMask)
