// IP addresses that more than one attachment of a network says it has.
import type { State } from './change.ts'
import { attachmentKey, ipKey } from './keys.ts'
import { parseSource } from './prefix.ts'
import type { Attachment } from './state.ts'

/** The addresses that an attachment says it has, each in its one spelling, without the length of its subnet. */
export const addressesOf = ({ ips = [] }: Pick<Attachment, 'ips'>): readonly string[] => [
  ...new Set(ips.flatMap(ip => parseSource(ip)?.address ?? [])),
]

type Tables = Pick<State, 'members' | 'ipsIn'>

/** More than one attachment of the network has it. */
export const isDuplicate = ({ ipsIn }: Tables, network: string, ip: string): boolean =>
  (ipsIn.get(ipKey(network, ip)) ?? 0) > 1

/** All of a network, with those that have them. */
export function duplicatesIn(state: Tables, network: string): ReadonlyMap<string, readonly Attachment[]> {
  const found = new Map<string, Attachment[]>()
  for (const attachment of state.members.get(network)?.values() ?? [])
    for (const ip of addressesOf(attachment))
      if (isDuplicate(state, network, ip)) found.set(ip, [...(found.get(ip) ?? []), attachment])
  return found
}

/** Another attachment of its network that has the address. */
export function otherWith({ members }: Tables, attachment: Attachment, ip: string): Attachment | undefined {
  const own = attachmentKey(attachment)
  for (const [key, other] of members.get(attachment.network) ?? [])
    if (key !== own && addressesOf(other).includes(ip)) return other
  return undefined
}
