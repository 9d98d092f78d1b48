// Networks that snoop on random meshes of reference switches: who gets a datagram to a group, and what a restart leaves as it is.
import fc from 'fast-check'
import t from 'tap'
import { compile } from '../../../controller/compile/compile.ts'
import { base } from '../../../controller/compile/default-flows.ts'
import { changeOf, diff, isEmpty } from '../../../controller/compile/diff.ts'
import type { Content, Item } from '../../../controller/compile/item.ts'
import type { Fabric as Known, Subject } from '../../../controller/compile/local-network.ts'
import type { PathVersions } from '../../../controller/compile/rollout.ts'
import { recallSteps, type Snooped } from '../../../controller/compile/snoop.ts'
import { atOnce } from '../../../controller/compile/steps.ts'
import { memberships } from '../../../controller/multicast/membership.ts'
import { encode } from '../../../openflow/index.ts'
import { mesh } from '../../../topology/mesh.ts'
import { paths } from '../../../topology/paths.ts'
import type { Link } from '../../../topology/topology.ts'
import { apply, type Fabric, newFabric, newSwitch, plainHardware, send } from '../../reference/index.ts'
import { datagram, v2Query, v2Report } from '../hosts.ts'
import * as world from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)
const groups = ['239.0.0.1', '239.1.2.3', 'ff1e::42']

type Port = { readonly joined: readonly string[]; readonly gets: 'joined' | 'router' | 'everything' }
type Edges = readonly (readonly [number, number])[]
type Scene = {
  readonly switches: number
  readonly edges: Edges
  /** Those that another way is built on, under the other epoch, while frames take the first. */
  readonly later: Edges | undefined
  readonly placement: world.Placement
  /** Of the members, by `<dpid>/<port>`. */
  readonly ports: ReadonlyMap<string, Port>
  readonly querier: boolean
}

const scene: fc.Arbitrary<Scene> = fc.integer({ min: 1, max: 5 }).chain(switches => {
  const all = Array.from({ length: switches }, (_, a) => Array.from({ length: a }, (_, b) => [b, a] as const)).flat()
  const keys = world.endpoints(switches).map(p => `${p.dpid}/${p.port}`)
  const member = fc.option(
    fc.record({
      network: fc.constantFrom('red', 'red', 'green'),
      address: fc.constantFrom('pinned', 'unknown' as const),
      joined: fc.subarray(groups),
      gets: fc.constantFrom('joined', 'joined', 'joined', 'router', 'everything' as const),
    }),
    { nil: undefined, freq: 3 },
  )
  return fc
    .record({
      members: fc.array(member, { minLength: keys.length, maxLength: keys.length }),
      edges: fc.oneof(fc.subarray(all), fc.constant(all)),
      later: fc.option(fc.subarray(all), { nil: undefined }),
      querier: fc.boolean(),
      plain: fc.boolean(),
    })
    .map(({ members, edges, later, querier, plain }) => {
      const there = keys.flatMap((key, i) => (members[i] ? [[key, members[i]] as const] : []))
      const placement = { switches, plain, members: new Map(there), mirrors: new Map(), vlinks: new Map() }
      return { switches, edges, later, placement, ports: new Map(there), querier }
    })
})

/** Every other of them a plain link with VLAN tags, if some are. */
const linksOf = (edges: Edges, plain: boolean): Link[] =>
  edges.flatMap(([a, b]) => {
    const x = { dpid: world.dpidOf(a), port: world.linkPort(a, b) }
    const y = { dpid: world.dpidOf(b), port: world.linkPort(b, a) }
    const carries = plain && world.isPlain(a, b) ? 'vid' : 'vni'
    return [
      { from: x, to: y, carries },
      { from: y, to: x, carries },
    ]
  })
const knownOf = (it: Scene, nicira: boolean, edges = it.edges): Known => ({
  ...world.known(it.switches, nicira),
  paths: paths(mesh(linksOf(edges, it.placement.plain === true))),
})

function snoopedOf({ attachments }: Subject, { ports, querier }: Scene): Snooped {
  const localNetworks = new Map(attachments.map(({ dpid }) => [dpid, siteOf(dpid, attachments, ports)]))
  return { localNetworks, unread: new Set(), kept: new Map(), querier: querier ? '10.0.1.1' : undefined }
}
function siteOf(dpid: string, attachments: Subject['attachments'], ports: Scene['ports']) {
  const here = attachments
    .filter(a => a.dpid === dpid)
    .map(({ port }) => [port, ports.get(`${dpid}/${port}`)!] as const)
  const who = (is: (port: Port) => boolean) => new Set(here.filter(([, p]) => is(p)).map(([port]) => port))
  const joined = groups.map(group => [group, who(p => p.joined.includes(group))] as const)
  return {
    joined: new Map(joined.filter(([, who]) => who.size > 0)),
    routers: who(p => p.gets === 'router'),
    everything: who(p => p.gets !== 'joined'),
    crowded: new Set<number>(),
    suppressed: new Set<number>(),
  }
}

type Snooping = (subject: Subject) => Snooped
function contentsOf(it: Scene, known: Known, snooped: Snooping, epoch: 0 | 1): Map<string, Map<string, Item>> {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < it.switches; s++)
    contents.set(world.dpidOf(s), new Map(base(world.instance).map(item => [item.key, item])))
  for (const plain of world.subjects(it.placement)) {
    const subject = { ...plain, snooped: snooped(plain) }
    const pathVersion = { epoch, route: world.routeOf(subject, known) }
    const other = it.later && knownOf(it, true, it.later)
    const next = other && ({ epoch: epoch === 0 ? 1 : 0, route: world.routeOf(subject, other) } as const)
    const pathVersions: PathVersions = next ? [pathVersion, next] : [pathVersion]
    for (const [dpid, items] of compile(subject, known.datapaths, pathVersions))
      for (const item of items) {
        // A port's meter is for all copies of it.
        if (item.kind !== 'meter' && contents.get(dpid)!.has(item.key)) throw new Error(`${item.key} is wanted twice`)
        contents.get(dpid)!.set(item.key, item)
      }
  }
  return contents
}

function fabricOf(it: Scene, contents: ReadonlyMap<string, Content>, nicira: boolean): Fabric {
  const all = Array.from({ length: it.switches }, (_, s) =>
    newSwitch({
      dpid: world.dpidOf(s),
      ports: [1, 2, 3],
      tunnels: world.linkPortsOf(s, it.switches),
      ...(nicira ? {} : { kind: plainHardware }),
    }),
  )
  const joints = linksOf(it.edges, it.placement.plain === true)
    .filter(({ from, to }) => from.dpid < to.dpid)
    .map(({ from, to }) => [`${from.dpid}/${from.port}`, `${to.dpid}/${to.port}`] as const)
  const fabric = newFabric(all, joints)
  for (const [dpid, content] of contents)
    for (const step of world.messages(new Map(), content)) {
      const change = changeOf(step)
      const error = apply(fabric.switches.get(dpid)!, encode(change)).find(({ type }) => type === 'error')
      if (error) throw new Error(`switch ${dpid} refused ${change.type}`)
    }
  return fabric
}

/** Members of the sender's network that frames can reach, but for itself. */
function others(it: Scene, known: Known, from: string): string[] {
  const network = it.placement.members.get(from)?.network
  const partition = known.paths.partition(from.split('/')[0]!)
  const reaches = (key: string) => {
    const [dpid] = key.split('/') as [string]
    return dpid === from.split('/')[0] || (partition !== undefined && known.paths.partition(dpid) === partition)
  }
  return [...it.placement.members]
    .filter(([key, m]) => key !== from && m.network === network && reaches(key))
    .map(([key]) => key)
}

const heard = (fabric: Fabric, from: string, frame: Buffer): string => {
  const { counts, loops, ambiguous } = send(fabric, from, frame)
  if (loops.length + ambiguous.size > 0) throw new Error(`${from}: loops ${loops}, ambiguous on ${[...ambiguous]}`)
  return [...counts]
    .map(([at, times]) => `${at} x${times}`)
    .sort()
    .join()
}

for (const nicira of [true, false])
  t.test(
    `a datagram reaches those who joined, routers, and who was not asked yet; once, in any mesh (${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'})`,
    async () =>
      void fc.assert(
        fc.property(scene, fc.constantFrom(0, 1 as const), (it, epoch) => {
          const known = knownOf(it, nicira)
          const fabric = fabricOf(
            it,
            contentsOf(it, known, subject => snoopedOf(subject, it), epoch),
            nicira,
          )
          for (const from of it.placement.members.keys()) {
            const [n, port] = [Number.parseInt(from.split('/')[0]!, 16), Number(from.split('/')[1])]
            const all = others(it, known, from)
            const expect = (what: string, frame: Buffer, who: (port: Port) => boolean) => {
              const wanted = all
                .filter(key => who(it.ports.get(key)!))
                .map(key => `${key} x1`)
                .sort()
                .join()
              const got = heard(fabric, from, frame)
              if (got !== wanted) throw new Error(`${what} of ${from} came to ${got}, expected ${wanted}`)
            }
            for (const group of groups)
              expect(group, datagram(n, port, group), p => p.gets !== 'joined' || p.joined.includes(group))
            for (const group of ['239.9.9.9', 'ff3e::7', '224.0.1.1'])
              expect(group, datagram(n, port, group), p => p.gets !== 'joined')
            for (const group of ['224.0.0.5', 'ff02::1', 'ff02::1:ff00:7'])
              expect(group, datagram(n, port, group), () => true)
            expect('a query', v2Query(n, port), () => true)
            const isQuerier = it.querier && n === 1 && port === 1
            expect('a report', v2Report(n, port, groups[1]!), p => isQuerier || p.gets === 'router')
            expect(
              'a broadcast',
              world.frame(world.broadcast, world.macOf({ dpid: from.split('/')[0]!, port })),
              () => true,
            )
          }
        }),
        { numRuns: runs },
      ),
  )

t.test(
  'after a restart, in whatever order switches are read, no entry of those that were is another',
  async () =>
    void fc.assert(
      fc.property(scene, fc.array(fc.nat(4), { maxLength: 5 }), (any, order) => {
        // Path versions that are half built stay as they are (path versions.ts).
        const it = { ...any, later: undefined }
        const known = knownOf(it, true)
        const before = contentsOf(it, known, subject => snoopedOf(subject, it), 0)
        const members = memberships()
        const follow: Snooping = ({ network, attachments }) => {
          members.follow(network.number, attachments)
          return members.of(network.number)!
        }
        contentsOf(it, known, follow, 0)
        const rest = Array.from({ length: it.switches }, (_, s) => s)
        const read = new Set<string>()
        for (const s of [...order.map(n => n % it.switches), ...rest]) {
          const dpid = world.dpidOf(s)
          if (!read.has(dpid)) members.recall(dpid, atOnce(recallSteps([...before.get(dpid)!.values()])), 0)
          read.add(dpid)
          const now = contentsOf(it, known, follow, 0)
          for (const each of read) {
            const changes = diff(now.get(each)!, before.get(each)!)
            if (isEmpty(changes)) continue
            const words = (items: readonly Item[]) => items.map(({ key, form }) => `${key} ${form}`)
            throw new Error(
              `with ${[...read]} read, ${each}: ${JSON.stringify(Object.entries(changes).map(([k, v]) => [k, words(v)]))}`,
            )
          }
        }
      }),
      { numRuns: runs },
    ),
)
