import t from 'tap'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { compatible } from '../../topology/route.ts'
import type { Link } from '../../topology/topology.ts'
import { getsThrough, routeOfVlink, tunnelsOnly, vlinkPathsOf } from '../../topology/vlink-route.ts'

/** `ab` is a link between a and b, both ways; a port is numbered by the letter that it leads to. */
const links = (pairs: readonly string[], more: Partial<Link> = {}): Link[] =>
  pairs.flatMap(([x, y]) => {
    const end = (at: string, to: string) => ({ dpid: at, port: to.charCodeAt(0) })
    return [
      { from: end(x!, y!), to: end(y!, x!), ...more },
      { from: end(y!, x!), to: end(x!, y!), ...more },
    ]
  })
const ring = ['ab', 'bc', 'cd', 'da']
const asked = { path: ['a', 'b', 'c'], reversePath: ['c', 'd', 'a'], reroute: false }
const ways = (up: readonly string[], known: readonly string[], more: Partial<typeof asked> = {}) =>
  vlinkPathsOf({ ...asked, ...more }, paths(mesh(links(up))), mesh(links(known)))

t.test('each way goes as asked while its links work', async t => {
  const { there, back } = ways(ring, ring)
  t.strictSame([there.taken, back.taken], [asked.path, asked.reversePath])
  t.strictSame(there.links, [links(['ab'])[0], links(['bc'])[0]])
  t.ok(getsThrough(there) && getsThrough(back))
})

t.test('a link that is down is named; the path stays where it was asked for', async t => {
  const { there, back } = ways(['ab', 'cd', 'da'], ring)
  t.strictSame(there.broken, { hop: ['b', 'c'], why: 'down' })
  t.strictSame(there.taken, asked.path, 'its flows stay')
  t.notOk(getsThrough(there))
  t.ok(getsThrough(back), 'the other way has nothing to do with it')
})

t.test('with reroute frames take the shortest way meanwhile', async t => {
  const { there } = ways(['ab', 'cd', 'da'], ring, { reroute: true })
  t.strictSame(there.taken, ['a', 'd', 'c'])
  t.ok(getsThrough(there))
  t.strictSame(ways(ring, ring, { reroute: true }).there.taken, asked.path, 'and only meanwhile')
  t.strictSame(ways(['ab'], ring, { reroute: true }).there.taken, asked.path, 'if there is any')
})

t.test('a hop that nobody knows leaves no way, and the route leads nowhere', async t => {
  const { there, back } = ways(['ab', 'cd', 'da'], ['ab', 'cd', 'da'])
  t.match([there.broken, there.taken, there.links], [{ hop: ['b', 'c'], why: 'unknown' }, undefined, []])
  const { nextHops } = routeOfVlink({ there, back })
  t.strictSame([...nextHops.keys()], ['c', 'd'], 'the way back is there')
})

t.test('a plain link is not used: its tags would be among those of the frames', async t => {
  const all = mesh([...links(['ab', 'cd', 'da']), ...links(['bc'], { carries: 'vid' })])
  const tunnels = tunnelsOnly(paths(all))
  t.notOk(tunnels.mesh.get('b')?.has('c'))
  const { there } = vlinkPathsOf({ ...asked, reroute: true }, tunnels, all)
  t.strictSame([there.broken?.why, there.taken], ['vid', ['a', 'd', 'c']])
  t.equal(vlinkPathsOf(asked, tunnels, all).there.taken, undefined)
  const plain = paths(mesh(links(ring)))
  t.equal(tunnelsOnly(plain), plain)
})

t.test('both ends on one switch need no link', async t => {
  const { there, back } = ways([], [], { path: ['a'], reversePath: ['a'] })
  t.ok(getsThrough(there) && getsThrough(back))
  t.equal(routeOfVlink({ there, back }).nextHops.size, 0)
})

t.test('only what takes no other way anywhere may change switch by switch', async t => {
  const route = (path: string[]) => routeOfVlink(ways(ring, ring, { path }))
  t.ok(compatible(route(['a', 'b', 'c']), route(['a', 'b', 'c'])))
  t.notOk(compatible(route(['a', 'b', 'c']), route(['a', 'd', 'c'])))
})
