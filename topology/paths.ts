// Shortest paths through a mesh. Worked out when they are asked for, and kept as long as the mesh is.
import type { Hop, Mesh } from './mesh.ts'
import type { DatapathId } from './topology.ts'

export type Paths = {
  readonly mesh: Mesh
  /** Datapaths with the same number reach each other; undefined: it has no link. */
  partition(dpid: DatapathId): number | undefined
  /** Sum of the costs from `root` to `dpid`; undefined: there is no way. */
  distance(root: DatapathId, dpid: DatapathId): number | undefined
  /**
   * The first hop from `dpid` on its way to `root`; undefined: there is none, or it is there. Of two ways of one cost the one by
   * the neighbour with the lower id. Followed to the end they make a tree, so no frame that follows them comes by twice.
   */
  hopTowards(root: DatapathId, dpid: DatapathId): Hop | undefined
  /** The same for one root and many datapaths. */
  towards(root: DatapathId): (dpid: DatapathId) => Hop | undefined
  /** The same for one datapath and many roots. */
  from(dpid: DatapathId): (root: DatapathId) => Hop | undefined
  /** The number that a datapath has here; undefined: it has no link. */
  number(dpid: DatapathId): number | undefined
  /** By their numbers, the first hops of all datapaths on their way to `root`, as the number of a neighbour; -1: there is none. For who asks for very many. */
  parents(root: DatapathId): Int32Array
  /** What the part of the mesh that this datapath is in looks like: `full` has a link between every two, `tree` no circle. */
  shape(dpid: DatapathId): Shape
}
export type Shape = 'full' | 'tree' | undefined

type Tree = { readonly distances: Float64Array; readonly parents: Int32Array }

export function paths(mesh: Mesh): Paths {
  const dpids = [...mesh.keys()].sort()
  const indexes = new Map(dpids.map((dpid, i) => [dpid, i]))
  // Made when they are asked for: where every two members have a link, few of them are.
  const around: (Around | undefined)[] = dpids.map(() => undefined)
  const aroundOf = (index: number): Around => {
    const known = around[index]
    if (known) return known
    const hops = [...mesh.get(dpids[index]!)!.values()]
    const neighbours = Int32Array.from(hops, hop => indexes.get(hop.to)!)
    const made = { neighbours, costs: Float64Array.from(hops, hop => hop.cost) }
    around[index] = made
    return made
  }
  const trees = new Map<DatapathId, Tree>()
  let partitions: Int32Array | undefined
  let shapes: ReadonlyMap<number, Shape> | undefined
  const partitionOf = (dpid: DatapathId) =>
    (partitions ??= partitionsOf(dpids.length, aroundOf))[indexes.get(dpid) ?? -1]
  const treeOf = (root: DatapathId): Tree | undefined => {
    const known = trees.get(root)
    if (known) return known
    const index = indexes.get(root)
    if (index === undefined) return undefined
    const tree = shortest(index, dpids.length, aroundOf)
    trees.set(root, tree)
    return tree
  }
  const towards: Paths['towards'] = root => {
    const tree = treeOf(root)
    if (!tree) return () => undefined
    return dpid => {
      const at = indexes.get(dpid)
      const parent = at === undefined ? -1 : tree.parents[at]!
      return parent < 0 ? undefined : mesh.get(dpid)!.get(dpids[parent]!)
    }
  }
  const hopsFrom = new Map<DatapathId, (root: DatapathId) => Hop | undefined>()
  const from: Paths['from'] = dpid => {
    const known = hopsFrom.get(dpid)
    if (known) return known
    const at = indexes.get(dpid)
    const hops = mesh.get(dpid)
    if (at === undefined || !hops) return () => undefined
    const made = (root: DatapathId) => {
      const parent = treeOf(root)?.parents[at] ?? -1
      return parent < 0 ? undefined : hops.get(dpids[parent]!)
    }
    hopsFrom.set(dpid, made)
    return made
  }
  return {
    mesh,
    towards,
    from,
    number: dpid => indexes.get(dpid),
    parents: root => treeOf(root)?.parents ?? new Int32Array(dpids.length).fill(-1),
    partition: partitionOf,
    shape(dpid) {
      const partition = partitionOf(dpid)
      if (partition === undefined) return undefined
      shapes ??= shapesOf(dpids.map(at => [partitionOf(at)!, mesh.get(at)!.size]))
      return shapes.get(partition)
    },
    distance(root, dpid) {
      const distance = treeOf(root)?.distances[indexes.get(dpid) ?? -1]
      return distance === undefined || distance === Number.POSITIVE_INFINITY ? undefined : distance
    },
    hopTowards: (root, dpid) => towards(root)(dpid),
  }
}

/** @param datapaths Of each, the number of its partition, and how many neighbours it has. */
function shapesOf(
  datapaths: readonly (readonly [partition: number, neighbours: number])[],
): ReadonlyMap<number, Shape> {
  const sizes = new Map<number, { datapaths: number; ends: number }>()
  for (const [partition, neighbours] of datapaths) {
    const size = sizes.get(partition) ?? { datapaths: 0, ends: 0 }
    sizes.set(partition, size)
    size.datapaths += 1
    size.ends += neighbours
  }
  const shapeOf = (size: { datapaths: number; ends: number }): Shape => {
    if (size.ends === size.datapaths * (size.datapaths - 1)) return 'full'
    return size.ends === 2 * (size.datapaths - 1) ? 'tree' : undefined
  }
  return new Map([...sizes].map(([partition, size]) => [partition, shapeOf(size)]))
}

/** A datapath's neighbours by number, and what it costs to get to each. */
type Around = { readonly neighbours: Int32Array; readonly costs: Float64Array }

/** For each datapath, the number of the first one that it reaches. */
function partitionsOf(count: number, aroundOf: (index: number) => Around): Int32Array {
  const partitions = new Int32Array(count).fill(-1)
  let left = count
  for (let first = 0; first < count; first++) {
    if (partitions[first]! >= 0) continue
    partitions[first] = first
    left--
    const reached = [first]
    // In a full mesh the first one leads to all, and nobody else need be asked.
    for (let at = reached.pop(); at !== undefined && left > 0; at = reached.pop())
      for (const next of aroundOf(at).neighbours)
        if (partitions[next]! < 0) {
          partitions[next] = first
          left--
          reached.push(next)
        }
  }
  return partitions
}

/** Dijkstra, from datapath number `root`. Of two ways of one cost the one by the lower number, in whatever order neighbours are looked at. */
function shortest(root: number, count: number, aroundOf: (index: number) => Around): Tree {
  const distances = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  const parents = new Int32Array(count).fill(-1)
  const done = new Uint8Array(count)
  const queue = heap(distances)
  distances[root] = 0
  queue.push(root, 0)
  for (let at = queue.pop(); at >= 0; at = queue.pop()) {
    if (done[at]) continue
    done[at] = 1
    const { neighbours, costs } = aroundOf(at)
    for (let i = 0; i < neighbours.length; i++) {
      const next = neighbours[i]!
      const distance = distances[at]! + costs[i]!
      if (distance < distances[next]!) {
        distances[next] = distance
        parents[next] = at
        queue.push(next, distance)
      } else if (distance === distances[next]! && at < parents[next]! && !done[next]) parents[next] = at
    }
  }
  return { distances, parents }
}

/** Least distance first; of equals the lower number. What is pushed again with a lower distance comes up more than once. */
function heap(distances: Float64Array) {
  const items: number[] = []
  const keys: number[] = []
  const before = (a: number, b: number) => keys[a]! < keys[b]! || (keys[a] === keys[b] && items[a]! < items[b]!)
  const swap = (a: number, b: number) => {
    ;[items[a], items[b]] = [items[b]!, items[a]!]
    ;[keys[a], keys[b]] = [keys[b]!, keys[a]!]
  }
  const up = (at: number) => {
    for (let parent = (at - 1) >> 1; at > 0 && before(at, parent); at = parent, parent = (at - 1) >> 1) swap(at, parent)
  }
  const down = (at: number) => {
    for (;;) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < items.length && before(child, least)) least = child
      if (least === at) return
      swap(at, least)
      at = least
    }
  }
  return {
    push(item: number, key: number) {
      items.push(item)
      keys.push(key)
      up(items.length - 1)
    },
    /** -1: nothing is left. */
    pop(): number {
      while (items.length > 0) {
        swap(0, items.length - 1)
        const item = items.pop()!
        const key = keys.pop()!
        down(0)
        if (key === distances[item]) return item
      }
      return -1
    },
  }
}
