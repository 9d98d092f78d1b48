// The ways of a vlink's frames: over the switches that were asked for, or round a link that is down.
import { createHash } from 'node:crypto'
import type { Hop, Mesh } from './mesh.ts'
import { type Paths, paths as pathsOf } from './paths.ts'
import type { HopsBySwitch, Route } from './route.ts'
import type { DatapathId, Link } from './topology.ts'

/** One direction. */
export type VlinkPath = {
  readonly asked: readonly DatapathId[]
  /** The first hop of `asked` that carries nothing, and why. */
  readonly broken?: { readonly hop: readonly [DatapathId, DatapathId]; readonly why: 'unknown' | 'down' | 'vid' }
  /**
   * The switches that frames are sent over. Undefined: over none, for a hop of `asked` is not known. A path that is known and
   * down keeps its flows, and works again with its link.
   */
  readonly taken: readonly DatapathId[] | undefined
  /** Between the switches of `taken`. */
  readonly links: readonly Link[]
}

/** What of a vlink says where its frames go. */
export type Asked = {
  readonly path: readonly DatapathId[]
  readonly reversePath: readonly DatapathId[]
  readonly reroute: boolean
}
export type VlinkPaths = { readonly there: VlinkPath; readonly back: VlinkPath }

/** A frame gets from end to end, as far as links are concerned. */
export const getsThrough = ({ asked, broken, taken }: VlinkPath): boolean =>
  taken !== undefined && (!broken || taken.join() !== asked.join())

/**
 * @param paths Over links that work, and tunnels alone (`tunnelsOnly`).
 * @param known All links, also those that are down.
 */
export const vlinkPathsOf = ({ path, reversePath, reroute }: Asked, paths: Paths, known: Mesh): VlinkPaths => ({
  there: vlinkPathOf(path, reroute, paths, known),
  back: vlinkPathOf(reversePath, reroute, paths, known),
})

function vlinkPathOf(asked: readonly DatapathId[], reroute: boolean, paths: Paths, known: Mesh): VlinkPath {
  const { mesh } = paths
  const hops = hopsOf(asked)
  const hop = hops.find(([a, b]) => !mesh.get(a)?.has(b))
  if (!hop) return { asked, taken: asked, links: linksOf(hops, mesh, known) }
  const [a, b] = hop
  const link = known.get(a)?.get(b)
  const why = !link ? 'unknown' : link.carries === 'vid' ? 'vid' : 'down'
  const detour = reroute ? shortest(asked[0]!, asked.at(-1)!, paths) : undefined
  const isKnown = hops.every(([a, b]) => known.get(a)?.get(b)?.carries === 'vni')
  const taken = detour ?? (isKnown ? asked : undefined)
  return { asked, broken: { hop, why }, taken, links: taken ? linksOf(hopsOf(taken), mesh, known) : [] }
}

type Pair = readonly [DatapathId, DatapathId]
const hopsOf = (path: readonly DatapathId[]): readonly Pair[] => path.slice(1).map((to, i) => [path[i]!, to])

/** A hop as it works, or else as it is known: both from one mesh, so that a frame comes in where it is expected. */
function linksOf(hops: readonly Pair[], mesh: Mesh, known: Mesh): readonly Link[] {
  return hops.map(([a, b]) => {
    const from = mesh.get(a)?.has(b) ? mesh : known
    return { from: { dpid: a, port: from.get(a)!.get(b)!.port }, to: { dpid: b, port: from.get(b)!.get(a)!.port } }
  })
}

function shortest(from: DatapathId, to: DatapathId, paths: Paths): readonly DatapathId[] | undefined {
  if (paths.distance(to, from) === undefined) return undefined
  const path = [from]
  for (let at = from; at !== to; path.push(at)) at = paths.hopTowards(to, at)!.to
  return path
}

/** Of a route over these switches. A vlink is stored with that of the paths that were asked for: so it begins there at once. */
export const pathsId = (there: readonly DatapathId[], back: readonly DatapathId[]): string =>
  createHash('sha256').update(`${there} ${back}`).digest('hex').slice(0, 16)

/** The ways as a route: each direction leads to the switch at its end, and nothing goes to all. */
export function routeOfVlink({ there, back }: VlinkPaths): Route {
  const nextHops: Building = new Map()
  const egressPorts: Building = new Map()
  const ingressPorts: Building = new Map()
  for (const { asked, links } of [there, back])
    for (const { from, to } of links) {
      const hop = { to: to.dpid, port: from.port, cost: 0, carries: 'vni' } as const
      put(nextHops, from.dpid, asked.at(-1)!, hop)
      put(egressPorts, from.dpid, to.dpid, hop)
      put(ingressPorts, to.dpid, from.dpid, { to: from.dpid, port: to.port, cost: 0, carries: 'vni' })
    }
  const partitions = [new Set([there.asked[0]!, there.asked.at(-1)!])]
  // Its path is in the store: a restart wants the same.
  const id = pathsId(there.taken ?? [], back.taken ?? [])
  return { id, direct: false, floodTree: none, nextHops, egressPorts, ingressPorts, partitions }
}
type Building = Map<DatapathId, Map<DatapathId, Hop>>
const none: HopsBySwitch = new Map()

function put(hopsBySwitch: Building, at: DatapathId, key: DatapathId, hop: Hop): void {
  const hops = hopsBySwitch.get(at)
  if (hops) hops.set(key, hop)
  else hopsBySwitch.set(at, new Map([[key, hop]]))
}

/** The same paths without plain links: those tell networks apart by a VLAN tag of their own, and a vlink's frames may bring any. */
export function tunnelsOnly(paths: Paths): Paths {
  const isTunnel = (hop: Hop) => hop.carries === 'vni'
  if ([...paths.mesh.values()].every(hops => [...hops.values()].every(isTunnel))) return paths
  return pathsOf(
    new Map([...paths.mesh].map(([at, hops]) => [at, new Map([...hops].filter(([, hop]) => isTunnel(hop)))])),
  )
}
