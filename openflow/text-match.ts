// A match as ovs-ofctl prints it: in its order, with protocol names, and tags as dl_vlan.
import type { Masked, Match } from './fields.ts'
import { fieldOf, formatMatchValue, isAllOnes, protocolOrder, textOf } from './text-field.ts'

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

/** E.g. `in_port=3,dl_dst=02:00:00:00:00:01`; empty for a match of everything. */
export function formatMatch(match: Match): string {
  const texts: string[] = []
  const orders: number[] = []
  const add = (order: number, text: string): void => {
    let i = texts.length
    // Two names for one field in the same match: by their values, so that the order given does not matter.
    while (i > 0 && (orders[i - 1]! > order || (orders[i - 1] === order && texts[i - 1]! > text))) i--
    texts.splice(i, 0, text)
    orders.splice(i, 0, order)
  }
  const values = match as Record<string, any>
  for (const name in values) {
    const value = values[name]
    if (name === 'eth_type' && protocols.has(value)) {
      add(protocolOrder, protocolOver(value, match.ip_proto) ?? protocols.get(value)!)
    } else if (name === 'ip_proto' && protocolOver(match.eth_type, value)) continue
    else if (name === 'vlan_vid') add(vlanOrder, formatVlan(match.vlan_vid, match.vlan_pcp))
    else if (name === 'vlan_pcp') {
      if (match.vlan_vid === undefined) add(vlanOrder, formatVlan({ value: 0x1000, mask: 0x1000 }, match.vlan_pcp))
    } else if (name === 'ip_dscp' && typeof value === 'number') add(textOf(name).order, `nw_tos=${value << 2}`)
    else add(textOf(name).order, formatField(name, value))
  }
  return texts.join(',')
}

function formatField(name: string, value: any): string {
  const text = textOf(name)
  const masked = typeof value === 'object' && !(value instanceof Uint8Array)
  if (!masked) return `${text.key}=${formatMatchValue(text, value, undefined)}`
  const mask = isAllOnes(fieldOf(name), value.mask) ? undefined : value.mask
  return `${text.key}=${formatMatchValue(text, value.value, mask)}`
}
