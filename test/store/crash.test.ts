import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { runWriter, writesIn } from './child.ts'

t.setTimeout(600_000)
// Halves the time that the many children take to start.
process.env['NODE_COMPILE_CACHE'] = t.testdir()

/** How often the writer is killed. */
const kills = Number(process.env['L2SM_KILLS'] ?? 24)
/** Evenly spread over [0, 1), and the same in every run. */
const spread = (i: number) => (i * 0.618_033_988_75) % 1

t.test('kill -9 at any moment loses no acknowledged write, and leaves none in part', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const acked = new Set<number>()
  let next = 0
  let torn = 0
  const compare = (round: number, found: readonly number[]): void => {
    const there = new Set(found)
    const lost = [...acked].filter(n => !there.has(n))
    if (lost.length > 0) t.fail(`round ${round}: acknowledged and lost: ${lost.join(', ')}`)
    // Written, but killed before it could say so: allowed, and a proof that kills do come at that moment.
    const unsaid = found.filter(n => !acked.has(n))
    for (const n of unsaid) acked.add(n)
    if (unsaid.length > 0) torn++
  }
  for (let round = 0; round < kills; round++) {
    const abreast = [1, 1, 7][round % 3]!
    const said = await runWriter([path, next, 10_000, abreast], {
      onLine: (line, kill) => void (line.startsWith('open') && sleep(spread(round) * 120).then(kill)),
    })
    compare(round - 1, said.found)
    for (const n of said.acked) acked.add(n)
    // A number that was asked for but not acknowledged may be there or not: the next round asks beyond it.
    next = Math.max(next, ...acked) + 8
  }
  const store = await openSqlite(path)
  compare(kills - 1, [...writesIn(store)])
  await store.close()
  t.ok(acked.size > kills, `${acked.size} writes, in ${torn} rounds one whose answer was cut off`)
})

t.test('kill -9 while the file is being made leaves a store that opens', async t => {
  const root = t.testdir()
  let early = 0
  for (let round = 0; round < 12; round++) {
    const folder = join(root, String(round))
    mkdirSync(folder)
    const said = await runWriter([join(folder, 'l2sm.db'), 0, 10_000, 1], {
      onLine: (line, kill) => {
        if (line !== 'start') return
        // The first thing to be seen in the folder is the file in the making.
        const seen = watch(folder, () => {
          seen.close()
          sleep(spread(round) * 25).then(kill)
        })
      },
    })
    if (said.lines.length === 0) early++
    const store = await openSqlite(join(folder, 'l2sm.db'))
    const found = writesIn(store)
    await store.close()
    t.strictSame(
      said.acked.filter(n => !found.has(n)),
      [],
      `round ${round}`,
    )
  }
  t.ok(early > 0, `${early} of 12 died before they had the store open`)
})

const strace = (() => {
  try {
    execFileSync('strace', ['-f', '-e', 'trace=none', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
const skip = strace ? false : 'strace is not there, or may not trace: apt-get install strace'

/** What `strace -f -y` saw: acknowledgements, those that came before a sync of what was written, and writes to the store. */
const readTrace = (log: string, path: string) => {
  const unsynced = new Set<string>()
  const syncing = new Map<string, string>()
  const early: string[] = []
  let acks = 0
  let writes = 0
  for (const line of log.split('\n')) {
    const [, pid = '', resumed] = /^(\d+) +<\.\.\. f(?:data)?sync resumed>.*= (.*)/.exec(line) ?? []
    if (resumed === '0') unsynced.delete(syncing.get(pid) ?? '')
    const call = /^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)/.exec(line)
    if (!call) continue
    const [, by, name, fd, file, rest] = call as unknown as string[]
    const ours = file === path || file === `${path}-journal`
    if (ours && name!.endsWith('sync')) {
      if (/= 0$/.test(rest!)) unsynced.delete(file!)
      else syncing.set(by!, file!)
    } else if (ours) {
      writes++
      unsynced.add(file!)
    }
    if (name !== 'write' || fd !== '1' || !/ack/.test(rest!)) continue
    acks++
    if (unsynced.size > 0) early.push(`${line} before a sync of ${[...unsynced].join(', ')}`)
  }
  return { acks, early, writes }
}

t.test('every write is synced to disk before it is acknowledged', { skip }, async t => {
  const folder = t.testdir()
  const path = join(folder, 'l2sm.db')
  await (await openSqlite(path)).close()
  const log = join(folder, 'strace.log')
  const calls = 'trace=write,pwrite64,ftruncate,fsync,fdatasync'
  const said = await runWriter([path, 0, 30, 2], { wrapper: ['strace', '-f', '-y', '-o', log, '-e', calls] })
  t.equal(said.acked.length, 30)
  const { acks, early, writes } = readTrace(readFileSync(log, 'utf8'), path)
  t.strictSame(early, [])
  t.equal(acks, 30, 'the trace has every acknowledgement')
  t.ok(writes >= 15 * 3, `the trace has ${writes} writes to the files`)
})

/**
 * System calls that fail, from their n-th use on, so many times. A commit syncs four times: its journal, the journal's
 * header, the database, and the header again; the first commit also syncs the folder. So the 5th sync is the last of the
 * first commit: all of it is in the file, and still it is refused.
 */
const faults = [
  ...['1', '3', '4', '5', '8', '3..6', '5..9'].map(when => ({ call: 'fsync,fdatasync', error: 'EIO', when })),
  ...['1', '5', '6..20'].map(when => ({ call: 'pwrite64', error: 'ENOSPC', when })),
  ...['4', '7', '8..13'].map(when => ({ call: 'pwrite64', error: 'EIO', when })),
]

t.test('when the disk fails, what is in the file is what was acknowledged', { skip }, async t => {
  const folder = t.testdir()
  let refused = 0
  for (const { call, error, when } of faults) {
    const name = `${call} ${when} ${error}`
    const path = join(mkdtempSync(join(folder, 'disk-')), 'l2sm.db')
    await (await openSqlite(path)).close()
    const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${when}`]
    const said = await runWriter([path, 0, 24, 1], { wrapper: ['strace', '-f', '-o', '/dev/null', ...inject] })
    t.equal(said.acked.length + said.nacked.length, 24, `${name}: each write was answered`)
    t.ok(said.acked.includes(23), `${name}: later writes are taken again`)
    const store = await openSqlite(path)
    const found = [...writesIn(store)].sort((a, b) => a - b)
    await store.close()
    t.strictSame(found, said.acked, name)
    const code = error === 'ENOSPC' ? 'disk-full' : 'io'
    for (const [, got] of said.nacked) t.equal(got, code, name)
    refused += said.nacked.length
  }
  t.ok(refused >= faults.length, `${refused} writes were refused`)
})

t.test('a disk that turns read-only is called so, and is written to again when it can be', { skip }, async t => {
  const path = join(t.testdir(), 'l2sm.db')
  await (await openSqlite(path)).close()
  const inject = ['inject=pwrite64:error=EROFS:when=3..5', 'inject=access,faccessat,faccessat2:error=EROFS']
  const wrapper = ['strace', '-f', '-o', '/dev/null', '-P', path, ...inject.flatMap(what => ['-e', what])]
  const said = await runWriter([path, 0, 12, 1], { wrapper })
  t.ok(said.nacked.length > 0)
  for (const [n, code] of said.nacked) t.equal(code, 'read-only', `write ${n}`)
  t.ok(said.acked.includes(11), 'later writes are taken')
  const store = await openSqlite(path)
  const found = [...writesIn(store)].sort((a, b) => a - b)
  await store.close()
  t.strictSame(found, said.acked)
})
