// A port by what people call it: where it is attached, its name, a MAC or an IP address.
import { numbersOf } from '../store/collections/network.ts'
import { addressesOf } from '../store/duplicates.ts'
import { attachmentKey } from '../store/keys.ts'
import { parseSource } from '../store/prefix.ts'
import type { Attachment, State } from '../store/state.ts'
import { parseDpid, parseMac } from '../topology/parse.ts'
import { endpointKey } from '../topology/topology.ts'
import type { Departure, FormerMembers } from './former-members.ts'

/** An end of a vlink is a member with nothing said of it. */
export type Known = Omit<Attachment, 'revision' | 'guard'> & Partial<Pick<Attachment, 'revision' | 'guard'>>

export type Found =
  | { readonly is: 'one'; readonly attachment: Known }
  /** In no network now. */
  | { readonly is: 'none'; readonly sentence: string; readonly departure?: Departure }
  | { readonly is: 'many'; readonly attachments: readonly Attachment[] }

export function findPort(state: State, formerMembers: FormerMembers, text: string): Found {
  const key = keyOf(text)
  return key === undefined ? byWords(state, formerMembers, text) : byKey(state, formerMembers, key, text)
}

/** `<dpid>/<port>`, perhaps with a VLAN behind it. */
function keyOf(text: string): string | undefined {
  const [, dpidText = '', rest = ''] = /^([^/]+)\/([1-9][0-9]{0,9}(?:\/[1-9][0-9]{0,3})?)$/.exec(text) ?? []
  const dpid = parseDpid(dpidText)
  return dpid === undefined ? undefined : `${dpid}/${rest}`
}

function byKey(state: State, formerMembers: FormerMembers, key: string, text: string): Found {
  const own = state.attachments.get(key)
  if (own) return { is: 'one', attachment: own }
  const tagged = [...(state.taggedAt.get(key)?.values() ?? [])]
  if (tagged.length === 1) return { is: 'one', attachment: tagged[0]! }
  if (tagged.length > 1) return { is: 'many', attachments: tagged }
  const vlink = state.networks.get(state.vlinkEnds.get(key) ?? '')
  const end = [vlink?.vlink?.from, vlink?.vlink?.to].find(each => each && endpointKey(each) === key)
  if (vlink && end) return { is: 'one', attachment: { ...end, network: vlink.id } }
  const departure = formerMembers.of(key)
  return {
    is: 'none',
    sentence: `port ${text} is in no network${leftWords(departure)}`,
    ...(departure && { departure }),
  }
}

/** By its name, one of its addresses, or the name of its port. */
function byWords(state: State, formerMembers: FormerMembers, text: string): Found {
  const [wantedMac, wantedIp] = [parseMac(text), parseSource(text)?.address]
  const fits = (attachment: Attachment) =>
    attachment.name === text ||
    attachment.portName === text ||
    (wantedMac !== undefined && attachment.mac === wantedMac) ||
    (wantedIp !== undefined && addressesOf(attachment).includes(wantedIp))
  const attachments = [...state.attachments.values()].filter(fits)
  if (attachments.length === 1) return { is: 'one', attachment: attachments[0]! }
  if (attachments.length > 1) return { is: 'many', attachments }
  const departure = formerMembers.find(fits)
  const words = departure
    ? `${text} is in no network${leftWords(departure)}`
    : `no attachment has the name or address ${text}`
  return { is: 'none', sentence: words, ...(departure && { departure }) }
}

export const leftWords = (departure: Departure | undefined): string =>
  departure === undefined
    ? ''
    : `: it left network ${departure.attachment.network} in revision ${departure.revision}${departure.by === undefined ? '' : `, by ${departure.by}`}`

export const placeText = ({ dpid, port, vlan, name }: Known): string =>
  `${name === undefined ? '' : `${name}, `}port ${attachmentKey({ dpid, port, vlan })}`

/** The network's numbers on switches. */
export const numbersAt = (state: State, id: string): readonly number[] => {
  const network = state.networks.get(id)
  return network ? numbersOf(network) : []
}
