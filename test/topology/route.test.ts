// Ways through random meshes, held against what a route promises.
import fc from 'fast-check'
import t from 'tap'
import { type Hop, type Mesh, mesh, without } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { compatible, datapathsOf, type HopsBySwitch, type Route, route } from '../../topology/route.ts'
import type { Link } from '../../topology/topology.ts'

const dpid = (n: number) => (n + 1).toString(16).padStart(16, '0')
const both = (a: number, b: number, cost: number): Link[] => [
  { from: { dpid: dpid(a), port: 101 + b }, to: { dpid: dpid(b), port: 101 + a }, cost },
  { from: { dpid: dpid(b), port: 101 + a }, to: { dpid: dpid(a), port: 101 + b }, cost },
]
const meshOf = (...edges: (readonly [number, number, number?])[]): Mesh =>
  mesh(edges.flatMap(([a, b, cost = 10]) => both(a, b, cost)))
const line = (n: number) => meshOf(...Array.from({ length: n - 1 }, (_, i) => [i, i + 1] as const))
const full = (n: number) =>
  meshOf(...Array.from({ length: n }, (_, a) => Array.from({ length: a }, (_, b) => [a, b] as const)).flat())
const routeOf = (m: Mesh, members: readonly number[], fanOut?: number): Route =>
  route(members.map(dpid), paths(m), fanOut)
const numbers = (dpids: Iterable<string>) => [...dpids].map(d => Number.parseInt(d, 16) - 1).sort((a, b) => a - b)
const degreeOf = (ways: HopsBySwitch, n: number) => ways.get(dpid(n))?.size ?? 0

type Edges = readonly (readonly [number, number, number])[]
const nodes = 8
const edges: fc.Arbitrary<Edges> = fc.uniqueArray(
  fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1), fc.integer({ min: 1, max: 4 })).filter(([a, b]) => a < b),
  { maxLength: 16, selector: ([a, b]) => `${a} ${b}` },
)
const members = fc.uniqueArray(fc.nat(nodes - 1), { minLength: 1 })

/** Least costs between all, by another algorithm than ours (Floyd and Warshall's). */
function leastCosts(of: Edges): number[][] {
  const costs = Array.from({ length: nodes }, (_, a) =>
    Array.from({ length: nodes }, (_, b) => (a === b ? 0 : Infinity)),
  )
  for (const [a, b, cost] of of) costs[a]![b] = costs[b]![a] = cost
  for (let k = 0; k < nodes; k++)
    for (let a = 0; a < nodes; a++)
      for (let b = 0; b < nodes; b++) costs[a]![b] = Math.min(costs[a]![b]!, costs[a]![k]! + costs[k]![b]!)
  return costs
}

/** How often each datapath gets a frame to all that begins at this one. */
function flooded({ floodTree, direct }: Route, from: string): Map<string, number> {
  const heard = new Map<string, number>()
  const pass = (at: string, came: string | undefined, depth: number) => {
    if (depth > nodes) throw new Error('a circle')
    if (came !== undefined) heard.set(at, (heard.get(at) ?? 0) + 1)
    if (direct && came !== undefined) return
    for (const to of floodTree.get(at)?.keys() ?? []) if (to !== came) pass(to, at, depth + 1)
  }
  pass(from, undefined, 0)
  return heard
}

/** What a frame to a member costs from here; undefined when it does not arrive. */
function carried({ nextHops, ingressPorts }: Route, from: string, to: string): number | undefined {
  let cost = 0
  for (let at = from; at !== to; ) {
    const hop: Hop | undefined = nextHops.get(at)?.get(to)
    if (!hop || cost > 1000) return undefined
    if (!ingressPorts.get(hop.to)?.has(at)) throw new Error(`${hop.to} does not expect frames from ${at}`)
    cost += hop.cost
    at = hop.to
  }
  return cost
}

t.test('members with a link between any two need no other switch', async t => {
  const { direct, floodTree, partitions } = routeOf(full(5), [0, 2, 4])
  t.equal(direct, true)
  t.strictSame(numbers(floodTree.get(dpid(2))!.keys()), [0, 4])
  t.equal(partitions.length, 1)
})

t.test('on a line frames go by the switches between, and no further', async t => {
  const r = routeOf(line(6), [1, 3])
  t.equal(r.direct, false)
  t.strictSame(numbers(datapathsOf(r)), [1, 2, 3])
  t.equal(r.nextHops.get(dpid(1))?.get(dpid(3))?.to, dpid(2))
})

t.test('members that do not reach each other are partitions, each with its own way', async t => {
  const { partitions, direct } = routeOf(meshOf([0, 1], [2, 3]), [0, 1, 2, 3, 5])
  t.strictSame(partitions.map(numbers), [[0, 1], [2, 3], [5]])
  t.equal(direct, true)
})

t.test('a tree has the root that makes it cheapest', async t => {
  // From 0 the shortest paths to 1 and 2 are two links of 10; from 1, one of 10 and one of 1.
  const { floodTree } = routeOf(meshOf([0, 1, 10], [0, 2, 10], [1, 3, 1], [3, 2, 1]), [0, 1, 2])
  t.equal(degreeOf(floodTree, 3), 2)
})

t.test('no switch of a tree has more branches than it may, in a full mesh too', async t => {
  const r = routeOf(
    full(30),
    Array.from({ length: 30 }, (_, i) => i),
    5,
  )
  t.equal(r.direct, false)
  for (let n = 0; n < 30; n++) t.ok(degreeOf(r.floodTree, n) <= 5)
  t.equal(flooded(r, dpid(17)).size, 29)
  t.equal(r.nextHops.get(dpid(3))?.get(dpid(29))?.to, dpid(29), 'frames to one take the link')
})

t.test('a link whose switch is away is used when there is no other', async t => {
  const links = [...both(0, 1, 10), ...both(1, 2, 10), ...both(0, 3, 99), ...both(3, 2, 99)]
  const by = (unreachable: readonly number[]) =>
    route([dpid(0), dpid(2)], paths(mesh(links, { unreachable: new Set(unreachable.map(dpid)) })))
      .nextHops.get(dpid(0))!
      .get(dpid(2))!.to
  t.equal(by([]), dpid(1))
  t.equal(by([1]), dpid(3))
  t.equal(by([1, 3]), dpid(1))
})

t.test(
  'every member that there is a way to gets a frame to all once, and others by a shortest path',
  async () =>
    void fc.assert(
      fc.property(edges, members, (of, who) => {
        const r = routeOf(meshOf(...of), who)
        const costs = leastCosts(of)
        for (const a of who) {
          const heard = flooded(r, dpid(a))
          for (const b of who) {
            if (a === b) continue
            const reachable = costs[a]![b]! < Infinity
            if ((heard.get(dpid(b)) ?? 0) !== (reachable ? 1 : 0))
              throw new Error(`${a} to ${b}: ${heard.get(dpid(b))} times`)
            const cost = carried(r, dpid(a), dpid(b))
            const least = r.direct
              ? of.find(([x, y]) => (x === a && y === b) || (x === b && y === a))?.[2]
              : costs[a]![b]
            if (cost !== (reachable ? least : undefined)) throw new Error(`${a} to ${b} costs ${cost}, not ${least}`)
          }
          for (const times of heard.values()) if (times > 1) throw new Error('a frame comes twice')
        }
      }),
      { numRuns: 500 },
    ),
)

t.test(
  'routes that are compatible may be mixed switch by switch, and lose nothing that both carry',
  async () =>
    void fc.assert(
      fc.property(
        edges,
        edges,
        members,
        members,
        fc.array(fc.boolean(), { minLength: nodes, maxLength: nodes }),
        (x, y, m, n, mix) => {
          const [a, b] = [routeOf(meshOf(...x), m), routeOf(meshOf(...y), n)]
          fc.pre(compatible(a, b))
          const at = (d: string) => (mix[Number.parseInt(d, 16) - 1] ? b : a)
          const all = Array.from({ length: nodes }, (_, i) => dpid(i))
          const mixed: Route = {
            id: a.id,
            direct: a.floodTree.size > 0 ? a.direct : b.direct,
            floodTree: new Map(all.map(d => [d, at(d).floodTree.get(d) ?? new Map()])),
            nextHops: new Map(all.map(d => [d, at(d).nextHops.get(d) ?? new Map()])),
            egressPorts: new Map(all.map(d => [d, at(d).egressPorts.get(d) ?? new Map()])),
            ingressPorts: new Map(all.map(d => [d, at(d).ingressPorts.get(d) ?? new Map()])),
            partitions: a.partitions,
          }
          for (const from of all) {
            const heard = flooded(mixed, from)
            for (const times of heard.values()) if (times > 1) throw new Error('a frame comes twice')
            const [before, after] = [flooded(a, from), flooded(b, from)]
            for (const to of before.keys())
              if (after.has(to) && !heard.has(to)) throw new Error(`${from} to ${to} is lost`)
          }
        },
      ),
      { numRuns: 2000 },
    ),
)

const spelled = (hopsBySwitch: HopsBySwitch): readonly string[] =>
  [...hopsBySwitch].flatMap(([at, hops]) => [...hops].map(([to, { port }]) => `${at} ${to} ${port}`)).sort()

t.test(
  'routes with one id, or of one mesh, go the same way, and leave by the ports that they name',
  async () =>
    void fc.assert(
      fc.property(edges, edges, members, members, fc.boolean(), (x, y, m, n, isOneMesh) => {
        const here = paths(meshOf(...x))
        const there = isOneMesh ? here : paths(meshOf(...y))
        const [a, b] = [route(m.map(dpid), here), route(n.map(dpid), there)]
        if (a.id === b.id && !a.direct) {
          if (spelled(a.nextHops).join() !== spelled(b.nextHops).join()) throw new Error('frames to one go other ways')
          if (spelled(a.floodTree).join() !== spelled(b.floodTree).join())
            throw new Error('frames to all go other ways')
        }
        if (a.source === b.source)
          for (const [at, hops] of a.nextHops)
            for (const [to, { port }] of hops)
              if ((b.nextHops.get(at)?.get(to)?.port ?? port) !== port) throw new Error(`${at} to ${to} differs`)
        for (const r of [a, b]) {
          const ports = (of: HopsBySwitch) =>
            [...of].flatMap(([at, hops]) => [...hops.values()].map(({ to, port }) => `${at} ${to} ${port}`))
          const used = [...new Set([...ports(r.floodTree), ...ports(r.nextHops)])].sort()
          if (used.join() !== spelled(r.egressPorts).join()) throw new Error(`${spelled(r.egressPorts)}, not ${used}`)
        }
      }),
      { numRuns: 1000 },
    ),
)

t.test('a mesh without some datapaths has none of their links', async t => {
  const m = without(full(3), new Set([dpid(1)]))
  t.strictSame(numbers(m.keys()), [0, 2])
  t.strictSame(numbers(m.get(dpid(0))!.keys()), [2])
})
