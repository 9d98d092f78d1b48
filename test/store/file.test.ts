import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { attach, putNetwork } from '../../store/desired.ts'
import type { Row } from '../../store/row.ts'
import { schemaVersion } from '../../store/sqlite/create.ts'
import { openStateFile } from '../../store/sqlite/file.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { dpid } from './backends.ts'
import { writer } from './child.ts'

t.setTimeout(120_000)

/** A closed store with a network and a port in it. */
const made = async (t: Test): Promise<string> => {
  const path = join(t.testdir(), 'l2sm.db')
  const store = await openSqlite(path)
  await store.write(draft => {
    putNetwork(draft, 'red')
    attach(draft, { network: 'red', dpid: dpid(1), port: 1 })
  })
  await store.close()
  return path
}

/** Changes a closed file by means of SQLite, as somebody with too much courage might. */
const tamper = (path: string, sql: string): void => {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

/** Opening is refused in these words, and leaves the file as it is. */
const refuses = async (t: Test, path: string, error: object): Promise<void> => {
  const before = readFileSync(path)
  await t.rejects(openSqlite(path), { name: 'StoreError', ...error })
  t.ok(readFileSync(path).equals(before), 'the file is as it was')
}

t.test('files are for their owner only', async t => {
  const folder = t.testdir()
  const store = await openSqlite(join(folder, 'l2sm.db'))
  await store.write(draft => putNetwork(draft, 'red'))
  t.strictSame(readdirSync(folder).sort(), ['l2sm.db', 'l2sm.db-journal', 'l2sm.db.lock'])
  for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  await store.close()
})

t.test('a second process is told who has the file, and may have it after that one', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const store = await openSqlite(path)
  const second = await promisify(execFile)(process.execPath, [writer, path, '0', '1', '1']).catch(error => error)
  t.match(second.stderr, new RegExp(`open in another process \\(process ${process.pid} on .* since 2`))
  await t.rejects(openSqlite(path), { code: 'locked' }, 'also a second time in this process')
  await store.write(draft => putNetwork(draft, 'red'))
  t.ok(store.state().networks.has('red'), 'the first is not disturbed')
  await store.close()
  const next = await openSqlite(path)
  t.ok(next.state().networks.has('red'))
  await next.close()
})

t.test('a name that means something to SQLite is just a name here', async t => {
  const folder = t.testdir()
  for (const name of [':memory:', 'file:x?mode=memory', 'a?b#c%41']) {
    const store = await openSqlite(join(folder, name))
    await store.write(draft => putNetwork(draft, 'red'))
    await store.close()
    const again = await openSqlite(join(folder, name))
    t.ok(again.state().networks.has('red'), name)
    await again.close()
  }
})

t.test('what is no store is refused', async t => {
  const folder = t.testdir()
  const path = join(folder, 'l2sm.db')
  mkdirSync(path)
  await t.rejects(openSqlite(path), { code: 'io', message: /is not a file/ })
  await t.rejects(openSqlite(join(folder, 'l2sm.db', 'x', '\u0000')), { name: 'StoreError' })
  rmSync(path, { recursive: true })

  writeFileSync(path, '', { mode: 0o600 })
  await refuses(t, path, { code: 'corrupt', message: /it has 0 bytes/ })
  writeFileSync(path, 'networks:\n  - red\n'.repeat(1000))
  await refuses(t, path, { code: 'corrupt', message: /not a database/ })
  rmSync(path)
  tamper(path, 'CREATE TABLE meta (name, value)')
  chmodSync(path, 0o600)
  await refuses(t, path, { code: 'corrupt', message: /not l2sm's/ })
  writeFileSync(join(folder, 'file'), '')
  await t.rejects(openSqlite(join(folder, 'file', 'l2sm.db')), { name: 'StoreError', code: 'io' })
})

t.test('a file of a newer l2sm is refused', async t => {
  const path = await made(t)
  tamper(path, `PRAGMA user_version = ${schemaVersion + 1}`)
  const message = new RegExp(
    `its schema is ${schemaVersion + 1}, this one knows up to ${schemaVersion}\\. Run the newer`,
  )
  await refuses(t, path, { code: 'newer-schema', message })
})

t.test('a file of an older l2sm is read, and is of this one from the first write on', async t => {
  const path = await made(t)
  const version = () => {
    const db = new DatabaseSync(path)
    const { user_version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
    db.close()
    return user_version
  }
  for (let older = 1; older < schemaVersion; older++) {
    tamper(path, `PRAGMA user_version = ${older}`)
    const store = await openSqlite(path)
    t.ok(store.state().networks.has('red'))
    await store.close()
    t.equal(version(), older, 'it can still be put back')
    const again = await openSqlite(path)
    await again.write(draft => putNetwork(draft, `new-${older}`))
    await again.close()
    t.equal(version(), schemaVersion)
  }
})

t.test('a row that was changed, taken away or added by others is refused', async t => {
  for (const sql of [
    `UPDATE object SET value = replace(value, '"port":1', '"port":2') WHERE kind = 'attachment'`,
    `UPDATE object SET revision = 7 WHERE kind = 'network'`,
    `DELETE FROM object WHERE kind = 'attachment'`,
    `INSERT INTO object VALUES ('access', '0000000000000009/9', 'true', 1)`,
    `UPDATE meta SET value = 'true' WHERE name = 'complete'`,
    `UPDATE meta SET value = '0' WHERE name = 'allocated'`,
    `DELETE FROM meta WHERE name = 'instance'`,
    'DROP TABLE object',
  ])
    await t.test(sql, async t => {
      const path = await made(t)
      tamper(path, sql)
      await refuses(t, path, { code: 'corrupt', message: /is damaged.*backup/ })
    })
})

t.test('a row that we wrote but can not understand is refused, and named', async t => {
  const rows: [RegExp, Row][] = [
    [/network blue can't be understood/, { kind: 'network', key: 'blue', value: '{"id":"blue"}', revision: 2 }],
    [
      /network blue can't be understood/,
      { kind: 'network', key: 'blue', value: '{"id":"red","number":4}', revision: 2 },
    ],
    [/network blue can't be understood/, { kind: 'network', key: 'blue', value: '{"id":', revision: 2 }],
    [/number 0: expected/, { kind: 'network', key: 'blue', value: '{"id":"blue","number":0}', revision: 2 }],
    [
      /network green, which does not exist/,
      {
        kind: 'attachment',
        key: `${dpid(1)}/7`,
        value: JSON.stringify({ network: 'green', dpid: dpid(1), port: 7, guard: 'learn' }),
        revision: 2,
      },
    ],
    [/access .* can't be understood/, { kind: 'access', key: `${dpid(1)}/7`, value: '1', revision: 2 }],
  ]
  for (const [message, row] of rows) {
    const path = await made(t)
    const file = openStateFile(path, { instance: '', firstNumber: 1, numberKey: 'x' }, () => {})
    file.commit({ rows: [row], revision: 2, allocated: 1, complete: false })
    file.close()
    await refuses(t, path, { code: 'corrupt', message })
  }
})

t.test('half a commit to a file that is gone is not rolled into a new one', async t => {
  const path = await made(t)
  writeFileSync(`${path}-journal`, 'a journal, said to be hot')
  rmSync(path)
  await t.rejects(openSqlite(path), { code: 'corrupt', message: /l2sm.db-journal holds half a commit/ })
  t.notOk(readdirSync(join(path, '..')).includes('l2sm.db'))
})

t.test('a file that is removed and nothing else is a new store under another name', async t => {
  const path = await made(t)
  const first = await openSqlite(path)
  await first.close()
  rmSync(path)
  const second = await openSqlite(path)
  t.not(second.instance, first.instance)
  t.equal(second.state().complete, false)
  await second.close()
})

t.test('a file that is taken away under us is not written to in vain', async t => {
  const path = await made(t)
  const store = await openSqlite(path)
  renameSync(path, `${path}.moved`)
  await t.rejects(
    store.write(draft => putNetwork(draft, 'blue')),
    { code: 'diverged', message: /was removed while it was open/ },
  )
  copyFileSync(`${path}.moved`, path)
  await t.rejects(
    store.write(draft => putNetwork(draft, 'blue')),
    { code: 'diverged', message: /was replaced/ },
  )
  t.strictSame([...store.state().networks.keys()], ['red'])
  renameSync(`${path}.moved`, path)
  t.match(await store.write(draft => putNetwork(draft, 'blue')), { created: true }, 'put back, all is well')
  await store.close()
})
