import t, { type Test } from 'tap'
import {
  attach,
  deleteDeclaredLink,
  deleteNetwork,
  detach,
  putDeclaredLink,
  putNetwork,
  setMirror,
} from '../../store/desired.ts'
import { isRefusal, refuse } from '../../store/refusals.ts'
import type { Changed, Draft, Store, Write } from '../../store/store.ts'
import { endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import { backends, counting, dpid, snapshot } from './backends.ts'

t.setTimeout(120_000)

const link = (a: number, p: number, b: number, q: number): Link => ({
  from: { dpid: dpid(a), port: p },
  to: { dpid: dpid(b), port: q },
})

for (const { name, open, survives } of backends) {
  t.test(`a ${name} store`, async t => {
    const fresh = async (t: Test, options?: Parameters<typeof open>[1]): Promise<Store> => {
      const store = await open(t.testdir(), options)
      t.teardown(() => store.close())
      return store
    }

    t.test('starts empty, at revision 0, not complete, under a name of its own', async t => {
      const store = await fresh(t)
      t.match(store.instance, /^[0-9a-f]{10}$/)
      t.strictSame(snapshot(store), {
        revision: 0,
        complete: false,
        networks: new Map(),
        attachments: new Map(),
        members: new Map(),
        declaredLinks: new Map(),
        discoveredLinks: new Map(),
        discoveredFrom: new Map(),
        deadLinks: new Map(),
        accessPorts: new Set(),
        nodes: new Map(),
        nodeLinks: new Map(),
        nodeAt: new Map(),
        nodeNumbered: new Map(),
        peers: new Map(),
        overlay: { full: true, allocated: 0 },
      })
    })

    t.test('answers a write with what it decided, and the state has it then', async t => {
      const store = await fresh(t)
      const answer = await store.write(draft => putNetwork(draft, 'red'))
      t.match(answer, { created: true, network: { id: 'red', revision: 1 } })
      t.strictSame([...store.state().networks.keys()], ['red'])
      t.equal(store.state().revision, 1)
    })

    t.test('keeps nothing of a write that throws, and rejects it with that error', async t => {
      const store = await fresh(t)
      await store.write(draft => putNetwork(draft, 'red'))
      const before = snapshot(store)
      const lost = store.write(draft => {
        putNetwork(draft, 'blue')
        deleteNetwork(draft, 'red')
        throw new RangeError('changed my mind')
      })
      await t.rejects(lost, new RangeError('changed my mind'))
      t.strictSame(snapshot(store), before)
    })

    t.test('keeps nothing of a write that answers a refusal, not even what came before it', async t => {
      const store = await fresh(t)
      await store.write(draft => putNetwork(draft, 'red'))
      const before = snapshot(store)
      const answer = await store.write(draft => {
        putNetwork(draft, 'blue')
        attach(draft, { network: 'blue', dpid: dpid(1), port: 1 })
        return attach(draft, { network: 'green', dpid: dpid(1), port: 2 })
      })
      t.match(answer, { refused: 'unknown-network' })
      t.strictSame(snapshot(store), before)
      const next = await store.write(draft => putNetwork(draft, 'blue'))
      t.ok(!isRefusal(next) && next.network.revision === 2, 'the revision goes on where it was')
    })

    t.test('does not commit a write that changes nothing', async t => {
      const { seen, record } = counting()
      const store = await fresh(t, { record })
      const ask = (draft: Draft) => {
        putNetwork(draft, 'red', { mirror: { dpid: dpid(2), port: 9 } })
        attach(draft, { network: 'red', dpid: dpid(1), port: 1, mac: '02:00:00:00:00:01', ips: ['10.0.0.1/24'] })
        putDeclaredLink(draft, { from: { dpid: dpid(1), port: 40 }, to: { dpid: dpid(2), port: 40 } })
      }
      await store.write(ask)
      const before = snapshot(store)
      for (let i = 0; i < 10; i++) await store.write(ask)
      t.strictSame(snapshot(store), before)
      t.equal(seen.commits, 1)
    })

    t.test('raises the revision by one for each write, and objects carry that of their write', async t => {
      const store = await fresh(t)
      await store.write(draft => putNetwork(draft, 'red'))
      await store.write(draft => putNetwork(draft, 'blue'))
      await store.write(draft => {
        attach(draft, { network: 'red', dpid: dpid(1), port: 1 })
        attach(draft, { network: 'red', dpid: dpid(1), port: 2 })
      })
      const revisions = () => ({
        at: store.state().revision,
        red: store.state().networks.get('red')?.revision,
        blue: store.state().networks.get('blue')?.revision,
        port1: store.state().attachments.get(`${dpid(1)}/1`)?.revision,
        port2: store.state().attachments.get(`${dpid(1)}/2`)?.revision,
      })
      t.strictSame(revisions(), { at: 3, red: 3, blue: 2, port1: 3, port2: 3 })
      await store.write(draft => attach(draft, { network: 'blue', dpid: dpid(1), port: 2 }, { move: true }))
      t.strictSame(revisions(), { at: 4, red: 4, blue: 4, port1: 3, port2: 4 }, 'a move changes both networks')
      await store.write(draft => setMirror(draft, 'blue', { dpid: dpid(3), port: 3 }))
      t.strictSame(revisions(), { at: 5, red: 4, blue: 5, port1: 3, port2: 4 }, 'so does a mirror its own')
      await store.write(draft => detach(draft, 'red', dpid(1), 1))
      t.strictSame(revisions(), { at: 6, red: 6, blue: 5, port1: undefined, port2: 4 }, 'and a port that leaves')
    })

    t.test('decides writes one after the other, each on what those before it decided', async t => {
      const store = await fresh(t)
      const attempts = Array.from({ length: 50 }, (_, i) =>
        store.write(draft => {
          putNetwork(draft, `n${i}`)
          return attach(draft, { network: `n${i}`, dpid: dpid(1), port: 7 })
        }),
      )
      const answers = await Promise.all(attempts)
      t.strictSame(answers.filter(isRefusal).length, 49, 'one port, one network')
      t.strictSame([...store.state().networks.keys()], ['n0'])
    })

    t.test('commits writes that arrive together in few commits', async t => {
      const { seen, record } = counting()
      const store = await fresh(t, { record })
      const writes = Array.from({ length: 100 }, (_, i) => store.write(draft => putNetwork(draft, `n${i}`)))
      await Promise.all(writes)
      t.equal(seen.writes, 100)
      t.ok(seen.commits <= 3, `${seen.commits} commits`)
      t.equal(store.state().networks.size, 100)
      t.equal(store.state().revision, 100)
    })

    t.test('tells watchers what changed, before the write resolves', async t => {
      const store = await fresh(t)
      const order: unknown[] = []
      const stop = store.watch(({ writes: _, ...changed }, state) => order.push({ changed, revision: state.revision }))
      const seen = (changed: Partial<Changed>, revision: number) => {
        const { networks = new Set<string>(), links = false, nodes = false, complete = false } = changed
        t.strictSame(order.splice(0), [{ changed: { networks, links, nodes, complete }, revision }, 'resolved'])
      }
      const write = async (decide: (draft: Draft) => unknown) => {
        await store.write(decide)
        order.push('resolved')
      }
      await write(draft => putNetwork(draft, 'red'))
      seen({ networks: new Set(['red']) }, 1)
      await write(draft => attach(draft, { network: 'red', dpid: dpid(1), port: 1 }))
      seen({ networks: new Set(['red']) }, 2)
      await write(draft => putDeclaredLink(draft, { from: { dpid: dpid(1), port: 4 }, to: { dpid: dpid(2), port: 4 } }))
      seen({ links: true }, 3)
      const found = { from: { dpid: dpid(1), port: 5 }, to: { dpid: dpid(2), port: 5 } }
      await write(draft => draft.putDiscoveredLink(found))
      seen({ links: true }, 4)
      await write(draft => attach(draft, { network: 'red', dpid: dpid(2), port: 5 }))
      seen({ networks: new Set(['red']), links: true }, 5)
      await write(draft => draft.setComplete(true))
      seen({ complete: true }, 6)
      await write(draft => deleteNetwork(draft, 'red'))
      seen({ networks: new Set(['red']) }, 7)
      stop()
      await write(draft => putNetwork(draft, 'red'))
      t.strictSame(order, ['resolved'], 'and stops when asked')
    })

    t.test('refuses to go on with a draft after its decision', async t => {
      const store = await fresh(t)
      let kept: Draft | undefined
      await store.write(draft => {
        kept = draft
      })
      t.throws(() => putNetwork(kept!, 'late'), { message: /must not be async/ })
      t.equal(store.state().networks.size, 0)
    })

    t.test('refuses what no state may hold, whoever asks', async t => {
      const store = await fresh(t)
      await store.write(draft => putNetwork(draft, 'red', { mirror: { dpid: dpid(9), port: 9 } }))
      const { number } = store.state().networks.get('red')!
      const before = snapshot(store)
      const port = { dpid: dpid(1), port: 1, guard: 'learn' } as const
      const rejects = (decide: (draft: Draft) => unknown, message: RegExp) =>
        t.rejects(store.write(decide), { message })
      await rejects(draft => draft.putAttachment({ ...port, network: 'none' }), /does not exist/)
      await rejects(draft => draft.putNetwork({ id: 'blue', number }), /network red's/)
      await rejects(draft => draft.putNetwork({ id: 'blue', number: 0x7ffffe }), /expected 1 to 8388605/)
      await rejects(draft => {
        putNetwork(draft, 'blue')
        draft.putAttachment({ network: 'blue', dpid: dpid(9), port: 9, guard: 'learn' })
      }, /is the mirror of network red/)
      await rejects(draft => {
        draft.putAttachment({ ...port, network: 'red', mac: '02:00:00:00:00:01' })
        draft.putAttachment({ ...port, network: 'red', mac: '02:00:00:00:00:01', port: 2 })
      }, /MAC 02:00:00:00:00:01 of port .*2 is port .*1's/)
      t.strictSame(snapshot(store), before)
    })

    t.test('commits what waits when it is closed, and rejects what comes after', async t => {
      const store = await open(t.testdir())
      const waiting = store.write(draft => putNetwork(draft, 'red'))
      const closing = store.close()
      await t.rejects(
        store.write(draft => putNetwork(draft, 'blue')),
        { code: 'closed' },
      )
      t.match(await waiting, { created: true })
      await closing
      await store.close()
      t.strictSame([...store.state().networks.keys()], ['red'])
    })

    t.test('hands out a number once, also after its network is gone', async t => {
      let store = await open(t.testdir())
      const seen = new Set<number>()
      for (let i = 0; i < 20; i++) {
        await store.write(draft => {
          const put = putNetwork(draft, 'again', { mirror: { dpid: dpid(1), port: 1 } })
          if (isRefusal(put)) throw new Error(put.detail)
          for (const n of [put.network.number, put.network.mirror!.number]) {
            t.notOk(seen.has(n), `${n} is new`)
            seen.add(n)
          }
        })
        await store.write(draft => deleteNetwork(draft, 'again'))
        if (i % 5 !== 4 || !survives) continue
        await store.close()
        store = await open(t.testdirName)
      }
      await store.close()
    })

    t.test('a port leads to one place: a link found from it takes the place of the one before', async t => {
      const store = await fresh(t)
      const [old, now] = [link(1, 41, 2, 41), link(1, 41, 3, 41)]
      await store.write(draft => {
        draft.putDiscoveredLink(old)
        draft.setDead(linkKey(old), true)
      })
      await store.write(draft => draft.putDiscoveredLink(now))
      t.strictSame([...store.state().discoveredLinks.keys()], [linkKey(now)])
      t.strictSame(store.state().discoveredFrom, new Map([[endpointKey(now.from), now]]))
      t.strictSame([...store.state().deadLinks.keys()], [], 'what is not known any more is not dead either')
    })

    t.test('only a link that is known can be dead, and as long as it is known', async t => {
      const store = await fresh(t)
      const one = link(1, 41, 2, 41)
      const seen: Omit<Changed, 'writes'>[] = []
      await store.write(draft => {
        putDeclaredLink(draft, one)
        draft.putDiscoveredLink(one)
      })
      store.watch(({ writes: _, ...changed }) => seen.push(changed))
      await store.write(draft => draft.setDead(linkKey(link(1, 1, 2, 2)), true))
      t.strictSame(seen, [])
      await store.write(draft => draft.setDead(linkKey(one), true))
      await store.write(draft => draft.setDead(linkKey(one), true))
      t.strictSame(seen, [{ networks: new Set(), links: true, nodes: false, complete: false }], 'told once')
      await store.write(draft => draft.deleteDiscoveredLink(linkKey(one)))
      t.strictSame([...store.state().deadLinks.keys()], [linkKey(one)], 'it is still declared')
      await store.write(draft => deleteDeclaredLink(draft, one))
      t.strictSame([...store.state().deadLinks.keys()], [])
    })

    t.test(
      'who watches is given each write that changed something: who asked, at which revision, and what changed',
      async t => {
        const store = await fresh(t)
        const writes: Write[] = []
        store.watch(changed => writes.push(...changed.writes))
        const before = performance.now()
        await Promise.all([
          store.write(draft => putNetwork(draft, 'red'), 'alice'),
          store.write(draft => putNetwork(draft, 'red'), 'bob'),
          store.write(draft => putNetwork(draft, 'blue')),
          store.write(() => refuse('unknown-network', 'green'), 'carol'),
        ])
        t.match(writes, [
          { by: 'alice', revision: 1 },
          { by: undefined, revision: 2 },
        ])
        t.equal(writes.length, 2)
        t.ok(writes.every(({ acceptedAt }) => acceptedAt >= before && acceptedAt <= performance.now()))
        const changed = writes.map(({ changes }) => changes.find(({ kind }) => kind === 'network'))
        t.match(changed, [
          { key: 'red', before: undefined, after: { id: 'red' } },
          { key: 'blue', before: undefined, after: { id: 'blue' } },
        ])
      },
    )

    if (!survives) return
    t.test('comes back after a restart as it was', async t => {
      const store = await open(t.testdir())
      await store.write(draft => {
        putNetwork(draft, 'red', { mirror: { dpid: dpid(2), port: 9 }, multicast: 'snoop' })
        putNetwork(draft, 'a:b.c_d-E')
        attach(draft, {
          network: 'red',
          dpid: dpid(1),
          port: 1,
          mac: '02:00:00:00:00:01',
          ips: ['10.0.0.1/24', 'fd00::1'],
        })
        attach(draft, { network: 'red', dpid: dpid(1), port: 2, name: 'döner 🥙 " \u0000 \ud800' })
        attach(draft, { network: 'red', dpid: dpid(1), port: 3 })
      })
      await store.write(draft => detach(draft, 'red', dpid(1), 3))
      await store.write(draft => {
        putDeclaredLink(draft, { from: { dpid: dpid(1), port: 40 }, to: { dpid: dpid(2), port: 40 } })
        draft.putDiscoveredLink({ from: { dpid: dpid(1), port: 41 }, to: { dpid: dpid(2), port: 41 } })
        draft.setDead(linkKey(link(1, 41, 2, 41)), true)
        draft.setComplete(true)
      })
      const before = snapshot(store)
      t.equal(before.deadLinks.size, 1)
      t.ok(before.accessPorts.has(`${dpid(1)}/3`), 'a port that was attached is remembered')
      t.ok(before.accessPorts.has(`${dpid(2)}/9`), 'a mirror too')
      await store.close()
      const again = await open(t.testdirName)
      t.teardown(() => again.close())
      t.equal(again.instance, store.instance)
      t.strictSame(snapshot(again), before)
    })
  })
}
