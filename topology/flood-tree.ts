// The tree by which frames to all go.
import type { Paths } from './paths.ts'
import type { Steps } from './steps.ts'
import type { DatapathId } from './topology.ts'

/** So many members are tried as the root of a tree; with more, every n-th. */
const maxRoots = 32

type Edge = readonly [DatapathId, DatapathId]

/**
 * The links of the cheapest shortest-path tree that has a member as its root, without what leads to no member.
 * @param fanOut The most neighbours that a datapath may have in it. @param linked Every two members have a link, so any root will do.
 */
export function* floodTree(
  members: readonly DatapathId[],
  paths: Paths,
  fanOut: number,
  linked: boolean,
): Steps<readonly Edge[]> {
  // Without a circle it is the same from every root.
  const step = linked || paths.shape(members[0]!) === 'tree' ? members.length : Math.ceil(members.length / maxRoots)
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
