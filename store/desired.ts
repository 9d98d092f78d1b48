import { parseDpid, parseMac, parsePort } from '../topology/parse.ts'
import { type Endpoint, endpointKey, type Link, linkKey } from '../topology/topology.ts'
import { attachmentKey, sharingConflict } from './attachments.ts'
import type { Draft } from './draft.ts'
import { type AllowedSpec, guarded, parseAllowed, reguarded } from './guard.ts'
import { macKey } from './keys.ts'
import { isVlan, parseIp, parseNetworkId } from './parse.ts'
import { useConflict } from './port-use.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import type { Attachment, Guard, Network, Trust } from './state.ts'

/**
 * What clients may ask of the desired state, decided on a draft: the one set of rules for /v1 and /onos. Text is parsed
 * here. Every decision is idempotent: asking again for what is there changes nothing. Of a write that answers a
 * refusal the store keeps nothing (Store.write).
 */

/** A port as a client names it: 16 hex digits with or without `of:`, and a port number. */
export type NamedPort = { readonly dpid: string; readonly port: string | number }

export type AttachmentSpec = NamedPort & {
  readonly network: string
  readonly mac?: string | undefined
  readonly ips?: readonly string[] | undefined
  readonly name?: string | undefined
  /** That the port was asked for by this name. */
  readonly portName?: string | undefined
  /** Absent: the network's; if it has none, `mac` when a mac is given, else `learn`. */
  readonly guard?: Guard | undefined
  readonly allowedAddresses?: readonly AllowedSpec[] | undefined
  readonly trusted?: readonly Trust[] | undefined
  /** 1 to 4094. Several of a port, each in a network of its own, beside one without. */
  readonly vlan?: number | undefined
  /** Tags pass untouched; not with `vlan`, and nothing else on the port. */
  readonly trunk?: boolean | undefined
  /** Frames a second; `off`: any number; absent: as in its network. */
  readonly broadcastLimit?: number | 'off' | undefined
  readonly rateLimit?: RateLimitSpec | undefined
}
type RateSpec = { readonly kbps: number; readonly burst?: number | undefined }
type RateLimitSpec = { readonly send?: RateSpec | undefined; readonly receive?: RateSpec | undefined }

export type NetworkSpec = {
  readonly mirror?: NamedPort | null | undefined
  readonly multicast?: 'flood' | 'snoop' | undefined
  /** Frames a second and port; `off`: any number; null: the default. */
  readonly broadcastLimit?: number | 'off' | null | undefined
  /** Of attachments that ask for none; null: none. */
  readonly guard?: Guard | null | undefined
}

/** Creates the network if need be. What is absent stays as it is; a mirror of null is taken away. */
export const putNetwork = (
  draft: Draft,
  id: string,
  spec: NetworkSpec = {},
): { created: boolean; network: Network } | Refusal => {
  if (parseNetworkId(id) === undefined) return refuse('bad-id', id)
  const before = draft.networks.get(id)
  if (before?.vlink) return refuse('network-is-vlink', id)
  const mirror = spec.mirror === undefined ? before?.mirror : chooseMirror(draft, id, spec.mirror)
  if (isRefusal(mirror)) return mirror
  const number = before?.number ?? draft.nextNumber()
  if (number === undefined) return refuse('number-space-exhausted', id)
  const broadcast = spec.broadcastLimit === undefined ? before?.broadcast : limitOf(spec.broadcastLimit ?? undefined)
  const snoops = (spec.multicast ?? before?.multicast) === 'snoop'
  const guard = spec.guard === undefined ? before?.guard : (spec.guard ?? undefined)
  const members = guard === before?.guard ? [] : reguarded(draft.members.get(id)?.values() ?? [], { guard })
  if (isRefusal(members)) return members
  draft.putNetwork({
    ...{ id, number },
    ...(mirror && { mirror }),
    ...(snoops && { multicast: 'snoop' }),
    ...(broadcast !== undefined && { broadcast }),
    ...(guard !== undefined && { guard }),
    ...pathVersionOf(before),
  })
  for (const member of members) draft.putAttachment(member)
  return { created: before === undefined, network: draft.networks.get(id)! }
}

/** What the controller keeps of a network's path versions: no client asks for it. */
export const pathVersionOf = ({
  epoch,
  target,
  way,
}: Partial<Network> = {}): Pick<Network, 'epoch' | 'target' | 'way'> => ({
  ...(epoch !== undefined && { epoch }),
  ...(target !== undefined && { target }),
  ...(way !== undefined && { way }),
})

/** Deletes the network and detaches its ports. An unknown network is gone already. */
export const deleteNetwork = (draft: Draft, id: string): { deleted: boolean } => {
  const deleted = draft.networks.has(id)
  draft.deleteNetwork(id)
  return { deleted }
}

/** Where copies of a network's frames go, or null for nowhere. */
export const setMirror = (draft: Draft, id: string, mirror: NamedPort | null): { network: Network } | Refusal => {
  if (!draft.networks.has(id)) return refuse('unknown-network', id)
  const put = putNetwork(draft, id, { mirror })
  return isRefusal(put) ? put : { network: put.network }
}

/**
 * A mirror at another port gets another number: under the old one a switch that was away may still
 * copy frames to the old port.
 */
const chooseMirror = (draft: Draft, id: string, spec: NamedPort | null): Network['mirror'] | Refusal => {
  if (spec === null) return undefined
  const endpoint = parseNamedPort(spec)
  if (isRefusal(endpoint)) return endpoint
  const key = endpointKey(endpoint)
  const before = draft.networks.get(id)?.mirror
  if (before && endpointKey(before) === key) return before
  const tagged = draft.taggedAt.get(key)?.keys().next().value
  const conflict =
    useConflict(draft, key, { is: 'mirror', network: id }) ??
    (tagged === undefined ? undefined : refuse('mirror-tagged', key, id, String(tagged)))
  if (conflict) return conflict
  const number = draft.nextNumber()
  return number === undefined ? refuse('number-space-exhausted', id) : { ...endpoint, number }
}

/**
 * Puts a port into a network, or changes what is known of it there: mac, ips, name and guard are as given
 * in this spec, not in earlier ones. A port in another network is refused, or moves with `move` (then it is never in
 * both, and never in none).
 */
export const attach = (
  draft: Draft,
  spec: AttachmentSpec,
  options: { readonly move?: boolean } = {},
): { created: boolean; attachment: Attachment } | Refusal => {
  const parsed = parseAttachment(spec)
  if (isRefusal(parsed)) return parsed
  const { network, mac } = parsed
  const joined = draft.networks.get(network)
  if (!joined) return refuse('unknown-network', network)
  if (joined.vlink) return refuse('network-is-vlink', network)
  const attachment = guarded(parsed, joined, spec.guard)
  if (isRefusal(attachment)) return attachment
  const key = attachmentKey(attachment)
  const before = draft.attachments.get(key)
  if (before && before.network !== network && !options.move)
    return refuse('port-attached-elsewhere', key, network, before.network)
  const port = endpointKey(attachment)
  const mirrored = attachment.vlan === undefined ? undefined : draft.mirrors.get(port)
  const conflict =
    useConflict(draft, port, { is: 'member', network }) ??
    (mirrored === undefined ? undefined : refuse('mirror-tagged', port, mirrored, String(attachment.vlan))) ??
    sharingConflict(draft, attachment)
  if (conflict) return conflict
  const holder = mac === undefined ? undefined : draft.macs.get(macKey(network, mac))
  if (mac !== undefined && holder !== undefined && holder !== key) return refuse('mac-taken', mac, network, key, holder)
  draft.putAttachment(attachment)
  return { created: before?.network !== network, attachment: draft.attachments.get(key)! }
}

/** As attach, but a port that is in the network already stays as it is, with whatever mac and guard it has. */
export const ensureAttached = (
  draft: Draft,
  network: string,
  port: NamedPort,
  options: { readonly move?: boolean } = {},
): { created: boolean; attachment: Attachment } | Refusal => {
  const endpoint = parseNamedPort(port)
  if (isRefusal(endpoint)) return endpoint
  const before = draft.attachments.get(endpointKey(endpoint))
  if (before?.network === network) return { created: false, attachment: before }
  return attach(draft, { network, ...endpoint }, options)
}

/** Takes a port, or one tag of it, out of a network. A port that is not in it, or in another one, is left as it is. */
export const detach = (
  draft: Draft,
  network: string,
  dpid: string,
  port: string | number,
  vlan?: number,
): { detached: boolean } | Refusal => {
  const endpoint = parseNamedPort({ dpid, port })
  if (isRefusal(endpoint)) return endpoint
  const key = attachmentKey({ ...endpoint, vlan })
  const detached = draft.attachments.get(key)?.network === network
  if (detached) draft.deleteAttachment(key)
  return { detached }
}

/** Declares a link, both ways; what is known of it is as given in this spec, not in earlier ones. */
export const putDeclaredLink = (draft: Draft, link: NamedLink): { created: boolean } | Refusal => {
  const directions = parseDirections(link)
  if (isRefusal(directions)) return directions
  for (const direction of directions) {
    const conflict = useConflict(draft, endpointKey(direction.from), { is: 'link', link: direction })
    if (conflict) return conflict
  }
  const created = directions.some(direction => !draft.declaredLinks.has(linkKey(direction)))
  // What probes say of a link stays said: an operator knows that it is there, and probes whether it works.
  for (const direction of directions) draft.putDeclaredLink(direction)
  return { created }
}

/** Takes a declared link back, both ways; what LLDP found stays. */
export const deleteDeclaredLink = (draft: Draft, link: NamedLink): { deleted: boolean } | Refusal => {
  const directions = parseDirections(link)
  if (isRefusal(directions)) return directions
  const deleted = directions.some(direction => draft.declaredLinks.has(linkKey(direction)))
  for (const direction of directions) draft.deleteDeclaredLink(linkKey(direction))
  return { deleted }
}

export type NamedLink = {
  readonly from: NamedPort
  readonly to: NamedPort
  /** 1 or more; absent: what a link costs by default. */
  readonly cost?: number | undefined
  /** How it tells networks apart: by VNI, a tunnel (the default), or by VLAN, a plain link. */
  readonly carries?: 'vni' | 'vid' | undefined
}

export const parseNamedPort = (named: NamedPort): Endpoint | Refusal => {
  const dpid = parseDpid(named.dpid)
  if (dpid === undefined) return refuse('bad-dpid', named.dpid)
  const port = parsePort(named.port)
  return port === undefined ? refuse('bad-port', String(named.port)) : { dpid, port }
}

const parseAttachment = (spec: AttachmentSpec): Omit<Attachment, 'guard' | 'ownGuard' | 'revision'> | Refusal => {
  const endpoint = parseNamedPort(spec)
  if (isRefusal(endpoint)) return endpoint
  if (parseNetworkId(spec.network) === undefined) return refuse('bad-id', spec.network)
  const mac = spec.mac === undefined ? undefined : parseMac(spec.mac)
  if (spec.mac !== undefined && mac === undefined) return refuse('bad-mac', spec.mac)
  const wrongIp = spec.ips?.find(ip => parseIp(ip) === undefined)
  if (wrongIp !== undefined) return refuse('bad-ip', wrongIp)
  const allowed = parseAllowed(spec.allowedAddresses ?? [], endpoint)
  if (isRefusal(allowed)) return allowed
  const { vlan, trunk, trusted = [] } = spec
  if (vlan !== undefined && !isVlan(vlan)) return refuse('bad-vlan', String(vlan))
  if (vlan !== undefined && trunk) return refuse('vlan-and-trunk', endpointKey(endpoint), String(vlan))
  return {
    network: spec.network,
    ...endpoint,
    ...(mac !== undefined && { mac }),
    ...(spec.ips !== undefined && { ips: spec.ips }),
    ...(spec.name !== undefined && { name: spec.name }),
    ...(spec.portName !== undefined && { portName: spec.portName }),
    ...(vlan !== undefined && { vlan }),
    ...(trunk && { trunk }),
    ...limitsOf(spec),
    ...(allowed.length > 0 && { allowedAddresses: allowed }),
    ...(trusted.length > 0 && { trusted: [...new Set(trusted)].sort() }),
  }
}

const limitOf = (asked: number | 'off' | undefined): number | undefined => (asked === 'off' ? 0 : asked)

const limitsOf = ({ broadcastLimit, rateLimit }: AttachmentSpec): Pick<Attachment, 'broadcast' | 'rate'> => {
  const broadcast = limitOf(broadcastLimit)
  const rate = (asked: RateSpec) => ({ kbps: asked.kbps, ...(asked.burst !== undefined && { burst: asked.burst }) })
  const { send, receive } = rateLimit ?? {}
  return {
    ...(broadcast !== undefined && { broadcast }),
    ...((send || receive) && {
      rate: { ...(send && { send: rate(send) }), ...(receive && { receive: rate(receive) }) },
    }),
  }
}

const parseDirections = (link: NamedLink): readonly [Link, Link] | Refusal => {
  const from = parseNamedPort(link.from)
  if (isRefusal(from)) return from
  const to = parseNamedPort(link.to)
  if (isRefusal(to)) return to
  if (from.dpid === to.dpid) return refuse('bad-link', endpointKey(from), endpointKey(to))
  const { cost, carries } = link
  const said = { ...(cost !== undefined && { cost }), ...(carries === 'vid' && { carries }) }
  return [
    { from, to, ...said },
    { from: to, to: from, ...said },
  ]
}
