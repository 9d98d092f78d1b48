// Links of the mesh that was declared: where they are, whatever numbers the switches give their ports.
import t from 'tap'
import { atOnce } from '../../../controller/compile/steps.ts'
import { plannedLinks } from '../../../controller/links/planned-links.ts'
import { knownTunnels } from '../../../controller/links/tunnel-status.ts'
import type { PortDesc } from '../../../openflow/index.ts'
import type { Session } from '../../../openflow/session/session.ts'
import { maxFullMeshNodes } from '../../../store/limits.ts'
import { openMemory } from '../../../store/memory.ts'
import { deleteNode, putMesh } from '../../../store/nodes.ts'
import { meshPortName } from '../../../store/overlay.ts'
import type { Link } from '../../../topology/topology.ts'

const world = async (...names: string[]) => {
  const store = openMemory()
  const nodes = names.map((name, i) => ({ name, address: `192.0.2.${i + 1}` }))
  await store.write(draft => putMesh(draft, { full: true, nodes }))
  const planned = plannedLinks(store.state)
  const node = (name: string) => store.state().nodes.get(name)!
  /** A switch with these ports, by name. */
  const sees = (name: string, ports: Readonly<Record<string, number>>) =>
    planned.ports({
      dpid: node(name).dpid,
      ports: () => new Map(Object.entries(ports).map(([name, portNo]) => [portNo, { name, portNo } as PortDesc])),
    } as unknown as Session)
  const links = () => {
    atOnce(planned.prepare())
    return [...planned.links()]
      .map(
        ({ from, to }) =>
          `${store.state().nodeAt.get(from.dpid)}/${from.port} ${store.state().nodeAt.get(to.dpid)}/${to.port}`,
      )
      .sort()
  }
  const port = (name: string, peer: string) => meshPortName(node(name), peer)
  return { store, planned, sees, links, port, node }
}

t.test('links of switches that nobody has seen are where they were planned', async t => {
  const { links, planned } = await world('a', 'b')
  t.strictSame(links(), ['a/12 b/11', 'b/11 a/12'])
  for (const link of planned.links()) t.strictSame(planned.at(link.from), link)
})

t.test('a port that has the planned name and number changes nothing', async t => {
  const { sees, links, port } = await world('a', 'b')
  t.equal(sees('a', { [port('a', 'b')]: 12, ls1: 1 }), false)
  t.equal(sees('b', { [port('b', 'a')]: 11 }), false)
  t.strictSame(links(), ['a/12 b/11', 'b/11 a/12'])
})

t.test('a port with another number is followed, in both directions', async t => {
  const { sees, links, port, planned, node } = await world('a', 'b')
  t.equal(sees('a', { [port('a', 'b')]: 40 }), true)
  t.strictSame(links(), ['a/40 b/11', 'b/11 a/40'])
  t.equal(planned.at({ dpid: node('a').dpid, port: 12 }), undefined)
  t.equal(sees('a', { [port('a', 'b')]: 41 }), true)
  t.strictSame(links(), ['a/41 b/11', 'b/11 a/41'])
})

t.test('another port that has the planned number is no end of the link', async t => {
  const { sees, links, planned } = await world('a', 'b')
  t.equal(sees('a', { veth7: 12 }), true)
  t.strictSame(links(), [])
  t.match(
    [...planned.all()],
    [{ condition: /node a has no port vx[0-9a-f]{10} to node b yet/ }, { condition: /node a/ }],
  )
})

t.test('two links may change ports with each other', async t => {
  const { sees, links, port, planned, node } = await world('a', 'b', 'c')
  sees('a', { [port('a', 'b')]: 12, [port('a', 'c')]: 13 })
  t.equal(sees('a', { [port('a', 'b')]: 13, [port('a', 'c')]: 12 }), true)
  t.strictSame(links().slice(0, 2), ['a/12 c/11', 'a/13 b/11'])
  t.equal(planned.at({ dpid: node('a').dpid, port: 12 })?.to.dpid, node('c').dpid)
  t.equal(planned.at({ dpid: node('a').dpid, port: 13 })?.to.dpid, node('b').dpid)
})

t.test('ports of others move no link', async t => {
  const { sees, port } = await world('a', 'b')
  sees('a', { [port('a', 'b')]: 12 })
  t.equal(sees('a', { [port('a', 'b')]: 12, ls1: 1, ls2: 2 }), false)
  t.equal(sees('a', { [port('a', 'b')]: 12 }), false)
})

t.test('nodes that come and go take their links with them', async t => {
  const { store, planned, links } = await world('a', 'b', 'c')
  t.equal(links().length, 6)
  await store.write(draft => deleteNode(draft, 'c'))
  planned.changed()
  t.strictSame(links(), ['a/12 b/11', 'b/11 a/12'])
})

t.test('a full mesh that is too large to be worked out has no links', async t => {
  const { store, planned, links, node } = await world('a', 'b')
  const nodes = Array.from({ length: maxFullMeshNodes + 1 }, (_, i) => ({
    ...{ name: `n${i}`, address: `10.0.${i >> 8}.${i & 255}` },
  }))
  await store.write(draft => putMesh(draft, { links: [], nodes }))
  await store.write(draft => draft.setOverlay({ ...draft.overlay, full: true }))
  planned.changed()
  t.same(links(), [])
  const { dpid, firstLinkPort } = node('n0')
  t.equal(planned.at({ dpid, port: firstLinkPort + 1 }), undefined)
  await store.write(draft => deleteNode(draft, 'n7'))
  planned.changed()
  let count = 0
  for (const _ of planned.links()) count++
  t.equal(count, maxFullMeshNodes * (maxFullMeshNodes - 1))
})

t.test('BFD counts when both ends watch, and as long as their agents speak', async t => {
  let now = 0
  const tunnels = knownTunnels(() => now)
  const link: Link = { from: { dpid: 'a', port: 1 }, to: { dpid: 'b', port: 2 } }
  const back: Link = { from: link.to, to: link.from }
  const both = () => [link, back].map(tunnels.bfd)
  tunnels.notified('a', new Map([[1, false]]))
  t.strictSame(both(), [undefined, undefined], 'one end alone has no partner')
  tunnels.notified('b', new Map([[2, true]]))
  t.strictSame(both(), ['down', 'down'])
  tunnels.notified('a', new Map([[1, true]]))
  t.strictSame(both(), ['up', 'up'])
  tunnels.notified('b', new Map([[2, false]]))
  t.strictSame(both(), ['down', 'down'])
  now += 94_000
  tunnels.notified('a', new Map([[1, false]]))
  t.strictSame(both(), ['down', 'down'])
  now += 2_000
  t.strictSame(both(), [undefined, undefined], 'what an agent said before it fell silent says nothing now')
  tunnels.notified('b', new Map([[2, false]]))
  t.strictSame(both(), ['down', 'down'])
  tunnels.notified('b', new Map())
  t.strictSame(both(), [undefined, undefined], 'nobody watches any more')
})
