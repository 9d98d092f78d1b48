import type { Steps } from '../topology/steps.ts'
import type { Change, Kind, State, Tables } from './change.ts'
import type { Collection } from './collection.ts'
import { collections, kinds } from './collections.ts'

/**
 * The steps from one state to another that was whole somewhere else: a backup's. What goes, goes first, last kinds first; so nothing
 * that comes meets what it replaces. The revision goes up, and no number that was handed out is handed out again.
 */
export function* changesTo(now: Tables, then: State): Steps<Change[]> {
  const gone: Change[] = []
  const come: Change[] = []
  for (const kind of kinds) {
    const [before, after] = [objectsOf(now, kind), objectsOf(then, kind)]
    for (const [key, value] of before) {
      if (spelled(value) !== spelled(after.get(key)))
        gone.push({ kind, key, before: value, after: undefined } as unknown as Change)
      yield
    }
    for (const [key, value] of after) {
      if (spelled(value) !== spelled(before.get(key)))
        come.push({ kind, key, before: undefined, after: value } as unknown as Change)
      yield
    }
  }
  const counters: Change[] = [
    { kind: 'revision', before: now.revision, after: Math.max(now.revision, then.revision) + 1 },
    { kind: 'allocated', before: now.allocated, after: Math.max(now.allocated, then.allocated) },
    { kind: 'complete', before: now.complete, after: then.complete },
  ]
  return [...counters, ...gone.reverse(), ...come]
}

const spelled = (value: unknown): string | undefined => JSON.stringify(value)

const objectsOf = (tables: State, kind: Kind): ReadonlyMap<string, unknown> => {
  const { table, shape } = collections[kind] as unknown as Collection
  const all = tables[table] as unknown
  if (shape.is === 'one') return new Map([[kind, all]])
  if (all instanceof Set) return new Map(Array.from(all, key => [key, true]))
  return new Map(Array.from(all as Map<unknown, unknown>, ([key, value]) => [String(key), value]))
}
