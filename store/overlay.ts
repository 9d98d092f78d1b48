import { bridgeName, tunnelName } from '../topology/names.ts'
import { endpointOf, type Link, linkOf, type PortNo } from '../topology/topology.ts'
import type { State } from './change.ts'
import { nodeLinkKey } from './keys.ts'
import { maxFullMeshNodes } from './limits.ts'
import type { Node } from './state.ts'

/**
 * What the declared nodes come to: who is linked to whom, at which ports, with which settings. Worked out and not kept:
 * of a full mesh only its nodes stand in the store. Pure.
 */

export type Nodes = Pick<State, 'nodes' | 'nodeLinks' | 'nodeAt' | 'nodeNumbered' | 'peers' | 'overlay'>

/** Interfaces that are always there, as in today's L2S-M. */
const defaultInterfaceNumber = 10
const defaultSpare = 4
const defaultMost = 250
/** Not VXLAN's 4789: as in today's L2S-M, so that another VXLAN of the node is left alone. */
const defaultUdpPort = 7000

/** What is said of a node: its own words, else those for all, else the default. */
export const settingsOf = ({ overlay }: Nodes, node: Omit<Node, 'revision'>) => {
  const mtu = node.mtu ?? overlay.mtu
  const tls = node.tls ?? overlay.tls
  const interfaceNumber = node.interfaceNumber ?? overlay.interfaceNumber ?? defaultInterfaceNumber
  return {
    ...(mtu !== undefined && { mtu }),
    ...(tls !== undefined && { tls }),
    interfaceNumber,
    spare: node.spare ?? overlay.spare ?? defaultSpare,
    most: Math.max(interfaceNumber, node.most ?? overlay.most ?? defaultMost),
    controllers: node.controllers ?? overlay.controllers ?? [],
    datapath: node.datapath ?? overlay.datapath ?? 'auto',
  } as const
}

/** What is said of a link: in its own words, else in those for all, else the default. */
export const linkSettingsOf = ({ overlay, nodeLinks }: Nodes, one: string, other: string) => {
  const link = nodeLinks.get(nodeLinkKey(one, other))
  return {
    udpPort: link?.udpPort ?? overlay.udpPort ?? defaultUdpPort,
    bfd: link?.bfd ?? overlay.bfd ?? false,
  } as const
}

/** Whether two nodes that are declared are linked. */
export const areLinked = ({ overlay, nodeLinks }: Nodes, one: string, other: string): boolean =>
  one !== other && (overlay.full || nodeLinks.has(nodeLinkKey(one, other)))

/** A full mesh that nobody could declare: an older version, or somebody by hand, wrote it. Its links are more than can be worked out. */
export const isTooLarge = ({ overlay, nodes }: Pick<Nodes, 'overlay' | 'nodes'>): boolean =>
  overlay.full && nodes.size > maxFullMeshNodes

/** The nodes that a node is linked to. */
export function* peersOf({ nodes, peers, overlay }: Nodes, name: string): Iterable<Node> {
  if (!overlay.full) for (const peer of peers.get(name)?.keys() ?? []) yield nodes.get(peer)!
  else for (const peer of nodes.values()) if (peer.name !== name) yield peer
}

/** The OpenFlow port on `node` of its link to `peer`: it depends on nothing else. */
export const portTo = (node: Node, peer: Pick<Node, 'number'>): PortNo => node.firstLinkPort - 1 + peer.number

/** A link of the mesh, one direction, as planned. A switch may have numbered its port otherwise; then it is known by name. */
export type MeshLink = Link & { readonly nodes: readonly [from: string, to: string] }

/** The link of two nodes that are linked. */
export const meshLinkOf = (node: Node, peer: Node): MeshLink => ({
  from: { dpid: node.dpid, port: portTo(node, peer) },
  to: { dpid: peer.dpid, port: portTo(peer, node) },
  nodes: [node.name, peer.name],
})

/** Every link of the mesh, one entry a direction. */
export function* meshLinks(state: Nodes): Iterable<MeshLink> {
  for (const node of state.nodes.values()) for (const peer of peersOf(state, node.name)) yield meshLinkOf(node, peer)
}

/** The link of the mesh that is planned to begin at this endpointKey. */
export const meshLinkAt = (state: Nodes, endpoint: string): MeshLink | undefined => {
  const { dpid, port } = endpointOf(endpoint)
  const node = state.nodes.get(state.nodeAt.get(dpid) ?? '')
  const peer = node && state.nodes.get(state.nodeNumbered.get(port - node.firstLinkPort + 1) ?? '')
  return node && peer && areLinked(state, node.name, peer.name) ? meshLinkOf(node, peer) : undefined
}

/** The link that leaves this endpointKey, if it was declared, or is planned for the mesh of declared nodes. */
export const declaredLinkAt = (state: Nodes & Pick<State, 'declaredAt'>, endpoint: string): Link | undefined =>
  state.declaredAt.get(endpoint) ?? meshLinkAt(state, endpoint)

/** Whether this linkKey can be of a link of the mesh: its switches are of linked nodes, whatever numbers its ports have. */
export const isMeshLinkKey = (state: Nodes, key: string): boolean => {
  const { from, to } = linkOf(key)
  const [node, peer] = [state.nodeAt.get(from.dpid), state.nodeAt.get(to.dpid)]
  return node !== undefined && peer !== undefined && areLinked(state, node, peer)
}

/**
 * Whether a link is between two declared nodes that are not linked: their mesh is as it was declared, and a tunnel that still
 * stands, or that somebody made by hand, is no part of it.
 */
export const isUnplanned = (state: Nodes, { from, to }: Link): boolean => {
  const [node, peer] = [state.nodeAt.get(from.dpid), state.nodeAt.get(to.dpid)]
  return node !== undefined && peer !== undefined && !areLinked(state, node, peer)
}

/** What the port of a link is called on the switch where it begins: so it is found if it has another number than planned. */
export const meshPortName = (node: Pick<Node, 'name' | 'provider'>, peer: string): string =>
  tunnelName(bridgeName(node.name, node.provider), peer)
