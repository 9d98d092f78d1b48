import { type Endpoint, endpointKey } from '../topology/topology.ts'
import { attach, ensureAttached, type NamedPort, parseNamedPort, putNetwork, setMirror } from './desired.ts'
import type { Draft } from './draft.ts'
import { addressesOf } from './duplicates.ts'
import { attachmentKey } from './keys.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import type { Attachment, Network } from './state.ts'

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

/**
 * Takes an attachment from one network to another, as it is: MAC, addresses, name, limits, and a guard of its own. One that its network
 * gave it stays behind, but for `strict`, where the other network says nothing: it does not get weaker unasked. Moved already is fine.
 * @param mirror Where copies of all frames of the network that it goes to are sent, if somebody is to look at it there.
 */
export const moveAttachment = (
  draft: Draft,
  from: string,
  way: Endpoint & { readonly vlan?: number | undefined },
  to: string,
  mirror?: NamedPort,
): { attachment: Attachment; addressesTaken: readonly AddressTaken[] } | Refusal => {
  if (!draft.networks.has(to)) return refuse('unknown-network', to)
  const key = attachmentKey(way)
  const before = draft.attachments.get(key)
  if (!before || (before.network !== from && before.network !== to))
    return refuse('not-attached', key, from, before ? `network ${before.network}` : 'no network')
  if (mirror) {
    const set = setMirror(draft, to, mirror)
    if (isRefusal(set)) return set
  }
  const { broadcast, rate, revision: _, guard: level, ownGuard, ...spec } = before
  const isKept = ownGuard || (level === 'strict' && before.network !== to && !draft.networks.get(to)!.guard)
  const limits = { ...(broadcast !== undefined && { broadcastLimit: broadcast || ('off' as const) }), rateLimit: rate }
  const put = attach(draft, { ...spec, ...limits, guard: isKept ? level : undefined, network: to }, { move: true })
  if (isRefusal(put)) return put
  return { attachment: put.attachment, addressesTaken: addressesTaken(draft, put.attachment) }
}

/** An address of an attachment that another port of its network has, too. */
export type AddressTaken = { readonly ip: string; readonly holder: Endpoint }

const addressesTaken = (draft: Draft, attachment: Attachment): readonly AddressTaken[] => {
  const own = new Map((attachment.ips ?? []).flatMap(ip => addressesOf({ ips: [ip] }).map(address => [address, ip])))
  const taken: AddressTaken[] = []
  if (own.size === 0) return taken
  for (const [key, other] of draft.members.get(attachment.network) ?? [])
    for (const address of key === attachmentKey(attachment) ? [] : addressesOf(other)) {
      const ip = own.get(address)
      if (ip !== undefined) taken.push({ ip, holder: { dpid: other.dpid, port: other.port } })
    }
  return taken
}
