import { isDeepStrictEqual } from 'node:util'
import { type DatapathId, endpointKey, type Link, linkKey } from '../topology/topology.ts'
import { attachmentKey } from './attachments.ts'
import type { Change, Tables } from './change.ts'
import { isMeshLinkKey, isUnplanned, meshLinkAt, nodeLinkKey } from './overlay.ts'
import {
  type Attachment,
  maxNetworkNumber,
  type Network,
  type Node,
  type NodeLink,
  type Overlay,
  type State,
} from './state.ts'
import { apply, inverse, macKey, violation } from './tables.ts'
import { freePair, type VlanRange } from './vlans.ts'

/** A value as a caller gives it: the draft fills in the revision of the write. */
type Unrevised<T> = Omit<T, 'revision'>

/**
 * What `decide` sees: the state with all writes so far in it, its own included, and the writers.
 * Its maps are live: take from them what you need before `decide` returns. Writing what is there already changes
 * nothing. Writers throw on what no state may hold (see `violation`): decide through desired.ts.
 */
export type Draft = State & {
  /** Endpoint key to the id of the network whose mirror it is. */
  mirrorAt(endpoint: string): string | undefined
  /** Endpoint key to the id of the vlink that ends there. */
  vlinkAt(endpoint: string): string | undefined
  /** The attachmentKey of who pins this MAC in this network. */
  macHolder(network: string, mac: string): string | undefined
  /** The link that leaves this endpoint key, if it was declared, or planned for the mesh of declared nodes. */
  declaredAt(endpoint: string): Link | undefined

  putNetwork(network: Unrevised<Network>): void
  /** Its revision stays: nothing that a client asked for has changed. A network that is gone stays so. */
  setPathVersion(id: string, pathVersion: Pick<Network, 'epoch' | 'target' | 'way'>): void
  /** Detaches its ports too. */
  deleteNetwork(id: string): void
  /** A port that is in another network moves. */
  putAttachment(attachment: Unrevised<Attachment>): void
  /** By attachmentKey. */
  deleteAttachment(key: string): void
  /** One direction. A discovered link takes the place of another one from its port. */
  putLink(kind: LinkKind, link: Link): void
  /** What is not known any more is not dead either. */
  deleteLink(kind: LinkKind, key: string): void
  /** What probes say of a link, in one direction; of one that is not known nothing is kept. */
  setDead(key: string, dead: boolean): void
  /** Reserves two VLANs of the range for a network on these switches, or adds switches to those that know of them. False: none are left. */
  reserveVlans(number: number, dpids: Iterable<DatapathId>, range: VlanRange): boolean
  /** A switch has forgotten the VLANs of a network that is gone; the last one makes them free. */
  releaseVlans(number: number, dpid: DatapathId): void
  setComplete(complete: boolean): void
  putNode(node: Unrevised<Node>): void
  /** Its links too. */
  deleteNode(name: string): void
  putNodeLink(link: NodeLink): void
  deleteNodeLink(key: string): void
  /** Of links that are not known any more, or not in the mesh, nothing is kept: to be called when nodes or their links have changed. */
  forgetUnplanned(): void
  setOverlay(overlay: Overlay): void
  /**
   * A number that no network or mirror ever had: 1 to maxNetworkNumber, or undefined when there is none left.
   * Numbers go up from a random point of the number space, another for each instance, and wrap: so two instances
   * that meet on one switch rarely mean two networks by one number. A number is never handed out twice, not even
   * after its network is gone: a switch that was away may still hold it. So an instance has maxNetworkNumber
   * (8,388,605) of them in its life: one new network a minute for 15 years.
   */
  nextNumber(): number | undefined
}

export type LinkKind = 'declared' | 'discovered'

/** A draft on tables, and what is done when it is over. Each step is applied to the tables at once, and recorded. */
export const openDraft = (tables: Tables): { draft: Draft; seal(): Change[] } => {
  const changes: Change[] = []
  const revision = tables.revision + 1
  let sealed = false
  const step = (change: Change): void => {
    if (sealed) throw new Error('a draft was written to after its decision was over: decide must not be async')
    const wrong = violation(tables, change)
    if (wrong) throw new Error(wrong)
    if (tables.revision !== revision) record({ kind: 'revision', before: tables.revision, after: revision })
    record(change)
  }
  const record = (change: Change): void => {
    apply(tables, change)
    changes.push(change)
  }
  const draft: Draft = {
    ...readers(tables),
    ...writers(tables, step, revision),
    ...nodeWriters(tables, step, revision),
  }
  Object.defineProperty(draft, 'revision', { get: () => tables.revision, enumerable: true })
  Object.defineProperty(draft, 'complete', { get: () => tables.complete, enumerable: true })
  Object.defineProperty(draft, 'overlay', { get: () => tables.overlay, enumerable: true })
  return {
    draft,
    seal() {
      sealed = true
      return changes
    },
  }
}

/** Takes the steps back, last first. */
export const undo = (tables: Tables, changes: readonly Change[]): void => {
  for (const change of changes.toReversed()) apply(tables, inverse(change))
}

const readers = (t: Tables) => ({
  revision: t.revision,
  complete: t.complete,
  networks: t.networks,
  attachments: t.attachments,
  taggedAt: t.taggedAt,
  named: t.named,
  members: t.members,
  declaredLinks: t.declaredLinks,
  discoveredLinks: t.discoveredLinks,
  discoveredFrom: t.discoveredFrom,
  deadLinks: t.deadLinks,
  vlans: t.vlans,
  accessPorts: t.accessPorts,
  nodes: t.nodes,
  nodeLinks: t.nodeLinks,
  nodeAt: t.nodeAt,
  nodeNumbered: t.nodeNumbered,
  peers: t.peers,
  overlay: t.overlay,
  mirrorAt: (endpoint: string) => t.mirrors.get(endpoint),
  vlinkAt: (endpoint: string) => t.vlinkEnds.get(endpoint),
  macHolder: (network: string, mac: string) => t.macs.get(macKey(network, mac)),
  declaredAt: (endpoint: string) => t.declaredAt.get(endpoint) ?? meshLinkAt(t, endpoint),
})

const same = (a: object | undefined, b: object): boolean =>
  a !== undefined && isDeepStrictEqual({ ...a, revision: 0 }, { ...b, revision: 0 })

const isKnownLink = (t: Tables, key: string): boolean =>
  t.declaredLinks.has(key) || t.discoveredLinks.has(key) || isMeshLinkKey(t, key)

const writers = (t: Tables, step: (change: Change) => void, revision: number) => {
  /** A network's revision is that of the last change to anything in it. */
  const touch = (id: string): void => {
    const before = t.networks.get(id)
    if (before && before.revision !== revision)
      step({ kind: 'network', key: id, before, after: { ...before, revision } })
  }
  const access = (key: string): void => {
    if (!t.accessPorts.has(key)) step({ kind: 'access', key, before: undefined, after: true })
  }
  const deleteAttachment = (key: string): void => {
    const before = t.attachments.get(key)
    if (!before) return
    step({ kind: 'attachment', key, before, after: undefined })
    touch(before.network)
  }
  const links = { declared: t.declaredLinks, discovered: t.discoveredLinks }
  const isLink = (key: string) => isKnownLink(t, key)
  const setDead = (key: string, dead: boolean): void => {
    if (t.deadLinks.has(key) === dead || (dead && !isLink(key))) return
    step({ kind: 'dead', key, before: dead ? undefined : true, after: dead ? true : undefined })
  }
  const deleteLink = (kind: LinkKind, key: string): void => {
    const before = links[kind].get(key)
    if (!before) return
    step({ kind, key, before, after: undefined })
    if (!isLink(key)) setDead(key, false)
  }
  return {
    putNetwork(network: Unrevised<Network>): void {
      const before = t.networks.get(network.id)
      if (same(before, network)) return
      step({ kind: 'network', key: network.id, before, after: { ...network, revision } })
      for (const port of [network.mirror, network.vlink?.from, network.vlink?.to]) if (port) access(endpointKey(port))
    },
    setPathVersion(id: string, pathVersion: Pick<Network, 'epoch' | 'target' | 'way'>): void {
      const before = t.networks.get(id)
      if (!before) return
      const { epoch: _, target: __, way: ___, ...rest } = before
      const after = { ...rest, ...pathVersion }
      if (!isDeepStrictEqual(before, after)) step({ kind: 'network', key: id, before, after })
    },
    deleteNetwork(id: string): void {
      if (!t.networks.has(id)) return
      for (const key of [...(t.members.get(id)?.keys() ?? [])]) deleteAttachment(key)
      step({ kind: 'network', key: id, before: t.networks.get(id), after: undefined })
    },
    putAttachment(attachment: Unrevised<Attachment>): void {
      const key = attachmentKey(attachment)
      const before = t.attachments.get(key)
      if (same(before, attachment)) return
      step({ kind: 'attachment', key, before, after: { ...attachment, revision } })
      touch(attachment.network)
      if (before) touch(before.network)
      access(endpointKey(attachment))
    },
    deleteAttachment,
    putLink(kind: LinkKind, link: Link): void {
      const key = linkKey(link)
      const before = links[kind].get(key)
      if (isDeepStrictEqual(before, link)) return
      const other = kind === 'discovered' ? t.discoveredFrom.get(endpointKey(link.from)) : undefined
      if (other && other !== before) deleteLink('discovered', linkKey(other))
      step({ kind, key, before, after: link })
    },
    deleteLink,
    setDead,
    reserveVlans(number: number, dpids: Iterable<DatapathId>, range: VlanRange): boolean {
      const before = t.vlans.get(number)
      const vids = before?.vids ?? freePair(t.vlans, range)
      if (!vids || !t.numbers.has(number)) return vids !== undefined
      const after = { number, vids, dpids: [...new Set([...(before?.dpids ?? []), ...dpids])].sort() }
      if (after.dpids.length > (before?.dpids.length ?? 0)) step({ kind: 'vlans', key: String(number), before, after })
      return true
    },
    releaseVlans(number: number, dpid: DatapathId): void {
      const before = t.vlans.get(number)
      if (!before?.dpids.includes(dpid) || t.numbers.has(number)) return
      const dpids = before.dpids.filter(other => other !== dpid)
      step({ kind: 'vlans', key: String(number), before, after: dpids.length > 0 ? { ...before, dpids } : undefined })
    },
    setComplete(complete: boolean): void {
      if (t.complete !== complete) step({ kind: 'complete', before: t.complete, after: complete })
    },
    nextNumber(): number | undefined {
      for (let taken = t.allocated; taken < maxNetworkNumber; taken++) {
        const number = 1 + ((t.firstNumber - 1 + taken) % maxNetworkNumber)
        if (t.numbers.has(number)) continue
        step({ kind: 'allocated', before: t.allocated, after: taken + 1 })
        return number
      }
      return undefined
    },
  }
}

const nodeWriters = (t: Tables, step: (change: Change) => void, revision: number) => {
  const deleteNodeLink = (key: string): void => {
    const before = t.nodeLinks.get(key)
    if (before) step({ kind: 'nodelink', key, before, after: undefined })
  }
  return {
    putNode(node: Unrevised<Node>): void {
      const before = t.nodes.get(node.name)
      if (!same(before, node)) step({ kind: 'node', key: node.name, before, after: { ...node, revision } })
    },
    deleteNode(name: string): void {
      const before = t.nodes.get(name)
      if (!before) return
      for (const peer of [...(t.peers.get(name) ?? [])]) deleteNodeLink(nodeLinkKey(name, peer))
      step({ kind: 'node', key: name, before, after: undefined })
    },
    putNodeLink(link: NodeLink): void {
      const key = nodeLinkKey(link.a, link.b)
      const before = t.nodeLinks.get(key)
      if (!isDeepStrictEqual(before, link)) step({ kind: 'nodelink', key, before, after: link })
    },
    deleteNodeLink,
    forgetUnplanned(): void {
      for (const [key, link] of [...t.discoveredLinks])
        if (isUnplanned(t, link)) step({ kind: 'discovered', key, before: link, after: undefined })
      for (const key of [...t.deadLinks])
        if (!isKnownLink(t, key)) step({ kind: 'dead', key, before: true, after: undefined })
    },
    setOverlay(overlay: Overlay): void {
      if (!isDeepStrictEqual(t.overlay, overlay))
        step({ kind: 'overlay', key: 'overlay', before: t.overlay, after: overlay })
    },
  }
}
