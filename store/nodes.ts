import { bridgeName, datapathOf, overlayProvider } from '../topology/names.ts'
import { endpointKey, linkKey } from '../topology/topology.ts'
import type { Draft } from './draft.ts'
import { nodeLinkKey } from './keys.ts'
import { maxFullMeshNodes, maxNodeLinks, maxNodeNumber } from './limits.ts'
import { meshLinkAt, peersOf, settingsOf } from './overlay.ts'
import { parseAddress, parseNodeName } from './parse.ts'
import { type Refusal, refuse } from './refusals.ts'
import type { LinkSettings, Node, NodeLink, NodeSettings } from './state.ts'

/** What clients may ask of nodes and of the mesh between them, decided on a draft as in desired.ts. */

export type NodeSpec = NodeSettings & { readonly name: string; readonly address: string }
export type NodeLinkSpec = LinkSettings & { readonly endpointA: string; readonly endpointB: string }
export type MeshSpec = NodeSettings &
  LinkSettings & {
    readonly nodes: readonly NodeSpec[]
    /** Either a link between any two nodes, or these. */
    readonly full?: boolean
    readonly links?: readonly NodeLinkSpec[]
  }

/** Declares all nodes and links at once: what is not among them is not declared any more. */
export const putMesh = (draft: Draft, spec: MeshSpec): { changed: boolean } | Refusal => {
  const { nodes, full = false, links, ...settings } = spec
  if (full === (links !== undefined)) return refuse('bad-mesh')
  const most = full ? maxFullMeshNodes : maxNodeNumber
  if (nodes.length > most)
    return refuse('mesh-too-large', String(nodes.length), full ? 'full mesh' : 'mesh', String(most))
  if (links && links.length > maxNodeLinks) return refuse('too-many-node-links', String(links.length))
  const { revision } = draft
  const wanted = new Set<string>()
  for (const { name } of nodes) {
    if (wanted.has(name)) return refuse('node-twice', name)
    wanted.add(name)
  }
  draft.setOverlay({ ...settings, full, allocated: draft.overlay.allocated })
  const kept = new Set(links?.map(({ endpointA, endpointB }) => nodeLinkKey(endpointA, endpointB)))
  for (const key of [...draft.nodeLinks.keys()]) if (!kept.has(key)) draft.deleteNodeLink(key)
  for (const name of [...draft.nodes.keys()]) if (!wanted.has(name)) draft.deleteNode(name)
  for (const node of nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const refused = declare(draft, node)
    if (refused) return refused
  }
  const seen = new Set<string>()
  for (const link of links ?? []) {
    const key = nodeLinkKey(link.endpointA, link.endpointB)
    const refused = seen.has(key) ? refuse('node-link-twice', link.endpointA, link.endpointB) : join(draft, link)
    if (refused) return refused
    seen.add(key)
  }
  draft.forgetUnplanned()
  return conflict(draft) ?? { changed: draft.revision !== revision }
}

/**
 * Declares one node, or what is said of it anew. `links`: the nodes that it is linked to, and no others; absent: those that it has. In a
 * full mesh it is linked to all, and they can't be given.
 */
export const putNode = (
  draft: Draft,
  spec: NodeSpec,
  links?: readonly ({ readonly peer: string } & LinkSettings)[],
): { created: boolean; node: Node } | Refusal => {
  const { name } = spec
  if (links && draft.overlay.full) return refuse('mesh-is-full', name)
  const created = !draft.nodes.has(name)
  if (created && draft.overlay.full && draft.nodes.size >= maxFullMeshNodes)
    return refuse('mesh-too-large', String(draft.nodes.size + 1), 'full mesh', String(maxFullMeshNodes))
  const refused = declare(draft, spec)
  if (refused) return refused
  const kept = new Set(links?.map(({ peer }) => peer))
  if (kept.size !== (links?.length ?? 0)) return refuse('node-link-twice', name, 'one of its peers')
  if (links)
    for (const peer of [...(draft.peers.get(name)?.keys() ?? [])])
      if (!kept.has(peer)) draft.deleteNodeLink(nodeLinkKey(name, peer))
  for (const { peer, ...settings } of links ?? []) {
    const wrong = join(draft, { ...settings, endpointA: name, endpointB: peer })
    if (wrong) return wrong
  }
  draft.forgetUnplanned()
  return conflict(draft) ?? { created, node: draft.nodes.get(name)! }
}

/** Takes a node out of the mesh, with its links. One that is not there is out already. */
export const deleteNode = (draft: Draft, name: string): { deleted: boolean } => {
  const deleted = draft.nodes.has(name)
  draft.deleteNode(name)
  draft.forgetUnplanned()
  return { deleted }
}

/** Puts one node into the draft: with the number that it has, or else a new one. */
const declare = (draft: Draft, spec: NodeSpec): Refusal | undefined => {
  const { name } = spec
  if (parseNodeName(name) === undefined) return refuse('bad-node-name', name)
  const address = parseAddress(spec.address)
  if (address === undefined) return refuse('bad-address', spec.address, name)
  const provider = spec.provider ?? draft.overlay.provider ?? overlayProvider
  const dpid = datapathOf(bridgeName(name, provider))
  const namesake = draft.nodeAt.get(dpid) ?? name
  if (namesake !== name) return refuse('node-names-meet', name, namesake, dpid)
  const before = draft.nodes.get(name)
  const number = before?.number ?? nextNodeNumber(draft)
  if (number === undefined) return refuse('too-many-nodes', name)
  const node = { ...spec, provider, dpid, address, number, firstLinkPort: 0 }
  const { interfaceNumber } = settingsOf(draft, node)
  const least = interfaceNumber + 1
  const stays = before !== undefined && before.firstLinkPort >= least
  if (before && !stays && [...peersOf(draft, name)].length > 0)
    return refuse('interfaces-meet-links', name, String(interfaceNumber), String(before.firstLinkPort - 1))
  draft.putNode({ ...node, firstLinkPort: stays ? before.firstLinkPort : least })
  return undefined
}

/** Not one that was in use a moment ago, as long as there are others: at other nodes it would still mean the former. */
const nextNodeNumber = (draft: Draft): number | undefined => {
  const { allocated } = draft.overlay
  for (let i = 0; i < maxNodeNumber; i++) {
    const number = 1 + ((allocated + i) % maxNodeNumber)
    if (draft.nodeNumbered.has(number)) continue
    draft.setOverlay({ ...draft.overlay, allocated: allocated + i + 1 })
    return number
  }
  return undefined
}

const join = (draft: Draft, { endpointA, endpointB, ...settings }: NodeLinkSpec): Refusal | undefined => {
  if (endpointA === endpointB) return refuse('node-link-to-itself', endpointA)
  const unknown = [endpointA, endpointB].find(name => !draft.nodes.has(name))
  if (unknown !== undefined) return refuse('unknown-node', unknown)
  const [a, b] = endpointA < endpointB ? [endpointA, endpointB] : [endpointB, endpointA]
  const link: NodeLink = { ...settings, a, b }
  draft.putNodeLink(link)
  return undefined
}

/** What can't be so of the nodes and links as they are in the draft now. */
const conflict = (draft: Draft): Refusal | undefined =>
  addressConflict(draft) ?? familyConflict(draft) ?? portConflict(draft)

const addressConflict = ({ nodes }: Draft): Refusal | undefined => {
  const holders = new Map<string, string>()
  for (const { name, address } of nodes.values()) {
    const holder = holders.get(address)
    if (holder !== undefined) return refuse('address-taken', address, name, holder)
    holders.set(address, name)
  }
  return undefined
}

const isIpv6 = ({ address }: Node): boolean => address.includes(':')

const familyConflict = ({ nodes, nodeLinks, overlay }: Draft): Refusal | undefined => {
  const [first] = nodes.values()
  const odd = overlay.full && first && [...nodes.values()].find(node => isIpv6(node) !== isIpv6(first))
  if (odd) return refuse('address-families', odd.name, odd.address, first.name, first.address)
  for (const link of nodeLinks.values()) {
    const [a, b] = [nodes.get(link.a)!, nodes.get(link.b)!]
    if (isIpv6(a) !== isIpv6(b)) return refuse('address-families', a.name, a.address, b.name, b.address)
  }
  return undefined
}

/** A port of a network, or of a declared link, is where a link of the mesh would begin. */
const portConflict = (draft: Draft): Refusal | undefined => {
  for (const { dpid, port, network } of draft.attachments.values()) {
    const key = endpointKey({ dpid, port })
    const link = meshLinkAt(draft, key)
    if (link) return refuse('link-port-attached', key, `in network ${network}`, linkKey(link))
  }
  for (const { id, mirror, vlink } of draft.networks.values())
    for (const port of [mirror, vlink?.from, vlink?.to]) {
      const link = port && meshLinkAt(draft, endpointKey(port))
      if (link) return refuse('link-port-attached', endpointKey(port), `a port of network ${id}`, linkKey(link))
    }
  for (const declared of draft.declaredLinks.values()) {
    const key = endpointKey(declared.from)
    const link = meshLinkAt(draft, key)
    if (link && linkKey(link) !== linkKey(declared)) return refuse('link-conflict', key, linkKey(declared))
  }
  return undefined
}
