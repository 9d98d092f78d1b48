// The ways that the frames of one network take between its switches.
import { createHash } from 'node:crypto'
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
  /** Where frames come in from at each datapath, by neighbour. */
  readonly ingressPorts: HopsBySwitch
  /** Members that reach each other; one set when all do. By the least id. */
  readonly partitions: readonly ReadonlySet<DatapathId>[]
}
export type HopsBySwitch = ReadonlyMap<DatapathId, ReadonlyMap<DatapathId, Hop>>
type Building = Map<DatapathId, Map<DatapathId, Hop>>

/**
 * The most neighbours that one switch copies a frame to. Open vSwitch 3.1 stops, silently, at 780 tunnel copies a
 * frame (seen). Beyond it frames to all follow a tree, in a full mesh too.
 */
export const maxFanOut = 500

/** So many members are tried as the root of a tree; with more, every n-th. */
const maxRoots = 32

/** Same members and mesh, same route. */
export const route = (members: Iterable<DatapathId>, paths: Paths, fanOut = maxFanOut): Route =>
  atOnce(routeSteps(members, paths, fanOut))

/** The same in steps: of a thousand members each has a way to each. */
export function* routeSteps(members: Iterable<DatapathId>, paths: Paths, fanOut = maxFanOut): Steps<Route> {
  const { mesh } = paths
  const partitions = partitionsOf([...new Set(members)].sort(), paths)
  const linked = yield* areLinked(partitions, mesh)
  const narrow = partitions.every(partition => partition.size <= fanOut + 1)
  const nextHops = linked ? yield* directHops(partitions, mesh) : yield* shortestHops(partitions, paths)
  if (linked && narrow)
    return { id: directId, direct: true, floodTree: nextHops, nextHops, ingressPorts: nextHops, partitions }
  const floodTree: Building = new Map()
  for (const partition of partitions)
    for (const [a, b] of yield* tree([...partition], paths, fanOut, linked ? 1 : maxRoots)) {
      put(floodTree, a, b, mesh.get(a)!.get(b)!)
      put(floodTree, b, a, mesh.get(b)!.get(a)!)
    }
  const ingressPorts: Building = new Map()
  for (const hopsBySwitch of [floodTree, nextHops])
    for (const [at, hops] of hopsBySwitch) {
      // Many of a switch's hops lead to one neighbour.
      for (const to of new Set(Array.from(hops.values(), hop => hop.to)))
        put(ingressPorts, to, at, mesh.get(to)!.get(at)!)
      yield
    }
  const id = yield* digest(floodTree, nextHops)
  return { id, direct: false, floodTree, nextHops, ingressPorts, partitions }
}

export const directId = 'direct'

/** Whether every two members of a partition have a link. */
function* areLinked(partitions: readonly ReadonlySet<DatapathId>[], mesh: Mesh): Steps<boolean> {
  for (const partition of partitions)
    for (const a of partition) {
      const hops = mesh.get(a)
      for (const b of partition) if (a !== b && !hops?.has(b)) return false
      yield
    }
  return true
}

function* directHops(partitions: readonly ReadonlySet<DatapathId>[], mesh: Mesh): Steps<Building> {
  const nextHops: Building = new Map()
  for (const partition of partitions)
    for (const a of partition) {
      if (partition.size === 1) continue
      const hops = mesh.get(a)!
      const own = new Map<DatapathId, Hop>()
      for (const b of partition) if (a !== b) own.set(b, hops.get(b)!)
      nextHops.set(a, own)
      yield
    }
  return nextHops
}

function* shortestHops(partitions: readonly ReadonlySet<DatapathId>[], paths: Paths): Steps<Building> {
  const nextHops: Building = new Map()
  for (const partition of partitions)
    for (const at of partition) {
      if (partition.size === 1) continue
      const hopTo = paths.from(at)
      const own = new Map<DatapathId, Hop>()
      for (const to of partition) if (to !== at) own.set(to, hopTo(to)!)
      nextHops.set(at, own)
      yield
    }
  // Those between members, who are no members, know of the members that frames pass them for.
  for (const partition of partitions)
    for (const from of partition) {
      for (const [to, hop] of nextHops.get(from) ?? []) if (!partition.has(hop.to)) lead(nextHops, hop.to, to, paths)
      yield
    }
  return nextHops
}

function* digest(...hopsBySwitch: readonly HopsBySwitch[]): Steps<string> {
  const hash = createHash('sha256')
  for (const hopsOfOne of hopsBySwitch) {
    const keys = new Set<DatapathId>()
    for (const hops of hopsOfOne.values()) for (const key of hops.keys()) keys.add(key)
    yield
    const sorted = [...keys].sort()
    for (const [at, hops] of [...hopsOfOne].sort(byKey)) {
      // To sort each switch's own again and again would be most of the work.
      const own = hops.size * 8 < sorted.length ? [...hops.keys()].sort() : sorted
      let text = ''
      for (const key of own) {
        const hop = hops.get(key)
        if (hop) text += `${at} ${key} ${hop.port}\n`
      }
      hash.update(text)
      yield
    }
  }
  return hash.digest('hex').slice(0, 16)
}
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

function put(hopsBySwitch: Building, at: DatapathId, key: DatapathId, hop: Hop): void {
  const hops = hopsBySwitch.get(at)
  if (hops) hops.set(key, hop)
  else hopsBySwitch.set(at, new Map([[key, hop]]))
}

/** Marks the way to a member, up to where it joins one that is marked. */
function lead(nextHops: Building, from: DatapathId, to: DatapathId, paths: Paths): void {
  for (let at = from; at !== to && !nextHops.get(at)?.has(to); ) {
    const hop = paths.hopTowards(to, at)!
    put(nextHops, at, to, hop)
    at = hop.to
  }
}

function partitionsOf(members: readonly DatapathId[], paths: Paths): ReadonlySet<DatapathId>[] {
  const partitions = new Map<number | DatapathId, Set<DatapathId>>()
  for (const member of members) {
    const number = paths.partition(member) ?? member
    const partition = partitions.get(number)
    if (partition) partition.add(member)
    else partitions.set(number, new Set([member]))
  }
  return [...partitions.values()]
}

type Edge = readonly [DatapathId, DatapathId]

/** The links of the cheapest shortest-path tree that has a member as its root, without what leads to no member. */
function* tree(members: readonly DatapathId[], paths: Paths, fanOut: number, roots: number): Steps<readonly Edge[]> {
  const step = Math.ceil(members.length / roots)
  let best: { readonly edges: readonly Edge[]; readonly cost: number } | undefined
  for (let i = 0; i < members.length; i += step) {
    const edges = shortestTree(members[i]!, members, paths)
    const cost = edges.reduce((sum, [a, b]) => sum + paths.mesh.get(a)!.get(b)!.cost, 0)
    if (!best || cost < best.cost) best = { edges, cost }
    yield
  }
  const { edges } = best!
  return widest(edges) > fanOut ? narrowTree(edges, paths, fanOut) : edges
}

function shortestTree(root: DatapathId, members: readonly DatapathId[], paths: Paths): Edge[] {
  const edges: Edge[] = []
  const reached = new Set([root])
  const hopFrom = paths.towards(root)
  for (const member of members)
    for (let at = member; !reached.has(at); ) {
      reached.add(at)
      const { to } = hopFrom(at)!
      edges.push([at, to])
      at = to
    }
  return edges
}

function widest(edges: readonly Edge[]): number {
  const degrees = new Map<DatapathId, number>()
  for (const edge of edges) for (const end of edge) degrees.set(end, (degrees.get(end) ?? 0) + 1)
  return Math.max(0, ...degrees.values())
}

/**
 * A tree of the same datapaths in which none has more than `fanOut` neighbours: each joins, nearest to the root first, the
 * cheapest one that has room. Where none has, the cheapest: better a switch that may copy too little than one that is left out.
 */
function narrowTree(edges: readonly Edge[], paths: Paths, fanOut: number): readonly Edge[] {
  const { mesh } = paths
  const root = edges.length > 0 ? edges[0]![1] : undefined
  if (root === undefined) return edges
  const all = [...new Set(edges.flat())].sort(
    (a, b) => paths.distance(root, a)! - paths.distance(root, b)! || (a < b ? -1 : 1),
  )
  const joined = new Map([[all[0]!, { degree: 0, distance: 0 }]])
  const narrow: Edge[] = []
  for (const at of all.slice(1)) {
    let best: { readonly to: DatapathId; readonly distance: number; readonly full: boolean } | undefined
    for (const { to, cost } of mesh.get(at)!.values()) {
      const there = joined.get(to)
      if (!there) continue
      const option = { to, distance: there.distance + cost, full: there.degree >= fanOut }
      const better =
        !best ||
        (best.full && !option.full) ||
        (best.full === option.full &&
          (option.distance < best.distance || (option.distance === best.distance && to < best.to)))
      if (better) best = option
    }
    joined.get(best!.to)!.degree += 1
    joined.set(at, { degree: 1, distance: best!.distance })
    narrow.push([at, best!.to])
  }
  return narrow
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
  for (const [at, hops] of a.nextHops) {
    const others = b.nextHops.get(at)
    if (others === undefined || others === hops) continue
    for (const [to, hop] of hops) {
      const other = others.get(to)
      if (other && (other.port !== hop.port || other.to !== hop.to)) return false
    }
    yield
  }
  return a.direct || (samePorts(a.floodTree, b.floodTree) && isForest([a.floodTree, b.floodTree]))
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
