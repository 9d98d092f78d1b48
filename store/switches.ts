import { parseDpid } from '../topology/parse.ts'
import { type DatapathId, endpointOf, type Link, linkKey } from '../topology/topology.ts'
import type { Draft } from './draft.ts'
import { type Refusal, refuse } from './refusals.ts'

/**
 * Forgets all that the store keeps of a switch which does not come back: its links, declared or found, and what probes said of
 * them, its VLANs, what it may still hold of networks, and which of its ports were pods'. Refused while something that a client
 * asked for is on it. A switch that connects again is new.
 */
export const forgetSwitch = (draft: Draft, dpidText: string): { forgotten: boolean } | Refusal => {
  const dpid = parseDpid(dpidText)
  if (dpid === undefined) return refuse('bad-dpid', dpidText)
  const users = usersOf(draft, dpid)
  if (users.length > 0) return refuse('switch-in-use', dpid, listed(users))
  const { revision } = draft
  const isOn = ({ from, to }: Link) => from.dpid === dpid || to.dpid === dpid
  for (const link of [...draft.declaredLinks.values()].filter(isOn)) draft.deleteDeclaredLink(linkKey(link))
  for (const link of [...draft.discoveredLinks.values()].filter(isOn)) draft.deleteDiscoveredLink(linkKey(link))
  for (const number of [...(draft.holds.get(dpid)?.keys() ?? [])]) draft.release(number, dpid)
  for (const key of [...draft.accessPorts]) if (endpointOf(key).dpid === dpid) draft.forgetAccessPort(key)
  draft.forgetVlans(dpid)
  return { forgotten: draft.revision !== revision }
}

/** What a client asked for and is on this switch, in words. */
const usersOf = (draft: Draft, dpid: DatapathId): readonly string[] => {
  const users: string[] = []
  const node = draft.nodeAt.get(dpid)
  if (node !== undefined) users.push(`node ${node}`)
  for (const { id, mirror, vlink } of draft.networks.values()) {
    if (mirror?.dpid === dpid) users.push(`the mirror of network ${id}, port ${mirror.port}`)
    if (vlink && [...vlink.path, ...vlink.reversePath].includes(dpid)) users.push(`vlink ${id}`)
  }
  for (const attachment of draft.attachments.values())
    if (attachment.dpid === dpid) users.push(`port ${attachment.port} in network ${attachment.network}`)
  return users
}

const named = 5
const listed = (users: readonly string[]): string =>
  users.length <= named ? users.join(', ') : `${users.slice(0, named).join(', ')} and ${users.length - named} more`
