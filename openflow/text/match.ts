// A match as ovs-ofctl prints it: in its order, with protocol names, and tags as dl_vlan.
import { fieldByName, type Masked, type Match } from '../messages/fields.ts'
import { formatMatchValue, isAllOnes } from './field.ts'
import { type FieldText, protocolOrder, textOf } from './words.ts'

type Numeric = number | Masked<number>

const protocols: ReadonlyMap<number, string> = new Map([
  [0x0800, 'ip'],
  [0x86dd, 'ipv6'],
  [0x0806, 'arp'],
  [0x8035, 'rarp'],
  [0x8847, 'mpls'],
  [0x8848, 'mplsm'],
])
const overIp: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
])
const overIpv6: ReadonlyMap<number, string> = new Map([
  [58, 'icmp6'],
  [6, 'tcp6'],
  [17, 'udp6'],
  [132, 'sctp6'],
])

const protocolOver = (ethType: unknown, ipProto: unknown): string | undefined =>
  ethType === 0x0800 ? overIp.get(ipProto as number) : ethType === 0x86dd ? overIpv6.get(ipProto as number) : undefined

/** The tag of OpenFlow 1.3 as the 16 bits that a frame has: bit 12 says that there is one. */
function formatVlan(vid: Numeric | undefined, pcp: Numeric | undefined): string {
  const vidValue = vid === undefined ? 0 : typeof vid === 'number' ? vid : vid.value
  const vidMask = vid === undefined ? 0 : typeof vid === 'number' ? 0x1fff : vid.mask
  const pcpValue = pcp === undefined ? 0 : typeof pcp === 'number' ? pcp : pcp.value
  const pcpMask = pcp === undefined ? 0 : typeof pcp === 'number' ? 7 : pcp.mask
  const value = vidValue | (pcpValue << 13)
  const mask = vidMask | (pcpMask << 13)
  const wholeVid = (vidMask & 0xfff) === 0xfff
  const tagged = (vidMask & value & 0x1000) !== 0
  if (tagged && (wholeVid || (vidMask & 0xfff) === 0) && (pcpMask === 7 || pcpMask === 0) && (wholeVid || pcpMask))
    return [wholeVid ? `dl_vlan=${value & 0xfff}` : '', pcpMask ? `dl_vlan_pcp=${pcpValue}` : '']
      .filter(Boolean)
      .join(',')
  const digits = (n: number): string => `0x${(n & 0xffff).toString(16).padStart(4, '0')}`
  return mask === 0xffff ? `vlan_tci=${digits(value)}` : `vlan_tci=${digits(value)}/${digits(mask)}`
}

const vlanOrder = textOf('vlan_vid').order

type Part = { readonly order: number; readonly text: string }

/** Puts a part in its place. Two names of one field come by their values, so that the order given does not matter. */
function insert(parts: Part[], part: Part): void {
  let i = parts.length
  parts.push(part)
  for (; i > 0; i--) {
    const before = parts[i - 1]!
    if (before.order < part.order || (before.order === part.order && before.text <= part.text)) break
    parts[i] = before
  }
  parts[i] = part
}

function partOf(match: Match, name: string, value: any): Part | undefined {
  if (name === 'eth_type' && protocols.has(value))
    return { order: protocolOrder, text: protocolOver(value, match.ip_proto) ?? protocols.get(value)! }
  if (name === 'ip_proto' && protocolOver(match.eth_type, value)) return undefined
  if (name === 'vlan_vid') return { order: vlanOrder, text: formatVlan(match.vlan_vid, match.vlan_pcp) }
  if (name === 'vlan_pcp')
    return match.vlan_vid === undefined
      ? { order: vlanOrder, text: formatVlan({ value: 0x1000, mask: 0x1000 }, match.vlan_pcp) }
      : undefined
  const text = textOf(name)
  if (name === 'ip_dscp' && typeof value === 'number') return { order: text.order, text: `nw_tos=${value << 2}` }
  return { order: text.order, text: formatField(name, text, value) }
}

/** E.g. `in_port=3,dl_dst=02:00:00:00:00:01`; empty for a match of everything. */
export function formatMatch(match: Match): string {
  const parts: Part[] = []
  for (const name in match) {
    const part = partOf(match, name, (match as Record<string, unknown>)[name])
    if (part) insert(parts, part)
  }
  let line = ''
  for (const part of parts) line = line === '' ? part.text : `${line},${part.text}`
  return line
}

function formatField(name: string, text: FieldText, value: any): string {
  const masked = typeof value === 'object' && !(value instanceof Uint8Array)
  if (!masked) return `${text.key}=${formatMatchValue(text, value, undefined)}`
  const mask = isAllOnes(fieldByName.get(name), value.mask) ? undefined : value.mask
  return `${text.key}=${formatMatchValue(text, value.value, mask)}`
}
