import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { attach, deleteNetwork, putNetwork } from '../../store/desired.ts'
import { StoreError } from '../../store/error.ts'
import type { Meta, Row } from '../../store/row.ts'
import { openStateFile } from '../../store/sqlite/file.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { dpid } from './backends.ts'

t.setTimeout(120_000)

type Content = { meta: Meta; rows: Row[] }

/** All of a file, as the worker would read it. */
const read = (path: string): Content => {
  const rows: Row[] = []
  const file = openStateFile(
    path,
    { instance: 'not ours', firstNumber: 1, numberKey: 'x' },
    page => void rows.push(...page),
  )
  file.close()
  return { meta: file.meta, rows }
}

/** Some pages of state, with gaps where something was deleted. */
const make = async (path: string): Promise<Content> => {
  const store = await openSqlite(path)
  for (let n = 0; n < 60; n++)
    await store.write(draft => {
      putNetwork(draft, `n${n}`, n % 7 ? {} : { mirror: { dpid: dpid(99), port: n + 1 } })
      for (let port = 1; port <= 5; port++)
        attach(draft, {
          network: `n${n}`,
          dpid: dpid(n),
          port,
          mac: `02:00:00:00:00:0${port}`,
          ips: [`10.0.${n}.${port}/24`],
        })
    })
  for (let n = 10; n < 30; n++) await store.write(draft => deleteNetwork(draft, `n${n}`))
  await store.close()
  return read(path)
}

/** The damaged file is read as it was before the damage, or it is refused and left as it is. Anything else throws. */
const check = (path: string, good: Content, what: string): 'read' | 'refused' => {
  const before = readFileSync(path)
  try {
    const now = read(path)
    if (JSON.stringify(now) !== JSON.stringify(good)) throw new Error(`${what}: read, but not as it was`)
    return 'read'
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (!/Put a copy from a backup|Run the newer/.test(error.message))
      throw new Error(`${what}: no advice: ${error.message}`)
    if (!readFileSync(path).equals(before)) throw new Error(`${what}: refused, but changed`)
    return 'refused'
  }
}

t.test('a flipped bit anywhere in the file is harmless, or the file is refused', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const good = await make(path)
  const bytes = readFileSync(path)
  const seen = { read: 0, refused: 0 }
  const flip = (bit: number): void => {
    const damaged = Buffer.from(bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    writeFileSync(path, damaged)
    seen[check(path, good, `bit ${bit & 7} of byte ${bit >> 3}`)]++
  }
  // Every bit of SQLite's own header, where most of them mean something; and many elsewhere.
  for (let bit = 0; bit < 8 * 108; bit++) flip(bit)
  fc.assert(fc.property(fc.nat(8 * bytes.length - 1), flip), { numRuns: 1500 })
  t.ok(seen.read > 100 && seen.refused > 100, JSON.stringify(seen))
  t.ok(bytes.length > 40_000, `of ${bytes.length} bytes`)
})

t.test('a page that is not of this file, or of an earlier time, is noticed', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const good = await make(path)
  const old = readFileSync(path)
  const store = await openSqlite(path)
  await store.write(draft => putNetwork(draft, 'later'))
  await store.write(draft => attach(draft, { network: 'n40', dpid: dpid(40), port: 9 }))
  await store.close()
  const later = read(path)
  const bytes = readFileSync(path)
  const seen = { read: 0, refused: 0 }
  for (let at = 0; at < bytes.length; at += 4096) {
    for (const page of [old.subarray(at, at + 4096), Buffer.alloc(4096), bytes.subarray(4096, 8192)]) {
      const damaged = Buffer.from(bytes)
      page.copy(damaged, at)
      writeFileSync(path, damaged)
      seen[check(path, later, `page at ${at}`)]++
    }
  }
  t.ok(seen.refused > bytes.length / 4096, JSON.stringify(seen))
  t.not(good.meta.revision, later.meta.revision)
})

t.test('a file that was cut off is refused', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const good = await make(path)
  const bytes = readFileSync(path)
  const lengths = [0, 1, 15, 16, 99, 100, 511, 512, 4095]
  for (let length = 4096; length < bytes.length; length += 2048) lengths.push(length)
  for (const length of lengths) {
    writeFileSync(path, bytes.subarray(0, length))
    t.equal(check(path, good, `${length} bytes`), 'refused', `${length} of ${bytes.length} bytes`)
  }
  // A last byte that was zero is read as zero; then nothing is missing.
  writeFileSync(path, bytes.subarray(0, -1))
  check(path, good, 'one byte less')
})

/** A process that dies in the middle of a commit, its pages already in the file: SQLite must roll them back from the journal. */
const dieInCommit = (path: string): void => {
  const script = `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1])
    db.exec("PRAGMA journal_mode = PERSIST; PRAGMA cache_size = 1; BEGIN; UPDATE object SET value = value || ' ', revision = 999; DELETE FROM meta")
    process.kill(process.pid, 'SIGKILL')`
  spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', script, path])
}

t.test('a commit that was cut off is rolled back, or refused when its journal is damaged too', async t => {
  const folder = t.testdir()
  const path = join(folder, 'l2sm.db')
  const good = await make(path)
  const intact = readFileSync(path)
  dieInCommit(path)
  t.notOk(readFileSync(path).equals(intact), 'there is something to roll back')
  for (const from of [path, `${path}-journal`]) copyFileSync(from, `${from}.torn`)
  const restore = () => {
    for (const to of [path, `${path}-journal`]) copyFileSync(`${to}.torn`, to)
  }
  t.strictSame(read(path), good, 'with its journal it is as it was')

  const journal = readFileSync(`${path}-journal.torn`)
  const seen = { read: 0, refused: 0 }
  const tryOut = (damaged: Buffer, what: string): void => {
    restore()
    writeFileSync(`${path}-journal`, damaged)
    try {
      if (JSON.stringify(read(path)) !== JSON.stringify(good)) throw new Error(`${what}: read, but not as it was`)
      seen.read++
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      seen.refused++
    }
  }
  const flip = (bit: number): void => {
    const damaged = Buffer.from(journal)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    tryOut(damaged, `journal bit ${bit}`)
  }
  for (let bit = 0; bit < 8 * 28; bit++) flip(bit)
  fc.assert(fc.property(fc.nat(8 * journal.length - 1), flip), { numRuns: 300 })
  for (let length = 0; length < journal.length; length += 4104)
    tryOut(journal.subarray(0, length), `journal of ${length}`)
  t.ok(seen.read > 0 && seen.refused > 0, JSON.stringify(seen))
  restore()
  rmSync(`${path}-journal`)
  t.equal(check(path, good, 'without its journal'), 'refused', 'without its journal it is refused')
})
