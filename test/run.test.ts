// What `npm test` makes of what tap says. The runs are real ones, of files made here.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { isApart, isOneByOne } from './suites.ts'
import { maxAgain, summary } from './summary.ts'
import { type FileResult, tapReader, wholeFile } from './tap.ts'

const ofFile = (file: string, ...failed: string[]): FileResult => ({
  file,
  passed: 1,
  failed,
  skipped: [],
  seconds: 1,
  said: [],
  rows: [],
})

const root = new URL('..', import.meta.url).pathname

/** Runs files with these contents, by path, as `npm test -- FILE ...` does: in a project of its own, for tap keeps what it knows of a run in a folder there. */
function runOf(folder: string, contents: Readonly<Record<string, string>>) {
  const { type, tap } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type, tap }))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), `import t from ${JSON.stringify(import.meta.resolve('tap'))}\n${text}`)
  }
  const files = Object.keys(contents).map(name => join(folder, name))
  const { TAP: _, CI: __, ...rest } = process.env
  return spawnSync(process.execPath, [join(root, 'test/run.ts'), ...files], {
    cwd: folder,
    encoding: 'utf8',
    env: rest,
  })
}
/** Fails when it runs for the first time. */
const onceOnly = `import { existsSync, writeFileSync } from 'node:fs'
t.test('odd', async t => { const was = existsSync(import.meta.filename + '.ran'); writeFileSync(import.meta.filename + '.ran', ''); t.ok(was) })
`

t.test('a run tells every file in a line, what failed, and the sum', async t => {
  const { status, stdout } = runOf(t.testdir(), {
    'core/fine.test.ts': "t.test('fine', async t => t.ok(true))\nt.test('left', { skip: 'no root' }, async () => {})\n",
    'core/odd.test.ts': onceOnly,
    'core/ended.test.ts': 'process.exit(3)\n',
    'ovs/odd.test.ts': onceOnly,
  })
  const lines = stdout.trimEnd().split('\n')
  const told = (pattern: RegExp) => lines.filter(line => pattern.test(line)).length
  t.equal(status, 1)
  t.equal(lines.at(-1), '2 passed, 2 failed, 1 skipped')
  t.equal(told(/^ok .*core\/fine\.test\.ts: 1 passed, 1 skipped$/), 1)
  t.equal(told(/^SKIPPED .*core\/fine\.test\.ts: left$/), 1)
  t.test('a core test that fails has failed', async t => {
    t.equal(told(/^not ok .*core\/odd\.test\.ts: /), 1)
    t.equal(told(/^FAILED .*core\/odd\.test\.ts: odd$/), 1)
  })
  t.test('what TAP says of it is there', async t => t.equal(told(/^ +fileName: .*core\/odd\.test\.ts$/), 2))
  t.test('a file that ends badly without a failing test has failed as a whole', async t => {
    t.equal(told(new RegExp(`^FAILED .*core/ended\\.test\\.ts: ${wholeFile}$`)), 1)
    t.equal(told(/^ +exitCode: 3$/), 1)
  })
  t.test('a file on real switches is run once more, alone, and that is told', async t => {
    t.equal(told(/^AGAIN .*ovs\/odd\.test\.ts: odd \(its file, run once more, passed\)$/), 1)
    t.equal(told(/^AGAIN /), 1)
  })
  t.test('there are no cursor codes', async t => t.notOk(stdout.includes(String.fromCharCode(27))))
})

t.test('where the checkout lies says nothing of its tests', async t => {
  for (const root of ['/home/ovs', '/home/k8s', '/srv/e2e/l2sm']) {
    t.notOk(isOneByOne(`${root}/test/store/file.test.ts`, root), 'a core test that fails there is not run once more')
    t.notOk(isApart(`${root}/test/store/file.test.ts`, root))
    t.ok(isOneByOne(`${root}/test/ovs/lab.test.ts`, root))
    t.ok(isApart(`${root}/test/k8s/bind.test.ts`, root))
  }
})

t.test('in CI a skip is a failure', async t => {
  const left = [{ ...ofFile('test/a.test.ts'), skipped: ['needs root'] }]
  t.same(summary(left, [], true), {
    failed: 1,
    lines: ['FAILED   test/a.test.ts: needs root (SKIPPED)', '', '1 passed, 1 failed'],
  })
  t.equal(summary(left, [], false).failed, 0)
})

t.test('in CI, more than a few files that pass only alone fail the run', async t => {
  const first = Array.from({ length: maxAgain + 1 }, (_, i) => ofFile(`test/ovs/${i}.test.ts`, 'loses nothing'))
  const second = first.map(r => ofFile(r.file))
  t.equal(summary(first, second, true).failed, 1)
  t.equal(summary(first, second, false).failed, 0)
  t.equal(summary(first.slice(1), second.slice(1), true).failed, 0)
})

t.test('what fails a second time has failed', async t => {
  const { lines, failed } = summary([ofFile('test/ovs/a.test.ts', 'x')], [ofFile('test/ovs/a.test.ts', 'y')], false)
  t.equal(failed, 1)
  t.ok(lines.includes('FAILED   test/ovs/a.test.ts: y'))
})

t.test('names of tests come out of TAP as they were written', async t => {
  const seen: FileResult[] = []
  const reader = tapReader(r => seen.push(r))
  for (const line of [
    '    ok 1 - port \\#3 # time=2ms',
    '    not ok 2 - x # TODO later',
    'ok 1 - a.test.ts # time=1.5s',
  ])
    reader.line(line)
  t.same(seen, [{ file: 'a.test.ts', passed: 1, failed: [], skipped: ['x'], seconds: 1.5, said: [], rows: [] }])
})

t.test('rows that tests tell make a table, once, whichever run of their file counts', async t => {
  const seen: FileResult[] = []
  const reader = tapReader(r => seen.push(r))
  for (const line of [
    '    # row ["B2","a loop","isolated","0.4 s","pass"]',
    '    ok 1 - x',
    '        # row ["A1","spoof # 1","none","0","pass"]',
    '    ok 2 - y',
    'ok 1 - test/ovs/a.test.ts # time=1.5s',
  ])
    reader.line(line)
  const { lines } = summary([ofFile('test/ovs/a.test.ts', 'x')], seen, false)
  t.same(
    lines.filter(line => line.includes('|')),
    [
      'id | attack    | criterion | figure | pass',
      'A1 | spoof # 1 | none      | 0      | pass',
      'B2 | a loop    | isolated  | 0.4 s  | pass',
    ],
  )
})

t.test('of a run that ends at the first failure, that is known', async t => {
  const seen: FileResult[] = []
  const reader = tapReader(r => seen.push(r))
  for (const line of ['# Subtest: a.test.ts', '    ok 1 - x', 'Bail out! should be equal', 'Bail out! should be equal'])
    reader.line(line)
  reader.end()
  t.match(seen, [{ file: '--bail', passed: 1, failed: ['should be equal'] }])
  t.equal(seen.length, 1)
})
