// Reads a match in ovs-ofctl's syntax.
import { fieldTable, type Match, parseUnknownName } from './fields.ts'
import { findField, parseNumber, parseValue, splitList, splitPair, TextError, unexpected } from './text-value.ts'

/** Protocols by name: an Ethernet type, and perhaps an IP protocol. */
const protocols: Readonly<Record<string, readonly [ethType: number, ipProto?: number]>> = {
  ip: [0x0800],
  icmp: [0x0800, 1],
  tcp: [0x0800, 6],
  udp: [0x0800, 17],
  sctp: [0x0800, 132],
  ipv6: [0x86dd],
  icmp6: [0x86dd, 58],
  tcp6: [0x86dd, 6],
  udp6: [0x86dd, 17],
  sctp6: [0x86dd, 132],
  arp: [0x0806],
  rarp: [0x8035],
  mpls: [0x8847],
  mplsm: [0x8848],
}

const overIp: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

/** Fields whose name says less than OpenFlow's: which one is meant depends on the protocol. */
function resolve(key: string, values: Map<string, unknown>): string | undefined {
  const ipProto = values.get('ip_proto') as number
  if (key === 'tp_src' || key === 'tp_dst') {
    if (ipProto === 1 || ipProto === 58) return resolve(key === 'tp_src' ? 'icmp_type' : 'icmp_code', values)
    const protocol = overIp[ipProto] ?? unexpected('tcp, udp or sctp beside a port', key)
    return `${protocol}${key.slice(2)}`
  }
  if (key === 'icmp_type' || key === 'icmp_code') {
    if (ipProto === 58) return key.replace('icmp', 'icmpv6')
    return key.replace('icmp', 'icmpv4')
  }
  return parseUnknownName(key) ? key : findField(key)
}

const tagged = 0x1000

/** Tags have names of their own in ovs-ofctl; vlan_vid and vlan_pcp are what OpenFlow has of them. */
const tagFields: Readonly<Record<string, (text: string, put: (name: string, value: unknown) => void) => void>> = {
  dl_vlan(text, put) {
    const value = parseNumber(text, 0xffff, 'dl_vlan')
    if (value === 0xffff) put('vlan_vid', 0)
    else put('vlan_vid', parseNumber(text, 4095, 'dl_vlan') | tagged)
  },
  dl_vlan_pcp: (text, put) => put('vlan_pcp', parseNumber(text, 7, 'dl_vlan_pcp')),
  nw_tos(text, put) {
    const value = parseNumber(text, 255, 'nw_tos')
    if (value & 3) unexpected('a multiple of 4 for nw_tos', text)
    put('ip_dscp', value >> 2)
  },
  vlan_tci(text, put) {
    const [value, mask] = text.split('/').map(part => parseNumber(part, 0xffff, 'vlan_tci')) as [number, number?]
    const bits = mask ?? 0xffff
    const vidMask = bits & 0x1fff
    const pcpMask = bits >> 13
    if ((pcpMask !== 0 && pcpMask !== 7) || vidMask === 0) put('vlan_tci', mask === undefined ? value : { value, mask })
    else {
      put('vlan_vid', vidMask === 0x1fff ? value & 0x1fff : { value: value & 0x1fff, mask: vidMask })
      if (pcpMask === 7 && value & tagged) put('vlan_pcp', value >> 13)
    }
  },
}

const names: readonly string[] = Object.keys(fieldTable)
const rank = (name: string): number => {
  const i = names.indexOf(name)
  return i === -1 ? names.length : i
}

/** E.g. `tcp,in_port=3,nw_src=10.0.0.0/8`. Fields are put in OpenFlow's order, so what they need comes first. */
export const parseMatch = (text: string): Match => matchOf(splitList(text))

export function matchOf(parts: readonly string[]): Match {
  const values = new Map<string, unknown>()
  const put = (name: string, value: unknown): void => {
    if (values.has(name)) throw new TextError(`${name} stands there twice`)
    if (value !== undefined) values.set(name, value)
  }
  // Protocols first, since other names depend on them.
  const others = parts.filter(part => {
    const [ethType, ipProto] = protocols[part] ?? []
    if (ethType !== undefined) put('eth_type', ethType)
    if (ipProto !== undefined) put('ip_proto', ipProto)
    return ethType === undefined
  })
  const isProtocol = (part: string): boolean => /^(dl_type|eth_type|nw_proto|ip_proto)=/.test(part)
  for (const part of [...others.filter(isProtocol), ...others.filter(p => !isProtocol(p))]) {
    const [key, value] = splitPair(part)
    if (value === undefined) unexpected('a field and its value, or the name of a protocol', part)
    else if (tagFields[key]) tagFields[key](value, put)
    else {
      const name = resolve(key, values) ?? unexpected('the name of a field', key)
      put(name, parseValue(name, value))
    }
  }
  if (values.has('vlan_pcp') && !values.has('vlan_vid')) values.set('vlan_vid', { value: tagged, mask: tagged })
  return Object.fromEntries([...values].sort(([a], [b]) => rank(a) - rank(b))) as Match
}
