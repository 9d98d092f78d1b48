// A route whose links die one after the other, mended in place, on reference switches that are told in any order: what still gets
// through goes on, nothing comes twice, and in the end all that can be reached is.
import fc from 'fast-check'
import t from 'tap'
import { compile } from '../../../controller/compile/compile.ts'
import { base } from '../../../controller/compile/default-flows.ts'
import type { Content, Item } from '../../../controller/compile/item.ts'
import { mended } from '../../../topology/mended.ts'
import { type Mesh, mesh } from '../../../topology/mesh.ts'
import { type Paths, paths } from '../../../topology/paths.ts'
import type { HopsBySwitch, Route } from '../../../topology/route.ts'
import { type Fabric, send } from '../../reference/index.ts'
import { fabricOf, tell } from '../reference-fabric.ts'
import * as world from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)

type Edge = readonly [number, number]
type Scene = { readonly edges: readonly Edge[]; readonly dying: readonly Edge[]; readonly placement: world.Placement }

const scene: fc.Arbitrary<Scene> = fc.integer({ min: 3, max: 7 }).chain(switches => {
  const all = Array.from({ length: switches }, (_, a) => Array.from({ length: a }, (_, b): Edge => [b, a])).flat()
  const ring = Array.from({ length: switches }, (_, a): Edge => [a, (a + 1) % switches]).map(
    ([a, b]): Edge => [Math.min(a, b), Math.max(a, b)],
  )
  const more = fc.subarray(all, { maxLength: all.length - 1 })
  const edges = fc.oneof(
    fc.constant(ring),
    fc.subarray(all),
    more.map(some => [...new Map([...ring, ...some].map(e => [e.join(), e])).values()]),
  )
  const member = fc.constantFrom('pinned', 'pinned', 'unknown', undefined)
  return edges.chain(edges =>
    fc.record({
      edges: fc.constant(edges),
      dying: fc.shuffledSubarray([...edges], { maxLength: Math.min(3, edges.length) }),
      placement: fc.array(member, { minLength: switches, maxLength: switches }).map(members => ({
        switches,
        members: new Map(
          members.flatMap((address, s) =>
            address ? [[`${world.dpidOf(s)}/1`, { network: 'red', address }] as const] : [],
          ),
        ),
        mirrors: new Map(),
        vlinks: new Map(),
      })),
    }),
  )
})

const contentsOf = (placement: world.Placement, route: Route): Map<string, Content> => {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < placement.switches; s++)
    contents.set(world.dpidOf(s), new Map(base(world.instance).map(item => [item.key, item])))
  const red = world.subjects(placement)[0]!
  for (const [dpid, items] of compile(red, world.known(placement.switches).datapaths, [{ epoch: 0, route }]))
    for (const item of items) contents.get(dpid)!.set(item.key, item)
  return contents
}

const dpidAt = (key: string): string => key.split('/')[0]!
const macAt = (key: string): string => world.macOf({ dpid: dpidAt(key), port: 1 })

/** Datapaths that a frame comes to by the living hops of a tree. */
function reached(tree: HopsBySwitch, from: string, now: Mesh): ReadonlySet<string> {
  const seen = new Set([from])
  for (const at of seen) for (const hop of tree.get(at)?.values() ?? []) if (now.get(at)?.has(hop.to)) seen.add(hop.to)
  return seen
}
function arrives({ nextHops }: Route, from: string, to: string, now: Mesh): boolean {
  for (let at = from; at !== to; ) {
    const hop = nextHops.get(at)?.get(to)
    if (!hop || !now.get(at)?.has(hop.to)) return false
    at = hop.to
  }
  return true
}

/** @param broken The route as it was; what of it gets through must. Undefined: all that can be reached must. */
function check(fabric: Fabric, { placement }: Scene, { mesh: now, partition }: Paths, broken?: Route): void {
  const keys = [...placement.members.keys()]
  for (const from of keys) {
    const tree = broken && reached(broken.floodTree, dpidAt(from), now)
    const mayReach = (key: string) =>
      key === from || (partition(dpidAt(key)) !== undefined && partition(dpidAt(key)) === partition(dpidAt(from)))
    const others = keys.filter(key => key !== from)
    for (const to of [world.broadcast, ...others.map(macAt)]) {
      const { counts, loops } = send(fabric, from, world.frame(to, macAt(from)))
      if (loops.length > 0) throw new Error(`a frame from ${from} to ${to} loops: ${JSON.stringify(loops[0])}`)
      // What goes into a dead link comes to nobody.
      for (const [at, times] of [...counts].filter(([at]) => keys.includes(at)))
        if (times > 1 || at === from) throw new Error(`${at} got a frame from ${from} to ${to} ${times} times`)
      for (const key of to === world.broadcast ? others : others.filter(other => macAt(other) === to)) {
        const isKnown = to !== world.broadcast && placement.members.get(key)?.address === 'pinned'
        const must = !broken
          ? mayReach(key)
          : isKnown
            ? arrives(broken, dpidAt(from), dpidAt(key), now)
            : tree!.has(dpidAt(key))
        if (must && !counts.has(key)) throw new Error(`a frame from ${from} to ${to} did not reach ${key}`)
      }
    }
  }
}

function play(it: Scene, turns: readonly number[]): 'mended' | 'not' | 'direct' {
  const { placement } = it
  let turn = 0
  let edges = it.edges
  let now = paths(mesh(world.linksBetween(edges)))
  const red = world.subjects(placement)[0]!
  let route = world.routeOf(red, { ...world.known(placement.switches), paths: now })
  let contents = contentsOf(placement, route)
  const fabric = fabricOf(placement, contents)
  const links = fabric.links as Map<string, string>
  const keep = (alive: readonly Edge[]) => {
    const ends = new Set(world.linksBetween(alive).map(({ from }) => `${from.dpid}/${from.port}`))
    for (const end of [...links.keys()]) if (!ends.has(end)) links.delete(end)
  }
  keep(edges)
  let result: 'mended' | 'direct' = 'direct'
  for (const dead of it.dying) {
    edges = edges.filter(edge => edge !== dead)
    keep(edges)
    now = paths(mesh(world.linksBetween(edges)))
    const next = mended(route, new Set([...placement.members.keys()].map(dpidAt)), now)
    if (!next) return route.direct ? result : 'not'
    result = 'mended'
    const to = contentsOf(placement, next)
    const left = [...to.keys()]
    while (left.length > 0) {
      const [dpid] = left.splice(turns[turn++ % turns.length]! % left.length, 1) as [string]
      // In one bundle.
      for (const step of world.messages(contents.get(dpid)!, to.get(dpid)!)) tell(fabric, dpid, step)
      check(fabric, it, now, route)
    }
    check(fabric, it, now)
    contents = to
    route = next
  }
  return result
}

const turns = fc.array(fc.nat(100), { minLength: 1, maxLength: 40 })
t.test('links die one after the other, and no frame is lost by what mends it, or comes twice', async t => {
  const seen = { mended: 0, not: 0, direct: 0 }
  fc.assert(
    fc.property(scene, turns, (it, turns) => {
      seen[play(it, turns)] += 1
    }),
    { numRuns: runs },
  )
  t.ok(seen.mended > 0, `${seen.mended} routes were mended, ${seen.not} not`)
})
