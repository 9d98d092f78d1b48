// A frame as bytes, from the bits that a set asks for: headers as they are asked for, and whole where nothing asks.
import { type FrameField, liking, mostTags, noType, slots, valueIn } from './frame-bits.ts'
import type { Bits } from './frame-sets.ts'

/** Where a set leaves it open: a broadcast of an experimental type (IEEE 802a) from an address of nobody. */
export const liked = liking({
  ...{ eth_type: 0x88b5n, eth_dst: 0xffff_ffff_ffffn, eth_src: 0x0200_0000_feedn },
  ...{ nw_ttl: 64n, arp_op: 1n, ip_proto: 0xfdn },
})

/** The shortest that a frame is, without its checksum (IEEE 802.3 §3.2.7), in bytes. */
const shortest = 60

/** @param pushed VLANs that it has besides its own, as a plain link to the switch would: OFPVID_PRESENT and VID. */
export function frameOf(bits: Bits, pushed: readonly number[] = []): Buffer {
  const number = (field: FrameField): number => Number(valueIn(bits, field))
  const bytes = (field: FrameField): Buffer =>
    Buffer.from(
      valueIn(bits, field)
        .toString(16)
        .padStart(slots[field].width / 4, '0'),
      'hex',
    )
  const tags: Buffer[] = pushed.toReversed().map(vid => tag(0x8100, vid & 0xfff))
  const own = [number('tag1'), number('tag2'), number('tag3')]
  const vids = [(number('vlan_pcp') << 13) | number('vid1'), number('vid2'), 1]
  const tpids = [0, number('tpid2'), number('tpid3')]
  for (let i = 0; i < mostTags && own[i] === 1; i++) tags.push(tag(tpids[i] ? 0x88a8 : 0x8100, vids[i]!))
  const type = number('eth_type')
  const body = bodyOf(type, number, bytes)
  const head = [bytes('eth_dst'), bytes('eth_src'), ...tags, uint(type === noType ? body.length : type, 2), body]
  const frame = Buffer.concat(head)
  return frame.length < shortest ? Buffer.concat([frame, Buffer.alloc(shortest - frame.length)]) : frame
}

type Values = (field: FrameField) => number
type Parts = (field: FrameField) => Buffer

const uint = (value: number, size: number): Buffer => {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}
const tag = (tpid: number, tci: number): Buffer => Buffer.concat([uint(tpid, 2), uint(tci, 2)])

function bodyOf(type: number, number: Values, bytes: Parts): Buffer {
  switch (type) {
    case noType:
      // An LLC frame of IEEE 802.2 that is no SNAP.
      return Buffer.concat([Buffer.from('424203', 'hex'), Buffer.alloc(43)])
    case 0x0806:
      return Buffer.concat([
        Buffer.from('000108000604', 'hex'),
        ...[bytes('arp_op'), bytes('arp_sha'), bytes('arp_spa'), bytes('arp_tha'), bytes('arp_tpa')],
      ])
    case 0x0800:
      return ipv4(number, bytes)
    case 0x86dd:
      return ipv6(number, bytes)
    case 0x8847:
    case 0x8848:
      return uint(((number('mpls_label') << 12) | (number('mpls_tc') << 9) | (number('mpls_bos') << 8) | 64) >>> 0, 4)
    default:
      return Buffer.from('l2sm')
  }
}

function ipv4(number: Values, bytes: Parts): Buffer {
  const payload = payloadOf(number('ip_proto'), number, bytes, 4)
  const header = Buffer.concat([
    ...[Buffer.from([0x45, (number('ip_dscp') << 2) | number('ip_ecn')]), uint(20 + payload.length, 2)],
    ...[Buffer.alloc(2), uint(fragment(number('ip_frag')), 2), Buffer.from([number('nw_ttl'), number('ip_proto')])],
    ...[Buffer.alloc(2), bytes('ipv4_src'), bytes('ipv4_dst')],
  ])
  header.writeUInt16BE(checksum(header), 10)
  return Buffer.concat([header, payload])
}
/** ovs-fields(7), ip_frag: bit 0 is any fragment, bit 1 a later one. */
const fragment = (bits: number): number => (bits === 1 ? 0x2000 : bits === 3 ? 0x0001 : 0)

function ipv6(number: Values, bytes: Parts): Buffer {
  const proto = number('ip_proto')
  const payload = payloadOf(proto, number, bytes, 6)
  const traffic = (number('ip_dscp') << 2) | number('ip_ecn')
  const first = ((6 << 28) | (traffic << 20) | number('ipv6_flabel')) >>> 0
  const addresses = Buffer.concat([bytes('ipv6_src'), bytes('ipv6_dst')])
  const header = [uint(first, 4), uint(payload.length, 2), Buffer.from([proto, number('nw_ttl')]), addresses]
  if (proto === 58) {
    const pseudo = Buffer.concat([addresses, uint(payload.length, 4), uint(58, 4), payload])
    payload.writeUInt16BE(checksum(pseudo), 2)
  }
  return Buffer.concat([...header, payload])
}

function payloadOf(proto: number, number: Values, bytes: Parts, version: 4 | 6): Buffer {
  if (proto === 6)
    return Buffer.concat([
      ...[bytes('tcp_src'), bytes('tcp_dst'), Buffer.alloc(8), uint(0x5000 | number('tcp_flags'), 2)],
      Buffer.alloc(6),
    ])
  if (proto === 17) return Buffer.concat([bytes('udp_src'), bytes('udp_dst'), uint(8, 2), uint(0, 2)])
  if (proto === 132) return Buffer.concat([bytes('sctp_src'), bytes('sctp_dst'), Buffer.alloc(8)])
  if (proto === 1 && version === 4) return control(number('icmpv4_type'), number('icmpv4_code'), Buffer.alloc(4))
  if (proto === 2 && version === 4) return control(0x16, 0, Buffer.alloc(4))
  if (proto === 58 && version === 6) {
    const type = number('icmpv6_type')
    const target = bytes('ipv6_nd_target')
    const link = type === 135 ? bytes('ipv6_nd_sll') : bytes('ipv6_nd_tll')
    const option = Buffer.concat([Buffer.from([type === 135 ? 1 : 2, 1]), link])
    const rest = type === 135 || type === 136 ? [bytes('nd_reserved'), target, option] : [Buffer.alloc(20)]
    return Buffer.concat([Buffer.from([type, number('icmpv6_code'), 0, 0]), ...rest])
  }
  return Buffer.from('l2sm')
}
function control(type: number, code: number, rest: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from([type, code, 0, 0]), rest])
  bytes.writeUInt16BE(checksum(bytes), 2)
  return bytes
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += i + 1 < bytes.length ? bytes.readUInt16BE(i) : bytes[i]! << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
