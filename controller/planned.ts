// Links of the mesh that was declared, at the ports that the switches have for them now. A port is known by its name: if a switch
// numbered it otherwise than planned, that is followed; if another port has its number, that one is no end of the link.
import type { Session } from '../openflow/session.ts'
import { type MeshLink, meshLinks, meshPortName, type Nodes, peersOf, portTo } from '../store/overlay.ts'
import type { Node } from '../store/state.ts'
import { type DatapathId, type Endpoint, endpointKey, type Link, type PortNo } from '../topology/topology.ts'

/** `link`: where it is; undefined: a switch that we know has no such port, `lack` says which. Without that it is as planned. */
export type PlannedLink = { readonly planned: MeshLink; readonly link?: Link; readonly lack?: string }

export type Planned = {
  /** Every one, a direction each. */
  all(): readonly PlannedLink[]
  /** Where links are. */
  links(): readonly Link[]
  /** The link that begins here. */
  at(end: Endpoint): Link | undefined
  /** Takes a switch's ports as they are now; answers whether a link begins elsewhere than before. */
  ports(session: Pick<Session, 'dpid' | 'ports'>): boolean
  /** Nodes were declared, changed, or are gone. */
  changed(): void
}

export function plannedLinks(state: () => Nodes): Planned {
  // Of a switch that went away too, for its flows still run.
  const numbers = new Map<DatapathId, ReadonlyMap<string, PortNo>>()
  const names = new Map<string, string>()
  let known: Known | undefined
  const nameOf = (node: Node, peer: string) => {
    const key = `${node.name} ${node.provider} ${peer}`
    const name = names.get(key) ?? meshPortName(node, peer)
    names.set(key, name)
    return name
  }
  /** The port of a node's link; undefined when its switch has none of that name. */
  const place = (node: Node, peer: Node): PortNo | undefined => {
    const here = numbers.get(node.dpid)
    return here ? here.get(nameOf(node, peer.name)) : portTo(node, peer)
  }
  const locate = (planned: MeshLink): PlannedLink => {
    const { nodes } = state()
    const [from, to] = [nodes.get(planned.nodes[0])!, nodes.get(planned.nodes[1])!]
    const [out, back] = [place(from, to), place(to, from)]
    if (out !== undefined && back !== undefined)
      return { planned, link: { from: { dpid: from.dpid, port: out }, to: { dpid: to.dpid, port: back } } }
    const [node, peer] = out === undefined ? [from, to] : [to, from]
    return { planned, lack: `node ${node.name} has no port ${nameOf(node, peer.name)} to node ${peer.name} yet` }
  }
  const look = (): Known => {
    if (known) return known
    const all = Array.from(meshLinks(state()), locate)
    const links = all.flatMap(({ link }) => link ?? [])
    known = { all, links, from: new Map(links.map(link => [endpointKey(link.from), link])) }
    return known
  }
  /** What a switch's links are called, and their numbers there. */
  const placesAt = (dpid: DatapathId): string => {
    const declared = state()
    const node = declared.nodes.get(declared.nodeAt.get(dpid) ?? '')
    if (!node) return ''
    return Array.from(peersOf(declared, node.name), peer => `${peer.name} ${place(node, peer)}`).join()
  }
  return {
    all: () => look().all,
    links: () => look().links,
    at: end => look().from.get(endpointKey(end)),
    ports({ dpid, ports }) {
      const before = placesAt(dpid)
      numbers.set(dpid, new Map([...ports().values()].map(({ name, portNo }) => [name, portNo])))
      if (placesAt(dpid) === before) return false
      known = undefined
      return true
    },
    changed() {
      known = undefined
      // Names of those that are gone cost memory, and no more.
      if (names.size > 4 * state().nodes.size ** 2) names.clear()
    },
  }
}

type Known = {
  readonly all: readonly PlannedLink[]
  readonly links: readonly Link[]
  readonly from: ReadonlyMap<string, Link>
}
