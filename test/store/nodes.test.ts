import fc from 'fast-check'
import t, { type Test } from 'tap'
import { attach, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { deleteNode, type MeshSpec, putMesh, putNode } from '../../store/nodes.ts'
import { meshLinkAt, meshLinks, peersOf, portTo } from '../../store/overlay.ts'
import { isRefusal, type Refusal } from '../../store/refusals.ts'
import type { Store } from '../../store/store.ts'
import { bridgeName, datapathOf } from '../../topology/names.ts'
import { endpointKey, linkKey } from '../../topology/topology.ts'
import { backends, counting, snapshot } from './backends.ts'

t.setTimeout(120_000)

const nodes = (...names: string[]) => names.map(name => ({ name, address: `192.0.2.${name.charCodeAt(0) - 96}` }))
const many = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i}`, address: `10.0.${i >> 8}.${i & 255}` }))
const pair = (endpointA: string, endpointB: string) => ({ endpointA, endpointB })

/** Every directed link, as `a/11 b/11`. */
const spelled = (store: Store): string[] => {
  const state = store.state()
  const end = ({ dpid, port }: { dpid: string; port: number }) => `${state.nodeAt.get(dpid)}/${port}`
  return [...meshLinks(state)].map(link => `${end(link.from)} ${end(link.to)}`).sort()
}
const refused = (answer: unknown): string => (isRefusal(answer) ? (answer as Refusal).refused : 'not refused')

for (const { name, open, survives } of backends) {
  t.test(`nodes in a ${name} store`, async t => {
    const fresh = async (t: Test, options?: Parameters<typeof open>[1], folder = t.testdir()): Promise<Store> => {
      const store = await open(folder, options)
      t.teardown(() => store.close())
      return store
    }

    t.test('100 of them, fully meshed, are one write, and none the second time', async t => {
      const { seen, record } = counting()
      const store = await fresh(t, { record })
      const wish: MeshSpec = { full: true, nodes: many(100) }
      t.strictSame(await store.write(draft => putMesh(draft, wish)), { changed: true })
      t.equal(seen.commits, 1)
      t.equal(store.state().revision, 1)
      t.equal([...meshLinks(store.state())].length, 100 * 99)
      const before = snapshot(store)
      t.strictSame(await store.write(draft => putMesh(draft, wish)), { changed: false })
      t.strictSame(snapshot(store), before)
      t.equal(seen.commits, 1)
    })

    t.test('are linked both ways, at ports after the interfaces', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b', 'c'), links: [pair('b', 'a')] }))
      t.strictSame(spelled(store), ['a/12 b/11', 'b/11 a/12'])
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b', 'c'), full: true }))
      t.strictSame(spelled(store), ['a/12 b/11', 'a/13 c/11', 'b/11 a/12', 'b/13 c/12', 'c/11 a/13', 'c/12 b/13'])
    })

    t.test('have a datapath id made of their name and their provider', async t => {
      const store = await fresh(t)
      await store.write(draft =>
        putMesh(draft, { full: true, provider: 'all', nodes: [{ ...nodes('a')[0]!, provider: 'own' }, ...nodes('b')] }),
      )
      t.equal(store.state().nodes.get('a')?.dpid, datapathOf(bridgeName('a', 'own')))
      t.equal(store.state().nodes.get('b')?.dpid, datapathOf(bridgeName('b', 'all')))
    })

    t.test('come and go one by one, each with its links', async t => {
      const store = await fresh(t)
      const put = (name: string, links?: { peer: string }[]) =>
        store.write(draft => putNode(draft, nodes(name)[0]!, links))
      t.match(await put('a'), { created: true, node: { name: 'a', revision: 1 } })
      t.match(await put('b'), { created: true })
      t.match(await put('b'), { created: false })
      t.strictSame(spelled(store), ['a/12 b/11', 'b/11 a/12'], 'nobody said otherwise: the mesh is full')
      t.equal(refused(await put('c', [{ peer: 'a' }])), 'mesh-is-full')
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b'), links: [] }))
      await put('c', [{ peer: 'a' }, { peer: 'b' }])
      await put('c', [{ peer: 'b' }])
      t.strictSame(spelled(store), ['b/13 c/12', 'c/12 b/13'])
      t.equal(refused(await put('c', [{ peer: 'b' }, { peer: 'b' }])), 'node-link-twice')
      t.equal(refused(await put('c', [{ peer: 'z' }])), 'unknown-node')
      await put('c')
      t.equal(spelled(store).length, 2, 'links that are not spoken of stay')
      t.strictSame(await store.write(draft => deleteNode(draft, 'b')), { deleted: true })
      t.strictSame(await store.write(draft => deleteNode(draft, 'b')), { deleted: false })
      t.strictSame(spelled(store), [])
      t.strictSame([...store.state().nodes.keys()].sort(), ['a', 'c'])
    })

    t.test('do not get the number of one that has just left', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { full: true, nodes: nodes('a', 'b', 'c') }))
      await store.write(draft => deleteNode(draft, 'b'))
      await store.write(draft => putNode(draft, nodes('d')[0]!))
      t.equal(store.state().nodes.get('d')?.number, 4)
    })

    t.test('are forgotten with the links between them that were dead', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { full: true, nodes: nodes('a', 'b', 'c') }))
      const keys = [...meshLinks(store.state())].map(linkKey)
      await store.write(draft => keys.map(key => draft.setDead(key, true)))
      t.equal(store.state().deadLinks.size, 6)
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b', 'c'), links: [pair('a', 'b')] }))
      t.strictSame([...store.state().deadLinks.keys()].sort(), [...meshLinks(store.state())].map(linkKey).sort())
      await store.write(draft => deleteNode(draft, 'a'))
      t.equal(store.state().deadLinks.size, 0)
    })

    t.test('are not believed to have a link that was found and not declared', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { full: true, nodes: nodes('a', 'b', 'c') }))
      const found = [...meshLinks(store.state())].map(({ from, to }) => ({ from, to }))
      await store.write(draft => {
        for (const link of found) draft.putDiscoveredLink(link)
      })
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b', 'c'), links: [pair('a', 'b')] }))
      const kept = [...meshLinks(store.state())].map(linkKey).sort()
      t.strictSame([...store.state().discoveredLinks.keys()].sort(), kept)
    })

    t.test('are refused with a reason, and then nothing changes', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { nodes: nodes('a', 'b'), full: true }))
      await store.write(draft => putNetwork(draft, 'red'))
      const [a, b] = ['a', 'b'].map(name => store.state().nodes.get(name)!)
      const before = snapshot(store)
      const cases: readonly (readonly [code: string, wish: MeshSpec])[] = [
        ['bad-mesh', { nodes: [] }],
        ['bad-mesh', { nodes: [], full: true, links: [] }],
        ['node-twice', { full: true, nodes: [...nodes('a'), ...nodes('a')] }],
        ['bad-node-name', { full: true, nodes: [{ name: '..', address: '192.0.2.1' }] }],
        ['bad-address', { full: true, nodes: [{ name: 'a', address: '192.0.2.1/24' }] }],
        ['bad-address', { full: true, nodes: [{ name: 'a', address: '224.0.0.1' }] }],
        ['bad-address', { full: true, nodes: [{ name: 'a', address: '::' }] }],
        ['address-taken', { full: true, nodes: [...nodes('a'), { name: 'b', address: '192.0.2.1' }] }],
        [
          'address-taken',
          {
            full: true,
            nodes: [
              { name: 'a', address: 'fd00::1' },
              { name: 'b', address: 'FD00:0::1' },
            ],
          },
        ],
        ['address-families', { full: true, nodes: [...nodes('a'), { name: 'b', address: 'fd00::1' }] }],
        ['address-families', { links: [pair('a', 'b')], nodes: [...nodes('a'), { name: 'b', address: 'fd00::1' }] }],
        ['unknown-node', { links: [pair('a', 'z')], nodes: nodes('a') }],
        ['node-link-to-itself', { links: [pair('a', 'a')], nodes: nodes('a') }],
        ['node-link-twice', { links: [pair('a', 'b'), pair('b', 'a')], nodes: nodes('a', 'b') }],
        ['interfaces-meet-links', { full: true, interfaceNumber: 11, nodes: nodes('a', 'b') }],
      ]
      for (const [code, wish] of cases) t.equal(refused(await store.write(draft => putMesh(draft, wish))), code)
      const link = endpointKey({ dpid: a!.dpid, port: portTo(a!, b!) })
      const [dpid, port] = link.split('/') as [string, string]
      const attached = await store.write(draft => attach(draft, { network: 'red', dpid, port }))
      t.equal(refused(attached), 'link-port-attached', 'a port of a link is no pod’s')
      const declared = await store.write(draft =>
        putDeclaredLink(draft, { from: { dpid, port }, to: { dpid: b!.dpid, port: 50 } }),
      )
      t.equal(refused(declared), 'link-conflict')
      t.strictSame(snapshot(store), before)
    })

    t.test('have no link where a port is a pod’s already', async t => {
      const store = await fresh(t)
      const dpid = datapathOf(bridgeName('a'))
      await store.write(draft => {
        putNetwork(draft, 'red')
        return attach(draft, { network: 'red', dpid, port: 12 })
      })
      const wish: MeshSpec = { full: true, nodes: nodes('a', 'b') }
      t.equal(refused(await store.write(draft => putMesh(draft, wish))), 'link-port-attached')
      t.equal(store.state().nodes.size, 0)
    })

    t.test('leave room for more interfaces when they are declared so, or alone', async t => {
      const store = await fresh(t)
      await store.write(draft => putMesh(draft, { full: true, nodes: nodes('a') }))
      await store.write(draft => putMesh(draft, { full: true, interfaceNumber: 20, nodes: nodes('a', 'b') }))
      t.strictSame(spelled(store), ['a/22 b/21', 'b/21 a/22'])
      await store.write(draft => putMesh(draft, { full: true, interfaceNumber: 5, nodes: nodes('a', 'b') }))
      t.strictSame(spelled(store), ['a/22 b/21', 'b/21 a/22'], 'fewer interfaces move no link')
    })

    t.test('tell watchers, and are as they were after a restart', { skip: !survives && 'it forgets' }, async t => {
      const folder = t.testdir()
      const store = await fresh(t, undefined, folder)
      let told = 0
      store.watch(({ nodes }) => void (nodes && told++))
      await store.write(draft =>
        putMesh(draft, {
          ...{ bfd: true, mtu: 9000, controllers: ['ssl:192.0.2.9:6653'], udpPort: 4789 },
          tls: { key: '/k', cert: '/c', ca: '/a' },
          nodes: [...nodes('a', 'b'), { name: 'c', address: '192.0.2.3', datapath: 'userspace', spare: 7 }],
          links: [{ ...pair('c', 'a'), bfd: false, udpPort: 7001 }, pair('a', 'b')],
        }),
      )
      await store.write(draft => putNode(draft, { name: 'd', address: '192.0.2.4' }, [{ peer: 'a' }]))
      await store.write(draft => putNetwork(draft, 'red'))
      t.equal(told, 2)
      const before = snapshot(store)
      await store.close()
      const again = await fresh(t, undefined, folder)
      t.strictSame(snapshot(again), before)
    })
  })
}

t.test('no link moves another one: not what comes, goes, or is changed', async t => {
  const letters = [...'abcdef']
  const step = fc.oneof(
    fc.record({ do: fc.constant('mesh' as const), full: fc.boolean(), nodes: fc.subarray(letters), links: fc.nat(63) }),
    fc.record({ do: fc.constant('put' as const), node: fc.constantFrom(...letters), links: fc.subarray(letters) }),
    fc.record({ do: fc.constant('delete' as const), node: fc.constantFrom(...letters) }),
  )
  const run = async (steps: (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
    const store = await backends[0]!.open('')
    let before = new Map<string, number>()
    for (const s of steps) {
      await store.write(draft => {
        if (s.do === 'delete') return deleteNode(draft, s.node)
        if (s.do === 'put')
          return putNode(
            draft,
            nodes(s.node)[0]!,
            draft.overlay.full
              ? undefined
              : s.links.map(peer => ({ peer })).filter(({ peer }) => draft.nodes.has(peer)),
          )
        const pairs = s.nodes.flatMap((a, i) => s.nodes.slice(i + 1).map(b => pair(a, b)))
        const chosen = pairs.filter((_, i) => (s.links >> (i % 6)) & 1)
        return putMesh(draft, { nodes: nodes(...s.nodes), ...(s.full ? { full: true } : { links: chosen }) })
      })
      const state = store.state()
      const links = [...meshLinks(state)]
      const now = new Map(links.map(({ nodes: [from, to], from: { port } }) => [`${from} ${to}`, port]))
      // As long as both nodes stay, whatever else happens, their link has its port.
      for (const [key, port] of now) if (before.has(key) && before.get(key) !== port) throw new Error(`${key} moved`)
      const ends = new Set(links.map(link => endpointKey(link.from)))
      if (ends.size !== links.length) throw new Error('two links at one port')
      const keys = new Set(links.map(linkKey))
      for (const {
        from,
        to,
        nodes: [name, peer],
      } of links) {
        if (!keys.has(linkKey({ from: to, to: from }))) throw new Error(`${name} ${peer} has no way back`)
        if (from.port <= 10 || from.port >= 4096) throw new Error(`${name} ${peer} is at port ${from.port}`)
        const found = meshLinkAt(state, endpointKey(from))
        if (!found || linkKey(found) !== linkKey({ from, to }))
          throw new Error(`${name} ${peer} is not found at its port`)
        if (![...peersOf(state, name)].some(node => node.name === peer))
          throw new Error(`${peer} is no peer of ${name}`)
      }
      before = now
    }
    await store.close()
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), run), { numRuns: 300 })
  t.pass()
})
