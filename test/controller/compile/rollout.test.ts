// A network that goes from one route to another, on reference switches: whatever the mesh was and becomes, and in whatever order
// the switches are told, no frame is lost, doubled, or let out of its network.

import fc from 'fast-check'
import t from 'tap'
import { compile } from '../../../controller/compile/compile.ts'
import { base } from '../../../controller/compile/default-flows.ts'
import { changeOf } from '../../../controller/compile/diff.ts'
import type { Content, Item } from '../../../controller/compile/item.ts'
import type { Fabric as Known } from '../../../controller/compile/local-network.ts'
import {
  advance,
  begin,
  epochOf,
  goal,
  pathVersionsOf,
  persisted,
  type Rollout,
  steer,
} from '../../../controller/compile/rollout.ts'
import { encode } from '../../../openflow/index.ts'
import { mesh } from '../../../topology/mesh.ts'
import { paths } from '../../../topology/paths.ts'
import { apply, type Fabric, newFabric, newSwitch, plainHardware, send } from '../../reference/index.ts'
import * as world from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)

/** Links by the numbers of their ends. */
type Edges = readonly (readonly [number, number])[]
type Scene = {
  readonly switches: number
  readonly before: { readonly edges: Edges; readonly placement: world.Placement }
  readonly after: { readonly edges: Edges; readonly placement: world.Placement }
}

const edgesAmong = (switches: number): fc.Arbitrary<Edges> => {
  const all = Array.from({ length: switches }, (_, a) => Array.from({ length: a }, (_, b) => [b, a] as const)).flat()
  return fc.oneof(
    { weight: 4, arbitrary: fc.subarray(all) },
    { weight: 1, arbitrary: fc.constant(all) },
    // A ring, and a line that it is when a link fails.
    { weight: 2, arbitrary: fc.constantFrom(0, 1).map(cut => ring(switches).slice(cut)) },
  )
}
const ring = (switches: number): Edges => {
  if (switches < 3) return [[0, 1]]
  return Array.from({ length: switches }, (_, a) => {
    const b = (a + 1) % switches
    return [Math.min(a, b), Math.max(a, b)] as const
  })
}

/** Ports stay in their network or come or go, for what becomes of those that move laws.test.ts says. */
const scene: fc.Arbitrary<Scene> = fc.integer({ min: 2, max: 6 }).chain(switches => {
  const ports = world.endpoints(switches).filter(({ port }) => port <= 2)
  const keys = ports.map(p => `${p.dpid}/${p.port}`)
  const member = fc.record({
    network: fc.constantFrom('red', 'red', 'green'),
    address: fc.constantFrom('pinned', 'unknown' as const),
    there: fc.constantFrom([true, true], [true, true], [true, false], [false, true], [false, false]),
  })
  return fc
    .record({
      members: fc.array(member, { minLength: keys.length, maxLength: keys.length }),
      edges: fc.tuple(edgesAmong(switches), edgesAmong(switches)),
      mirror: fc.option(fc.nat(keys.length - 1), { nil: undefined }),
    })
    .map(({ members, edges, mirror }) => {
      const tap = mirror !== undefined && members[mirror]!.there.every(is => !is) ? ports[mirror] : undefined
      const placed = (when: 0 | 1): world.Placement => ({
        switches,
        members: new Map(
          keys.flatMap((key, i) => {
            const { network, address, there } = members[i]!
            return there[when] ? [[key, { network, address }] as const] : []
          }),
        ),
        mirrors: tap ? new Map([['red', tap]]) : new Map(),
        vlinks: new Map(),
      })
      return {
        switches,
        before: { edges: edges[0], placement: placed(0) },
        after: { edges: edges[1], placement: placed(1) },
      }
    })
})

const knownOf = (switches: number, edges: Edges, nicira: boolean): Known => ({
  ...world.known(switches, nicira),
  paths: paths(mesh(world.linksBetween(edges))),
})

/** All the links that ever are: one that is no more known may still carry. */
function fabricOf({ switches, before, after }: Scene, nicira: boolean): Fabric {
  const all = Array.from({ length: switches }, (_, s) =>
    newSwitch({
      dpid: world.dpidOf(s),
      ports: [1, 2, 3],
      tunnels: world.linkPortsOf(s, switches),
      ...(nicira ? {} : { kind: plainHardware }),
    }),
  )
  const edges = new Map([...before.edges, ...after.edges].map(edge => [edge.join(), edge]))
  const joints = [...edges.values()].map(([a, b]) => {
    const [x, y] = [world.dpidOf(a), world.dpidOf(b)]
    return [`${x}/${world.linkPort(a, b)}`, `${y}/${world.linkPort(b, a)}`] as const
  })
  return newFabric(all, joints)
}

type Courses = ReadonlyMap<string, Rollout>

function contentsOf(placement: world.Placement, known: Known, courses: Courses): Map<string, Content> {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < placement.switches; s++)
    contents.set(world.dpidOf(s), new Map(base(world.instance).map(item => [item.key, item])))
  for (const subject of world.subjects(placement))
    for (const [dpid, items] of compile(subject, known.datapaths, pathVersionsOf(courses.get(subject.network.id)!)))
      for (const item of items) {
        if (contents.get(dpid)!.has(item.key)) throw new Error(`${item.key} of switch ${dpid} is wanted twice`)
        contents.get(dpid)!.set(item.key, item)
      }
  return contents
}

/** Gives switches what takes them from one content to another, a message at a time, whose turn it is by `order`. */
function tell(
  fabric: Fabric,
  from: ReadonlyMap<string, Content>,
  to: ReadonlyMap<string, Content>,
  order: () => number,
  each: () => void,
): void {
  const left = [...to].map(([dpid, content]) => ({
    dpid,
    steps: [...world.messages(from.get(dpid) ?? new Map(), content)],
  }))
  for (;;) {
    const waiting = left.filter(l => l.steps.length > 0)
    if (waiting.length === 0) return
    const { dpid, steps } = waiting[order() % waiting.length]!
    const replies = apply(fabric.switches.get(dpid)!, encode(changeOf(steps.shift()!)))
    const error = replies.find(r => r.type === 'error')
    if (error) throw new Error(`switch ${dpid} refused a message`)
    each()
  }
}

const macAt = (key: string) => world.macOf({ dpid: key.split('/')[0]!, port: Number(key.split('/')[1]) })

/** Ports of the network, by the partition that their switch is in. */
function islandOf(known: Known, placement: world.Placement, key: string): string | undefined {
  const member = placement.members.get(key)
  const dpid = key.split('/')[0]!
  return member && `${member.network} ${known.paths.partition(dpid) ?? dpid}`
}

/** Who must get a frame from here: those that reach the sender before and after. And who may. */
function check(fabric: Fabric, { switches, before, after }: Scene, known: readonly [Known, Known]): void {
  const keys = world.endpoints(switches).map(e => `${e.dpid}/${e.port}`)
  const partition = (key: string) => [
    islandOf(known[0], before.placement, key),
    islandOf(known[1], after.placement, key),
  ]
  const network = (key: string) => (before.placement.members.get(key) ?? after.placement.members.get(key))?.network
  for (const from of keys) {
    const [was, is] = partition(from)
    const always = keys.filter(key => {
      const [a, b] = partition(key)
      return key !== from && was !== undefined && is !== undefined && a === was && b === is
    })
    const mirror = before.placement.mirrors.get(network(from) ?? '')
    const tap = mirror && `${mirror.dpid}/${mirror.port}`
    for (const to of [world.broadcast, ...always.map(macAt)]) {
      const { counts, loops, ambiguous } = send(fabric, from, world.frame(to, macAt(from)))
      if (loops.length > 0) throw new Error(`a frame from ${from} loops: ${JSON.stringify(loops[0])}`)
      if (ambiguous.size > 0) throw new Error(`two entries of one priority match in ${[...ambiguous]}`)
      for (const [at, times] of counts) {
        if (times > 1 || at === from) throw new Error(`${at} got a frame from ${from} to ${to} ${times} times`)
        if (at !== tap && network(at) !== network(from)) throw new Error(`${at} heard ${from}, of another network`)
      }
      const wanted = to === world.broadcast ? always : always.filter(key => macAt(key) === to)
      for (const key of wanted)
        if (!counts.has(key)) throw new Error(`a frame from ${from} to ${to} did not reach ${key}`)
    }
  }
}

/** At rest everybody that can be reached is, and nobody else is. */
function checkRest(fabric: Fabric, { switches, after: { placement } }: Scene, known: Known): void {
  const keys = world.endpoints(switches).map(e => `${e.dpid}/${e.port}`)
  for (const from of keys) {
    const { counts } = send(fabric, from, world.frame(world.broadcast, macAt(from)))
    const mirror = placement.mirrors.get(placement.members.get(from)?.network ?? '')
    const reached =
      mirror &&
      (known.paths.partition(mirror.dpid) ?? mirror.dpid) ===
        (known.paths.partition(from.split('/')[0]!) ?? from.split('/')[0])
    const wanted = keys.filter(
      key =>
        key !== from &&
        ((islandOf(known, placement, from) !== undefined &&
          islandOf(known, placement, key) === islandOf(known, placement, from)) ||
          (reached && key === `${mirror.dpid}/${mirror.port}`)),
    )
    if (wanted.join() !== [...counts.keys()].join())
      throw new Error(`${from} reaches ${[...counts.keys()]}, not ${wanted}`)
  }
}

type Run = {
  readonly it: Scene
  readonly nicira: boolean
  /** Whose turn it is, again and again. */
  readonly turns: readonly number[]
  /** The controller is killed in this round, before switches are told of it, and starts again. */
  readonly killed?: number
}

function goOver({ it, nicira, turns, killed }: Run): void {
  const known = [knownOf(it.switches, it.before.edges, nicira), knownOf(it.switches, it.after.edges, nicira)] as const
  const fabric = fabricOf(it, nicira)
  let turn = 0
  const order = () => turns[turn++ % turns.length]!
  const routes = (k: Known, p: world.Placement) =>
    new Map(world.subjects(p).map(s => [s.network.id, world.routeOf(s, k)] as const))
  let serial = 0
  let courses: Courses = new Map(
    [...routes(known[0], it.before.placement)].map(([id, route]): [string, Rollout] => [
      id,
      { is: 'steady', serial, pathVersion: { epoch: 0, route } },
    ]),
  )
  /** As the store has it. */
  const disk = new Map([...courses].map(([id, rollout]) => [id, persisted(rollout, goal(rollout).route)]))
  let contents = contentsOf(it.before.placement, known[0], courses)
  tell(fabric, new Map(), contents, order, () => {})
  const wanted = routes(known[1], it.after.placement)
  for (let rounds = 0; ; rounds++) {
    if (rounds > 10) throw new Error('it does not come to rest')
    serial++
    const now = rounds * 10_000
    courses = new Map(
      [...courses].map(([id, rollout]): [string, Rollout] => {
        const way = wanted.get(id)!
        if (rounds === killed) return [id, begin({ id, number: 1, revision: 1, ...disk.get(id)! }, way, serial, now)]
        disk.set(id, persisted(rollout, way, rollout.is === 'preparing'))
        const step = advance(rollout, { confirmation: 'confirmed', now, serial }) ?? rollout
        return [id, steer(step, way, disk.get(id)!.target, serial)]
      }),
    )
    const desired = contentsOf(it.after.placement, known[1], courses)
    for (const [dpid, held] of contents)
      for (const [key, item] of held)
        if (!desired.get(dpid)!.has(key) && isFrozen(courses, item))
          (desired.get(dpid)! as Map<string, Item>).set(key, item)
    tell(fabric, contents, desired, order, () => check(fabric, it, known))
    contents = desired
    const rests = [...courses].every(([id, c]) => c.is === 'steady' && c.pathVersion.route === wanted.get(id))
    if (rests && rounds > (killed ?? 0)) break
  }
  checkRest(fabric, it, known[1])
}

/** Of a path version that a controller does not know after its start it leaves on the switches what is there. */
const isFrozen = (courses: Courses, item: Item): boolean => {
  const id = world.networkNames[item.owner - 1]
  const pathVersions = id === undefined ? [] : pathVersionsOf(courses.get(id)!)
  return pathVersions.some(pathVersion => pathVersion.frozen && pathVersion.epoch === epochOf(item))
}

const turns = fc.array(fc.nat(100), { minLength: 1, maxLength: 40 })
for (const nicira of [true, false]) {
  const kind = nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'
  t.test(
    `on any mesh, to any other, no frame is lost, doubled or let out (${kind})`,
    async () =>
      void fc.assert(
        fc.property(scene, turns, (it, turns) => goOver({ it, nicira, turns })),
        { numRuns: runs },
      ),
  )

  t.test(
    `nor when the controller is killed at any moment of it, and starts again (${kind})`,
    async () =>
      void fc.assert(
        fc.property(scene, turns, fc.nat(4), ({ before, after, switches }, turns, killed) =>
          goOver({ it: { switches, before, after: { ...after, placement: before.placement } }, nicira, turns, killed }),
        ),
        { numRuns: runs },
      ),
  )
}
