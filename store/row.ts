import type { Numbering } from './numbers.ts'

// What a backend keeps of the desired state: rows, and counters that stand for all of them.

/** A row to write, or to delete when it has no value. */
export type Row = {
  readonly kind: string
  readonly key: string
  /** JSON */
  readonly value: string | undefined
  readonly revision: number
}

export type Counters = { readonly revision: number; readonly allocated: number; readonly complete: boolean }
export type Meta = Counters & Numbering & { readonly instance: string }
/** What a new file gets, and an old one where it has none. */
export type Fresh = { readonly instance: string; readonly firstNumber: number; readonly numberKey: string }
export type RowBatch = Counters & { readonly rows: readonly Row[] }
