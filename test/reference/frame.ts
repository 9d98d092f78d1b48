// A frame as OpenFlow sees it (1.3.5 §5.3, §7.2.3.7): its header fields in a key, and where each stands in the bytes.
import { keyWords, word } from './field.ts'

export type Packet = {
  frame: Buffer
  readonly key: Int32Array
  /** How many VLAN tags of the frame are visible: Open vSwitch looks at one and takes the rest for payload. */
  tags: number
  /** Offsets into the frame; -1: no such header, or not a whole one. */
  l3: number
  l4: number
  /** The first link-layer address option of neighbour discovery of each kind: where the address stands. */
  sll: number
  tll: number
}

/** First words of fields in a key. */
export const at = {
  inPort: word('in_port'),
  tunnel: word('tunnel_id'),
  dst: word('eth_dst'),
  src: word('eth_src'),
  type: word('eth_type'),
  vid: word('vlan_vid'),
  pcp: word('vlan_pcp'),
  dscp: word('ip_dscp'),
  ecn: word('ip_ecn'),
  proto: word('ip_proto'),
  flabel: word('ipv6_flabel'),
  ipv4Src: word('ipv4_src'),
  ipv4Dst: word('ipv4_dst'),
  ipv6Src: word('ipv6_src'),
  ipv6Dst: word('ipv6_dst'),
  arpOp: word('arp_op'),
  sha: word('arp_sha'),
  spa: word('arp_spa'),
  tha: word('arp_tha'),
  tpa: word('arp_tpa'),
  icmp6Type: word('icmpv6_type'),
  icmp6Code: word('icmpv6_code'),
  ndTarget: word('ipv6_nd_target'),
  ndSll: word('ipv6_nd_sll'),
  ndTll: word('ipv6_nd_tll'),
  ndReserved: word('nd_reserved'),
  ndOption: word('nd_options_type'),
}
const l4Ports: Readonly<Record<number, readonly [size: number, first: number, second: number, wide: boolean]>> = {
  1: [8, word('icmpv4_type'), word('icmpv4_code'), false],
  6: [20, word('tcp_src'), word('tcp_dst'), true],
  17: [8, word('udp_src'), word('udp_dst'), true],
  132: [12, word('sctp_src'), word('sctp_dst'), true],
}

/** OFPVID_PRESENT (§7.2.3.7). */
export const present = 0x1000
const isTag = (type: number): boolean => type === 0x8100 || type === 0x88a8

/** Fewer than 14 bytes are no Ethernet frame: undefined. `vlanLimit`: how many tags the switch looks at. */
export function parse(frame: Buffer, inPort: number, tunnelId: bigint, vlanLimit: number): Packet | undefined {
  if (frame.length < 14) return undefined
  const p: Packet = { frame, key: new Int32Array(keyWords), tags: 0, l3: -1, l4: -1, sll: -1, tll: -1 }
  const { key } = p
  key[at.inPort] = inPort
  key[at.tunnel] = Number(tunnelId >> 32n)
  key[at.tunnel + 1] = Number(tunnelId & 0xffffffffn)
  putMac(key, at.dst, frame, 0)
  putMac(key, at.src, frame, 6)
  let type = 12
  while (p.tags < vlanLimit && frame.length >= type + 6 && isTag(frame.readUInt16BE(type))) {
    p.tags++
    type += 4
  }
  showTag(p)
  // A value below 0x600 is a length (IEEE 802.3); §7.2.3.7 has SNAP's type then, or 0x05ff.
  const value = frame.readUInt16BE(type)
  key[at.type] = value >= 0x600 ? value : snapType(frame, type)
  const l3 = value >= 0x600 ? type + 2 : type + 10
  if (key[at.type] === 0x0800) parseIpv4(p, l3)
  else if (key[at.type] === 0x86dd) parseIpv6(p, l3)
  else if (key[at.type] === 0x0806) parseArp(p, l3)
  return p
}

function snapType(frame: Buffer, type: number): number {
  const snap = frame.length >= type + 10 && frame.readUIntBE(type + 2, 6) === 0xaaaa03000000
  const value = snap ? frame.readUInt16BE(type + 8) : 0
  return value >= 0x600 ? value : 0x05ff
}

/** The outermost visible tag into the key: none is OFPVID_NONE. */
export function showTag(p: Packet): void {
  const tci = p.tags > 0 ? p.frame.readUInt16BE(14) : 0
  p.key[at.vid] = p.tags > 0 ? present | (tci & 0xfff) : 0
  p.key[at.pcp] = tci >> 13
}

function parseIpv4(p: Packet, l3: number): void {
  const { frame, key } = p
  const length = frame.length - l3
  if (length < 20) return
  const header = (frame[l3]! & 15) * 4
  const total = frame.readUInt16BE(l3 + 2)
  if (header < 20 || total < header || total > length) return
  p.l3 = l3
  key[at.ipv4Src] = frame.readInt32BE(l3 + 12)
  key[at.ipv4Dst] = frame.readInt32BE(l3 + 16)
  putTos(key, frame[l3 + 1]!)
  key[at.proto] = frame[l3 + 9]!
  const fragment = frame.readUInt16BE(l3 + 6) & 0x3fff
  if ((fragment & 0x1fff) === 0) parseL4(p, l3 + header, l3 + total, fragment !== 0)
}

function parseIpv6(p: Packet, l3: number): void {
  const { frame, key } = p
  const length = frame.length - l3
  if (length < 40 || frame.readUInt16BE(l3 + 4) > length - 40) return
  const end = l3 + 40 + frame.readUInt16BE(l3 + 4)
  const first = frame.readUInt32BE(l3)
  let next = frame[l3 + 6]!
  let offset = l3 + 40
  let fragment = false
  // Hop-by-hop, routing, fragment, AH, destination options (RFC 8200 §4).
  while (!fragment && (next === 0 || next === 43 || next === 44 || next === 51 || next === 60)) {
    if (end - offset < 8) return
    const size = next === 44 ? 8 : next === 51 ? (frame[offset + 1]! + 2) * 4 : (frame[offset + 1]! + 1) * 8
    const place = next === 44 ? frame.readUInt16BE(offset + 2) : 0
    fragment = (place & 0xfff9) !== 0
    // Of a later fragment, what follows is no header: its protocol is the fragment itself, as Open vSwitch has it.
    if ((place & 0xfff8) === 0) next = frame[offset]!
    offset += size
    if (offset > end) return
  }
  p.l3 = l3
  putIpv6(key, at.ipv6Src, frame, l3 + 8)
  putIpv6(key, at.ipv6Dst, frame, l3 + 24)
  key[at.flabel] = first & 0xfffff
  putTos(key, (first >>> 20) & 0xff)
  key[at.proto] = next
  if (next !== 44) parseL4(p, offset, end, fragment)
}

/** `hidden`, OFPC_FRAG_NORMAL (§7.3.2): also of a first fragment no transport field is seen, though it can be written. */
function parseL4(p: Packet, l4: number, end: number, hidden: boolean): void {
  const { frame, key } = p
  const proto = key[at.proto]!
  if (proto === 58 && key[at.type] === 0x86dd) parseIcmpv6(p, l4, end, hidden)
  const ports = l4Ports[proto]
  if (!ports || end - l4 < ports[0] || (proto === 1 && key[at.type] !== 0x0800)) return
  const [, first, second, wide] = ports
  p.l4 = l4
  if (hidden) return
  key[first] = wide ? frame.readUInt16BE(l4) : frame[l4]!
  key[second] = wide ? frame.readUInt16BE(l4 + 2) : frame[l4 + 1]!
}

function parseIcmpv6(p: Packet, l4: number, end: number, hidden: boolean): void {
  const { frame, key } = p
  if (end - l4 < 8) return
  const type = frame[l4]!
  p.l4 = l4
  if (hidden) return
  key[at.icmp6Type] = type
  key[at.icmp6Code] = frame[l4 + 1]!
  if ((type !== 135 && type !== 136) || frame[l4 + 1] !== 0 || end - l4 < 24) return
  const options = ndOptions(frame, l4 + 24, end)
  if (!options) return
  putIpv6(key, at.ndTarget, frame, l4 + 8)
  key[at.ndReserved] = frame.readInt32BE(l4 + 4)
  p.sll = options.sll
  p.tll = options.tll
  if (p.sll >= 0) putMac(key, at.ndSll, frame, p.sll)
  if (p.tll >= 0) putMac(key, at.ndTll, frame, p.tll)
  key[at.ndOption] = p.sll >= 0 && (p.tll < 0 || p.sll < p.tll) ? 1 : p.tll >= 0 ? 2 : 0
}

/** RFC 4861 §4.6. Options that lie about their length, or stand twice: undefined, the message is no ND. */
function ndOptions(frame: Buffer, start: number, end: number): { sll: number; tll: number } | undefined {
  const found = { sll: -1, tll: -1 }
  for (let offset = start; offset + 8 <= end; ) {
    const size = frame[offset + 1]! * 8
    if (size === 0 || offset + size > end) return undefined
    const kind = size !== 8 ? undefined : frame[offset] === 1 ? 'sll' : frame[offset] === 2 ? 'tll' : undefined
    if (kind) {
      if (found[kind] >= 0) return undefined
      found[kind] = offset + 2
    }
    offset += size
  }
  return found
}

function parseArp(p: Packet, l3: number): void {
  const { frame, key } = p
  // ARP for IPv4 over Ethernet only (RFC 826).
  if (frame.length - l3 < 28 || frame.readUIntBE(l3, 6) !== 0x000108000604) return
  p.l3 = l3
  // Open vSwitch takes an operation above 255 for none.
  const op = frame.readUInt16BE(l3 + 6)
  key[at.arpOp] = op <= 0xff ? op : 0
  putMac(key, at.sha, frame, l3 + 8)
  key[at.spa] = frame.readInt32BE(l3 + 14)
  putMac(key, at.tha, frame, l3 + 18)
  key[at.tpa] = frame.readInt32BE(l3 + 24)
}

function putMac(key: Int32Array, to: number, frame: Buffer, offset: number): void {
  key[to] = frame.readUInt16BE(offset)
  key[to + 1] = frame.readInt32BE(offset + 2)
}
function putIpv6(key: Int32Array, to: number, frame: Buffer, offset: number): void {
  for (let i = 0; i < 4; i++) key[to + i] = frame.readInt32BE(offset + i * 4)
}
function putTos(key: Int32Array, tos: number): void {
  key[at.dscp] = tos >> 2
  key[at.ecn] = tos & 3
}
