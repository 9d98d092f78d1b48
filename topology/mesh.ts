import { atOnce, type Steps } from './steps.ts'
import type { DatapathId, Link, PortNo } from './topology.ts'

/** From a datapath to a neighbour: the port that leads there. What the neighbour sends back comes in on that same port. */
export type Hop = {
  readonly to: DatapathId
  readonly port: PortNo
  /** The same in both directions: of two ways the one with the lower sum is taken. */
  readonly cost: number
  /** How the link tells networks apart: a VXLAN tunnel by VNI, a plain link by VLAN. */
  readonly carries: 'vni' | 'vid'
}
export type Mesh = ReadonlyMap<DatapathId, ReadonlyMap<DatapathId, Hop>>

/** Of a link that says nothing of its cost. */
export const defaultCost = 10

/** What is added to the cost of a link when one of its datapaths is away: it is used when there is no other way. */
export const unreachableCost = 1_000_000

type Known = {
  /** False for endpoints that carry nothing: ports that are gone, or that belong to a pod. */
  readonly usable?: (dpid: DatapathId, port: PortNo) => boolean
  /** Datapaths that can't be told anything at the moment. */
  readonly unreachable?: ReadonlySet<DatapathId>
}

/**
 * The mesh that these links make. A link counts only when both its directions are known, and a port leads to one place: of two
 * links from it the later one counts. Of parallel links between two datapaths the cheapest is used, then the one with the lowest
 * ports, the same from both ends, so that a frame comes in where it is expected. A link costs what the dearer of its directions says.
 */
export const mesh = (links: Iterable<Link>, known: Known = {}): Mesh => atOnce(meshSteps(links, known))

/** The same in steps: a full mesh of a thousand datapaths is a million links. */
export function* meshSteps(
  links: Iterable<Link>,
  { usable = () => true, unreachable = new Set() }: Known = {},
): Steps<Mesh> {
  const byPort = new Map<DatapathId, Map<PortNo, Link>>()
  let taken = 0
  for (const link of links) {
    put(byPort, link.from.dpid, link.from.port, link)
    if (++taken % stride === 0) yield
  }
  const neighbours = new Map<DatapathId, Map<DatapathId, Hop>>()
  const hops = sharedHops()
  for (const [dpid, ports] of byPort) {
    for (const { link, cost: asked } of bestOf(dpid, ports, byPort, usable)) {
      const { from, to, carries = 'vni' } = link
      const cost = unreachable.has(from.dpid) || unreachable.has(to.dpid) ? asked + unreachableCost : asked
      put(neighbours, from.dpid, to.dpid, hops({ to: to.dpid, port: from.port, cost, carries }))
      put(neighbours, to.dpid, from.dpid, hops({ to: from.dpid, port: to.port, cost, carries }))
    }
    yield
  }
  return neighbours
}
/** Links between two steps. */
const stride = 256

/** In a mesh that was planned the same port leads to a datapath from most others: one object for all of them. */
function sharedHops(): (hop: Hop) => Hop {
  const known = new Map<DatapathId, Hop>()
  return hop => {
    const last = known.get(hop.to)
    if (last?.port === hop.port && last.cost === hop.cost && last.carries === hop.carries) return last
    known.set(hop.to, hop)
    return hop
  }
}

// Maps in maps, for with a million links to make a string for each is most of the work.
type ByPort = ReadonlyMap<DatapathId, ReadonlyMap<PortNo, Link>>
type Best = { readonly link: Link; readonly cost: number }

function put<K, L, V>(maps: Map<K, Map<L, V>>, key: K, inner: L, value: V): void {
  const map = maps.get(key)
  if (map) map.set(inner, value)
  else maps.set(key, new Map([[inner, value]]))
}

/** Of this datapath's links one for each other datapath with a higher id. */
function bestOf(
  dpid: DatapathId,
  ports: ReadonlyMap<PortNo, Link>,
  byPort: ByPort,
  usable: NonNullable<Known['usable']>,
): Iterable<Best> {
  const best = new Map<DatapathId, Best>()
  for (const link of ports.values()) {
    const { from, to } = link
    const back = dpid < to.dpid ? byPort.get(to.dpid)?.get(to.port) : undefined
    if (back?.to.dpid !== dpid || back.to.port !== from.port) continue
    if (!usable(dpid, from.port) || !usable(to.dpid, to.port)) continue
    const cost = Math.max(link.cost ?? defaultCost, back.cost ?? defaultCost)
    const other = best.get(to.dpid)
    if (!other || cost < other.cost || (cost === other.cost && byPorts(link, other.link) < 0))
      best.set(to.dpid, { link, cost })
  }
  return best.values()
}

/** Of parallel links: lower ports first, at the datapath with the lower id and then at the other. */
const byPorts = (a: Link, b: Link): number => a.from.port - b.from.port || a.to.port - b.to.port

/** The mesh without some of its datapaths. */
export function without(mesh: Mesh, left: ReadonlySet<DatapathId>): Mesh {
  if (left.size === 0) return mesh
  return new Map(
    [...mesh].flatMap(([dpid, hops]) =>
      left.has(dpid) ? [] : [[dpid, new Map([...hops].filter(([peer]) => !left.has(peer)))]],
    ),
  )
}
