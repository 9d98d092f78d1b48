// Networks as an engineer would draw them, whose compiled tables stand in this folder. To add one: an entry here, then
// `npm run golden`.
import { compile } from '../../controller/compile/compile.ts'
import { base } from '../../controller/compile/default-flows.ts'
import type { Item } from '../../controller/compile/item.ts'
import { type Fabric, type Location, placeOf, type Subject } from '../../controller/compile/local-network.ts'
import type { Snooped } from '../../controller/compile/snoop.ts'
import { compileVlink } from '../../controller/compile/vlink.ts'
import type { Attachment, Network } from '../../store/state.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import type { Link } from '../../topology/topology.ts'
import { routeOfVlink, vlinkPathsOf } from '../../topology/vlink-route.ts'

const dpid = (s: number): string => s.toString(16).padStart(16, '0')
/** The port of every switch that leads to switch `to`. */
const linkPort = (to: number): number => 100 + to

/** A link between two switches: a VXLAN tunnel, or a plain one on which VLANs tell networks apart. */
type Joint = readonly [a: number, b: number, options?: { readonly plain?: true; readonly cost?: number }]
/** A port of a switch, as an attachment. */
type Port = readonly [s: number, port: number, options?: Partial<Attachment>]
type Drawn = {
  /** One sentence; it stands above the tables. */
  readonly shows: string
  readonly switches: number
  readonly links?: readonly Joint[]
  readonly network?: Partial<Network>
  readonly ports?: readonly Port[]
  readonly learned?: readonly Location[]
  readonly snooped?: Snooped
  readonly vids?: readonly [number, number]
  /** Ports that are cut off, as they lead frames back. */
  readonly cut?: readonly (readonly [s: number, port: number])[]
  /** The switches have no extensions of Nicira's. */
  readonly hardware?: true
  /** The links before a change: frames on the old paths still arrive. */
  readonly before?: readonly Joint[]
}
/** What one network, called red, comes to. */
export type Example = { readonly shows: string; readonly switches: ReadonlyMap<string, readonly Item[]> }

const linksOf = (joints: readonly Joint[]): Link[] =>
  joints.flatMap(([a, b, { plain, cost } = {}]) => {
    const [x, y] = [
      { dpid: dpid(a), port: linkPort(b) },
      { dpid: dpid(b), port: linkPort(a) },
    ] as const
    const link = { ...(plain && { carries: 'vid' as const }), ...(cost !== undefined && { cost }) }
    return [
      { from: x, to: y, ...link },
      { from: y, to: x, ...link },
    ]
  })

function fabricOf(joints: readonly Joint[], { switches, hardware }: Drawn): Fabric {
  const all = Array.from({ length: switches }, (_, i) => i + 1)
  const known = mesh(linksOf(joints))
  const one = {
    ports: new Set([1, 2, 3, 4, ...all.map(linkPort)]),
    meteredPacketIns: !hardware,
    maxMeter: hardware ? 0 : 0x3_0000,
    answers: !hardware,
  }
  return { paths: paths(known), known, datapaths: new Map(all.map(s => [dpid(s), one])) }
}

function subjectOf({ network, ports = [], learned = [], snooped, vids, switches, cut = [] }: Drawn): Subject {
  const attachments = ports.map(
    ([s, port, options]): Attachment => ({
      ...{ network: 'red', dpid: dpid(s), port, guard: 'learn', revision: 1 },
      ...options,
    }),
  )
  const dpids = Array.from({ length: switches }, (_, i) => dpid(i + 1))
  return {
    network: { id: 'red', number: 7, revision: 1, ...network },
    attachments,
    learned,
    suppressed: new Set(),
    withheld: new Map(cut.map(([s, port]) => [placeOf(7, dpid(s), port), 'loop'])),
    snooped,
    vlans: vids && { number: 7, vids, dpids },
  }
}

function compiled(drawn: Drawn): ReadonlyMap<string, readonly Item[]> {
  const { links = [], before } = drawn
  const subject = subjectOf(drawn)
  const { network, attachments } = subject
  const fabric = fabricOf(links, drawn)
  if (network.vlink) {
    const route = routeOfVlink(vlinkPathsOf(network.vlink, fabric.paths, fabric.known))
    return compileVlink(network, network.vlink, fabric.datapaths, [{ epoch: 0, route }])
  }
  const members = new Set([...attachments, ...(network.mirror ? [network.mirror] : [])].map(a => a.dpid))
  const now = route(members, fabric.paths)
  const then = before && route(members, fabricOf(before, drawn).paths)
  return compile(
    subject,
    fabric.datapaths,
    then
      ? [
          { epoch: 1, route: now },
          { epoch: 0, route: then },
        ]
      : [{ epoch: 0, route: now }],
  )
}

function example(drawn: Drawn): Example {
  const plainEnds = new Set(
    (drawn.links ?? []).filter(([, , o]) => o?.plain).flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]),
  )
  const parts = compiled(drawn)
  const switches = Array.from({ length: drawn.switches }, (_, i) => i + 1).map(s => {
    const plainLinks = [...plainEnds]
      .filter(end => end.startsWith(`${s} `))
      .map(end => linkPort(Number(end.split(' ')[1])))
    const loopProbes = drawn.hardware ? undefined : 'metered'
    const common = base('0123456789', { plainLinks, tunnels: !drawn.hardware, loopProbes })
    return [dpid(s), [...common, ...(parts.get(dpid(s)) ?? [])]] as const
  })
  return { shows: drawn.shows, switches: new Map(switches) }
}

const ring = [
  [1, 2],
  [2, 3],
  [3, 4],
  [4, 1],
] as const
const onEach = (...switches: readonly number[]): Port[] => switches.map(s => [s, 1])
const mac = (s: number, port: number): string => `02:00:00:00:0${s}:0${port}`
const pinned = (s: number, port: number): Port => [s, port, { mac: mac(s, port), guard: 'mac' }]

const virtualRouter = { mac: '00:00:5e:00:01:07', ip: '10.0.0.254' }
const strictly = (s: number, port: number, allowedAddresses?: Attachment['allowedAddresses']): Port => [
  s,
  port,
  {
    ...{ mac: mac(s, port), ips: [`10.0.${s}.${port}/16`, `fd00::${s}:${port}/64`], guard: 'strict' },
    ...(allowedAddresses && { allowedAddresses }),
  },
]

/** By the name of their file. */
export const examples: Readonly<Record<string, Example>> = {
  'one-switch': example({
    shows: 'Three ports of one switch; addresses are learned.',
    switches: 1,
    ports: [
      [1, 1],
      [1, 2],
      [1, 3],
    ],
  }),
  'two-switches': example({
    shows: 'Two switches and a VXLAN link; one address is learned, at port 1 of the first.',
    switches: 2,
    links: [[1, 2]],
    ports: [
      [1, 1],
      [1, 2],
      [2, 1],
    ],
    learned: [{ mac: mac(1, 1), dpid: dpid(1), port: 1 }],
  }),
  pinned: example({
    shows: 'Two switches and a VXLAN link; every port may speak from one address only.',
    switches: 2,
    links: [[1, 2]],
    ports: [pinned(1, 1), pinned(1, 2), pinned(2, 1)],
  }),
  strict: example({
    shows:
      "Two switches and a VXLAN link; strict ports with an IPv4 and an IPv6 address each, and two that may use a virtual router's MAC. The switches answer ARP and neighbour solicitations.",
    switches: 2,
    links: [[1, 2]],
    network: { guard: 'strict' },
    ports: [strictly(1, 1), strictly(1, 2, [virtualRouter]), strictly(2, 1, [virtualRouter])],
  }),
  'full-mesh': example({
    shows: 'A full mesh of three switches, one pinned port on each.',
    switches: 3,
    links: [
      [1, 2],
      [1, 3],
      [2, 3],
    ],
    ports: [pinned(1, 1), pinned(2, 1), pinned(3, 1)],
  }),
  ring: example({
    shows: 'A ring of four switches, a member on each: frames to all follow a tree, those to one the shortest path.',
    switches: 4,
    links: ring,
    ports: [pinned(1, 1), pinned(2, 1), pinned(3, 1), pinned(4, 1)],
  }),
  'ring-changes': example({
    shows:
      'The same ring, with no link between 1 and 4 any more: frames enter the new tree (epoch 1), those on the old one still arrive.',
    switches: 4,
    links: ring.slice(0, 3),
    before: ring,
    ports: onEach(1, 2, 3, 4),
  }),
  transit: example({
    shows: 'A row of three switches; the one in the middle has no member.',
    switches: 3,
    links: [
      [1, 2],
      [2, 3],
    ],
    ports: [pinned(1, 1), pinned(3, 1)],
  }),
  'vlan-ports': example({
    shows: 'One switch: an untagged port, one by VLAN tag 5, and a trunk.',
    switches: 1,
    ports: [
      [1, 1],
      [1, 2, { vlan: 5 }],
      [1, 3, { trunk: true }],
    ],
  }),
  'plain-link': example({
    shows: 'Two switches and a plain link, on which the network is VLAN 100 (or 101, in epoch 1).',
    switches: 2,
    links: [[1, 2, { plain: true }]],
    ports: onEach(1, 2),
    vids: [100, 101],
  }),
  hardware: example({
    shows:
      'As plain-link, on switches that have no extensions of Open vSwitch: no tunnels, and copies for learning are not metered.',
    switches: 2,
    links: [[1, 2, { plain: true }]],
    ports: onEach(1, 2),
    vids: [100, 101],
    hardware: true,
  }),
  vlink: example({
    shows: 'A vlink of 10 Mbit/s from port 1 of switch 1 over switch 2 to port 1 of switch 3, and straight back.',
    switches: 3,
    links: [
      [1, 2],
      [2, 3],
      [1, 3],
    ],
    network: {
      vlink: {
        from: { dpid: dpid(1), port: 1 },
        to: { dpid: dpid(3), port: 1 },
        path: [dpid(1), dpid(2), dpid(3)],
        reversePath: [dpid(3), dpid(1)],
        ...{ reverseNumber: 8, reroute: false, bandwidth: 10_000_000 },
      },
    },
  }),
  mirror: example({
    shows: 'Two switches, a port on each; copies of all frames go to port 4 of the second.',
    switches: 2,
    links: [[1, 2]],
    ports: onEach(1, 2),
    network: { mirror: { dpid: dpid(2), port: 4, number: 8 } },
  }),
  cut: example({
    shows: 'One switch with three ports; the third leads frames back into the network, and is cut off.',
    switches: 1,
    ports: [
      [1, 1],
      [1, 2],
      [1, 3],
    ],
    cut: [[1, 3]],
  }),
  limits: example({
    shows:
      'Two switches; port 1 of the first may send 500 broadcasts and 8 Mbit/s and gets 16 Mbit/s, and port 1 of the second has no limits.',
    switches: 2,
    links: [[1, 2]],
    ports: [
      [
        1,
        1,
        {
          ...{ mac: mac(1, 1), guard: 'mac', broadcast: 500 },
          rate: { send: { kbps: 8000 }, receive: { kbps: 16_000, burst: 4000 } },
        },
      ],
      [2, 1, { mac: mac(2, 1), guard: 'mac', broadcast: 0 }],
    ],
  }),
  snooping: example({
    shows:
      'Two switches; port 1 of the second has joined 239.1.2.3, and behind port 2 of the first is a multicast router.',
    switches: 2,
    links: [[1, 2]],
    ports: [
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ],
    network: { multicast: 'snoop' },
    snooped: {
      localNetworks: new Map([
        [dpid(1), { joined: new Map(), ...portSets({ routers: [2], everything: [2] }) }],
        [dpid(2), { joined: new Map([['239.1.2.3', new Set([1])]]), ...portSets({}) }],
      ]),
      ...{ unread: new Set<string>(), kept: new Map(), querier: undefined },
    },
  }),
}

function portSets({ routers = [], everything = [] }: { routers?: readonly number[]; everything?: readonly number[] }) {
  return {
    routers: new Set(routers),
    everything: new Set(everything),
    crowded: new Set<number>(),
    suppressed: new Set<number>(),
  }
}
