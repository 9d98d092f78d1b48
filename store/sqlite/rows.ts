import { hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Meta, Row } from '../row.ts'
import { corrupt } from './error.ts'

/** Everything that the next commit builds on, and that the file must agree with when it is opened again. */
export type Known = { readonly meta: Meta; readonly rowSum: bigint }

const rowsPerPage = 2_000

export const readRows = (db: DatabaseSync, path: string, onRows: (rows: Row[]) => void): bigint => {
  const select = db.prepare(
    'SELECT kind, key, value, revision FROM object WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?',
  )
  let sum = 0n
  let last: Pick<Row, 'kind' | 'key'> = { kind: '', key: '' }
  for (;;) {
    const page = select.all(last.kind, last.key, rowsPerPage) as Row[]
    for (const row of page) {
      if (typeof row.key !== 'string' || typeof row.value !== 'string' || typeof row.revision !== 'number')
        throw corrupt(path, `a row of kind ${row.kind} has values of the wrong type`)
      sum = added(sum, row)
    }
    onRows(page)
    if (page.length < rowsPerPage) return sum
    last = page.at(-1)!
  }
}

/** Addition does not mind the order, and what was added can be taken away: so a commit reads only the rows that it changes. */
const added = (sum: bigint, row: Row): bigint => BigInt.asUintN(64, sum + hashOf(row))
const removed = (sum: bigint, row: Row): bigint => BigInt.asUintN(64, sum - hashOf(row))
/** The first 64 bits; by way of text, which is three times as fast as a buffer for each. */
const hash64 = (text: string): bigint => BigInt(`0x${hash('sha256', text, 'hex').slice(0, 16)}`)
const hashOf = ({ kind, key, value, revision }: Row): bigint => hash64(JSON.stringify([kind, key, value, revision]))

export const digestOf = ({ meta: m, rowSum }: Known): string =>
  hash64(
    JSON.stringify([
      ...[m.instance, m.firstNumber, m.revision, m.allocated, m.complete, rowSum.toString(16)],
      ...(m.numberKey === undefined ? [] : [m.numberKey, m.sequential]),
    ]),
  ).toString(16)

export const putMeta = (db: DatabaseSync, known: Known): void => {
  db.exec('DELETE FROM meta')
  const put = db.prepare('INSERT INTO meta VALUES (?, ?)')
  for (const [name, value] of Object.entries({ ...known.meta, digest: digestOf(known) })) put.run(name, String(value))
}

export const getMeta = (db: DatabaseSync, path: string): { meta: Meta; digest: string } => {
  const rows = db.prepare('SELECT name, value FROM meta').all()
  const all = new Map(rows.map(row => [String(row['name']), String(row['value'])]))
  const text = (name: string): string => {
    const value = all.get(name)
    if (value === undefined) throw corrupt(path, `it does not say its ${name}`)
    return value
  }
  return {
    meta: {
      instance: text('instance'),
      firstNumber: Number(text('firstNumber')),
      revision: Number(text('revision')),
      allocated: Number(text('allocated')),
      complete: text('complete') === 'true',
      ...(all.has('numberKey') && { numberKey: text('numberKey'), sequential: Number(text('sequential')) }),
    },
    digest: text('digest'),
  }
}

export type Written = { readonly before: readonly Row[]; readonly sum: bigint }

/** Writes rows; answers the rows that undo it, and the sum over all rows after it. */
export const putRows = (db: DatabaseSync, rows: readonly Row[], sum: bigint): Written => {
  const select = db.prepare('SELECT kind, key, value, revision FROM object WHERE kind = ? AND key = ?')
  const put = db.prepare('INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?)')
  const remove = db.prepare('DELETE FROM object WHERE kind = ? AND key = ?')
  const before: Row[] = []
  let after = sum
  for (const row of rows) {
    const old = select.get(row.kind, row.key) as Row | undefined
    before.push(old ?? { ...row, value: undefined })
    if (old) after = removed(after, old)
    if (row.value === undefined) remove.run(row.kind, row.key)
    else {
      put.run(row.kind, row.key, row.value, row.revision)
      after = added(after, row)
    }
  }
  return { before, sum: after }
}
