// A route of which links have died, mended where it stands.
import { createHash } from 'node:crypto'
import type { Hop } from './mesh.ts'
import type { Paths } from './paths.ts'
import { type HopsBySwitch, partitionsOf, put, type Route } from './route.ts'
import type { DatapathId } from './topology.ts'

/** With more members it takes too long to be done at once. */
const mostMembers = 128

type Building = Map<DatapathId, Map<DatapathId, Hop>>

/**
 * The route with other links for those that are gone. What of it still gets through goes on as it did, so that switches may go over each
 * by itself, in any order: no frame comes twice, and none is lost that was not lost before. It may be longer than the best one.
 * Undefined: there is none, or not at once.
 * @param paths Through the mesh as it is now, without switches that can't be told anything.
 */
export function mended(broken: Route, members: ReadonlySet<DatapathId>, paths: Paths): Route | undefined {
  // In a full mesh frames that came over a link go over none again: with one link less there is no such route.
  if (broken.direct || members.size > mostMembers) return undefined
  const partitions = partitionsOf([...members].sort(), paths)
  const floodTree: Building = mendedTree(broken, partitions, paths)
  const nextHops: Building = new Map()
  for (const partition of partitions)
    for (const to of partition) {
      const hops = mendedHops(broken.nextHops, to, partition, paths)
      if (mayFlood(broken, to, hops) || canLoop(livingHops(broken.nextHops, to, paths), hops)) return undefined
      for (const [at, hop] of hops) put(nextHops, at, to, hop)
    }
  const egressPorts: Building = new Map()
  const ingressPorts: Building = new Map()
  for (const hopsBySwitch of [floodTree, nextHops])
    for (const [at, hops] of hopsBySwitch)
      for (const hop of hops.values()) {
        put(egressPorts, at, hop.to, hop)
        const back = isUp(paths, at, hop) && paths.mesh.get(hop.to)!.get(at)
        if (back) put(ingressPorts, hop.to, at, back)
      }
  return { id: digest(floodTree, nextHops), direct: false, floodTree, nextHops, egressPorts, ingressPorts, partitions }
}

/** What has the same goes the same way. */
function digest(...ways: readonly HopsBySwitch[]): string {
  const hash = createHash('sha256')
  for (const hopsBySwitch of ways) {
    const lines = [...hopsBySwitch].flatMap(([at, hops]) => [...hops].map(([to, { port }]) => `${at} ${to} ${port}`))
    hash.update(`${lines.sort().join('\n')}\n\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

const isUp = ({ mesh }: Paths, at: DatapathId, { to, port }: Hop): boolean => mesh.get(at)?.get(to)?.port === port

/** What is left of the tree, and what joins its pieces: together they have no circle, so frames go the same way in both. */
function mendedTree({ floodTree }: Route, partitions: readonly ReadonlySet<DatapathId>[], paths: Paths): Building {
  const pieces = newPieces()
  const edges: (readonly [DatapathId, DatapathId])[] = []
  const join = (a: DatapathId, b: DatapathId) => {
    if (pieces.join(a, b)) edges.push([a, b])
  }
  for (const [at, hops] of floodTree) for (const hop of hops.values()) if (isUp(paths, at, hop)) join(at, hop.to)
  const roots = new Set<DatapathId>()
  for (const partition of partitions) {
    const [root] = partition
    const towards = paths.towards(root!)
    const reached = new Set([root!])
    for (const member of partition)
      for (let at = member; !reached.has(at); ) {
        reached.add(at)
        const { to } = towards(at)!
        join(at, to)
        at = to
      }
    roots.add(pieces.of(root!))
  }
  const tree: Building = new Map()
  for (const [a, b] of edges) {
    // A piece without members leads nowhere.
    if (!roots.has(pieces.of(a))) continue
    put(tree, a, b, paths.mesh.get(a)!.get(b)!)
    put(tree, b, a, paths.mesh.get(b)!.get(a)!)
  }
  return tree
}

/** Sets of datapaths that a tree joins. */
function newPieces() {
  const above = new Map<DatapathId, DatapathId>()
  const of = (dpid: DatapathId): DatapathId => {
    let at = dpid
    for (let up = above.get(at); up !== undefined; up = above.get(at)) at = up
    return at
  }
  return {
    of,
    /** False if they are in one already. */
    join(a: DatapathId, b: DatapathId): boolean {
      const [x, y] = [of(a), of(b)]
      if (x !== y) above.set(x, y)
      return x !== y
    },
  }
}

/** By datapath, its hop towards `to`: those by which frames get there still, and from elsewhere the shortest way into them. */
function mendedHops(
  nextHops: HopsBySwitch,
  to: DatapathId,
  members: ReadonlySet<DatapathId>,
  paths: Paths,
): ReadonlyMap<DatapathId, Hop> {
  const arrives = new Map<DatapathId, boolean>([[to, true]])
  const doesArrive = (at: DatapathId): boolean => {
    const known = arrives.get(at)
    if (known !== undefined) return known
    const hop = nextHops.get(at)?.get(to)
    arrives.set(at, false)
    const does = hop !== undefined && isUp(paths, at, hop) && doesArrive(hop.to)
    arrives.set(at, does)
    return does
  }
  const hops = new Map<DatapathId, Hop>()
  const towards = paths.towards(to)
  for (const [at, hopsOfOne] of nextHops) {
    const hop = hopsOfOne.get(to)
    // Where no way leads there frames go on into the dead link: they would be flooded else, by some switches sooner than by others.
    if (hop && at !== to && paths.mesh.has(at) && (doesArrive(at) || !towards(at))) hops.set(at, hop)
  }
  // Who knew a way has one, or else it would flood what comes there by the route before.
  const knew = [...nextHops].flatMap(([at, hopsOfOne]) => (hopsOfOne.has(to) && towards(at) ? [at] : []))
  for (const start of [...members, ...knew])
    for (let at = start; at !== to && !hops.has(at); ) {
      const hop = towards(at)!
      hops.set(at, hop)
      at = hop.to
    }
  return hops
}

const livingHops = (nextHops: HopsBySwitch, to: DatapathId, paths: Paths): ReadonlyMap<DatapathId, Hop> =>
  new Map(
    [...nextHops].flatMap(([at, hops]) => {
      const hop = hops.get(to)
      return hop && at !== to && isUp(paths, at, hop) ? [[at, hop]] : []
    }),
  )

/** Whether a frame could come to a switch that knew no way to its address and is not told of one yet: it would flood it. */
const mayFlood = ({ ingressPorts, nextHops }: Route, to: DatapathId, hops: ReadonlyMap<DatapathId, Hop>): boolean =>
  [...hops].some(([at, { to: next }]) => next !== to && ingressPorts.get(next)?.has(at) && !nextHops.get(next)?.has(to))

/**
 * Whether a frame that follows some hops of the one and some of the other could go in a circle. It does not go back by the link
 * that it came from: a switch sends nothing out of the port where it came in (OpenFlow 1.3.5 §7.2.5).
 */
function canLoop(a: ReadonlyMap<DatapathId, Hop>, b: ReadonlyMap<DatapathId, Hop>): boolean {
  const after = (at: DatapathId): readonly DatapathId[] => [
    ...new Set([a.get(at), b.get(at)].flatMap(hop => hop?.to ?? [])),
  ]
  /** Links gone over, by both ends; true once all that follows is known to end. */
  const ends = new Map<string, boolean>()
  const loops = (from: DatapathId, at: DatapathId): boolean => {
    const key = `${from} ${at}`
    const known = ends.get(key)
    if (known !== undefined) return !known
    ends.set(key, false)
    if (after(at).some(next => next !== from && loops(at, next))) return true
    ends.set(key, true)
    return false
  }
  const starts = new Set([...a.keys(), ...b.keys()])
  return [...starts].some(from => after(from).some(at => loops(from, at)))
}
