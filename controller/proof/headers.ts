// A frame as OpenFlow sees it (1.3.5 §5.3, §7.2.3.7): the fields of its headers, and where each stands in the bytes. Where the
// specification leaves open what a damaged header is, as Open vSwitch has it (lib/flow.c): then nothing of that header is there.
import { type Place, readBits } from './bits.ts'

/** A field of a frame: what matches compare, and where it is written to; no place: it follows from other bits. */
export type HeaderField = { readonly value: bigint; readonly place?: Place }
export type Headers = {
  readonly fields: Map<string, HeaderField>
  /** VLAN tags that the switch looks at. */
  readonly tags: number
  /** Where the headers of layer 3 and 4 begin, in bytes; -1: there is none, or not a whole one. */
  readonly l3: number
  readonly l4: number
}

/** OFPVID_PRESENT (§7.2.3.7). */
export const present = 0x1000n
const isTag = (type: number): boolean => type === 0x8100 || type === 0x88a8

/** What is found on the way through a frame. */
type Reading = {
  readonly bytes: Buffer
  readonly fields: Map<string, HeaderField>
  l3: number
  l4: number
}

/** `vlanLimit`: how many tags the switch looks at; the rest is payload to it. The frame has 14 bytes or more. */
export function headersOf(bytes: Buffer, vlanLimit: number): Headers {
  const r: Reading = { bytes, fields: new Map(), l3: -1, l4: -1 }
  let tags = 0
  let type = 12
  while (tags < vlanLimit && bytes.length >= type + 6 && isTag(bytes.readUInt16BE(type))) {
    tags++
    type += 4
  }
  put(r, 'eth_dst', 0, 48)
  put(r, 'eth_src', 48, 48)
  for (const [name, field] of tagFields(bytes, tags)) r.fields.set(name, field)
  const value = bytes.readUInt16BE(type)
  const ethType = value >= 0x600 ? value : snapType(bytes, type)
  r.fields.set('eth_type', { value: BigInt(ethType) })
  readLayer3(r, ethType, value >= 0x600 ? type + 2 : type + 10)
  return { fields: r.fields, tags, l3: r.l3, l4: r.l4 }
}

/** The outermost tag that the switch looks at. */
export function tagFields(bytes: Buffer, tags: number): readonly (readonly [string, HeaderField])[] {
  if (tags === 0) return [['vlan_vid', { value: 0n }]]
  const vid = { at: 14 * 8 + 4, bits: 12 }
  const pcp = { at: 14 * 8, bits: 3 }
  return [
    ['vlan_vid', { value: present | readBits(bytes, vid), place: vid }],
    ['vlan_pcp', { value: readBits(bytes, pcp), place: pcp }],
  ]
}

const put = ({ bytes, fields }: Reading, name: string, at: number, bits: number): void =>
  void fields.set(name, { value: readBits(bytes, { at, bits }), place: { at, bits } })
const putByte = (r: Reading, name: string, at: number, bytes: number): void => put(r, name, at * 8, bytes * 8)

/** A length instead of a type (IEEE 802.3): SNAP's type, or 0x05ff (§7.2.3.7). */
function snapType(bytes: Buffer, type: number): number {
  const isSnap = bytes.length >= type + 10 && bytes.readUIntBE(type + 2, 6) === 0xaaaa03000000
  const value = isSnap ? bytes.readUInt16BE(type + 8) : 0
  return value >= 0x600 ? value : 0x05ff
}

function readLayer3(r: Reading, ethType: number, at: number): void {
  if (ethType === 0x0800) readIpv4(r, at)
  else if (ethType === 0x86dd) readIpv6(r, at)
  else if (ethType === 0x0806) readArp(r, at)
  else if ((ethType === 0x8847 || ethType === 0x8848) && r.bytes.length >= at + 4) {
    put(r, 'mpls_label', at * 8, 20)
    put(r, 'mpls_tc', at * 8 + 20, 3)
    put(r, 'mpls_bos', at * 8 + 23, 1)
    putByte(r, 'mpls_ttl', at + 3, 1)
  }
}

function readArp(r: Reading, l3: number): void {
  // Of IPv4 over Ethernet only (RFC 826).
  if (r.bytes.length - l3 < 28 || r.bytes.readUIntBE(l3, 6) !== 0x000108000604) return
  r.l3 = l3
  putByte(r, 'arp_op', l3 + 6, 2)
  // Open vSwitch takes an operation above 255 for none.
  const { value, place } = r.fields.get('arp_op')!
  if (value > 255n) r.fields.set('arp_op', { value: 0n, ...(place && { place }) })
  putByte(r, 'arp_sha', l3 + 8, 6)
  putByte(r, 'arp_spa', l3 + 14, 4)
  putByte(r, 'arp_tha', l3 + 18, 6)
  putByte(r, 'arp_tpa', l3 + 24, 4)
}

/** nw_frag of Open vSwitch: bit 0 any fragment, bit 1 a later one. */
const fragmentOf = (any: boolean, later: boolean): HeaderField => ({ value: (any ? 1n : 0n) | (later ? 2n : 0n) })

function readIpv4(r: Reading, l3: number): void {
  const { bytes } = r
  const left = bytes.length - l3
  if (left < 20) return
  const header = (bytes[l3]! & 15) * 4
  const total = bytes.readUInt16BE(l3 + 2)
  if (header < 20 || total < header || total > left) return
  r.l3 = l3
  putByte(r, 'ipv4_src', l3 + 12, 4)
  putByte(r, 'ipv4_dst', l3 + 16, 4)
  put(r, 'ip_dscp', (l3 + 1) * 8, 6)
  put(r, 'ip_ecn', (l3 + 1) * 8 + 6, 2)
  putByte(r, 'nw_ttl', l3 + 8, 1)
  r.fields.set('ip_proto', { value: BigInt(bytes[l3 + 9]!) })
  const fragment = bytes.readUInt16BE(l3 + 6) & 0x3fff
  const isLater = (fragment & 0x1fff) !== 0
  r.fields.set('ip_frag', fragmentOf(fragment !== 0, isLater))
  if (!isLater) readLayer4(r, 4, bytes[l3 + 9]!, l3 + header, l3 + total, fragment !== 0)
}

function readIpv6(r: Reading, l3: number): void {
  const { bytes } = r
  if (bytes.length - l3 < 40 || bytes.readUInt16BE(l3 + 4) > bytes.length - l3 - 40) return
  const end = l3 + 40 + bytes.readUInt16BE(l3 + 4)
  const behind = skipExtensions(bytes, bytes[l3 + 6]!, l3 + 40, end)
  if (!behind) return
  const { next, at, isFragment } = behind
  r.l3 = l3
  putByte(r, 'ipv6_src', l3 + 8, 16)
  putByte(r, 'ipv6_dst', l3 + 24, 16)
  put(r, 'ipv6_flabel', l3 * 8 + 12, 20)
  put(r, 'ip_dscp', l3 * 8 + 4, 6)
  put(r, 'ip_ecn', l3 * 8 + 10, 2)
  putByte(r, 'nw_ttl', l3 + 7, 1)
  r.fields.set('ip_proto', { value: BigInt(next) })
  r.fields.set('ip_frag', fragmentOf(isFragment, next === 44))
  if (next !== 44) readLayer4(r, 6, next, at, end, isFragment)
}

/** What stands behind the extension headers (RFC 8200 §4): hop-by-hop, routing, fragment, AH, destination options. */
function skipExtensions(bytes: Buffer, first: number, from: number, end: number) {
  let next = first
  let at = from
  let isFragment = false
  while (!isFragment && [0, 43, 44, 51, 60].includes(next)) {
    if (end - at < 8) return undefined
    const size = next === 44 ? 8 : next === 51 ? (bytes[at + 1]! + 2) * 4 : (bytes[at + 1]! + 1) * 8
    const place = next === 44 ? bytes.readUInt16BE(at + 2) : 0
    isFragment = (place & 0xfff9) !== 0
    // Of a later fragment, what follows is no header: its protocol is the fragment itself.
    if ((place & 0xfff8) === 0) next = bytes[at]!
    at += size
    if (at > end) return undefined
  }
  return { next, at, isFragment }
}

type Layer4 = {
  readonly size: number
  readonly fields: readonly (readonly [name: string, at: number, bytes: number])[]
}
const layer4: Readonly<Record<string, Layer4>> = {
  '4/1': {
    size: 8,
    fields: [
      ['icmpv4_type', 0, 1],
      ['icmpv4_code', 1, 1],
    ],
  },
  '6/58': {
    size: 8,
    fields: [
      ['icmpv6_type', 0, 1],
      ['icmpv6_code', 1, 1],
    ],
  },
  tcp: {
    size: 20,
    fields: [
      ['tcp_src', 0, 2],
      ['tcp_dst', 2, 2],
    ],
  },
  udp: {
    size: 8,
    fields: [
      ['udp_src', 0, 2],
      ['udp_dst', 2, 2],
    ],
  },
  sctp: {
    size: 12,
    fields: [
      ['sctp_src', 0, 2],
      ['sctp_dst', 2, 2],
    ],
  },
}
const names: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

/** `hidden`, OFPC_FRAG_NORMAL (§7.3.2): of a first fragment no field of layer 4 is compared, though it can be written. */
function readLayer4(r: Reading, version: 4 | 6, proto: number, l4: number, end: number, hidden: boolean): void {
  const found = layer4[names[proto] ?? `${version}/${proto}`]
  if (!found || end - l4 < found.size) return
  r.l4 = l4
  for (const [name, at, bytes] of found.fields) {
    putByte(r, name, l4 + at, bytes)
    const { place } = r.fields.get(name)!
    if (hidden) r.fields.set(name, { value: 0n, ...(place && { place }) })
  }
  if (proto === 6) put(r, 'tcp_flags', (l4 + 12) * 8 + 4, 12)
  if (hidden) r.fields.delete('tcp_flags')
  if (proto === 58 && !hidden) readNeighbour(r, l4, end)
}

/** Neighbour discovery (RFC 4861 §4.3, §4.4). With options that lie about their length, or stand twice, it is none. */
function readNeighbour(r: Reading, l4: number, end: number): void {
  const { bytes } = r
  const type = bytes[l4]!
  if ((type !== 135 && type !== 136) || bytes[l4 + 1] !== 0 || end - l4 < 24) return
  const options = new Map<number, number>()
  for (let at = l4 + 24; at + 8 <= end; at += bytes[at + 1]! * 8) {
    const size = bytes[at + 1]! * 8
    if (size === 0 || at + size > end) return
    const kind = bytes[at]!
    if (size !== 8 || (kind !== 1 && kind !== 2)) continue
    if (options.has(kind)) return
    options.set(kind, at)
  }
  putByte(r, 'ipv6_nd_target', l4 + 8, 16)
  putByte(r, 'nd_reserved', l4 + 4, 4)
  const [source, target] = [options.get(1), options.get(2)]
  if (source !== undefined) putByte(r, 'ipv6_nd_sll', source + 2, 6)
  if (target !== undefined) putByte(r, 'ipv6_nd_tll', target + 2, 6)
  const first = Math.min(source ?? Number.POSITIVE_INFINITY, target ?? Number.POSITIVE_INFINITY)
  if (first !== Number.POSITIVE_INFINITY) putByte(r, 'nd_options_type', first, 1)
}
