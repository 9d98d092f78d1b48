import { endpointKey } from '../topology/topology.ts'
import { ensureAttached, type NamedPort, parseNamedPort, putNetwork, setMirror } from './desired.ts'
import type { Draft } from './draft.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import type { Network } from './state.ts'

/**
 * As ensureAttached and setMirror, but the port leaves whatever other network it is in, as a member or as the mirror, in the
 * same write: it is never in two, and after a refusal it is where it was. Today's operator frees a port also when its DELETE
 * was lost, so the last word on a port is the right one. Ends of links and of vlinks are no ports of pods: they stay refused.
 */
export const moveToNetwork = (draft: Draft, network: string, port: NamedPort): object | Refusal => {
  const endpoint = parseNamedPort(port)
  if (isRefusal(endpoint)) return endpoint
  if (!draft.networks.has(network)) return refuse('unknown-network', network)
  return freeMirror(draft, network, endpointKey(endpoint)) ?? ensureAttached(draft, network, endpoint, { move: true })
}

export const moveMirror = (draft: Draft, network: string, port: NamedPort): { network: Network } | Refusal => {
  const endpoint = parseNamedPort(port)
  if (isRefusal(endpoint)) return endpoint
  if (!draft.networks.has(network)) return refuse('unknown-network', network)
  const key = endpointKey(endpoint)
  const refused = freeMirror(draft, network, key)
  if (refused) return refused
  const member = draft.attachments.get(key)
  if (member && member.network !== network) draft.deleteAttachment(key)
  return setMirror(draft, network, endpoint)
}

/** The network whose mirror is at the port has none any more, unless it is this one. */
const freeMirror = (draft: Draft, network: string, key: string): Refusal | undefined => {
  const holder = draft.mirrors.get(key)
  if (holder === undefined || holder === network) return undefined
  const put = putNetwork(draft, holder, { mirror: null })
  return isRefusal(put) ? put : undefined
}
