import t from 'tap'
import { eventsOf } from '../../controller/store-events.ts'
import type { Event } from '../../controller/view/event.ts'
import { attach, deleteDeclaredLink, deleteNetwork, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { putNode } from '../../store/nodes.ts'
import type { Draft } from '../../store/store.ts'
import { linkKey } from '../../topology/topology.ts'

const [a, b, c] = [1, 2, 3].map(n => n.toString(16).padStart(16, '0')) as [string, string, string]
const link = { from: { dpid: a, port: 101 }, to: { dpid: b, port: 102 } }

/** A store, and what each write to it has to tell. */
const telling = () => {
  const store = openMemory()
  const events: Event[] = []
  store.watch(({ writes }, state) => {
    for (const write of writes) events.push(...eventsOf(write, state))
  })
  return async (decide: (draft: Draft) => unknown, by?: string) => {
    await store.write(decide, by)
    return events.splice(0)
  }
}

t.test('a write tells who changed what, before and after', async t => {
  const write = telling()
  t.match(await write(draft => putNetwork(draft, 'red'), 'alice'), [
    { kind: 'write', actor: 'alice', object: 'network', key: 'red', network: 'red', after: { id: 'red' } },
  ])
  const port = { network: 'red', dpid: a, port: 1 }
  const attached = await write(draft => attach(draft, { ...port, mac: '02:00:00:00:00:01' }), 'bob')
  t.equal(attached.length, 1, 'that its network has a new revision is not told')
  t.match(attached, [{ actor: 'bob', object: 'attachment', key: `${a}/1`, ...port, after: { guard: 'mac' } }])
  t.notOk('before' in attached[0]!)
  t.notMatch(JSON.stringify(attached), 'revision')
  const changed = await write(draft => attach(draft, { ...port, mac: '02:00:00:00:00:02' }), 'bob')
  t.match(changed, [{ before: { mac: '02:00:00:00:00:01' }, after: { mac: '02:00:00:00:00:02' } }])
  const gone = await write(draft => deleteNetwork(draft, 'red'), 'alice')
  t.match(gone, [
    { object: 'attachment', key: `${a}/1`, before: { mac: '02:00:00:00:00:02' } },
    { object: 'network', key: 'red', before: { id: 'red' } },
  ])
  t.ok(gone.every(event => !('after' in event)))
})

t.test('what a write changes and changes back is not told; nor what the controller keeps for itself', async t => {
  const write = telling()
  await write(draft => putNetwork(draft, 'red'))
  t.same(await write(draft => draft.setPathVersion('red', { epoch: 1, target: 1, way: 'x' })), [])
  t.same(await write(draft => draft.reserveVlans(draft.networks.get('red')!.number, [a], { first: 2, last: 9 })), [])
  t.same(
    await write(draft => {
      attach(draft, { network: 'red', dpid: a, port: 1 })
      draft.deleteAttachment(`${a}/1`)
    }),
    [],
  )
})

t.test('a write of very much tells the first of it, and how much more there is', async t => {
  const write = telling()
  const events = await write(draft => {
    for (let i = 0; i < 300; i++) putNetwork(draft, `n${i}`)
  }, 'alice')
  t.equal(events.length, 51)
  t.match(events.at(-1), { kind: 'write-rest', actor: 'alice', count: 250 })
})

t.test('links are found, go down, come up, move and are forgotten', async t => {
  const write = telling()
  t.same(await write(draft => draft.putDiscoveredLink(link)), [{ kind: 'link-found', link }])
  t.same(await write(draft => draft.setDead(linkKey(link), true)), [{ kind: 'link-down', link }])
  t.same(await write(draft => draft.setDead(linkKey(link), false)), [{ kind: 'link-up', link }])
  const moved = { from: link.from, to: { dpid: c, port: 103 } }
  t.same(await write(draft => draft.putDiscoveredLink(moved)), [{ kind: 'link-moved', link: moved, before: link.to }])
  await write(draft => draft.setDead(linkKey(moved), true))
  t.same(
    await write(draft => draft.deleteDiscoveredLink(linkKey(moved))),
    [{ kind: 'link-forgotten', link: moved }],
    'it did not come up',
  )
})

t.test('a declared link and a node are objects like any other', async t => {
  const write = telling()
  t.match(await write(draft => putDeclaredLink(draft, { ...link, cost: 5 }), 'alice'), [
    { kind: 'write', object: 'declared', link, after: { cost: 5 } },
    { kind: 'write', object: 'declared', link: { from: link.to } },
  ])
  t.equal((await write(draft => deleteDeclaredLink(draft, link))).length, 2)
  const [node] = await write(draft => putNode(draft, { name: 'n1', address: '192.0.2.1', provider: 'p' }, undefined))
  t.match(node, { kind: 'write', object: 'node', node: 'n1', after: { address: '192.0.2.1' } })
})

t.test('that two ports of a network have one IP address is told with both, once', async t => {
  const write = telling()
  await write(draft => putNetwork(draft, 'red'))
  await write(draft => putNetwork(draft, 'blue'))
  const put = (dpid: string, ips: readonly string[], network = 'red') =>
    write(draft => attach(draft, { network, dpid, port: 1, ips }))
  const told = (events: readonly Event[]) => events.filter(({ kind }) => kind === 'ip-duplicate')
  t.same(told(await put(a, ['10.0.0.1/24', '10.0.0.1'])), [], 'one port may say it twice')
  t.same(told(await put(c, ['10.0.0.1/24'], 'blue')), [], 'another network has its own addresses')
  t.match(told(await put(b, ['fd00::1', '10.0.0.1/16'])), [
    { network: 'red', dpid: b, port: 1, ip: '10.0.0.1', other: { dpid: a, port: 1 }, by: 'declared' },
  ])
  t.same(told(await put(b, ['10.0.0.1/16'])), [], 'it is no news')
})
