// `npm test [-- FILE|FOLDER ...]`: types, lint, then every test; ends with a line `N passed, N failed`.
// Tests on real switches come by themselves, one after the other: they measure loss, and must not starve each other.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Count = { passed: number; failed: number; skipped: number }

/** Named tests (one level below a file) in TAP version 14; a file that fails without a failing test counts as one. */
function count(tap: string): Count {
  const total = { passed: 0, failed: 0, skipped: 0 }
  let failedInFile = 0
  for (const line of tap.split('\n')) {
    const test = /^ {4}(not )?ok \d+(.*)$/.exec(line)
    if (test) {
      if (/# (SKIP|TODO)/i.test(test[2]!)) total.skipped++
      else if (test[1]) failedInFile++
      else total.passed++
    }
    const file = /^(not )?ok \d+ - (.*)$/.exec(line)
    if (!file) continue
    if (/# SKIP/i.test(file[2]!)) total.skipped++
    total.failed += file[1] ? Math.max(1, failedInFile) : failedInFile
    failedInFile = 0
  }
  return total
}

const scratch = mkdtempSync(join(tmpdir(), 'l2sm-test-'))
const run = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0

function tap(name: string, files: readonly string[], jobs: number): Count {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const output = join(scratch, name)
  const ok = run('tap', [
    'run',
    ...(flags.some(f => f.startsWith('--reporter')) ? [] : ['--reporter=terse']),
    `--jobs=${jobs}`,
    `--output-file=${output}`,
    ...flags,
    ...files,
  ])
  const counted = count(readFileSync(output, 'utf8'))
  // A run that fails in a way that no test reports is a failure all the same.
  if (!ok && counted.failed === 0) counted.failed = 1
  return counted
}

const flags = process.argv.slice(2).filter(a => a.startsWith('--'))
const asked = process.argv.slice(2).filter(a => !a.startsWith('--'))
const files =
  asked.length > 0
    ? asked.flatMap(a => (a.endsWith('.ts') ? a : globSync(`${a}/**/*.test.ts`)))
    : globSync('test/**/*.test.ts')
const onSwitches = (file: string) => file.split(/[\\/]/).includes('ovs')

try {
  const checked = asked.length > 0 || (run('tsc', []) && run('biome', ['ci', '--error-on-warnings', '.']))
  const counts = checked
    ? [
        tap(
          'core.tap',
          files.filter(f => !onSwitches(f)),
          2,
        ),
        tap('ovs.tap', files.filter(onSwitches), 1),
      ]
    : [{ passed: 0, failed: 1, skipped: 0 }]
  const sum = (key: keyof Count) => counts.reduce((n, c) => n + c[key], 0)
  const skipped = sum('skipped')
  if (skipped > 0) console.log(`\n${skipped} tests were SKIPPED: see above what this machine lacks.`)
  // In CI everything is there: a skip is a failure.
  const failed = sum('failed') + (process.env['CI'] ? skipped : 0)
  console.log(
    `\n${sum('passed')} passed, ${failed} failed${skipped > 0 && !process.env['CI'] ? `, ${skipped} skipped` : ''}`,
  )
  process.exitCode = failed > 0 ? 1 : 0
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
