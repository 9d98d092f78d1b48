// Random meshes with random networks on reference switches, for properties that hold whatever an operator does.
import fc from 'fast-check'
import { base, compile, type Fabric as Known, type Location, type Subject } from '../../controller/compile.ts'
import { diff, type Plan, plan, type Step } from '../../controller/diff.ts'
import type { Content, Item } from '../../controller/item.ts'
import { compileVlink } from '../../controller/vlink.ts'
import type { Attachment, Network, Vlink } from '../../store/state.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import { type Endpoint, endpointKey, type Link } from '../../topology/topology.ts'
import { routeOfWays, vlinkWays } from '../../topology/vlink-route.ts'

export const instance = '0123456789'
const accessPorts = 3
export const networkNames = ['red', 'green', 'blue']

export const dpidOf = (n: number): string => (n + 1).toString(16).padStart(16, '0')
/** The port of switch `from` that leads to switch `to`. */
export const linkPort = (_from: number, to: number): number => 101 + to
export const macOf = ({ dpid, port }: Endpoint): string =>
  `02:00:00:00:${dpid.slice(14)}:${port.toString(16).padStart(2, '0')}`

/** What one port is: nobody's (undefined), or a member, whose address is pinned, already learned, or not known. */
export type Member = { readonly network: string; readonly address: 'pinned' | 'learned' | 'unknown' }
export type Placement = {
  readonly switches: number
  /** By `<dpid>/<port>`. */
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

export const endpoints = (switches: number): readonly Endpoint[] =>
  Array.from({ length: switches }, (_, s) =>
    Array.from({ length: accessPorts }, (_, p) => ({ dpid: dpidOf(s), port: p + 1 })),
  ).flat()

const member: fc.Arbitrary<Member | undefined> = fc.option(
  fc.record({
    network: fc.constantFrom(...networkNames),
    address: fc.constantFrom('pinned', 'learned', 'unknown' as const),
  }),
  { nil: undefined, freq: 4 },
)

/** A simple path in a full mesh: over some of the switches, in any order. */
const pathBetween = (a: string, b: string, over: readonly number[]): readonly string[] =>
  a === b ? [a] : [a, ...over.map(dpidOf).filter(dpid => dpid !== a && dpid !== b), b]

export const vlinkAmong = (switches: number): fc.Arbitrary<Network & { readonly vlink: Vlink }> => {
  const all = endpoints(switches)
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

/** Who is in which network, before and after, on the same switches. */
export const changes = (mirrored = false): fc.Arbitrary<{ before: Placement; after: Placement; switches: number }> =>
  fc.integer({ min: 1, max: 4 }).chain(switches => {
    const all = endpoints(switches)
    const placement = fc
      .tuple(
        fc.array(member, { minLength: all.length, maxLength: all.length }),
        fc.nat(all.length - 1),
        fc.boolean(),
        fc.array(vlinkAmong(switches), { maxLength: 2 }),
      )
      .map(([members, at, tapped, wished]): Placement => {
        const placed = new Map<string, Member>()
        for (const [i, m] of members.entries()) if (m) placed.set(`${all[i]!.dpid}/${all[i]!.port}`, m)
        const vlinks: Placement['vlinks'] = apart(wished)
        const taken = new Set([...vlinks.values()].flatMap(({ vlink }) => endsOf(vlink)))
        for (const end of taken) placed.delete(end)
        const mirrors = new Map<string, Endpoint>()
        const key = `${all[at]!.dpid}/${all[at]!.port}`
        if (mirrored && tapped && !placed.has(key) && !taken.has(key)) mirrors.set('red', all[at]!)
        return { switches, members: placed, mirrors, vlinks }
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

export function links(switches: number): Link[] {
  const all: Link[] = []
  for (let a = 0; a < switches; a++)
    for (let b = 0; b < switches; b++)
      if (a !== b)
        all.push({ from: { dpid: dpidOf(a), port: linkPort(a, b) }, to: { dpid: dpidOf(b), port: linkPort(b, a) } })
  return all
}

export function known(switches: number, meteredCopies = true): Known {
  const ports = (s: number) =>
    new Set([...Array.from({ length: accessPorts }, (_, p) => p + 1), ...linkPortsOf(s, switches)])
  return {
    paths: paths(mesh(links(switches))),
    known: mesh(links(switches)),
    datapaths: new Map(
      Array.from({ length: switches }, (_, s) => [
        dpidOf(s),
        { ports: ports(s), meteredCopies, maxMeter: meteredCopies ? 0x3_0000 : 0 },
      ]),
    ),
  }
}
export const linkPortsOf = (s: number, switches: number): number[] =>
  Array.from({ length: switches }, (_, to) => to)
    .filter(to => to !== s)
    .map(to => linkPort(s, to))

export function subjects({ members, mirrors }: Placement): Subject[] {
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
    for (const [key, { network: of, address }] of members) {
      if (of !== id) continue
      const [dpid, port] = key.split('/') as [string, string]
      const at = { dpid, port: Number(port) }
      const guard = address === 'pinned' ? ('mac' as const) : ('learn' as const)
      attachments.push({ network: id, ...at, guard, revision: 1, ...(address === 'pinned' ? { mac: macOf(at) } : {}) })
      if (address === 'learned') learned.push({ ...at, mac: macOf(at) })
    }
    return { network, attachments, learned, hushed: new Set<string>() }
  })
}

export function routeOf({ network: { mirror }, attachments }: Subject, { paths }: Known) {
  const members = new Set(attachments.map(a => a.dpid))
  if (mirror) members.add(mirror.dpid)
  return route(members, paths)
}

/** What each switch must hold. */
export function desired(placement: Placement, meteredCopies = true): Map<string, Content> {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < placement.switches; s++)
    contents.set(dpidOf(s), new Map(base(instance).map(item => [item.key, item])))
  const fabric = known(placement.switches, meteredCopies)
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
    const route = routeOfWays(vlinkWays(network.vlink, fabric.paths, fabric.known))
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
/** An Ethernet frame of an experimental ethertype. */
export const frame = (to: string, from: string): Buffer =>
  Buffer.concat([bytes(to), bytes(from), Buffer.from('88b5', 'hex'), Buffer.alloc(46, 'l2sm')])
export const broadcast = 'ff:ff:ff:ff:ff:ff'
