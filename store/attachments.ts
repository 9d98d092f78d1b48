// A port may be in several networks, each by a VLAN tag of its own, and in one more for what is untagged.
import { type Endpoint, endpointKey } from '../topology/topology.ts'
import type { State } from './change.ts'
import { attachmentKey } from './keys.ts'
import { type Refusal, refuse } from './refusals.ts'
import type { Attachment } from './state.ts'

export { attachmentKey } from './keys.ts'

type Attached = Pick<State, 'attachments' | 'taggedAt'>

/** All attachments of this port (by its endpointKey). */
export const attachmentsAt = ({ attachments, taggedAt }: Attached, port: string): readonly Attachment[] => {
  const untagged = attachments.get(port)
  const tagged = taggedAt.get(port)
  if (!tagged) return untagged ? [untagged] : []
  return [...(untagged ? [untagged] : []), ...tagged.values()]
}

/** The attachment by which this port is in this network: there is one at most. */
export const attachmentIn = (state: Attached, network: string, port: string): Attachment | undefined => {
  const untagged = state.attachments.get(port)
  if (untagged?.network === network) return untagged
  for (const tagged of state.taggedAt.get(port)?.values() ?? []) if (tagged.network === network) return tagged
  return undefined
}

/** A network that has the port, if any has. */
export const networkAt = (state: Attached, port: string): string | undefined => {
  const untagged = state.attachments.get(port)
  if (untagged) return untagged.network
  for (const tagged of state.taggedAt.get(port)?.values() ?? []) return tagged.network
  return undefined
}

type Planned = Omit<Attachment, 'revision'>

/** What keeps this attachment from sharing its port with those that are there. */
export const sharingConflict = (state: Attached & Pick<State, 'members'>, planned: Planned): Refusal | undefined => {
  const port = endpointKey(planned)
  const key = attachmentKey(planned)
  // Nearly all of them: an untagged port with nothing else on it.
  const isPlain = planned.vlan === undefined && !planned.trunk
  if (isPlain && !state.taggedAt.has(port)) return undefined
  const others = attachmentsAt(state, port).filter(other => attachmentKey(other) !== key)
  const twice = others.find(({ network }) => network === planned.network)
  if (twice) return refuse('port-twice', port, planned.network, asWritten(planned), asWritten(twice))
  const alone = [planned, ...others].find(({ trunk }) => trunk)
  if (alone && others.length > 0) return refuse('trunk-alone', port, alone.network, others[0]!.network)
  return trunkConflict(state, planned, others)
}

/**
 * Frames of a network with a trunk may carry tags of their own. Out of a port that is untagged in it, but tagged in other
 * networks, they would come as if they were of those.
 */
const trunkConflict = (
  state: Attached & Pick<State, 'members'>,
  planned: Planned,
  others: readonly Attachment[],
): Refusal | undefined => {
  const members = (network: string) => [...(state.members.get(network)?.values() ?? [])]
  const trunkOf = (network: string) => members(network).find(({ trunk }) => trunk)
  const mixed = (network: string, port: string, trunk: Endpoint) =>
    refuse('trunk-beside-tags', network, endpointKey(trunk), port)
  if (planned.trunk) {
    const shared = members(planned.network).find(m => m.vlan === undefined && state.taggedAt.has(endpointKey(m)))
    return shared && mixed(planned.network, endpointKey(shared), planned)
  }
  const untagged = planned.vlan === undefined ? planned : others.find(({ vlan }) => vlan === undefined)
  const isShared = planned.vlan !== undefined || others.length > 0
  const trunk = untagged && isShared ? trunkOf(untagged.network) : undefined
  return trunk && untagged && mixed(untagged.network, endpointKey(untagged), trunk)
}

const asWritten = ({ vlan, trunk }: Pick<Attachment, 'vlan' | 'trunk'>): string =>
  trunk ? 'as a trunk' : vlan === undefined ? 'untagged' : `as VLAN ${vlan}`
