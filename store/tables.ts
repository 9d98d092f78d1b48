import { endpointKey, type Link, linkKey } from '../topology/topology.ts'
import { networkAt, sharingConflict } from './attachments.ts'
import type { Change, Put, Tables } from './change.ts'
import { put } from './maps.ts'
import { type Attachment, maxNetworkNumber, type Network, plainOverlay, type Vlink } from './state.ts'
import { applyNode, applyNodeLink, badNode, badNodeLink, badNodeRemoval } from './tables-nodes.ts'
import { badVlans } from './vlans.ts'

export const inverse = (change: Change): Change =>
  ({ ...change, before: change.after, after: change.before }) as unknown as Change

/** A space is in no id (see parseNetworkId). */
export const macKey = (network: string, mac: string): string => `${network} ${mac}`

export const emptyTables = (firstNumber: number): Tables => ({
  revision: 0,
  complete: false,
  allocated: 0,
  firstNumber,
  networks: new Map(),
  attachments: new Map(),
  taggedAt: new Map(),
  named: new Map(),
  members: new Map(),
  declaredLinks: new Map(),
  discoveredLinks: new Map(),
  discoveredFrom: new Map(),
  deadLinks: new Set(),
  vlans: new Map(),
  accessPorts: new Set(),
  nodes: new Map(),
  nodeLinks: new Map(),
  nodeAt: new Map(),
  nodeNumbered: new Map(),
  peers: new Map(),
  overlay: plainOverlay,
  numbers: new Map(),
  mirrors: new Map(),
  vlinkEnds: new Map(),
  macs: new Map(),
  declaredAt: new Map(),
  discoveredAt: new Map(),
})

/** A second set of tables with the same values: later changes to the one are not seen in the other. */
export const copyTables = (t: Tables): Tables => ({
  ...t,
  networks: new Map(t.networks),
  attachments: new Map(t.attachments),
  taggedAt: new Map(Array.from(t.taggedAt, ([port, of]) => [port, new Map(of)])),
  named: new Map(Array.from(t.named, ([dpid, of]) => [dpid, new Map(of)])),
  members: new Map(Array.from(t.members, ([id, of]) => [id, new Map(of)])),
  declaredLinks: new Map(t.declaredLinks),
  discoveredLinks: new Map(t.discoveredLinks),
  discoveredFrom: new Map(t.discoveredFrom),
  deadLinks: new Set(t.deadLinks),
  vlans: new Map(t.vlans),
  accessPorts: new Set(t.accessPorts),
  nodes: new Map(t.nodes),
  nodeLinks: new Map(t.nodeLinks),
  nodeAt: new Map(t.nodeAt),
  nodeNumbered: new Map(t.nodeNumbered),
  peers: new Map(Array.from(t.peers, ([name, of]) => [name, new Set(of)])),
  numbers: new Map(t.numbers),
  mirrors: new Map(t.mirrors),
  vlinkEnds: new Map(t.vlinkEnds),
  macs: new Map(t.macs),
  declaredAt: new Map(t.declaredAt),
  discoveredAt: new Map(t.discoveredAt),
})

/**
 * What must hold in every state, whoever wrote it: a number stands for one network, a port and a pinned MAC belong to
 * one, one declared and one discovered link begins at a port, and a vlink shares its ports with nothing. Answers what is wrong, or undefined. Clients are refused long before (desired.ts): here it is a bug or a bad file.
 */
export const violation = (t: Tables, change: Change): string | undefined => {
  if (change.kind === 'network') return change.after ? badNetwork(t, change.after) : badRemoval(t, change.key)
  if (change.kind === 'attachment' && change.after) return badAttachment(t, change.key, change.after)
  if (change.kind === 'declared' && change.after) return badDeclared(t, change.key, change.after)
  if (change.kind === 'discovered' && change.after) return badDiscovered(t, change.key, change.after)
  if (change.kind === 'vlans' && change.after) return badVlans(t.vlans, change.after)
  if (change.kind === 'node') return change.after ? badNode(t, change.after) : badNodeRemoval(t, change.key)
  if (change.kind === 'nodelink' && change.after) return badNodeLink(t, change.after)
  return undefined
}

const badRemoval = (t: Tables, id: string): string | undefined =>
  t.members.has(id) ? `network ${id} still has ${t.members.get(id)!.size} attachments` : undefined

const badNetwork = (t: Tables, network: Network): string | undefined => {
  const { id, number, mirror } = network
  const numbers = numbersOf(network)
  for (const n of numbers) {
    if (!Number.isInteger(n) || n < 1 || n > maxNetworkNumber)
      return `network ${id} has number ${n}: expected 1 to ${maxNetworkNumber}`
    const holder = t.numbers.get(n)
    if (holder !== undefined && holder !== id) return `number ${n} of network ${id} is network ${holder}'s`
  }
  if (mirror?.number === number) return `network ${id} and its mirror have one number, ${number}`
  if (new Set(numbers).size < numbers.length) return `network ${id} has number ${number} for more than one thing`
  if (network.vlink) return badVlink(t, network, network.vlink)
  if (!mirror) return undefined
  const port = endpointKey(mirror)
  const other = t.mirrors.get(port) ?? t.vlinkEnds.get(port) ?? networkAt(t, port) ?? id
  return other === id ? undefined : `the mirror port ${port} of network ${id} is network ${other}'s`
}

/** A vlink is alone on its ports, and its paths lead from the one to the other. */
const badVlink = (t: Tables, { id, mirror }: Network, vlink: Vlink): string | undefined => {
  if (mirror || t.members.has(id)) return `vlink ${id} has ${mirror ? 'a mirror' : 'attachments'}: it has two ends only`
  const { from, to } = vlink
  for (const [path, first, last] of [
    [vlink.path, from, to],
    [vlink.reversePath, to, from],
  ] as const)
    if (path[0] !== first.dpid || path.at(-1) !== last.dpid || new Set(path).size < path.length)
      return `the path ${path.join(', ')} of vlink ${id} does not lead from switch ${first.dpid} to ${last.dpid}`
  const ends = [from, to].map(endpointKey)
  if (ends[0] === ends[1]) return `vlink ${id} has one port, ${ends[0]}, at both ends`
  for (const port of ends) {
    const other = t.mirrors.get(port) ?? networkAt(t, port) ?? t.vlinkEnds.get(port) ?? id
    if (other !== id) return `port ${port} of vlink ${id} is network ${other}'s`
    const link = t.declaredAt.get(port)
    if (link) return `port ${port} of vlink ${id} is an end of declared link ${linkKey(link)}`
  }
  return undefined
}

const badAttachment = (t: Tables, key: string, attachment: Attachment): string | undefined => {
  const { network, mac } = attachment
  const port = endpointKey(attachment)
  const joined = t.networks.get(network)
  if (!joined) return `port ${key} is attached to network ${network}, which does not exist`
  if (joined.vlink) return `port ${key} is attached to network ${network}, which is a vlink`
  const conflict = sharingConflict(t, attachment)
  if (conflict) return conflict.detail
  const vlink = t.vlinkEnds.get(port)
  if (vlink !== undefined) return `port ${key} of network ${network} is an end of vlink ${vlink}`
  const mirrored = t.mirrors.get(port) ?? network
  if (mirrored !== network) return `port ${key} of network ${network} is the mirror of network ${mirrored}`
  const holder = mac === undefined ? key : (t.macs.get(macKey(network, mac)) ?? key)
  return holder === key ? undefined : `MAC ${mac} of port ${key} is port ${holder}'s in network ${network}`
}

const badDeclared = (t: Tables, key: string, link: Link): string | undefined => {
  const vlink = t.vlinkEnds.get(endpointKey(link.from))
  if (vlink !== undefined) return `port ${endpointKey(link.from)} of declared link ${key} is an end of vlink ${vlink}`
  const other = t.declaredAt.get(endpointKey(link.from))
  if (!other || linkKey(other) === key) return undefined
  return `port ${endpointKey(link.from)} of declared link ${key} is an end of ${linkKey(other)}`
}

const badDiscovered = (t: Tables, key: string, link: Link): string | undefined => {
  const other = t.discoveredFrom.get(endpointKey(link.from))
  if (!other || linkKey(other) === key) return undefined
  return `port ${endpointKey(link.from)} of discovered link ${key} leads to ${endpointKey(other.to)}`
}

/** Takes one step, indexes included. */
export const apply = (t: Tables, change: Change): void => {
  switch (change.kind) {
    case 'revision':
      t.revision = change.after
      return
    case 'allocated':
      t.allocated = change.after
      return
    case 'complete':
      t.complete = change.after
      return
    case 'access':
      change.after ? t.accessPorts.add(change.key) : t.accessPorts.delete(change.key)
      return
    case 'dead':
      change.after ? t.deadLinks.add(change.key) : t.deadLinks.delete(change.key)
      return
    case 'vlans':
      put(t.vlans, Number(change.key), change.after)
      return
    case 'network':
      applyNetwork(t, change)
      return
    case 'attachment':
      applyAttachment(t, change)
      return
    case 'declared':
      applyDeclared(t, change)
      return
    case 'discovered':
      applyDiscovered(t, change)
      return
    case 'node':
      applyNode(t, change)
      return
    case 'nodelink':
      applyNodeLink(t, change)
      return
    case 'overlay':
      t.overlay = change.after ?? plainOverlay
      return
  }
}

const applyNetwork = (t: Tables, { key, before, after }: Put<'network', Network>): void => {
  put(t.networks, key, after)
  if (before) {
    for (const number of numbersOf(before)) t.numbers.delete(number)
    if (before.mirror) t.mirrors.delete(endpointKey(before.mirror))
    for (const end of endsOf(before)) t.vlinkEnds.delete(end)
  }
  if (!after) return
  for (const number of numbersOf(after)) t.numbers.set(number, key)
  if (after.mirror) t.mirrors.set(endpointKey(after.mirror), key)
  for (const end of endsOf(after)) t.vlinkEnds.set(end, key)
}

/** What switches know a network's frames by, one number for each kind. */
const numbersOf = ({ number, mirror, vlink }: Network): readonly number[] => [
  number,
  ...(mirror ? [mirror.number] : []),
  ...(vlink ? [vlink.reverseNumber] : []),
]
const endsOf = ({ vlink }: Network): readonly string[] => (vlink ? [vlink.from, vlink.to].map(endpointKey) : [])

const applyAttachment = (t: Tables, { key, before, after }: Put<'attachment', Attachment>): void => {
  put(t.attachments, key, after)
  applyTag(t, before ?? after, after)
  applyName(t, key, before ?? after, after)
  if (before && before.network !== after?.network) {
    const members = t.members.get(before.network)!
    members.delete(key)
    if (members.size === 0) t.members.delete(before.network)
  }
  if (before?.mac) t.macs.delete(macKey(before.network, before.mac))
  if (!after) return
  const members = t.members.get(after.network)
  members ? members.set(key, after) : t.members.set(after.network, new Map([[key, after]]))
  if (after.mac) t.macs.set(macKey(after.network, after.mac), key)
}

/** Before and after have one key, so one port and one tag, or none. */
const applyTag = (t: Tables, either: Attachment | undefined, after: Attachment | undefined): void => {
  if (either?.vlan === undefined) return
  const port = endpointKey(either)
  const tagged = t.taggedAt.get(port) ?? new Map<number, Attachment>()
  put(tagged, either.vlan, after)
  put(t.taggedAt, port, tagged.size > 0 ? tagged : undefined)
}

const applyName = (t: Tables, key: string, either: Attachment | undefined, after: Attachment | undefined): void => {
  if (!either) return
  const named = t.named.get(either.dpid) ?? new Map<string, Attachment>()
  put(named, key, after?.portName === undefined ? undefined : after)
  put(t.named, either.dpid, named.size > 0 ? named : undefined)
}

const applyDeclared = (t: Tables, { key, before, after }: Put<'declared', Link>): void => {
  put(t.declaredLinks, key, after)
  if (before) t.declaredAt.delete(endpointKey(before.from))
  if (after) t.declaredAt.set(endpointKey(after.from), after)
}

const applyDiscovered = (t: Tables, { key, before, after }: Put<'discovered', Link>): void => {
  put(t.discoveredLinks, key, after)
  if (before) t.discoveredFrom.delete(endpointKey(before.from))
  if (after) t.discoveredFrom.set(endpointKey(after.from), after)
  if (before) for (const end of [before.from, before.to]) count(t.discoveredAt, endpointKey(end), -1)
  if (after) for (const end of [after.from, after.to]) count(t.discoveredAt, endpointKey(end), 1)
}

const count = (counts: Map<string, number>, key: string, by: number): void => {
  const now = (counts.get(key) ?? 0) + by
  now === 0 ? counts.delete(key) : counts.set(key, now)
}
