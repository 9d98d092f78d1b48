import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { putNetwork } from '../../store/desired.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
const made = async (folder: string, ...ids: readonly string[]) => {
  const path = join(folder, 'l2sm.db')
  const store = await openSqlite(path)
  for (const id of ids) await store.write(draft => putNetwork(draft, id))
  await store.close()
  return path
}

t.test('no link is followed, neither for the store, nor for its lock or journal', async t => {
  const folder = t.testdir({ precious: 'mine' })
  const precious = join(folder, 'precious')
  for (const name of ['l2sm.db', 'l2sm.db.lock', 'l2sm.db-journal']) {
    const own = join(folder, `for-${name}`)
    mkdirSync(own)
    symlinkSync(precious, join(own, name))
    await t.rejects(openSqlite(join(own, 'l2sm.db')), { code: 'io', message: /is a link, and none is followed/ }, name)
  }
  t.equal(readFileSync(precious, 'utf8'), 'mine')
})

t.test('its files are for their owner only; a store that everybody may read is refused with what mends it', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const store = await openSqlite(path)
  await store.write(draft => putNetwork(draft, 'red'))
  t.strictSame([path, `${path}.lock`, `${path}-journal`].map(mode), ['600', '600', '600'])
  await store.close()
  chmodSync(path, 0o644)
  await t.rejects(openSqlite(path), { message: new RegExp(`chmod 600 ${path}`) })
  t.equal(mode(path), '644')
})

t.test('a folder that is not there is not made', async t => {
  const folder = join(t.testdir(), 'none')
  await t.rejects(openSqlite(join(folder, 'l2sm.db')), {
    code: 'io',
    errno: 'ENOENT',
    message: new RegExp(`no folder ${folder}`),
  })
})

/** Leaves half a commit: the file changed, its journal full, and the process killed. */
const killInCommit = (path: string) =>
  spawnSync(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { DatabaseSync } from 'node:sqlite'
     const db = new DatabaseSync(${JSON.stringify(path)})
     db.exec("PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; DELETE FROM object")
     const put = db.prepare('INSERT INTO object VALUES (?, ?, ?, 1)')
     for (let i = 0; i < 120; i++) put.run('network', 'n' + i, 'x'.repeat(1000))
     process.kill(process.pid, 'SIGKILL')`,
  ])

t.test('half a commit of its own is taken back', async t => {
  const path = await made(t.testdir(), 'red', 'blue')
  const before = readFileSync(path)
  t.equal(killInCommit(path).signal, 'SIGKILL')
  t.notSame(readFileSync(path), before, 'pages of it had reached the file')
  const store = await openSqlite(path)
  t.strictSame([...store.state().networks.keys()].sort(), ['blue', 'red'])
  await store.close()
})

t.test('beside half a commit to another file it refuses, names the journal, and has touched nothing', async t => {
  const folder = t.testdir({ a: {}, b: {} })
  const path = await made(join(folder, 'a'), 'red', 'blue', 'green')
  const backup = await made(join(folder, 'b'), 'red')
  killInCommit(path)
  copyFileSync(backup, path)
  const journal = readFileSync(`${path}-journal`)
  const file = readFileSync(path)
  await t.rejects(openSqlite(path), {
    code: 'corrupt',
    message: new RegExp(`${path}-journal.*not to this.*Move ${path}-journal away`),
  })
  t.same(readFileSync(path), file)
  t.same(readFileSync(`${path}-journal`), journal)
  writeFileSync(`${path}-journal`, '')
  const store = await openSqlite(path)
  t.strictSame([...store.state().networks.keys()], ['red'], 'with the journal gone the backup is what it was')
  await store.close()
})

t.test('a store that another process is writing is said to be in use, whatever its journal looks like', async t => {
  const path = await made(t.testdir(), 'red')
  const child = fileURLToPath(new URL('writer.ts', import.meta.url))
  t.ok(child)
  const first = await openSqlite(path)
  await t.rejects(openSqlite(path), { code: 'locked' })
  await first.close()
})
