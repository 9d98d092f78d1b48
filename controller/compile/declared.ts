// What attachments declare of addresses that rules of other ports read, too: kept up to date attachment by attachment.
import { type Prefix, parsePrefix, parseSource, prefixText, widthOf } from '../../store/prefix.ts'
import type { Attachment } from '../../store/state.ts'
import { otherMacs } from './senders.ts'

export type Declared = {
  /** Attachments that may use a MAC which is not their own, by that MAC, then by attachmentKey. */
  readonly shared: ReadonlyMap<string, ReadonlyMap<string, Attachment>>
  /** By IP address in its one spelling: at which MAC it may be, by attachmentKey; undefined: nobody knows at which. */
  readonly claims: ReadonlyMap<string, ReadonlyMap<string, string | undefined>>
  /** Attachments that learn, by attachmentKey. */
  readonly learners: ReadonlySet<string>
}
export type DeclaredIndex = Declared & {
  /** An attachment came, changed or went. Answers the addresses that this concerns. */
  put(
    key: string,
    before: Attachment | undefined,
    after: Attachment | undefined,
  ): { readonly macs: readonly string[]; readonly ips: readonly string[] }
}

/** @param claimed Whether who has which IP is of interest: it is where switches answer for them. */
export function declaredIndex(claimed: boolean): DeclaredIndex {
  const shared = new Map<string, Map<string, Attachment>>()
  const claims = new Map<string, Map<string, string | undefined>>()
  const learners = new Set<string>()
  return {
    ...{ shared, claims, learners },
    put(key, before, after) {
      const macs = before ? sharedMacs(before) : []
      const ips = before && claimed ? claimsOf(before) : []
      for (const mac of macs) drop(shared, mac, key)
      for (const [ip] of ips) drop(claims, ip, key)
      learners.delete(key)
      if (!after) return { macs, ips: ips.map(([ip]) => ip) }
      const now = { macs: sharedMacs(after), ips: claimed ? claimsOf(after) : [] }
      for (const mac of now.macs) put(shared, mac, key, after)
      for (const [ip, mac] of now.ips) put(claims, ip, key, mac)
      if (after.guard === 'learn') learners.add(key)
      return { macs: [...macs, ...now.macs], ips: [...ips, ...now.ips].map(([ip]) => ip) }
    },
  }
}

/** The same of all attachments at once. */
export function declaredBy(attachments: Iterable<readonly [key: string, Attachment]>, claimed: boolean): DeclaredIndex {
  const index = declaredIndex(claimed)
  for (const [key, attachment] of attachments) index.put(key, undefined, attachment)
  return index
}

/** A port that learns may use any MAC: it is where it was last seen. */
const sharedMacs = (attachment: Attachment): readonly string[] =>
  attachment.guard === 'learn' ? [] : otherMacs(attachment)

/** An address that is allowed by a prefix claims nothing: whoever has it declares it. */
function claimsOf({ mac, ips = [], allowedAddresses = [] }: Attachment): [ip: string, mac: string | undefined][] {
  const own = ips.flatMap(ip => parseSource(ip) ?? []).map((one): Claim => [one, mac])
  const allowed = allowedAddresses.flatMap((each): Claim[] => {
    const prefix = parsePrefix(each.ip)
    return prefix && prefix.length === widthOf(prefix.family) ? [[prefix, each.mac ?? mac]] : []
  })
  const claims = new Map<string, string | undefined>()
  for (const [prefix, at] of [...own, ...allowed]) {
    const ip = prefixText(prefix)
    // Of two MACs on one port, nobody knows which one it uses.
    claims.set(ip, claims.has(ip) && claims.get(ip) !== at ? undefined : at)
  }
  return [...claims]
}
type Claim = [Prefix, string | undefined]

/** The MAC that an address is at, if all who may have it would have it at that one. */
export function macOf({ claims }: Declared, ip: string): string | undefined {
  const macs = new Set(claims.get(ip)?.values())
  return macs.size === 1 ? [...macs][0] : undefined
}

function put<T>(map: Map<string, Map<string, T>>, group: string, key: string, value: T): void {
  const members = map.get(group)
  if (members) members.set(key, value)
  else map.set(group, new Map([[key, value]]))
}
function drop(map: Map<string, Map<string, unknown>>, group: string, key: string): void {
  const members = map.get(group)
  members?.delete(key)
  if (members?.size === 0) map.delete(group)
}
