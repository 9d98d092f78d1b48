// Which guard a port has, and what it needs for it.

import { parseMac } from '../topology/parse.ts'
import { type Endpoint, endpointKey } from '../topology/topology.ts'
import { parsePrefix, parseSource, prefixText } from './prefix.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import type { AllowedAddress, Attachment, Guard } from './state.ts'

type Unguarded = Omit<Attachment, 'guard' | 'ownGuard' | 'revision'>
/** What a network says for its attachments. */
type Defaults = { readonly guard?: Guard | undefined }
type Guarded = Unguarded & Pick<Attachment, 'guard' | 'ownGuard'>

/** The guard that was asked for, else that of the network, else what the attachment says of itself allows. */
export const guarded = (attachment: Unguarded, network: Defaults, asked: Guard | undefined): Guarded | Refusal => {
  const guard = asked ?? network.guard ?? (attachment.mac === undefined ? 'learn' : 'mac')
  return lacking(attachment, guard) ?? { ...attachment, guard, ...(asked !== undefined && { ownGuard: true as const }) }
}

/** Why a port can't have this guard. */
const lacking = (attachment: Unguarded, guard: Guard): Refusal | undefined => {
  const { mac, ips = [], trunk } = attachment
  const port = endpointKey(attachment)
  if (guard !== 'learn' && mac === undefined) return refuse('bad-guard', port, guard, 'mac')
  if (guard !== 'strict') return undefined
  if (ips.length === 0) return refuse('bad-guard', port, guard, 'ips')
  if (trunk) return refuse('strict-trunk', port)
  const wrong = ips.find(ip => parseSource(ip) === undefined)
  return wrong === undefined ? undefined : refuse('strict-ip', port, wrong)
}

/** What is wrong with an attachment of a file, if anything is. */
export const badGuard = (attachment: Attachment): string | undefined => lacking(attachment, attachment.guard)?.detail

/**
 * The attachments that get another guard when their network does, as they will be; or why one can't have it.
 * @param members All of the network.
 */
export const reguarded = (
  members: Iterable<Attachment>,
  network: Defaults,
): readonly Omit<Attachment, 'revision'>[] | Refusal => {
  const changed: Omit<Attachment, 'revision'>[] = []
  for (const { revision: _, guard, ownGuard, ...attachment } of members) {
    if (ownGuard) continue
    const now = guarded(attachment, network, undefined)
    if (isRefusal(now)) return now
    if (now.guard !== guard) changed.push(now)
  }
  return changed
}

/** As a client says it. */
export type AllowedSpec = { readonly mac?: string | undefined; readonly ip: string }

/** As the store keeps them: MACs in lower case, addresses in their one spelling. */
export const parseAllowed = (given: readonly AllowedSpec[], port: Endpoint): readonly AllowedAddress[] | Refusal => {
  const allowed: AllowedAddress[] = []
  for (const { mac: text, ip } of given) {
    const mac = text === undefined ? undefined : parseMac(text)
    if (text !== undefined && mac === undefined) return refuse('bad-mac', text)
    const prefix = parsePrefix(ip)
    if (!prefix) return refuse('bad-allowed', endpointKey(port), ip)
    allowed.push({ ...(mac !== undefined && { mac }), ip: prefixText(prefix) })
  }
  return allowed
}
