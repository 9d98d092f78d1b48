// `npm run mutate [-- NAME ...]`: breaks the product on purpose, one named way at a time, in a copy, and expects the tests to
// turn red. A mutation that survives is a hole in the tests; one whose text is not in the code any more is a failure, too.
// Without names it takes a sample, another one each day: `--seed TEXT` and `--sample N` choose it, `--all` takes all.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Mutation, mutated, mutations } from './mutations.ts'

const root = new URL('..', import.meta.url).pathname
const left = new Set(['node_modules', '.git', '.tap'])

/** Runs tests in a copy of the project with this change; undefined when they pass, else what they say. */
function notice(
  tests: readonly string[],
  change: (copy: string) => void,
  ...flags: readonly string[]
): string | undefined {
  const copy = mkdtempSync(join(tmpdir(), 'l2sm-mutant-'))
  try {
    cpSync(root, copy, { recursive: true, filter: path => !left.has(basename(path)) })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    change(copy)
    // One that does not even compile says nothing of the tests.
    const types = spawnSync('tsc', ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false'], {
      cwd: copy,
      encoding: 'utf8',
    })
    if (types.status !== 0) throw new Error(`this does not type-check: ${types.stdout}`)
    const { status, stdout, stderr } = spawnSync(process.execPath, ['test/run.ts', ...flags, ...tests], {
      cwd: copy,
      encoding: 'utf8',
    })
    if (status === 0) return undefined
    return /^FAILED +(.*)$/m.exec(stdout)?.[1] ?? `${stdout}${stderr}`.slice(-2000)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const apply = (mutation: Mutation) => (copy: string) => {
  const path = join(copy, mutation.file)
  writeFileSync(path, mutated(mutation, readFileSync(path, 'utf8')))
}

/** As many as asked for, as the seed says: by the digests of their names, so that a new one moves no other. */
const sampleOf = (seed: string, count: number): readonly Mutation[] => {
  const digest = ({ name }: Mutation) => createHash('sha256').update(`${seed} ${name}`).digest('hex')
  return mutations.toSorted((a, b) => (digest(a) < digest(b) ? -1 : 1)).slice(0, count)
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, seed: { type: 'string' }, sample: { type: 'string', default: '3' } },
})
const seed = values.seed ?? new Date().toISOString().slice(0, 10)
const named = mutations.filter(m => positionals.some(a => m.name.includes(a)))
const chosen = positionals.length > 0 ? named : values.all ? mutations : sampleOf(seed, Number(values.sample))
if (!values.all && positionals.length === 0) console.log(`${chosen.length} of ${mutations.length}, seed ${seed}\n`)
for (const mutation of chosen) mutated(mutation, readFileSync(join(root, mutation.file), 'utf8'))
const broken = notice([...new Set(chosen.flatMap(m => [...m.tests, ...(m.proof ?? [])]))], () => {})
if (broken !== undefined) throw new Error(`the tests fail without any mutation, so they can notice none: ${broken}`)
const survivors = chosen.filter(m => {
  try {
    const noticed = notice(m.tests, apply(m), '--bail')
    console.log(`${m.name}\n  ${noticed === undefined ? 'SURVIVED' : `noticed by: ${noticed}`}`)
    const refuted = m.proof && notice(m.proof, apply(m), '--bail')
    if (m.proof) console.log(`  ${refuted === undefined ? 'PROVED ALL THE SAME' : `refuted by the proof: ${refuted}`}`)
    return noticed === undefined || (m.proof !== undefined && refuted === undefined)
  } catch (error) {
    console.log(`${m.name}\n  ${error}`)
    return true
  }
})
console.log(`\n${chosen.length - survivors.length} of ${chosen.length} mutations noticed`)
console.log(`\n${chosen.length - survivors.length} passed, ${survivors.length} failed`)
process.exitCode = survivors.length > 0 || chosen.length === 0 ? 1 : 0
