// Links of the mesh that was declared, at the ports that the switches have for them now. A port is known by its name: if a switch
// numbered it otherwise than planned, that is followed; if another port has its number, that one is no end of the link.
import type { Session } from '../../openflow/session/session.ts'
import { type MeshLink, meshLinks, meshPortName, type Nodes, portTo } from '../../store/overlay.ts'
import type { Node } from '../../store/state.ts'
import {
  type DatapathId,
  type Endpoint,
  endpointKey,
  type Link,
  linkKey,
  type PortNo,
} from '../../topology/topology.ts'
import { atOnce, type Steps } from '../compile/steps.ts'

/** `link`: where it is; undefined: a switch that we know has no such port, `lack` says which. Without that it is as planned. */
export type PlannedLink = { readonly planned: MeshLink; readonly link?: Link; readonly condition?: string }

export type Planned = {
  /** Every one, a direction each. */
  all(): Iterable<PlannedLink>
  /** Where links are. */
  links(): Iterable<Link>
  /** The link that begins here. */
  at(end: Endpoint): Link | undefined
  /** Takes a switch's ports as they are now; answers whether a link begins elsewhere than before. */
  ports(session: Pick<Session, 'dpid' | 'ports'>): boolean
  /** Nodes were declared, changed, or are gone. Until `prepare` has run, links are where they were. */
  changed(): void
  /** Takes links to where they are now, in steps: a full mesh of a thousand nodes has a million. */
  prepare(): Steps<void>
}

/** By the name of the node where they begin, then of the other one; and by endpointKey. */
type Known = {
  readonly byNodes: ReadonlyMap<string, Map<string, PlannedLink>>
  readonly from: Map<string, Link>
}

export function plannedLinks(state: () => Nodes): Planned {
  // Of a switch that went away too, for its flows still run.
  const numbers = new Map<DatapathId, ReadonlyMap<string, PortNo>>()
  const nameOf = portNames()
  let known: Known | undefined
  /** Nodes have changed so often. */
  let changes = 0
  /** As many of these changes are in `known`. */
  let taken = -1
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
    return { planned, condition: `node ${node.name} has no port ${nameOf(node, peer.name)} to node ${peer.name} yet` }
  }
  function* prepare(): Steps<void> {
    while (taken !== changes) {
      const at = changes
      const now = yield* knownNow(() => at !== changes)
      // Nodes or ports that have changed meanwhile: once more.
      if (at !== changes) continue
      known = now
      taken = at
    }
  }
  function* knownNow(isOld: () => boolean): Steps<Known> {
    const byNodes = new Map<string, Map<string, PlannedLink>>()
    const from = new Map<string, Link>()
    let looked = 0
    for (const planned of meshLinks(state())) {
      const located = locate(planned)
      const [name, peer] = planned.nodes
      const own = byNodes.get(name)
      if (own) own.set(peer, located)
      else byNodes.set(name, new Map([[peer, located]]))
      if (located.link) from.set(endpointKey(located.link.from), located.link)
      if (++looked % 256 > 0) continue
      yield
      if (isOld()) break
    }
    return { byNodes, from }
  }
  const look = (): Known => {
    if (!known) atOnce(prepare())
    return known!
  }
  /** Both directions of a node's links, again; answers whether one is elsewhere. */
  const lookAgain = (name: string): boolean => {
    const { byNodes, from } = look()
    const found: Link[] = []
    let moved = false
    for (const peer of byNodes.get(name)?.keys() ?? [])
      for (const [one, other] of [
        [name, peer],
        [peer, name],
      ] as const) {
        const before = byNodes.get(one)!.get(other)!
        const now = locate(before.planned)
        if (isSame(before.link, now.link)) continue
        moved = true
        byNodes.get(one)!.set(other, now)
        if (before.link) from.delete(endpointKey(before.link.from))
        if (now.link) found.push(now.link)
      }
    // Only now: two ports may have changed places.
    for (const link of found) from.set(endpointKey(link.from), link)
    return moved
  }
  function* all(): Iterable<PlannedLink> {
    for (const own of look().byNodes.values()) yield* own.values()
  }
  return {
    all,
    links: () => look().from.values(),
    at: end => look().from.get(endpointKey(end)),
    prepare,
    ports({ dpid, ports }) {
      look()
      numbers.set(dpid, new Map([...ports().values()].map(({ name, portNo }) => [name, portNo])))
      const name = state().nodeAt.get(dpid)
      if (name === undefined) return false
      if (taken === changes) return lookAgain(name)
      // They are being looked at: again, with these.
      changes += 1
      return true
    },
    changed() {
      changes += 1
    },
  }
}

const isSame = (a: Link | undefined, b: Link | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && linkKey(a) === linkKey(b))

/** What the ports of links are called, worked out once. */
function portNames(): (node: Node, peer: string) => string {
  const names = new Map<string, Map<string, string>>()
  return (node, peer) => {
    const own = `${node.name} ${node.provider}`
    const known = names.get(own) ?? new Map<string, string>()
    names.set(own, known)
    const name = known.get(peer) ?? meshPortName(node, peer)
    known.set(peer, name)
    return name
  }
}
