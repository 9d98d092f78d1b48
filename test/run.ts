// `npm test [-- FILE|FOLDER ...]`: types, lint, then every test but those of test/e2e, which take long and come with
// `npm run test:e2e`; ends with a line `N passed, N failed`.
// Tests on real switches come by themselves, one after the other: they measure loss, and must not starve each other.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Result = { passed: number; readonly failed: string[]; readonly skipped: string[]; readonly again?: string[] }

/** Named tests (one level below a file) in TAP version 14; a file that fails without a failing test counts as one. */
function results(tap: string): Result {
  const total: Result = { passed: 0, failed: [], skipped: [] }
  let failed: string[] = []
  let skipped: string[] = []
  for (const line of tap.split('\n')) {
    const [, indent, not, name = '', directive] =
      /^( {4})?(not )?ok \d+ - (.*?)(?: # (SKIP|TODO|time).*)?$/i.exec(line) ?? []
    if (name === '') continue
    const left = /SKIP|TODO/i.test(directive ?? '')
    if (indent) {
      if (left) skipped.push(name)
      else if (not) failed.push(name)
      else total.passed++
      continue
    }
    if (left) skipped.push('all of it')
    if (not && failed.length === 0) failed.push('the file as a whole')
    total.failed.push(...failed.map(test => `${name}: ${test}`))
    total.skipped.push(...skipped.map(test => `${name}: ${test}`))
    failed = []
    skipped = []
  }
  return total
}

const scratch = mkdtempSync(join(tmpdir(), 'l2sm-test-'))
const run = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0

function tap(name: string, files: readonly string[], jobs: number): Result {
  if (files.length === 0) return { passed: 0, failed: [], skipped: [] }
  const output = join(scratch, name)
  const reporter = flags.some(f => f.startsWith('--reporter')) ? [] : ['--reporter=terse']
  const ok = run('tap', ['run', ...reporter, `--jobs=${jobs}`, `--output-file=${output}`, ...flags, ...files])
  const counted = results(readFileSync(output, 'utf8'))
  // A run that fails in a way that no test reports is a failure all the same.
  if (!ok && counted.failed.length === 0) counted.failed.push(`${name}: tap itself`)
  return counted
}

/**
 * tap is built from its plugins. A fresh install has the default ones, among them a TypeScript loader that needs an older
 * TypeScript; ours leave it out (package.json), for Node strips the types itself.
 */
function buildTap(): boolean {
  const built = join('node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')
  return (existsSync(built) && !readFileSync(built, 'utf8').includes('@tapjs/typescript')) || run('tap', ['build'])
}

/**
 * Loss is measured on real switches, on a machine that may be busy with something else: a file that failed is run once
 * more, alone, and what comes out then counts. It is told all the same.
 */
function secondChance(name: string, first: Result): Result {
  const files = [...new Set(first.failed.map(test => test.split(': ')[0]!))].filter(file => existsSync(file))
  if (files.length === 0 || files.length > 6 || flags.includes('--bail')) return first
  const second = tap(`again-${name}`, files, 1)
  const again = first.failed.filter(test => !second.failed.includes(test))
  const passed = first.passed + again.filter(test => !test.endsWith(': the file as a whole')).length
  return { passed, failed: second.failed, skipped: first.skipped, again }
}

const inFolder = (file: string, folder: string) => file.split(/[\\/]/).includes(folder)
const flags = process.argv.slice(2).filter(a => a.startsWith('--'))
const asked = process.argv.slice(2).filter(a => !a.startsWith('--'))
const files =
  asked.length > 0
    ? asked.flatMap(a => (a.endsWith('.ts') ? a : globSync(`${a}/**/*.test.ts`)))
    : globSync('test/**/*.test.ts').filter(file => !inFolder(file, 'e2e'))
const onSwitches = (file: string) => inFolder(file, 'ovs') || inFolder(file, 'e2e')

try {
  const checked =
    buildTap() && (asked.length > 0 || (run('tsc', []) && run('biome', ['ci', '--error-on-warnings', '.'])))
  const core = files.filter(f => !onSwitches(f))
  const parts = checked
    ? [
        secondChance('core.tap', tap('core.tap', core, 2)),
        secondChance('ovs.tap', tap('ovs.tap', files.filter(onSwitches), 1)),
      ]
    : [{ passed: 0, failed: ['types, lint, or building tap'], skipped: [] }]
  const skipped = parts.flatMap(p => p.skipped)
  // In CI everything is there: a skip is a failure.
  const failed = [...parts.flatMap(p => p.failed), ...(process.env['CI'] ? skipped.map(s => `${s} (SKIPPED)`) : [])]
  for (const test of parts.flatMap(p => p.again ?? [])) console.log(`AGAIN    ${test} (failed at first, passed alone)`)
  for (const test of failed) console.log(`FAILED   ${test}`)
  if (!process.env['CI']) for (const test of skipped) console.log(`SKIPPED  ${test}`)
  const passed = parts.reduce((sum, p) => sum + p.passed, 0)
  const left = skipped.length > 0 && !process.env['CI'] ? `, ${skipped.length} skipped` : ''
  console.log(`\n${passed} passed, ${failed.length} failed${left}`)
  process.exitCode = failed.length > 0 ? 1 : 0
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
