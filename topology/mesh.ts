import type { DatapathId, Link, PortNo } from './topology.ts'
import { linkKey } from './topology.ts'

/** From a datapath to its neighbours, and the port that leads there; what the neighbour sends back comes in on that same port. */
export type Mesh = ReadonlyMap<DatapathId, ReadonlyMap<DatapathId, PortNo>>

/**
 * The mesh that these links make. A link counts only when both its directions are known; of parallel links between
 * two datapaths the one with the lowest ports is used, the same from both ends, so that a frame comes in where it is expected.
 * `usable` leaves endpoints out: ports that are gone, or that belong to a pod.
 */
export function mesh(links: Iterable<Link>, usable: (dpid: DatapathId, port: PortNo) => boolean = () => true): Mesh {
  const directed = new Map<string, Link>()
  for (const link of links) directed.set(linkKey(link), link)
  const best = new Map<string, Link>()
  for (const link of directed.values()) {
    const { from, to } = link
    if (from.dpid >= to.dpid || !directed.has(linkKey({ from: to, to: from }))) continue
    if (!usable(from.dpid, from.port) || !usable(to.dpid, to.port)) continue
    const pair = `${from.dpid} ${to.dpid}`
    const other = best.get(pair)
    if (!other || byPorts(link, other) < 0) best.set(pair, link)
  }
  const neighbours = new Map<DatapathId, Map<DatapathId, PortNo>>()
  const join = (from: DatapathId, to: DatapathId, port: PortNo) => {
    const ports = neighbours.get(from)
    if (ports) ports.set(to, port)
    else neighbours.set(from, new Map([[to, port]]))
  }
  for (const { from, to } of best.values()) {
    join(from.dpid, to.dpid, from.port)
    join(to.dpid, from.dpid, to.port)
  }
  return neighbours
}

/** Of parallel links: lower ports first, at the datapath with the lower id and then at the other. */
const byPorts = (a: Link, b: Link): number => a.from.port - b.from.port || a.to.port - b.to.port
