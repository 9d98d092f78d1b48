// `npm test [-- FILE|FOLDER ...]`: types, lint, then every test but those that take long and come with a command of their
// own (suites.ts). A line a file, on a terminal and elsewhere; then what failed; the last line is `N passed, N failed`.
// Tests on real switches come by themselves, one after the other: they measure loss, and must not starve each other.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { isApart, isOneByOne } from './suites.ts'
import { summary } from './summary.ts'
import { type FileResult, tapReader } from './tap.ts'

const run = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0

function tell({ file, passed, failed, skipped, seconds, said }: FileResult): void {
  const counts = [`${passed} passed`, ...(failed.length ? [`${failed.length} FAILED`] : [])]
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`)
  console.log(
    `${failed.length ? 'not ok' : 'ok    '} ${seconds.toFixed(1).padStart(6)} s  ${file}: ${counts.join(', ')}`,
  )
  for (const line of said.slice(0, 200)) console.log(`    ${line}`)
}

/** Runs these files and says what became of each. `broken` is what tap itself says when no file says why it failed. */
async function tap(files: readonly string[], jobs: number): Promise<readonly FileResult[]> {
  const results: FileResult[] = []
  if (files.length === 0) return results
  // Node keeps what it made of a file: all tests read the same sources.
  const env = { NODE_COMPILE_CACHE: resolve('node_modules', '.cache', 'node'), ...process.env }
  const child = spawn('tap', ['run', '--reporter=tap', `--jobs=${jobs}`, ...flags, ...files], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env,
  })
  // On a terminal Ctrl-C reaches tap and its tests, too; a signal to this process alone would leave them running.
  const end = (signal: NodeJS.Signals) => void child.kill(signal)
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
  const closed = new Promise<number | null>(resolve => child.on('close', resolve))
  const reader = tapReader(result => {
    results.push(result)
    tell(result)
  })
  for await (const line of createInterface(child.stdout)) reader.line(line)
  reader.end()
  // A run that fails in a way that no file reports is a failure all the same.
  if ((await closed) !== 0 && results.every(r => r.failed.length === 0))
    results.push({ file: 'tap', passed: 0, failed: ['tap itself'], skipped: [], seconds: 0, said: [], rows: [] })
  return results
}

/**
 * tap is built from its plugins. A fresh install has the default ones, among them a TypeScript loader that needs an older
 * TypeScript; ours leave it out (package.json), for Node strips the types itself.
 */
function buildTap(): boolean {
  const built = join('node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')
  return (existsSync(built) && !readFileSync(built, 'utf8').includes('@tapjs/typescript')) || run('tap', ['build'])
}

const root = process.cwd()
const onSwitches = (file: string) => isOneByOne(resolve(file), root)
const flags = process.argv.slice(2).filter(a => a.startsWith('--'))
const asked = process.argv.slice(2).filter(a => !a.startsWith('--'))
const files =
  asked.length > 0
    ? asked.flatMap(a => (a.endsWith('.ts') ? a : globSync(`${a}/**/*.test.ts`)))
    : globSync('test/**/*.test.ts').filter(file => !isApart(resolve(file), root))

/** Runs all; a file on real switches that failed is run once more, alone: the machine may have been busy with something else. */
async function runAll(): Promise<{ first: readonly FileResult[]; second: readonly FileResult[] }> {
  // One more than there are processors: some tests wait for a time-out of the system's.
  const core = await tap(
    files.filter(f => !onSwitches(f)),
    availableParallelism() + 1,
  )
  const switches = await tap(files.filter(onSwitches), 1)
  const again = switches.filter(r => r.failed.length > 0 && existsSync(r.file)).map(r => r.file)
  const isOdd = again.length > 0 && again.length <= 6 && !flags.includes('--bail')
  if (isOdd) console.log(`\nAgain, alone: ${again.join(', ')}`)
  return { first: [...core, ...switches], second: isOdd ? await tap(again, 1) : [] }
}

const checked =
  buildTap() &&
  (asked.length > 0 ||
    (run('tsc', []) &&
      run('biome', ['ci', '--error-on-warnings', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.'])))
const nothing = { passed: 0, skipped: [], seconds: 0, said: [], rows: [] }
const { first, second } = checked
  ? await runAll()
  : { first: [{ ...nothing, file: 'npm run check', failed: ['types, lint, or building tap'] }], second: [] }
const { lines, failed } = summary(first, second, process.env['CI'] !== undefined)
console.log(`\n${lines.join('\n')}`)
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0
