// Frames to some members of a network: they reach these, and go nowhere else.
import fc from 'fast-check'
import t from 'tap'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { pruned } from '../../topology/pruned.ts'
import { route } from '../../topology/route.ts'
import type { DatapathId, Link } from '../../topology/topology.ts'

const dpidOf = (n: number): DatapathId => (n + 1).toString(16).padStart(16, '0')
const scene = fc.integer({ min: 1, max: 9 }).chain(switches => {
  const all = Array.from({ length: switches }, (_, a) => Array.from({ length: a }, (_, b) => [b, a] as const)).flat()
  const some = fc.subarray(Array.from({ length: switches }, (_, s) => s))
  return fc.record({ edges: fc.oneof(fc.subarray(all), fc.constant(all)), members: some, wanting: some })
})
const linksOf = (edges: readonly (readonly [number, number])[]): Link[] =>
  edges.flatMap(([a, b]) => {
    const [from, to] = [
      { dpid: dpidOf(a), port: 100 + b },
      { dpid: dpidOf(b), port: 100 + a },
    ]
    return [
      { from, to },
      { from: to, to: from },
    ]
  })

t.test(
  'frames reach those that want them, and no link leads to nobody who does',
  async () =>
    void fc.assert(
      fc.property(scene, ({ edges, members, wanting }) => {
        const known = paths(mesh(linksOf(edges)))
        const way = route(members.map(dpidOf), known)
        const wants = new Set(wanting.filter(n => members.includes(n)).map(dpidOf))
        const hops = pruned(way)
        for (const partition of way.partitions)
          for (const start of partition) {
            const reached = new Set([start])
            const follow = (at: DatapathId, from: DatapathId | undefined): void => {
              const on = hops(at, wants).filter(({ to }) => to !== from && to !== at)
              if (on.length === 0 && from !== undefined && !wants.has(at))
                throw new Error(`from ${start} to ${at} for nobody`)
              for (const { to } of on) {
                if (reached.has(to)) throw new Error(`${to} is reached twice from ${start}`)
                reached.add(to)
                if (!way.direct) follow(to, at)
              }
            }
            follow(start, undefined)
            for (const dpid of partition)
              if (wants.has(dpid) && !reached.has(dpid)) throw new Error(`${dpid} is not reached from ${start}`)
            if (way.direct)
              for (const dpid of reached)
                if (dpid !== start && !wants.has(dpid)) throw new Error(`to ${dpid} for nobody`)
          }
      }),
      { numRuns: Number(process.env['L2SM_RUNS'] ?? 300) },
    ),
)
