// Reads a match in ovs-ofctl's syntax.
import { fieldByName, fieldTable, type Match, parseUnknownName } from '../messages/fields.ts'
import {
  findField,
  parseBigInt,
  parseNumber,
  parseValue,
  splitList,
  splitPair,
  TextError,
  underMask,
  unexpected,
} from './value.ts'

/** Protocols by name: an Ethernet type, and perhaps an IP protocol. */
const protocols: Readonly<Record<string, readonly [ethType?: number, ipProto?: number]>> = {
  eth: [],
  ip: [0x0800],
  ip6: [0x86dd],
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

export const overIp: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

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

/** `tp_src[6..10]=19`: some bits of a field. */
function putBits(key: string, text: string, values: Map<string, unknown>, put: (name: string, value: unknown) => void) {
  const [, word = '', from = '', to = from] =
    /^(\w+)\[(\d+)(?:\.\.(\d+))?\]$/.exec(key) ?? unexpected('a field with bits', key)
  const name = resolve(word, values) ?? unexpected('the name of a field', word)
  const kind = fieldByName.get(name)?.kind ?? 'bytes'
  const nBits = Number(to) - Number(from) + 1
  if (!/^u\d+$/.test(kind) || nBits < 1 || Number(to) >= fieldByName.get(name)!.bits)
    unexpected('bits of a field that is a number', key)
  const value = parseBigInt(text, nBits, key) << BigInt(from)
  const mask = ((1n << BigInt(nBits)) - 1n) << BigInt(from)
  const wide = kind === 'u64' || kind === 'u128'
  put(name, underMask(name, wide ? { value, mask } : { value: Number(value), mask: Number(mask) }))
}

const names: readonly string[] = Object.keys(fieldTable)
const rank = (name: string): number => {
  // The number says nothing of it: what a frame is comes before what is in it.
  if (name === 'packet_type') return -1
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
    const protocol = protocols[part]
    if (protocol === undefined) return true
    // `ip,tcp` says one thing twice.
    for (const [name, value] of [['eth_type', protocol[0]] as const, ['ip_proto', protocol[1]] as const])
      if (value !== undefined && values.get(name) !== value) put(name, value)
    return false
  })
  const isProtocol = (part: string): boolean => /^(dl_type|eth_type|nw_proto|ip_proto)=/.test(part)
  for (const part of [...others.filter(isProtocol), ...others.filter(p => !isProtocol(p))]) {
    const [key, value] = splitPair(part)
    if (value === undefined) unexpected('a field and its value, or the name of a protocol', part)
    else if (tagFields[key]) tagFields[key](value, put)
    else if (key.endsWith(']')) putBits(key, value, values, put)
    else {
      const name = resolve(key, values) ?? unexpected('the name of a field', key)
      put(name, underMask(name, parseValue(name, value)))
    }
  }
  if (values.has('vlan_pcp') && !values.has('vlan_vid')) values.set('vlan_vid', { value: tagged, mask: tagged })
  return Object.fromEntries([...values].sort(([a], [b]) => rank(a) - rank(b))) as Match
}
