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
export type Meta = Counters & { readonly instance: string; readonly firstNumber: number }
export type RowBatch = Counters & { readonly rows: readonly Row[] }
