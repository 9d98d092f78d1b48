// One row of the table that `npm run test:attacks` ends with.
import type { Test } from 'tap'
import { type Row, rowMark } from '../tap.ts'

export type Attack = {
  /** As in the list of faults (F) and attacks (A) that l2sm is held against. */
  readonly id: string
  /** What is done to us. */
  readonly attack: string
  /** What must hold. */
  readonly criterion: string
}

/** Runs an attack as a test. What `run` answers is the figure of its row: what was counted or measured. */
export const attack = (t: Test, { id, attack, criterion }: Attack, run: (t: Test) => Promise<string>) =>
  t.test(`${id} ${attack}: ${criterion}`, async t => {
    const tell = (figure: string, pass: boolean) => {
      const row: Row = [id, attack, criterion, figure, pass ? 'pass' : 'FAIL']
      t.comment(`${rowMark.replace('# ', '')}${JSON.stringify(row)}`)
    }
    try {
      tell(await run(t), t.passing())
    } catch (error) {
      tell(String(error).split('\n')[0]!, false)
      throw error
    }
  })
