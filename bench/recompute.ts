// What an event costs the core: routes, compile and diff, without switches. One network at a time is kept, for the whole would not
// fit into the memory of a small machine; each is compiled as the controller would on its event.
import { compile } from '../controller/compile/compile.ts'
import { diff } from '../controller/compile/diff.ts'
import type { Item } from '../controller/compile/item.ts'
import type { Datapath, Datapaths } from '../controller/compile/local-network.ts'
import type { Attachment, Network } from '../store/state.ts'
import { type Mesh, mesh } from '../topology/mesh.ts'
import { type Paths, paths } from '../topology/paths.ts'
import { type Route, route } from '../topology/route.ts'
import type { Link } from '../topology/topology.ts'
import type { Bench } from './bench.ts'
import { median, print, quantile } from './machine.ts'
import { dpidOf, linkPort } from './world.ts'

type Scene = {
  readonly name: string
  readonly switches: number
  readonly networks: number
  /** Ports of a network, and on how many switches they are. */
  readonly ports: number
  readonly over: number
  /** Whether addresses are known in advance. */
  readonly pinned: boolean
  readonly links: readonly Link[]
}

const both = (a: number, b: number): Link[] => {
  const [x, y] = [
    { dpid: dpidOf(a), port: linkPort(b) },
    { dpid: dpidOf(b), port: linkPort(a) },
  ]
  return [
    { from: x, to: y },
    { from: y, to: x },
  ]
}
const full = (n: number) =>
  Array.from({ length: n }, (_, a) => Array.from({ length: a }, (_, b) => both(b, a)).flat()).flat()
/** A ring with chords of three lengths: six links a switch, any two some hops apart. */
const sparse = (n: number) => {
  const strides = [1, Math.ceil(n ** 0.5), Math.ceil(n ** 0.75)]
  return Array.from({ length: n }, (_, a) => strides.flatMap(stride => both(a, (a + stride) % n))).flat()
}

const macOf = (n: number, p: number) =>
  [2, n >>> 8, n, p >>> 16, p >>> 8, p].map(byte => (byte & 255).toString(16).padStart(2, '0')).join(':')

/** Network n's ports, spread over its switches; the last one may be left out, so that it can come. */
function attachments({ switches, ports, over, pinned }: Scene, n: number, without = 0): Attachment[] {
  return Array.from({ length: ports - without }, (_, p): Attachment => {
    const at = {
      dpid: dpidOf((n * 7 + (p % over) * Math.floor(switches / over)) % switches),
      port: 1 + Math.floor(p / over),
    }
    const sender = pinned ? { guard: 'mac' as const, mac: macOf(n, p) } : { guard: 'learn' as const }
    return { network: `n${n}`, ...at, ...sender, revision: 1 }
  })
}
const networkOf = (n: number): Network => ({ id: `n${n}`, number: n + 1, revision: 1 })

const membersOf = (of: readonly Attachment[]) => new Set(of.map(a => a.dpid))
const compiled = (n: number, of: readonly Attachment[], datapaths: Datapaths, way: Route) =>
  compile(
    { network: networkOf(n), attachments: of, learned: [], suppressed: new Set(), snooped: undefined },
    datapaths,
    [{ epoch: 0, route: way }],
  )

/** What differs on all switches: how many items. */
function differs(before: ReadonlyMap<string, readonly Item[]>, after: ReadonlyMap<string, readonly Item[]>): number {
  let count = 0
  const content = (items: readonly Item[] = []) => new Map(items.map(item => [item.key, item]))
  for (const dpid of new Set([...before.keys(), ...after.keys()])) {
    const { add, modify, remove } = diff(content(after.get(dpid)), content(before.get(dpid)))
    count += add.length + modify.length + remove.length
  }
  return count
}

const taken = <T>(work: () => T): readonly [T, number] => {
  const began = performance.now()
  return [work(), performance.now() - began]
}
const shown = (ms: readonly number[]) => `${median(ms).toFixed(2)} / ${quantile(ms, 0.99).toFixed(2)} ms`

function measure(scene: Scene, sample: number): string[] {
  const ports = new Set(
    Array.from({ length: 256 }, (_, i) => i + 1).concat(Array.from({ length: scene.switches }, (_, i) => linkPort(i))),
  )
  const datapath: Datapath = { ports, meteredPacketIns: true, maxMeter: 0x3ffff }
  const datapaths: Datapaths = new Map(Array.from({ length: scene.switches }, (_, s) => [dpidOf(s), datapath]))
  const [joined, meshMs] = taken((): Mesh => mesh(scene.links))
  const known: Paths = paths(joined)
  const steps = { route: [] as number[], compile: [] as number[], diff: [] as number[] }
  let items = 0
  let changed = 0
  for (let i = 0; i < sample; i++) {
    const n = Math.floor((i * scene.networks) / sample)
    const [before, after] = [attachments(scene, n, 1), attachments(scene, n)]
    const was = compiled(n, before, datapaths, route(membersOf(before), known))
    const [way, routeMs] = taken(() => route(membersOf(after), known))
    const [now, compileMs] = taken(() => compiled(n, after, datapaths, way))
    const [difference, diffMs] = taken(() => differs(was, now))
    steps.route.push(routeMs)
    steps.compile.push(compileMs)
    steps.diff.push(diffMs)
    for (const part of now.values()) items += part.length
    changed += difference
  }
  return [
    scene.name,
    `${meshMs.toFixed(0)} ms`,
    shown(steps.route),
    shown(steps.compile),
    shown(steps.diff),
    String(Math.round(items / sample)),
    String(Math.round(changed / sample)),
  ]
}

export const recompute: Bench = {
  about: 'a port attached: the core’s work for it, in meshes of up to 1,000 switches',
  async run({ small }) {
    const switches = small ? 100 : 1000
    const common = { switches, networks: small ? 100 : 1000, ports: 100, over: 20 }
    const one = { switches, networks: 1, ports: 10 * switches, over: switches }
    const scenes: readonly Scene[] = [
      { ...common, name: `${switches} switches, full mesh, addresses pinned`, pinned: true, links: full(switches) },
      {
        ...common,
        name: `${switches} switches, six links each, addresses pinned`,
        pinned: true,
        links: sparse(switches),
      },
      { ...common, name: 'the same, addresses unknown', pinned: false, links: sparse(switches) },
      {
        ...one,
        name: `one network of ${one.ports} ports on ${switches} switches, six links each, addresses unknown`,
        pinned: false,
        links: sparse(switches),
      },
    ]
    print(
      `${common.networks} networks of ${common.ports} ports on ${common.over} switches each; median / 99 % of an event`,
      [
        ['', 'mesh', 'route', 'compile', 'diff', 'items of the network', 'changed'],
        ...scenes.map(scene => measure(scene, scene.networks === 1 ? 3 : 50)),
      ],
    )
  },
}
