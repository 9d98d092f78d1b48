import type { FileResult, Row } from './tap.ts'

/** More files than this that only passed alone are no accident any more: in CI they fail the run. */
export const maxAgain = 3

/**
 * What a run of tests comes to: `second` has the files that were run once more, alone, and what came out then counts. In CI
 * everything is there, so a skip is a failure. The last line is `N passed, N failed`.
 */
export function summary(
  first: readonly FileResult[],
  second: readonly FileResult[],
  ci: boolean,
): { readonly lines: readonly string[]; readonly failed: number } {
  const repeated = new Map(second.map(r => [r.file, r]))
  const counted = first.map(r => repeated.get(r.file) ?? r)
  const named = (r: FileResult, tests: readonly string[]) => tests.map(test => `${r.file}: ${test}`)
  const skipped = counted.flatMap(r => named(r, r.skipped))
  const again = first.filter(r => repeated.has(r.file))
  const onlyAlone = again.filter(r => repeated.get(r.file)!.failed.length === 0)
  const failed = [
    ...counted.flatMap(r => named(r, r.failed)),
    ...(ci ? skipped.map(test => `${test} (SKIPPED)`) : []),
    ...(ci && onlyAlone.length > maxAgain ? [`${onlyAlone.length} files passed only when they were run again`] : []),
  ]
  const passed = counted.reduce((sum, r) => sum + r.passed, 0)
  const outcome = (file: string) => (repeated.get(file)!.failed.length === 0 ? 'passed' : 'failed')
  const rows = counted.flatMap(r => r.rows)
  return {
    failed: failed.length,
    lines: [
      ...(rows.length > 0 ? [...aligned(rows), ''] : []),
      ...again.flatMap(r =>
        named(r, r.failed).map(test => `AGAIN    ${test} (its file, run once more, ${outcome(r.file)})`),
      ),
      ...failed.map(test => `FAILED   ${test}`),
      ...(ci ? [] : skipped.map(test => `SKIPPED  ${test}`)),
      '',
      `${passed} passed, ${failed.length} failed${skipped.length > 0 && !ci ? `, ${skipped.length} skipped` : ''}`,
    ],
  }
}

const head: Row = ['id', 'attack', 'criterion', 'figure', 'pass']

/** Rows as a table, in the order of their ids; no column is wider than its longest cell. */
function aligned(rows: readonly Row[]): readonly string[] {
  const all = [head, ...[...rows].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))]
  const width = (i: number) => Math.max(...all.map(row => row[i]!.length))
  const widths = head.map((_, i) => width(i))
  return all.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join(' | ')
      .trimEnd(),
  )
}
