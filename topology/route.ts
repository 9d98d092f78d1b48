// The ways that the frames of one network take between its switches.
import { createHash } from 'node:crypto'
import { floodTree as treeOf } from './flood-tree.ts'
import { hopRow } from './hop-row.ts'
import type { Hop, Mesh } from './mesh.ts'
import type { Paths } from './paths.ts'
import { atOnce, type Steps } from './steps.ts'
import type { DatapathId } from './topology.ts'

export type Route = {
  /**
   * Of a route with a tree, a digest: what has the same goes the same way. Direct routes all have the same: they may be changed
   * switch by switch, into each other.
   */
  readonly id: string
  /**
   * Every two members have a link, so one hop is enough: a frame that came over a link leaves by none again, which keeps
   * even stale entries from making a loop. Otherwise frames to all follow one tree, and others the shortest path.
   */
  readonly direct: boolean
  /** Where a frame to all goes on from each datapath, by neighbour. In a tree, not back to where it came from. */
  readonly floodTree: HopsBySwitch
  /** Where a frame to a member goes on from each datapath, by that member's datapath. */
  readonly nextHops: HopsBySwitch
  /** Where frames go out of each datapath, to all or to a member, by neighbour. */
  readonly egressPorts: HopsBySwitch
  /** Where frames come in from at each datapath, by neighbour. */
  readonly ingressPorts: HopsBySwitch
  /** Members that reach each other; one set when all do. By the least id. */
  readonly partitions: readonly ReadonlySet<DatapathId>[]
  /** What the next hops follow from: where two routes have the same, they agree in every hop that both have. */
  readonly source?: Paths | Mesh
}
export type HopsBySwitch = ReadonlyMap<DatapathId, ReadonlyMap<DatapathId, Hop>>
type Building = Map<DatapathId, Map<DatapathId, Hop>>

/**
 * The most neighbours that one switch copies a frame to. Open vSwitch 3.1 stops, silently, at 780 tunnel copies a
 * frame (seen). Beyond it frames to all follow a tree, in a full mesh too.
 */
export const maxFanOut = 500

/** Same members and mesh, same route. */
export const route = (members: Iterable<DatapathId>, paths: Paths, fanOut = maxFanOut): Route =>
  atOnce(routeSteps(members, paths, fanOut))

/** The same in steps. */
export function* routeSteps(members: Iterable<DatapathId>, paths: Paths, fanOut = maxFanOut): Steps<Route> {
  const { mesh } = paths
  const partitions = partitionsOf([...new Set(members)].sort(), paths)
  const linked = yield* areLinked(partitions, paths)
  const narrow = partitions.every(partition => partition.size <= fanOut + 1)
  if (linked && narrow) {
    const hops = linkRows(partitions, mesh)
    const sides = { floodTree: hops, nextHops: hops, egressPorts: hops, ingressPorts: hops }
    return { id: directId, direct: true, ...sides, partitions, source: mesh }
  }
  const floodTree: Building = new Map()
  for (const partition of partitions)
    for (const [a, b] of yield* treeOf([...partition], paths, fanOut, linked)) {
      put(floodTree, a, b, mesh.get(a)!.get(b)!)
      put(floodTree, b, a, mesh.get(b)!.get(a)!)
    }
  if (partitions.every(partition => partition.size === 1 || paths.shape(first(partition)) === 'tree')) {
    // There is one way between any two: that of frames to all.
    const nextHops = treeRows(partitions, floodTree, paths)
    const id = digest(partitions, floodTree).digest('hex').slice(0, 16)
    const sides = { floodTree, nextHops, egressPorts: floodTree, ingressPorts: floodTree }
    return { id, direct: false, ...sides, partitions, source: paths }
  }
  const nextHops = linked ? linkRows(partitions, mesh) : pathRows(partitions, paths)
  const hash = digest(partitions, floodTree)
  const egressPorts = yield* usedBy(nextHops, floodTree, partitions, paths, linked, hash)
  const ingressPorts: Building = new Map()
  for (const [at, hops] of egressPorts) {
    for (const to of hops.keys()) put(ingressPorts, to, at, mesh.get(to)!.get(at)!)
    yield
  }
  const id = hash.digest('hex').slice(0, 16)
  const sides = { floodTree, nextHops, egressPorts, ingressPorts }
  return { id, direct: false, ...sides, partitions, source: linked ? mesh : paths }
}

export const directId = 'direct'

/** Whether every two members of a partition have a link. */
function* areLinked(partitions: readonly ReadonlySet<DatapathId>[], paths: Paths): Steps<boolean> {
  for (const partition of partitions) {
    if (partition.size === 1 || paths.shape(first(partition)) === 'full') continue
    for (const a of partition) {
      const hops = paths.mesh.get(a)
      for (const b of partition) if (a !== b && !hops?.has(b)) return false
      yield
    }
  }
  return true
}

const first = <T>(some: ReadonlySet<T>): T => some.values().next().value!

type Partitions = readonly ReadonlySet<DatapathId>[]
type Rows = Map<DatapathId, ReadonlyMap<DatapathId, Hop>>

function rowsOf(partitions: Partitions, hopTo: (at: DatapathId) => (to: DatapathId) => Hop | undefined): Rows {
  const rows: Rows = new Map()
  for (const partition of partitions)
    if (partition.size > 1) for (const at of partition) rows.set(at, hopRow(at, partition, hopTo(at)))
  return rows
}

/** From each member over its link to each. */
const linkRows = (partitions: Partitions, mesh: Mesh): Rows =>
  rowsOf(partitions, at => {
    const hops = mesh.get(at)!
    return to => hops.get(to)
  })

/** From each member by a shortest path to each. */
const pathRows = (partitions: Partitions, paths: Paths): Rows => rowsOf(partitions, paths.from)

/** The same where the mesh has no circle. Who is between members has others behind each of its links, and so leads to all of them. */
function treeRows(partitions: Partitions, floodTree: Building, paths: Paths): Rows {
  const rows = pathRows(partitions, paths)
  const byNumber = new Map(partitions.map(partition => [paths.partition(first(partition)), partition]))
  for (const at of floodTree.keys())
    if (!rows.has(at)) rows.set(at, hopRow(at, byNumber.get(paths.partition(at))!, paths.from(at)))
  return rows
}

/**
 * The links by which frames to all or to a member leave, by neighbour. Notes in `nextHops` also of those between members, who are no members,
 * which members frames pass them for, and in `hash` which way each goes. @param linked Each member goes to each by their link.
 */
function* usedBy(
  nextHops: Rows,
  floodTree: Building,
  partitions: Partitions,
  paths: Paths,
  linked: boolean,
  hash: ReturnType<typeof digest>,
): Steps<Building> {
  const used: Building = new Map([...floodTree].map(([at, hops]) => [at, new Map(hops)]))
  const between: Building = new Map()
  for (const partition of partitions) {
    if (partition.size === 1) continue
    const members = [...partition]
    const numbers = members.map(at => paths.number(at)!)
    // A million pairs are worth to be told apart by numbers.
    const hops = members.map(() => new Map<number, Hop>())
    const goesOut = Int32Array.from(members, () => 0)
    for (const [j, to] of members.entries()) {
      const parents = linked ? undefined : paths.parents(to)
      for (let i = 0; i < members.length; i++) {
        if (i === j) continue
        const next = parents ? parents[numbers[i]!]! : numbers[j]!
        let hop = hops[i]!.get(next)
        if (!hop) {
          const at = members[i]!
          hop = nextHops.get(at)!.get(to)!
          hops[i]!.set(next, hop)
          put(used, at, hop.to, hop)
        }
        goesOut[i] = hop.port
        if (!partition.has(hop.to)) lead(between, hop.to, to, partition, paths)
      }
      hash.update(goesOut)
      yield
    }
  }
  for (const [at, hops] of between) {
    nextHops.set(at, hops)
    let text = `${at}\n`
    for (const [to, hop] of hops) {
      text += `${to} ${hop.port} `
      put(used, at, hop.to, hop)
    }
    hash.update(text)
    yield
  }
  return used
}

/** Marks the way to a member, up to where it joins one that is marked, or that of another member. */
function lead(
  between: Building,
  from: DatapathId,
  to: DatapathId,
  partition: ReadonlySet<DatapathId>,
  paths: Paths,
): void {
  for (let at = from; !partition.has(at) && !between.get(at)?.has(to); ) {
    const hop = paths.hopTowards(to, at)!
    put(between, at, to, hop)
    at = hop.to
  }
}

/** Begins with the members, and how frames to all go. Which way others go follows from the links where the mesh has no circle. */
function digest(partitions: Partitions, floodTree: HopsBySwitch) {
  const hash = createHash('sha256')
  for (const partition of partitions) hash.update(`${[...partition]}\n`)
  for (const [at, hops] of [...floodTree].sort(byKey))
    hash.update(`${at} ${[...hops].sort(byKey).map(([to, { port }]) => `${to} ${port}`)}\n`)
  return hash
}
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

export function put(hopsBySwitch: Building, at: DatapathId, key: DatapathId, hop: Hop): void {
  const hops = hopsBySwitch.get(at)
  if (hops) hops.set(key, hop)
  else hopsBySwitch.set(at, new Map([[key, hop]]))
}

export function partitionsOf(members: readonly DatapathId[], paths: Paths): ReadonlySet<DatapathId>[] {
  const partitions = new Map<number | DatapathId, Set<DatapathId>>()
  for (const member of members) {
    const number = paths.partition(member) ?? member
    const partition = partitions.get(number)
    if (partition) partition.add(member)
    else partitions.set(number, new Set([member]))
  }
  return [...partitions.values()]
}

/** All datapaths that hold something of a network that goes this way. */
export function* datapathsOf({ floodTree, nextHops, ingressPorts, partitions }: Route): Iterable<DatapathId> {
  const told = new Set<DatapathId>()
  const sets: Iterable<DatapathId>[] = [...partitions, floodTree.keys(), nextHops.keys(), ingressPorts.keys()]
  for (const dpids of sets)
    for (const dpid of dpids) {
      if (told.has(dpid)) continue
      told.add(dpid)
      yield dpid
    }
}

/** Whether a datapath is among them. */
export const passes = ({ floodTree, nextHops, ingressPorts, partitions }: Route, dpid: DatapathId): boolean =>
  floodTree.has(dpid) ||
  nextHops.has(dpid) ||
  ingressPorts.has(dpid) ||
  partitions.some(partition => partition.has(dpid))

/**
 * Whether switches may go over from the one route to the other each by itself, in any order, without a frame lost, doubled or
 * going in a circle: nothing takes another way in the two. For frames to all that is so when the trees together have no circle: between
 * two datapaths they then go the same way in both.
 */
export const compatible = (a: Route, b: Route): boolean => atOnce(compatibleSteps(a, b))

/** The same in steps; it is worked out once for each two routes. */
export function* compatibleSteps(a: Route, b: Route): Steps<boolean> {
  const known = compared.get(a)?.get(b)
  if (known !== undefined) return known
  const found = yield* areCompatible(a, b)
  const others = compared.get(a) ?? new WeakMap<Route, boolean>()
  compared.set(a, others)
  others.set(b, found)
  return found
}
const compared = new WeakMap<Route, WeakMap<Route, boolean>>()

function* areCompatible(a: Route, b: Route): Steps<boolean> {
  if (a.direct !== b.direct) return false
  if (a.source === undefined || a.source !== b.source) if (!(yield* areSameHops(a, b))) return false
  return a.direct || (samePorts(a.floodTree, b.floodTree) && isForest([a.floodTree, b.floodTree]))
}

/** Where both have a hop, it is the same. */
function* areSameHops(a: Route, b: Route): Steps<boolean> {
  for (const [at, hops] of a.nextHops) {
    const others = b.nextHops.get(at)
    if (others === undefined || others === hops) continue
    for (const [to, hop] of hops) {
      const other = others.get(to)
      if (other && (other.port !== hop.port || other.to !== hop.to)) return false
    }
    yield
  }
  return true
}

const samePorts = (a: HopsBySwitch, b: HopsBySwitch): boolean =>
  [...a].every(([at, hops]) => [...hops].every(([to, { port }]) => (b.get(at)?.get(to)?.port ?? port) === port))

function isForest(trees: readonly HopsBySwitch[]): boolean {
  const above = new Map<DatapathId, DatapathId>()
  const top = (dpid: DatapathId): DatapathId => {
    let at = dpid
    for (let up = above.get(at); up !== undefined; up = above.get(at)) at = up
    return at
  }
  const seen = new Set<string>()
  for (const floodTree of trees)
    for (const [a, hops] of floodTree)
      for (const b of hops.keys()) {
        if (a > b || seen.has(`${a} ${b}`)) continue
        seen.add(`${a} ${b}`)
        const [x, y] = [top(a), top(b)]
        if (x === y) return false
        above.set(x, y)
      }
  return true
}
