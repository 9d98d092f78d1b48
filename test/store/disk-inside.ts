/** Run by disk.test.ts as root in a mount namespace: what the store does on disks that are full or read-only. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { attach, deleteNetwork, putNetwork } from '../../store/desired.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import type { Store } from '../../store/store.ts'
import { dpid, snapshot } from './backends.ts'

t.setTimeout(100_000)

const mount = (folder: string, ...options: string[]) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', ['size=2m', ...options].join(), 'tmpfs', folder])

/** Takes all the space there is, but so many bytes. */
const fill = (folder: string, leave = 0) => {
  const fd = openSync(join(folder, 'filler'), 'w')
  const { bavail, bsize } = statfsSync(folder)
  const page = Buffer.alloc(4096)
  for (let i = 0; i < (bavail * bsize - leave) / 4096; i++) writeSync(fd, page)
  closeSync(fd)
}
const free = (folder: string) => rmSync(join(folder, 'filler'))

/** Writes until one is refused; answers how many were not, and why it was. */
const writeUntilRefused = async (store: Store, prefix: string) => {
  for (let i = 0; ; i++) {
    try {
      await store.write(draft => {
        putNetwork(draft, `${prefix}${i}`)
        for (let port = 1; port <= 20; port++)
          attach(draft, {
            network: `${prefix}${i}`,
            dpid: dpid(1 + store.state().revision),
            port,
            name: 'x'.repeat(200),
          })
      })
    } catch (error) {
      return { taken: i, error: error as Error }
    }
  }
}

for (const leave of [0, 20_000, 200_000])
  t.test(`a disk with ${leave} bytes left refuses, goes on reading, and heals`, async t => {
    const folder = t.testdir()
    mount(folder)
    const path = join(folder, 'l2sm.db')
    const store = await openSqlite(path)
    await store.write(draft => putNetwork(draft, 'red'))
    fill(folder, leave)
    const { taken, error } = await writeUntilRefused(store, 'n')
    t.match(error, {
      name: 'StoreError',
      code: 'disk-full',
      errno: 'ENOSPC',
      message: /no space left for .*l2sm.db \(ENOSPC/,
    })
    t.equal(store.state().networks.size, 1 + taken)
    t.equal(store.state().revision, 1 + taken)
    await t.rejects(
      store.write(draft => attach(draft, { network: 'red', dpid: dpid(1), port: 999, name: 'x'.repeat(300_000) })),
      {
        code: 'disk-full',
      },
    )
    const before = snapshot(store)

    t.comment('a process that restarts on the full disk has all of it')
    await store.close()
    const again = await openSqlite(path)
    t.strictSame(snapshot(again), before)
    t.equal(again.instance, store.instance)

    free(folder)
    await again.write(draft => putNetwork(draft, 'blue'))
    await again.write(draft => deleteNetwork(draft, 'red'))
    const after = snapshot(again)
    t.ok(after.networks.has('blue') && !after.networks.has('red'))
    await again.close()
    const last = await openSqlite(path)
    t.strictSame(snapshot(last), after)
    await last.close()
    execFileSync('umount', [folder])
  })

t.test('the same process heals when there is space again', async t => {
  const folder = t.testdir()
  mount(folder)
  const store = await openSqlite(join(folder, 'l2sm.db'))
  for (let round = 0; round < 3; round++) {
    fill(folder, 4096 * round)
    const { error } = await writeUntilRefused(store, `r${round}-`)
    t.match(error, { code: 'disk-full' })
    free(folder)
    t.match(await store.write(draft => putNetwork(draft, `healed${round}`)), { created: true })
  }
  await store.close()
  execFileSync('umount', [folder])
})

t.test('a full disk on which there is no store yet is refused, and nothing half-made is left', async t => {
  const folder = t.testdir()
  mount(folder)
  fill(folder)
  const path = join(folder, 'l2sm.db')
  await t.rejects(openSqlite(path), { code: 'disk-full', message: /the store was not opened/ })
  free(folder)
  t.strictSame(execFileSync('ls', ['-A', folder], { encoding: 'utf8' }), '')
  await (await openSqlite(path)).close()
  execFileSync('umount', [folder])
})

t.test('a read-only file system is read from, refuses writes, and heals', async t => {
  const folder = t.testdir()
  mount(folder)
  const path = join(folder, 'l2sm.db')
  const first = await openSqlite(path)
  await first.write(draft => putNetwork(draft, 'red'))
  await first.close()
  execFileSync('mount', ['-o', 'remount,ro', folder])
  const store = await openSqlite(path)
  t.strictSame([...store.state().networks.keys()], ['red'])
  await t.rejects(
    store.write(draft => putNetwork(draft, 'blue')),
    { code: 'read-only', errno: 'EROFS', message: /l2sm.db can't be written \(EROFS.*Make the file/ },
  )
  t.strictSame([...store.state().networks.keys()], ['red'])
  await t.rejects(openSqlite(join(folder, 'none.db')), { code: 'read-only', errno: 'EROFS' }, 'a new one is not made')
  execFileSync('mount', ['-o', 'remount,rw', folder])
  t.match(await store.write(draft => putNetwork(draft, 'blue')), { created: true })
  await t.rejects(openSqlite(path), { code: 'locked' }, 'it is locked all the time')
  await store.close()
  execFileSync('umount', [folder])
})
