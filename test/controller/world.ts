// Random meshes with random networks on reference switches, for properties that hold whatever an operator does.
import fc from 'fast-check'
import { compile } from '../../controller/compile/compile.ts'
import { base } from '../../controller/compile/default-flows.ts'
import { diff, type Plan, plan, type Step } from '../../controller/compile/diff.ts'
import type { Content, Item } from '../../controller/compile/item.ts'
import type { Fabric as Known, Location, Subject } from '../../controller/compile/local-network.ts'
import { compileVlink } from '../../controller/compile/vlink.ts'
import { attachmentKey } from '../../store/attachments.ts'
import type { Attachment, Network, Vlink } from '../../store/state.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import { type Endpoint, endpointKey, type Link } from '../../topology/topology.ts'
import { routeOfVlink, vlinkPathsOf } from '../../topology/vlink-route.ts'

export const instance = '0123456789'
const accessPorts = 3
export const networkNames = ['red', 'green', 'blue']

export const dpidOf = (n: number): string => (n + 1).toString(16).padStart(16, '0')
/** The port of switch `from` that leads to switch `to`. */
export const linkPort = (_from: number, to: number): number => 101 + to
/** A port, or a VLAN of it. */
export type Station = Endpoint & { readonly vlan?: number | undefined }
export const macOf = ({ dpid, port, vlan = 0 }: Station): string =>
  `02:00:00:${vlan.toString(16).padStart(2, '0')}:${dpid.slice(14)}:${port.toString(16).padStart(2, '0')}`

/** What one station is: nobody's (undefined), or a member, whose address is pinned, already learned, or not known. */
export type Member = {
  readonly network: string
  readonly address: 'pinned' | 'learned' | 'unknown'
  readonly trunk?: boolean
  /** Of its limits: those by default, none, or all. */
  readonly limits?: 'default' | 'off' | 'all'
}
export type Placement = {
  readonly switches: number
  /** Some of the links between switches are plain ones, with VLANs; then there are no vlinks and no mirrors. */
  readonly plain?: boolean
  /** By attachmentKey. */
  readonly members: ReadonlyMap<string, Member>
  /** Port that copies of a network's frames go to. */
  readonly mirrors: ReadonlyMap<string, Endpoint>
  /** By id, which follows from the two ends; so do their numbers. */
  readonly vlinks: ReadonlyMap<string, Network & { readonly vlink: Vlink }>
}

/** Whose a port is: a network's, or a vlink's. */
export const networkOf = ({ members, vlinks }: Placement, key: string): string | undefined =>
  members.get(key)?.network ?? [...vlinks.values()].find(({ vlink }) => endsOf(vlink).includes(key))?.id
export const endsOf = ({ from, to }: Vlink): readonly string[] => [from, to].map(endpointKey)

/** The last port of each switch has tags besides. */
const tags = [undefined, 5, 7] as const
export const endpoints = (switches: number): readonly Station[] =>
  Array.from({ length: switches }, (_, s) =>
    Array.from({ length: accessPorts }, (_, p) =>
      (p + 1 < accessPorts ? [undefined] : tags).map(vlan => ({ dpid: dpidOf(s), port: p + 1, vlan })),
    ).flat(),
  ).flat()

const member: fc.Arbitrary<Member | undefined> = fc.option(
  fc.record({
    network: fc.constantFrom(...networkNames),
    address: fc.constantFrom('pinned', 'learned', 'unknown' as const),
    trunk: fc.boolean(),
    limits: fc.constantFrom('default', 'off', 'all' as const),
  }),
  { nil: undefined, freq: 4 },
)

/** A simple path in a full mesh: over some of the switches, in any order. */
const pathBetween = (a: string, b: string, over: readonly number[]): readonly string[] =>
  a === b ? [a] : [a, ...over.map(dpidOf).filter(dpid => dpid !== a && dpid !== b), b]

export const vlinkAmong = (switches: number): fc.Arbitrary<Network & { readonly vlink: Vlink }> => {
  const all = endpoints(switches).filter(({ port }) => port < accessPorts)
  const over = fc.shuffledSubarray(Array.from({ length: switches }, (_, s) => s))
  return fc
    .record({
      ends: fc.shuffledSubarray([...all.keys()], { minLength: 2, maxLength: 2 }),
      there: over,
      back: over,
      metered: fc.boolean(),
    })
    .map(({ ends, there, back, metered }) => {
      const [from, to] = ends.map(i => all[i]!) as [Endpoint, Endpoint]
      const number = 1000 + 100 * ends[0]! + ends[1]!
      return {
        id: `vlink ${endpointKey(from)} ${endpointKey(to)}`,
        number,
        revision: 1,
        vlink: {
          ...{
            from,
            to,
            path: pathBetween(from.dpid, to.dpid, there),
            reversePath: pathBetween(to.dpid, from.dpid, back),
          },
          ...{ reverseNumber: number + 10_000, reroute: false, ...(metered && { bandwidth: 1e6 }) },
        },
      }
    })
}

/** Puts members where the store would have them: a port in a network once, and no trunk where its tags could be another's. */
function place(all: readonly Station[], wanted: readonly (Member | undefined)[]): Map<string, Member> {
  const placed = new Map<string, Member>()
  const inNetwork = (network: string, is: (s: Station, m: Member) => boolean) =>
    all.some(s => {
      const m = placed.get(attachmentKey(s))
      return m?.network === network && is(s, m)
    })
  const shared = (s: Station) => s.port === accessPorts && s.vlan === undefined
  for (const [i, m] of wanted.entries()) {
    const at = all[i]!
    if (!m || inNetwork(m.network, s => s.dpid === at.dpid && s.port === at.port)) continue
    if (shared(at) && inNetwork(m.network, (_, { trunk }) => trunk === true)) continue
    const trunk = m.trunk === true && at.port < accessPorts && !inNetwork(m.network, shared)
    placed.set(attachmentKey(at), { ...m, trunk })
  }
  return placed
}

/** Who is in which network, before and after, on the same switches. */
export const changes = (mirrored = false): fc.Arbitrary<{ before: Placement; after: Placement; switches: number }> =>
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()).chain(([switches, plain]) => {
    const all = endpoints(switches)
    const placement = fc
      .tuple(
        fc.array(member, { minLength: all.length, maxLength: all.length }),
        fc.nat(all.length - 1),
        fc.boolean(),
        fc.array(vlinkAmong(switches), { maxLength: plain ? 0 : 2 }),
      )
      .map(([members, at, withMirror, wished]): Placement => {
        const vlinks: Placement['vlinks'] = apart(wished)
        const taken = new Set([...vlinks.values()].flatMap(({ vlink }) => endsOf(vlink)))
        const placed = place(
          all,
          members.map((m, i) => (taken.has(attachmentKey(all[i]!)) ? undefined : m)),
        )
        const mirrors = new Map<string, Endpoint>()
        const { dpid, port } = all[at]!
        const key = endpointKey({ dpid, port })
        if (mirrored && !plain && withMirror && port < accessPorts && !placed.has(key) && !taken.has(key))
          mirrors.set('red', { dpid, port })
        return { switches, plain, members: placed, mirrors, vlinks }
      })
    return fc.tuple(placement, placement).map(([before, after]) => {
      // What becomes of a vlink that takes another path is another law (vlink.test.ts).
      const vlinks = new Map([...after.vlinks].map(([id, it]) => [id, before.vlinks.get(id) ?? it]))
      return { before, after: { ...after, vlinks }, switches }
    })
  })

/** Those that share no port with one before them. */
export function apart(wished: readonly (Network & { readonly vlink: Vlink })[]): Placement['vlinks'] {
  const kept = new Map<string, Network & { readonly vlink: Vlink }>()
  for (const it of wished) {
    const taken = [...kept.values()].flatMap(({ vlink }) => endsOf(vlink))
    if (!endsOf(it.vlink).some(end => taken.includes(end))) kept.set(it.id, it)
  }
  return kept
}

export function stationOf(key: string): Station {
  const [dpid, port, vlan] = key.split('/') as [string, string, string | undefined]
  return { dpid, port: Number(port), ...(vlan !== undefined && { vlan: Number(vlan) }) }
}

/** A link each way between every two of these switches, by their numbers. */
export const linksBetween = (pairs: readonly (readonly [number, number])[]): Link[] =>
  pairs.flatMap(([a, b]) => {
    const [x, y] = [
      { dpid: dpidOf(a), port: linkPort(a, b) },
      { dpid: dpidOf(b), port: linkPort(b, a) },
    ]
    return [
      { from: x, to: y },
      { from: y, to: x },
    ]
  })

/** Between which of them there is a plain link, where there are some. */
export const isPlain = (a: number, b: number): boolean => (a + b) % 2 === 1
export function links(switches: number, plain = false): Link[] {
  const all: Link[] = []
  for (let a = 0; a < switches; a++)
    for (let b = 0; b < switches; b++)
      if (a !== b)
        all.push({
          from: { dpid: dpidOf(a), port: linkPort(a, b) },
          to: { dpid: dpidOf(b), port: linkPort(b, a) },
          ...(plain && isPlain(a, b) && { carries: 'vid' as const }),
        })
  return all
}

export function known(switches: number, meteredPacketIns = true, plain = false): Known {
  const ports = (s: number) =>
    new Set([...Array.from({ length: accessPorts }, (_, p) => p + 1), ...linkPortsOf(s, switches)])
  return {
    paths: paths(mesh(links(switches, plain))),
    known: mesh(links(switches, plain)),
    datapaths: new Map(
      Array.from({ length: switches }, (_, s) => [
        dpidOf(s),
        { ports: ports(s), meteredPacketIns, maxMeter: meteredPacketIns ? 0x3_0000 : 0, answers: meteredPacketIns },
      ]),
    ),
  }
}
export const linkPortsOf = (s: number, switches: number): number[] =>
  Array.from({ length: switches }, (_, to) => to)
    .filter(to => to !== s)
    .map(to => linkPort(s, to))

export function subjects({ switches, plain, members, mirrors }: Placement): Subject[] {
  const dpids = Array.from({ length: switches }, (_, s) => dpidOf(s))
  return networkNames.map((id, i) => {
    const mirror = mirrors.get(id)
    const network: Network = {
      id,
      number: i + 1,
      revision: 1,
      ...(mirror ? { mirror: { ...mirror, number: 100 + i } } : {}),
    }
    const attachments: Attachment[] = []
    const learned: Location[] = []
    for (const [key, { network: of, address, trunk, limits }] of members) {
      if (of !== id) continue
      const { vlan, ...at } = stationOf(key)
      const guard = address === 'pinned' ? ('mac' as const) : ('learn' as const)
      const mac = macOf({ ...at, vlan })
      attachments.push({
        ...{ network: id, ...at, guard, revision: 1 },
        ...(address === 'pinned' && { mac }),
        ...(vlan !== undefined && { vlan }),
        ...(trunk && { trunk }),
        ...(limits === 'off' && { broadcast: 0 }),
        ...(limits === 'all' && { broadcast: 50, rate: { send: { kbps: 800 }, receive: { kbps: 900, burst: 200 } } }),
      })
      if (address === 'learned') learned.push({ ...at, mac })
    }
    // The same as tags of ports: who is admitted by one is told by the port that it is on.
    const vids = [5 + 2 * i, 6 + 2 * i] as const
    const vlans = plain ? { number: network.number, vids, dpids } : undefined
    return { network, attachments, learned, suppressed: new Set<string>(), vlans }
  })
}

export function routeOf({ network: { mirror }, attachments }: Subject, { paths }: Known) {
  const members = new Set(attachments.map(a => a.dpid))
  if (mirror) members.add(mirror.dpid)
  return route(members, paths)
}

/** What each switch must hold. */
export function desired(placement: Placement, meteredPacketIns = true): Map<string, Content> {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < placement.switches; s++)
    contents.set(dpidOf(s), new Map(base(instance).map(item => [item.key, item])))
  const fabric = known(placement.switches, meteredPacketIns, placement.plain)
  const put = (parts: ReadonlyMap<string, readonly Item[]>) => {
    for (const [dpid, items] of parts)
      for (const item of items) {
        if (contents.get(dpid)!.has(item.key)) throw new Error(`two networks want ${item.key} of switch ${dpid}`)
        contents.get(dpid)!.set(item.key, item)
      }
  }
  for (const subject of subjects(placement))
    put(compile(subject, fabric.datapaths, [{ epoch: 0, route: routeOf(subject, fabric) }]))
  for (const network of placement.vlinks.values()) {
    const route = routeOfVlink(vlinkPathsOf(network.vlink, fabric.paths, fabric.known))
    put(compileVlink(network, network.vlink, fabric.datapaths, [{ epoch: 0, route }]))
  }
  return contents
}

export const inOrder = (p: Plan): readonly Step[] => [
  ...p.metersFirst,
  ...p.leave,
  ...p.arrive,
  ...p.clear,
  ...p.metersLast,
]

/** The messages that take a switch from one content to another, in the order of a switch without bundles. */
export const messages = (from: Content, to: Content): readonly Step[] => inOrder(plan(diff(to, from), from))

const bytes = (mac: string) => Buffer.from(mac.replaceAll(':', ''), 'hex')
const tagOf = (vlan: number) => Buffer.from([0x81, 0, vlan >> 8, vlan & 0xff])
/** An Ethernet frame of an experimental ethertype, with these VLAN tags. */
export const frame = (to: string, from: string, ...vlans: readonly number[]): Buffer =>
  Buffer.concat([bytes(to), bytes(from), ...vlans.map(tagOf), Buffer.from('88b5', 'hex'), Buffer.alloc(46, 'l2sm')])
/** The tags of a frame that came out, outermost first. */
export function tagsOf(seen: Buffer): number[] {
  const found: number[] = []
  for (let at = 12; seen.readUInt16BE(at) === 0x8100; at += 4) found.push(seen.readUInt16BE(at + 2) & 0xfff)
  return found
}
export const broadcast = 'ff:ff:ff:ff:ff:ff'
