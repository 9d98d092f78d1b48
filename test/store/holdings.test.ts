import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { attach, deleteNetwork, detach, putDeclaredLink, putNetwork, setMirror } from '../../store/desired.ts'
import { maxDiscoveredBetween } from '../../store/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { putMesh, putNode } from '../../store/nodes.ts'
import { isRefusal } from '../../store/refusals.ts'
import { getMeta, putMeta, readRows } from '../../store/sqlite/rows.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import type { Draft, Store } from '../../store/store.ts'
import { forgetSwitch } from '../../store/switches.ts'
import { putVlink } from '../../store/vlinks.ts'
import { linkKey } from '../../topology/topology.ts'
import { dpid } from './backends.ts'

const numberOf = (draft: Draft, id: string) => draft.networks.get(id)!.number
const holders = (store: Store, number: number) => [...(store.state().heldBy.get(number)?.keys() ?? [])].sort()
const join1 = (draft: Draft, network: string, n: number, port = 1, more = {}) => {
  putNetwork(draft, network)
  return attach(draft, { network, dpid: dpid(n), port, ...more })
}

t.test('a switch is remembered from the write that takes the last port of a network from it', async t => {
  const store = openMemory()
  const number = await store.write(draft => {
    for (const [n, port] of [
      [1, 1],
      [1, 2],
      [2, 1],
    ] as const)
      join1(draft, 'red', n, port)
    return numberOf(draft, 'red')
  })
  t.strictSame(holders(store, number), [], 'members are known by their attachments')
  await store.write(draft => detach(draft, 'red', dpid(1), 1))
  t.strictSame(holders(store, number), [], 'another port of it is still there')
  await store.write(draft => detach(draft, 'red', dpid(1), 2))
  t.strictSame(holders(store, number), [dpid(1)])
  await store.write(draft => deleteNetwork(draft, 'red'))
  t.strictSame(holders(store, number), [dpid(1), dpid(2)], 'and every member of a network that goes')
  await store.write(draft => draft.release(number, dpid(1)))
  await store.write(draft => draft.release(number, dpid(1)))
  t.strictSame(holders(store, number), [dpid(2)])
  await store.write(draft => draft.release(number, dpid(2)))
  t.equal(store.state().heldBy.size, 0)
  t.equal(store.state().holds.size, 0)
})

t.test('a port that moves, a mirror and a vlink that go leave their switches behind as well', async t => {
  const store = openMemory()
  const [red, wire] = await store.write(draft => {
    join1(draft, 'red', 1)
    putNetwork(draft, 'blue')
    setMirror(draft, 'red', { dpid: dpid(3), port: 3 })
    putVlink(draft, 'wire', {
      from: { dpid: dpid(4), port: 1 },
      to: { dpid: dpid(6), port: 1 },
      path: [4, 5, 6].map(dpid),
    })
    return [numberOf(draft, 'red'), numberOf(draft, 'wire')] as const
  })
  await store.write(draft => attach(draft, { network: 'blue', dpid: dpid(1), port: 1 }, { move: true }))
  t.strictSame(holders(store, red), [dpid(1)])
  await store.write(draft => setMirror(draft, 'red', { dpid: dpid(7), port: 3 }))
  t.strictSame(holders(store, red), [dpid(1), dpid(3)])
  await store.write(draft =>
    putVlink(draft, 'wire', {
      from: { dpid: dpid(4), port: 1 },
      to: { dpid: dpid(6), port: 1 },
      path: [4, 6].map(dpid),
    }),
  )
  t.strictSame(holders(store, wire), [dpid(5)], 'a switch that its path has left')
  await store.write(draft => deleteNetwork(draft, 'wire'))
  t.strictSame(holders(store, wire), [4, 5, 6].map(dpid))
})

t.test('a restart forgets none of them', async t => {
  const path = join(t.testdir(), 'l2sm.db')
  const store = await openSqlite(path)
  const number = await store.write(draft => {
    join1(draft, 'red', 1)
    return numberOf(draft, 'red')
  })
  await store.write(draft => draft.hold(number, [dpid(9)]))
  await store.write(draft => deleteNetwork(draft, 'red'))
  await store.close()
  const again = await openSqlite(path)
  t.strictSame(holders(again, number), [dpid(1), dpid(9)])
  await again.close()
})

t.test('a switch is forgotten by name, with all that is kept of it, unless it is in use', async t => {
  const store = openMemory()
  const gone = dpid(1)
  await store.write(draft => {
    join1(draft, 'red', 1)
    join1(draft, 'red', 2)
    putDeclaredLink(draft, { from: { dpid: gone, port: 8 }, to: { dpid: dpid(2), port: 8 }, carries: 'vid' })
    draft.putDiscoveredLink({ from: { dpid: dpid(2), port: 9 }, to: { dpid: gone, port: 9 } })
    draft.setDead(`${dpid(2)}/9/${gone}/9`, true)
    draft.reserveVlans(numberOf(draft, 'red'), [gone, dpid(2)], { first: 2, last: 10 })
  })
  const refused = await store.write(draft => forgetSwitch(draft, `of:${gone}`))
  t.match(refused, { refused: 'switch-in-use', detail: /port 1 in network red/ })
  t.equal(store.state().declaredLinks.size, 2, 'a refusal has changed nothing')
  await store.write(draft => detach(draft, 'red', gone, 1))
  t.strictSame(await store.write(draft => forgetSwitch(draft, gone)), { forgotten: true })
  const s = store.state()
  t.equal(
    JSON.stringify([[...s.declaredLinks], [...s.discoveredLinks], [...s.deadLinks], [...s.holdings]]),
    '[[],[],[],[]]',
  )
  t.strictSame([...s.accessPorts], [`${dpid(2)}/1`])
  t.strictSame(
    [...s.vlans.values()].map(v => v.dpids),
    [[dpid(2)]],
  )
  t.strictSame(await store.write(draft => forgetSwitch(draft, gone)), { forgotten: false })
  t.match(await store.write(draft => forgetSwitch(draft, 'nonsense')), { refused: 'bad-dpid' })

  await store.write(draft => putNode(draft, { name: 'worker', address: '192.0.2.1' }))
  const node = store.state().nodes.get('worker')!.dpid
  t.match(await store.write(draft => forgetSwitch(draft, node)), { refused: 'switch-in-use', detail: /node worker/ })
})

t.test('links that somebody forges are bounded, and dead ones are forgotten', async t => {
  const store = openMemory()
  const link = (port: number) => ({ from: { dpid: dpid(1), port }, to: { dpid: dpid(2), port } })
  const kept = await store.write(draft => Array.from({ length: 600 }, (_, i) => draft.putDiscoveredLink(link(i + 1))))
  t.equal(kept.filter(Boolean).length, maxDiscoveredBetween)
  t.equal(store.state().discoveredLinks.size, maxDiscoveredBetween)
  t.equal(await store.write(draft => draft.putDiscoveredLink(link(1))), true, 'those that are there stay known')
  const [first] = store.state().discoveredLinks.keys()
  await store.write(draft => draft.setDead(first!, true))
  await store.write(draft => draft.forgetDeadLinks(60_000))
  t.ok(store.state().discoveredLinks.has(first!), 'not yet')
  await store.write(draft => draft.forgetDeadLinks(-1))
  t.notOk(store.state().discoveredLinks.has(first!))
  t.equal(store.state().deadLinks.size, 0)
  t.equal(await store.write(draft => draft.putDiscoveredLink(link(601))), true, 'and make room')
})

t.test('meshes have tested limits', async t => {
  const store = openMemory()
  const addressed = Array.from({ length: 1001 }, (_, i) => ({ name: `n${i}`, address: `10.1.${i >> 8}.${i & 255}` }))
  t.match(await store.write(draft => putMesh(draft, { nodes: addressed, full: true })), {
    refused: 'mesh-too-large',
    detail: /1001 nodes is too large: 1000 at most/,
  })
  t.notOk(isRefusal(await store.write(draft => putMesh(draft, { nodes: addressed.slice(0, 1000), full: true }))))
  const more = { name: 'one-more', address: '10.9.9.9' }
  t.match(await store.write(draft => putNode(draft, more)), { refused: 'mesh-too-large' })
  t.notOk(
    isRefusal(await store.write(draft => putMesh(draft, { nodes: addressed, links: [] }))),
    'as a list it may have more',
  )
})

/** As schema 2 had it: no key for the order of numbers, and dead links without a time. */
const makeOld = (path: string): void => {
  const db = new DatabaseSync(path)
  db.exec(`UPDATE object SET value = 'true' WHERE kind = 'dead'; PRAGMA user_version = 2`)
  const { numberKey: _, sequential: __, ...meta } = getMeta(db, path).meta
  putMeta(db, { meta, rowSum: readRows(db, path, () => {}) })
  db.close()
}

t.test(
  'a file of before: its numbers stay and are not given out again, its dead links are forgotten later',
  async t => {
    const path = join(t.testdir(), 'l2sm.db')
    const link = { from: { dpid: dpid(1), port: 9 }, to: { dpid: dpid(2), port: 9 } }
    const first = await openSqlite(path)
    await first.write(draft => {
      join1(draft, 'red', 1)
      draft.putDiscoveredLink(link)
      draft.setDead(linkKey(link), true)
    })
    const red = first.state().networks.get('red')!.number
    await first.close()
    makeOld(path)
    for (const id of ['blue', 'green']) {
      const store = await openSqlite(path)
      t.ok(store.state().deadLinks.has(linkKey(link)))
      await store.write(draft => {
        draft.forgetDeadLinks(3_600_000)
        putNetwork(draft, id)
      })
      t.ok(store.state().discoveredLinks.has(linkKey(link)), 'since when it is dead counts from now')
      await store.close()
    }
    const last = await openSqlite(path)
    const { networks, numbering } = last.state()
    t.equal(networks.get('red')!.number, red)
    t.match(numbering, { sequential: 1, numberKey: /^[0-9a-f]{32}$/ }, 'the key stays the same')
    t.equal(new Set([...networks.values()].map(n => n.number)).size, 3)
    await last.close()
  },
)
