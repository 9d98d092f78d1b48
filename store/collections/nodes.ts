import { isDeepStrictEqual } from 'node:util'
import type { DatapathId } from '../../topology/topology.ts'
import type { State, Unrevised } from '../change.ts'
import { type Collection, grouped, unique } from '../collection.ts'
import { equalButRevision } from '../equal.ts'
import { nodeLinkKey } from '../keys.ts'
import { maxNodeNumber } from '../limits.ts'
import { hasFields, isBoolean, isList, isNumber, isOneOf, isText } from '../row-check.ts'
import { type Node, type NodeLink, type Overlay, plainOverlay } from '../state.ts'

/** Nodes, links between them, and what is said of all of them at once. */

declare module '../change.ts' {
  interface Kinds {
    overlay: Overlay
    node: Node
    nodelink: NodeLink
  }
  interface Tables {
    overlay: Overlay
    /** By name. Their links are worked out in overlay.ts. */
    readonly nodes: Map<string, Node>
    /** Names of nodes, by the dpid of their switch. */
    readonly nodeAt: Map<DatapathId, string>
    /** Names of nodes, by their number. */
    readonly nodeNumbered: Map<number, string>
    /** By nodeLinkKey. */
    readonly nodeLinks: Map<string, NodeLink>
    /** The node links of a node, by its name and then by that of the node at the other end. */
    readonly peers: Map<string, Map<string, NodeLink>>
  }
  interface Writers extends OverlayWriters, NodeWriters, NodeLinkWriters {}
}

type OverlayWriters = { setOverlay(overlay: Overlay): void }
type NodeWriters = {
  putNode(node: Unrevised<Node>): void
  /** Its links too. */
  deleteNode(name: string): void
}
type NodeLinkWriters = {
  putNodeLink(link: NodeLink): void
  /** By nodeLinkKey. */
  deleteNodeLink(key: string): void
}

const nodeSettings = {
  provider: isText,
  mtu: isNumber,
  interfaceNumber: isNumber,
  spare: isNumber,
  most: isNumber,
  controllers: isList(isText),
  tls: (v: unknown) => hasFields(v, { key: isText, cert: isText, ca: isText }),
  datapath: isOneOf('auto', 'kernel', 'userspace'),
}
const linkSettings = { udpPort: isNumber, bfd: isBoolean }

export const overlay: Collection<'overlay', OverlayWriters> = {
  table: 'overlay',
  shape: { is: 'one', standard: plainOverlay },
  isRow: (v, key) =>
    key === 'overlay' && hasFields(v, { full: isBoolean, allocated: isNumber }, { ...nodeSettings, ...linkSettings }),
  marks: () => 'nodes',
  writers: ({ draft, step }) => ({
    setOverlay(overlay) {
      if (!isDeepStrictEqual(draft.overlay, overlay))
        step({ kind: 'overlay', key: 'overlay', before: draft.overlay, after: overlay })
    },
  }),
}

const nodeFields = { provider: isText, dpid: isText, address: isText, number: isNumber, firstLinkPort: isNumber }

export const node: Collection<'node', NodeWriters> = {
  table: 'nodes',
  shape: { is: 'map' },
  indexes: [
    unique('nodeAt', ({ dpid, name }: Node) => [[dpid, name]]),
    unique('nodeNumbered', ({ number, name }: Node) => [[number, name]]),
  ],
  isRow: (v, key) => hasFields(v, nodeFields, nodeSettings) && (v as Node).name === key,
  isRevised: true,
  violation: (state, { key, after }) => (after ? badNode(state, after) : badNodeRemoval(state, key)),
  marks: () => 'nodes',
  writers: ({ draft, step, revision }) => ({
    putNode(node) {
      const before = draft.nodes.get(node.name)
      if (!equalButRevision(before, node)) step({ kind: 'node', key: node.name, before, after: { ...node, revision } })
    },
    deleteNode(name) {
      const before = draft.nodes.get(name)
      if (!before) return
      for (const peer of [...(draft.peers.get(name)?.keys() ?? [])]) draft.deleteNodeLink(nodeLinkKey(name, peer))
      step({ kind: 'node', key: name, before, after: undefined })
    },
  }),
}

export const nodelink: Collection<'nodelink', NodeLinkWriters> = {
  table: 'nodeLinks',
  shape: { is: 'map' },
  indexes: [
    grouped('peers', (link: NodeLink) => [
      [link.a, link.b, link],
      [link.b, link.a, link],
    ]),
  ],
  isRow: (v, key) => {
    if (!hasFields(v, { a: isText, b: isText }, linkSettings)) return false
    const { a, b } = v as NodeLink
    return nodeLinkKey(a, b) === key
  },
  violation: (state, { after }) => after && badNodeLink(state, after),
  marks: () => 'nodes',
  writers: ({ draft, step }) => ({
    putNodeLink(link) {
      const key = nodeLinkKey(link.a, link.b)
      const before = draft.nodeLinks.get(key)
      if (!isDeepStrictEqual(before, link)) step({ kind: 'nodelink', key, before, after: link })
    },
    deleteNodeLink(key) {
      const before = draft.nodeLinks.get(key)
      if (before) step({ kind: 'nodelink', key, before, after: undefined })
    },
  }),
}

const badNode = (t: State, { name, dpid, number }: Node): string | undefined => {
  if (!Number.isInteger(number) || number < 1 || number > maxNodeNumber)
    return `node ${name} has number ${number}: expected 1 to ${maxNodeNumber}`
  const there = t.nodeAt.get(dpid) ?? name
  if (there !== name) return `switch ${dpid} of node ${name} is node ${there}'s`
  const numbered = t.nodeNumbered.get(number) ?? name
  return numbered === name ? undefined : `number ${number} of node ${name} is node ${numbered}'s`
}

const badNodeRemoval = (t: State, name: string): string | undefined =>
  t.peers.has(name) ? `node ${name} still has ${t.peers.get(name)!.size} links` : undefined

const badNodeLink = (t: State, { a, b }: NodeLink): string | undefined => {
  if (a >= b) return `a link between nodes ${a} and ${b}: expected the lesser name first`
  const missing = [a, b].find(name => !t.nodes.has(name))
  return missing === undefined ? undefined : `the link between nodes ${a} and ${b}: there is no node ${missing}`
}
