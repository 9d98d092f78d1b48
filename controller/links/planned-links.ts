// Links of the mesh that was declared, at the ports that the switches have for them now. A port is known by its name: if a switch
// numbered it otherwise than planned, that is followed; if another port has its number, that one is no end of the link. A full mesh of a thousand nodes has a million links: each is made when it is asked for, and only what is not as planned is kept.
import type { Session } from '../../openflow/session/session.ts'
import {
  areLinked,
  isTooLarge,
  type MeshLink,
  meshLinkOf,
  meshLinks,
  meshPortName,
  type Nodes,
  peersOf,
  portTo,
} from '../../store/overlay.ts'
import type { Node } from '../../store/state.ts'
import type { DatapathId, Endpoint, Link, PortNo } from '../../topology/topology.ts'
import type { Steps } from '../compile/steps.ts'

/** `link`: where it is; undefined: a switch that we know has no such port, `condition` says which. Without that it is as planned. */
export type PlannedLink = { readonly planned: MeshLink; readonly link?: Link; readonly condition?: string }

export type Planned = {
  /** Every one, a direction each; none of a mesh that is too large to be worked out. */
  all(): Iterable<PlannedLink>
  /** Where links are. */
  links(): Iterable<Link>
  /** The link that begins here. */
  at(end: Endpoint): Link | undefined
  /** Takes a switch's ports as they are now; answers whether a link begins elsewhere than before. */
  ports(session: Pick<Session, 'dpid' | 'ports'>): boolean
  /** Nodes were declared, changed, or are gone. Until `prepare` has run, new links are where they were planned. */
  changed(): void
  /** Looks at which ports of known switches links begin, in steps: a thousand switches have a million names of ports. */
  prepare(): Steps<void>
}

/** Of one node: links that do not begin where they were planned, by the name of their peer; undefined: at no port. And the other way round. */
type Odd = { readonly ports: ReadonlyMap<string, PortNo | undefined>; readonly peers: ReadonlyMap<PortNo, string> }

export function plannedLinks(state: () => Nodes): Planned {
  // Of a switch that went away too, for its flows still run.
  const numbers = new Map<DatapathId, ReadonlyMap<string, PortNo>>()
  /** By the name of the node; those that have any. */
  const odd = new Map<string, Odd>()
  /** Nodes have changed so often. */
  let changes = 0
  /** As many of these changes are in `odd`. */
  let taken = 0
  /** The port of a node's link; undefined when its switch has none of that name. */
  const place = (node: Node, peer: Node): PortNo | undefined => {
    const own = odd.get(node.name)?.ports
    return own?.has(peer.name) ? own.get(peer.name) : portTo(node, peer)
  }
  /** Where a planned link is, or why nowhere. */
  const locate = (planned: MeshLink): PlannedLink => {
    const { nodes } = state()
    const [from, to] = [nodes.get(planned.nodes[0])!, nodes.get(planned.nodes[1])!]
    const [out, back] = [place(from, to), place(to, from)]
    if (out === planned.from.port && back === planned.to.port) return { planned, link: planned }
    if (out !== undefined && back !== undefined)
      return { planned, link: { from: { dpid: from.dpid, port: out }, to: { dpid: to.dpid, port: back } } }
    const [node, peer] = out === undefined ? [from, to] : [to, from]
    const condition = `node ${node.name} has no port ${meshPortName(node, peer.name)} to node ${peer.name} yet`
    return { planned, condition }
  }
  const oddOf = (node: Node): Odd | undefined => {
    const here = numbers.get(node.dpid)
    if (!here) return undefined
    const ports = new Map<string, PortNo | undefined>()
    const peers = new Map<PortNo, string>()
    for (const peer of peersOf(state(), node.name)) {
      const port = here.get(meshPortName(node, peer.name))
      if (port === portTo(node, peer)) continue
      ports.set(peer.name, port)
      if (port !== undefined) peers.set(port, peer.name)
    }
    return ports.size > 0 ? { ports, peers } : undefined
  }
  const look = (node: Node): { readonly moved: boolean } => {
    const [before, now] = [odd.get(node.name), isTooLarge(state()) ? undefined : oddOf(node)]
    if (now) odd.set(node.name, now)
    else odd.delete(node.name)
    return { moved: !isSame(before, now) }
  }
  function* prepare(): Steps<void> {
    while (taken !== changes) {
      taken = changes
      for (const name of odd.keys()) if (!state().nodes.has(name)) odd.delete(name)
      for (const node of state().nodes.values()) {
        look(node)
        yield
      }
    }
  }
  function* all(): Iterable<PlannedLink> {
    if (isTooLarge(state())) return
    for (const planned of meshLinks(state())) yield locate(planned)
  }
  return {
    all,
    *links() {
      for (const { link } of all()) if (link) yield bare(link)
    },
    at({ dpid, port }) {
      const known = state()
      const node = known.nodes.get(known.nodeAt.get(dpid) ?? '')
      if (!node || isTooLarge(known)) return undefined
      const own = odd.get(node.name)
      const name = own?.peers.get(port) ?? known.nodeNumbered.get(port - node.firstLinkPort + 1)
      const peer = known.nodes.get(name ?? '')
      if (!peer || place(node, peer) !== port || !areLinked(known, node.name, peer.name)) return undefined
      const { link } = locate(meshLinkOf(node, peer))
      return link && bare(link)
    },
    prepare,
    ports({ dpid, ports }) {
      numbers.set(dpid, new Map([...ports().values()].map(({ name, portNo }) => [name, portNo])))
      const node = state().nodes.get(state().nodeAt.get(dpid) ?? '')
      return node !== undefined && look(node).moved
    },
    changed() {
      changes += 1
    },
  }
}

/** A link and nothing else: many are kept. */
const bare = ({ from, to }: Link): Link => ({ from, to })

const isSame = (a: Odd | undefined, b: Odd | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.ports.size === b.ports.size &&
    [...a.ports].every(([peer, port]) => b.ports.has(peer) && b.ports.get(peer) === port))
