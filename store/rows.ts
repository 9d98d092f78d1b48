import type { Steps } from '../topology/steps.ts'
import type { Change, Kind } from './change.ts'
import type { Collection } from './collection.ts'
import { collections } from './collections.ts'
import type { Row } from './row.ts'

/** Between changes of the state and rows on disk. */

/** The rows that a batch of changes leaves: the last word on each object. */
export function* rowsOf(changes: readonly Change[], revision: number): Steps<Row[]> {
  const rows = new Map<string, Row>()
  for (const change of changes) {
    if (!('key' in change)) continue
    const { kind, key, after } = change
    const object = typeof after === 'object' ? after : undefined
    const own = object && 'revision' in object ? object.revision : revision
    // The revision has a column of its own: said once.
    const value = after === undefined ? undefined : JSON.stringify(object ? { ...object, revision: undefined } : after)
    rows.set(`${kind} ${key}`, { kind, key, value, revision: own })
    yield
  }
  return [...rows.values()]
}

/** The change that brings a row into the state; undefined when the row is none of ours. */
export const parseRow = ({ kind, key, value, revision }: Row): Change | undefined => {
  if (!Object.hasOwn(collections, kind)) return undefined
  const { isRow, isRevised, fromRow } = collections[kind as Kind] as unknown as Collection
  const object = parseJson(value)
  if (!isRow(object, key)) return undefined
  // It was made here a moment ago, and is nobody else's yet.
  const after = isRevised ? Object.assign(object as object, { revision }) : fromRow ? fromRow(object) : object
  return { kind, key, before: undefined, after } as Change
}

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    // Not JSON, so not a row of ours: the caller says so, with its place.
    return undefined
  }
}
