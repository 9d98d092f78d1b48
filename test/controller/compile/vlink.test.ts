// What holds of vlinks, on reference switches: any frame gets from end to end as it is and over the switches that were asked for,
// nobody else gets it, and while a vlink goes over to another path no frame is lost or comes twice.

import fc from 'fast-check'
import t from 'tap'
import { base } from '../../../controller/compile/default-flows.ts'
import { changeOf } from '../../../controller/compile/diff.ts'
import type { Content, Item } from '../../../controller/compile/item.ts'
import {
  advance,
  drainMs,
  goal,
  otherEpoch,
  pathVersionsOf,
  type Rollout,
  steer,
} from '../../../controller/compile/rollout.ts'
import { compileVlink } from '../../../controller/compile/vlink.ts'
import { encode } from '../../../openflow/index.ts'
import type { Network, Vlink } from '../../../store/state.ts'
import { mesh } from '../../../topology/mesh.ts'
import { paths } from '../../../topology/paths.ts'
import { endpointKey, type Link } from '../../../topology/topology.ts'
import { getsThrough, routeOfVlink, type VlinkPaths, vlinkPathsOf } from '../../../topology/vlink-route.ts'
import { anyFrames } from '../../any-frames.ts'
import { apply, type Fabric, newFabric, newSwitch, plainHardware, send } from '../../reference/index.ts'
import * as world from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)
type Tell = (fabric: Fabric, dpid: string, from: Content, to: Content) => void

const tell: Tell = (fabric, dpid, from, to) => {
  for (const step of world.messages(from, to)) told(fabric, dpid, encode(changeOf(step)))
}
const told = (fabric: Fabric, dpid: string, bytes: Buffer): void => {
  const error = apply(fabric.switches.get(dpid)!, bytes).find(r => r.type === 'error')
  if (error)
    throw new Error(`switch ${dpid} refused ${JSON.stringify(error, (_, v) => (typeof v === 'bigint' ? `${v}` : v))}`)
}

/** Switches joined by these links, holding nothing yet. */
const fabricOf = (switches: number, links: readonly Link[], nicira: boolean): Fabric => {
  const all = Array.from({ length: switches }, (_, s) => {
    const ports = { ports: [1, 2, 3], tunnels: world.linkPortsOf(s, switches) }
    return newSwitch({ dpid: world.dpidOf(s), ...ports, ...(nicira ? {} : { kind: plainHardware }) })
  })
  const joints = links.filter(l => l.from.dpid < l.to.dpid).map(l => [endpointKey(l.from), endpointKey(l.to)] as const)
  return newFabric(all, joints)
}

for (const nicira of [true, false])
  t.test(
    `any frame gets over, as it is, on the switches that were asked for, and nowhere else (${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'})`,
    async () =>
      void fc.assert(
        fc.property(world.changes(true), ({ after, switches }) => {
          const fabric = fabricOf(switches, world.links(switches), nicira)
          for (const [dpid, content] of world.desired(after, nicira)) tell(fabric, dpid, new Map(), content)
          for (const { vlink } of after.vlinks.values())
            for (const [from, to, path] of [
              [vlink.from, vlink.to, vlink.path],
              [vlink.to, vlink.from, vlink.reversePath],
            ] as const)
              for (const [name, frame] of anyFrames(world.macOf(from))) {
                const { arrivals, packetIns, ambiguous, loops } = send(fabric, endpointKey(from), frame)
                const came = arrivals.map(a => `${a.at} over ${a.path.map(at => at.split('/')[0])}`)
                if (came.join() !== `${endpointKey(to)} over ${path}`)
                  throw new Error(
                    `${name} from ${endpointKey(from)} came to ${came}, expected ${endpointKey(to)} over ${path}`,
                  )
                if (!arrivals[0]!.frame.equals(frame)) throw new Error(`${name} is another frame than it was`)
                if (packetIns.length + ambiguous.size + loops.length > 0) throw new Error(`${name} is seen on its way`)
              }
        }),
        { numRuns: runs },
      ),
  )

type Scene = {
  readonly switches: number
  readonly edges: readonly (readonly (readonly [number, number])[])[]
  readonly vlinks: readonly (Network & { readonly vlink: Vlink })[]
  /** The paths of the first vlink, then. */
  readonly paths: Pick<Vlink, 'path' | 'reversePath'>
}

/** A mesh that changes, vlinks that may take a way round, and one that is asked to take another path. */
const scene: fc.Arbitrary<Scene> = fc.integer({ min: 3, max: 6 }).chain(switches => {
  const all = Array.from({ length: switches }, (_, a) => Array.from({ length: a }, (_, b) => [b, a] as const)).flat()
  const edges = fc.oneof(fc.subarray(all, { minLength: switches }), fc.constant(all))
  const other = fc.tuple(world.vlinkAmong(switches), fc.boolean())
  return fc
    .record({
      switches: fc.constant(switches),
      edges: fc.tuple(edges, edges),
      wished: fc.array(other, { minLength: 2, maxLength: 4 }),
    })
    .map(({ wished, ...rest }) => {
      const [first, ...others] = [
        ...world.apart(wished.map(([it, reroute]) => ({ ...it, vlink: { ...it.vlink, reroute } }))).values(),
      ]
      const { from, to, path, reversePath } = first!.vlink
      const turned = (is: readonly string[]) =>
        is.length > 3
          ? [is[0]!, ...is.slice(1, -1).reverse(), is.at(-1)!]
          : [is[0]!, ...(is.length > 1 ? [is.at(-1)!] : [])]
      const other = { path: turned(path), reversePath: turned(reversePath) }
      return { ...rest, vlinks: [first!, ...others], paths: from.dpid === to.dpid ? { path, reversePath } : other }
    })
})

const linksOf = (edges: Scene['edges'][number]): Link[] =>
  edges.flatMap(([a, b]) => {
    const x = { dpid: world.dpidOf(a), port: world.linkPort(a, b) }
    const y = { dpid: world.dpidOf(b), port: world.linkPort(b, a) }
    return [
      { from: x, to: y },
      { from: y, to: x },
    ]
  })

t.test('while vlinks go over to other paths, no frame is lost, comes twice, or comes out elsewhere', async () => {
  let moved = 0
  fc.assert(
    fc.property(scene, fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }), (it, turns) => {
      const { switches, edges, vlinks } = it
      const after = vlinks.map((v, i) => (i === 0 ? { ...v, vlink: { ...v.vlink, ...it.paths } } : v))
      // Links that are down are still known, and as this is no question of links failing, they still carry.
      const known = mesh(linksOf([...new Map(edges.flat().map(edge => [edge.join(), edge])).values()]))
      const vlinkPaths = (networks: readonly (Network & { readonly vlink: Vlink })[], when: 0 | 1): VlinkPaths[] =>
        networks.map(({ vlink }) => vlinkPathsOf(vlink, paths(mesh(linksOf(edges[when]!))), known))
      const [was, is] = [vlinkPaths(vlinks, 0), vlinkPaths(after, 1)]
      const fabric = fabricOf(switches, world.links(switches), true)
      const { datapaths } = world.known(switches)
      const contentsOf = (courses: readonly Rollout[]): Map<string, Map<string, Item>> => {
        const contents = new Map(
          Array.from({ length: switches }, (_, s) => [
            world.dpidOf(s),
            new Map(base(world.instance).map(i => [i.key, i])),
          ]),
        )
        for (const [i, rollout] of courses.entries())
          for (const [dpid, items] of compileVlink(after[i]!, after[i]!.vlink, datapaths, pathVersionsOf(rollout)))
            for (const item of items) {
              if (contents.get(dpid)!.has(item.key)) throw new Error(`${item.key} of switch ${dpid} is wanted twice`)
              contents.get(dpid)!.set(item.key, item)
            }
        return contents
      }
      const check = () => {
        for (const [i, { vlink }] of vlinks.entries())
          for (const vlinkPath of ['there', 'back'] as const) {
            const [from, to] = vlinkPath === 'there' ? [vlink.from, vlink.to] : [vlink.to, vlink.from]
            const { counts, loops } = send(fabric, endpointKey(from), world.frame(world.broadcast, world.macOf(from)))
            if (loops.length > 0)
              throw new Error(`a frame from ${endpointKey(from)} loops: ${JSON.stringify(loops[0])}`)
            for (const [at, times] of counts)
              if (at !== endpointKey(to) || times > 1)
                throw new Error(`${endpointKey(from)} reaches ${at} ${times} times`)
            if (was[i]![vlinkPath].taken && is[i]![vlinkPath].taken && counts.size === 0)
              throw new Error(`a frame from ${endpointKey(from)} is lost`)
          }
      }
      const turn = { at: 0, next: () => turns[turn.at++ % turns.length]! }
      let courses: Rollout[] = was.map(w => ({
        is: 'steady',
        serial: 0,
        pathVersion: { epoch: 0, route: routeOfVlink(w) },
      }))
      let contents = contentsOf(courses)
      for (const [dpid, content] of contents) tell(fabric, dpid, new Map(), content)
      for (let serial = 1; ; serial++) {
        if (serial > 10) throw new Error('it does not come to rest')
        courses = courses.map((rollout, i) => {
          const step =
            serial === 1
              ? rollout
              : (advance(rollout, { confirmation: 'confirmed', now: serial * 1000, serial }) ?? rollout)
          return steer(step, routeOfVlink(is[i]!), otherEpoch(goal(step).epoch), serial)
        })
        if (serial === 1) moved += courses.filter(c => c.is === 'preparing').length
        const now = contentsOf(courses)
        const left = [...now].map(([dpid, content]) => ({
          dpid,
          steps: [...world.messages(contents.get(dpid)!, content)],
        }))
        for (;;) {
          const waiting = left.filter(l => l.steps.length > 0)
          if (waiting.length === 0) break
          const { dpid, steps } = waiting[turn.next() % waiting.length]!
          told(fabric, dpid, encode(changeOf(steps.shift()!)))
          check()
        }
        contents = now
        if (courses.every(c => c.is === 'steady')) break
      }
      for (const [i, { vlink }] of after.entries()) {
        const { arrivals } = send(
          fabric,
          endpointKey(vlink.from),
          world.frame(world.broadcast, world.macOf(vlink.from)),
        )
        const came = arrivals.map(a => a.path.map(at => at.split('/')[0]).join()).join(' and ')
        const wanted = is[i]!.there.taken?.join() ?? ''
        if (came !== wanted) throw new Error(`at rest it goes over ${came}, expected ${wanted}`)
        if (getsThrough(is[i]!.there) && came === '') throw new Error('at rest nothing gets through')
      }
    }),
    { numRuns: runs },
  )
  t.ok(moved > 10, `${moved} went over to another path`)
})

t.test(
  'frames that are under way on the old path are waited for; between ports of one switch there are none',
  async t => {
    const until = (path: readonly string[]) => {
      const known = world.known(3)
      const asked = { path, reversePath: path.toReversed(), reroute: false }
      const pathVersion = { epoch: 0, route: routeOfVlink(vlinkPathsOf(asked, known.paths, known.known)) } as const
      const rollout = {
        is: 'draining',
        serial: 1,
        from: pathVersion,
        to: { ...pathVersion, epoch: 1 },
        entered: 0,
        until: undefined,
      } as const
      return advance(rollout, { confirmation: 'confirmed', now: 5, serial: 2 })
    }
    t.match(until([0, 1, 2].map(world.dpidOf)), { is: 'draining', until: 5 + drainMs })
    t.match(until([world.dpidOf(0)]), { is: 'draining', until: 5 })
  },
)
