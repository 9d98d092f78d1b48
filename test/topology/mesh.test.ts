import fc from 'fast-check'
import t from 'tap'
import { mesh } from '../../topology/mesh.ts'
import type { Link } from '../../topology/topology.ts'

const dpid = (n: number) => n.toString(16).padStart(16, '0')
const link = (a: number, aPort: number, b: number, bPort: number): Link => ({
  from: { dpid: dpid(a), port: aPort },
  to: { dpid: dpid(b), port: bPort },
})
const both = (a: number, aPort: number, b: number, bPort: number): Link[] => [
  link(a, aPort, b, bPort),
  link(b, bPort, a, aPort),
]

t.test('a link that is known in one direction only carries nothing', async t =>
  t.same([...mesh([link(1, 101, 2, 102)])], []),
)

t.test('a link that is known in both directions joins its two datapaths', async t => {
  const m = mesh(both(1, 101, 2, 102))
  t.equal(m.get(dpid(1))?.get(dpid(2))?.port, 101)
  t.equal(m.get(dpid(2))?.get(dpid(1))?.port, 102)
})

t.test('of parallel links both ends use the same one', async t => {
  const links = [...both(1, 9, 2, 3), ...both(1, 4, 2, 8)]
  for (const given of [links, links.toReversed()]) {
    const m = mesh(given)
    t.same([m.get(dpid(1))?.get(dpid(2))?.port, m.get(dpid(2))?.get(dpid(1))?.port], [4, 8])
  }
})

t.test('a link whose port is gone, or belongs to a pod, is left out, and a parallel one takes its place', async t => {
  const m = mesh([...both(1, 4, 2, 8), ...both(1, 9, 2, 3)], {
    usable: (d, port) => !(d === dpid(2) && port === 8),
  })
  t.equal(m.get(dpid(1))?.get(dpid(2))?.port, 9)
})

t.test('what goes out to a neighbour comes in on the port that leads back, whatever the links', async () => {
  const end = fc.record({ a: fc.integer({ min: 1, max: 4 }), p: fc.integer({ min: 1, max: 6 }) })
  fc.assert(
    fc.property(fc.array(fc.tuple(end, end, fc.boolean()), { maxLength: 30 }), ends => {
      const links = ends.flatMap(([x, y, twoWay]) => (twoWay ? both(x.a, x.p, y.a, y.p) : [link(x.a, x.p, y.a, y.p)]))
      const known = new Set(links.map(l => `${l.from.dpid}/${l.from.port} ${l.to.dpid}/${l.to.port}`))
      const m = mesh(links)
      for (const [from, neighbours] of m)
        for (const [to, { port }] of neighbours) {
          const back = m.get(to)?.get(from)?.port
          if (!known.has(`${from}/${port} ${to}/${back}`) || !known.has(`${to}/${back} ${from}/${port}`)) return false
        }
      return true
    }),
  )
})
