// A frame from fields as people write them.
import { fieldNumber } from '../../openflow/index.ts'
import { updateChecksums } from './checksum.ts'
import { headersOf } from './headers.ts'

/** All as text; what is absent follows from the others, or has the value that does least. */
export type Fields = { readonly [name: string]: string | undefined }
export type BadField = { readonly where: string; readonly got: string; readonly expected: string }

class Fault extends Error {
  readonly bad: BadField
  constructor(bad: BadField) {
    super(bad.expected)
    this.bad = bad
  }
}

const types: Readonly<Record<string, number>> = { arp: 0x0806, ip: 0x0800, ipv6: 0x86dd, lldp: 0x88cc }
const protocols: Readonly<Record<string, number>> = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmp6: 58 }
/** For local experiments (IEEE 802, table 2): nobody takes it for anything. */
const plainType = 0x88b5
const shortest = 60

/** A frame of 60 bytes or more, checksums included. */
export function frameOf(fields: Fields): Buffer | BadField {
  try {
    const type = typeOf(fields)
    const head = Buffer.concat([
      bytesOf(fields, 'dst', 'eth_dst', broadcast),
      bytesOf(fields, 'src', 'eth_src', someMac),
      tagOf(fields),
      word(type),
    ])
    const frame = Buffer.concat([head, bodyOf(fields, type)])
    const whole = frame.length < shortest ? Buffer.concat([frame, Buffer.alloc(shortest - frame.length)]) : frame
    return summed(whole)
  } catch (error) {
    if (error instanceof Fault) return error.bad
    throw error
  }
}
const broadcast = 'ff:ff:ff:ff:ff:ff'
const someMac = '02:00:00:00:00:01'

function typeOf({ type, arp, ipSrc = '', ipDst = '' }: Fields): number {
  if (type !== undefined)
    return types[type] ?? numberIn('type', type, 0x600, 0xffff, 'arp, ip, ipv6, lldp, or an EtherType such as 0x88b5')
  if (arp !== undefined) return 0x0806
  if ((ipSrc + ipDst).includes(':')) return 0x86dd
  return (ipSrc + ipDst).includes('.') ? 0x0800 : plainType
}

function tagOf({ vlan }: Fields): Buffer {
  if (vlan === undefined) return Buffer.alloc(0)
  return Buffer.concat([word(0x8100), word(numberIn('vlan', vlan, 0, 4095, 'a VLAN, 0 to 4095'))])
}

function bodyOf(fields: Fields, type: number): Buffer {
  if (type === 0x0806) return arpOf(fields)
  if (type === 0x0800) return ipv4Of(fields)
  return type === 0x86dd ? ipv6Of(fields) : Buffer.alloc(0)
}

function arpOf(fields: Fields): Buffer {
  const { arp = 'request', dst = broadcast } = fields
  if (arp !== 'request' && arp !== 'reply') throw new Fault({ where: 'arp', got: arp, expected: 'request or reply' })
  const target = arp === 'request' && dst === broadcast ? '00:00:00:00:00:00' : dst
  return Buffer.concat([
    Buffer.from('000108000604', 'hex'),
    word(arp === 'request' ? 1 : 2),
    bytesOf(fields, 'src', 'eth_src', someMac),
    bytesOf(fields, 'ipSrc', 'ipv4_src', '0.0.0.0'),
    bytesOf({ dst: target }, 'dst', 'eth_dst', target),
    bytesOf(fields, 'ipDst', 'ipv4_dst', '0.0.0.0'),
  ])
}

function ipv4Of(fields: Fields): Buffer {
  const proto = protocolOf(fields, 17)
  const inner = innerOf(fields, proto)
  const head = Buffer.from('450000000000400040000000', 'hex')
  head.writeUInt16BE(20 + inner.length, 2)
  head[9] = proto
  return Buffer.concat([
    head,
    bytesOf(fields, 'ipSrc', 'ipv4_src', '0.0.0.0'),
    bytesOf(fields, 'ipDst', 'ipv4_dst', '0.0.0.0'),
    inner,
  ])
}

function ipv6Of(fields: Fields): Buffer {
  const proto = protocolOf(fields, 17)
  const inner = innerOf(fields, proto)
  const head = Buffer.from('60000000000000ff', 'hex')
  head.writeUInt16BE(inner.length, 4)
  head[6] = proto
  return Buffer.concat([
    head,
    bytesOf(fields, 'ipSrc', 'ipv6_src', '::'),
    bytesOf(fields, 'ipDst', 'ipv6_dst', '::'),
    inner,
  ])
}

function protocolOf({ proto, icmpType, target, ipSrc = '', ipDst = '', type }: Fields, usual: number): number {
  if (proto !== undefined)
    return protocols[proto] ?? numberIn('proto', proto, 0, 255, 'icmp, igmp, tcp, udp, icmp6, or a number to 255')
  const isV6 = type === 'ipv6' || (ipSrc + ipDst).includes(':')
  if (icmpType !== undefined || target !== undefined) return isV6 ? 58 : 1
  return usual
}

function innerOf(fields: Fields, proto: number): Buffer {
  const { srcPort = '0', dstPort = '0', icmpType } = fields
  const port = (name: string, text: string) => word(numberIn(name, text, 0, 65535, 'a port, 0 to 65535'))
  const portPair = Buffer.concat([port('srcPort', srcPort), port('dstPort', dstPort)])
  if (proto === 17) return Buffer.concat([portPair, word(8), word(0)])
  if (proto === 6) return Buffer.concat([portPair, Buffer.from('00000000000000005002ffff00000000', 'hex')])
  const icmp = icmpType === undefined ? undefined : numberIn('icmpType', icmpType, 0, 255, 'a type, 0 to 255')
  if (proto === 1) return Buffer.concat([Buffer.from([icmp ?? 8, 0]), Buffer.alloc(6)])
  if (proto === 2)
    return Buffer.concat([Buffer.from([icmp ?? 0x16, 0, 0, 0]), bytesOf(fields, 'target', 'ipv4_dst', '0.0.0.0')])
  return proto === 58 ? icmpv6Of(fields, icmp ?? (fields['target'] === undefined ? 128 : 135)) : Buffer.alloc(8)
}

/** Of neighbour discovery with its target, and the sender's address as the option that goes with it (RFC 4861 §4.3, §4.4). */
function icmpv6Of(fields: Fields, type: number): Buffer {
  const head = Buffer.from([type, 0, 0, 0, type === 136 ? 0x60 : 0, 0, 0, 0])
  if (type !== 135 && type !== 136) return head
  const option = Buffer.concat([Buffer.from([type === 135 ? 1 : 2, 1]), bytesOf(fields, 'src', 'eth_src', someMac)])
  return Buffer.concat([head, bytesOf(fields, 'target', 'ipv6_src', '::'), option])
}

/** A field's bytes, as a match of OpenFlow would have them. */
function bytesOf(
  fields: Fields,
  where: string,
  field: 'eth_src' | 'eth_dst' | 'ipv4_src' | 'ipv4_dst' | 'ipv6_src' | 'ipv6_dst',
  usual: string,
): Buffer {
  const got = fields[where] ?? usual
  const kind = field.slice(0, 4)
  try {
    const size = sizes[kind]!
    return Buffer.from(
      fieldNumber(field, got)
        .toString(16)
        .padStart(size * 2, '0'),
      'hex',
    )
  } catch {
    throw new Fault({
      where,
      got,
      expected: { eth_: 'a MAC address', ipv4: 'an IPv4 address', ipv6: 'an IPv6 address' }[kind]!,
    })
  }
}
const sizes: Readonly<Record<string, number>> = { eth_: 6, ipv4: 4, ipv6: 16 }

function numberIn(where: string, text: string, least: number, most: number, expected: string): number {
  const number = /^(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new Fault({ where, got: text, expected })
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** With its checksums: those of the same frame with all bytes 0 are known, and the rest is a difference. */
function summed(frame: Buffer): Buffer {
  const { l3, l4, ...headers } = headersOf(frame, Number.POSITIVE_INFINITY)
  if (l3 < 0) return frame
  const before = Buffer.from(frame).fill(0, l3)
  const isV4 = frame[l3]! >> 4 === 4
  // A sum of nothing is all ones; that of layer 4 has protocol and length in it, which stand nowhere in it.
  if (isV4) before.writeUInt16BE(0xffff, l3 + 10)
  const proto = Number(headers.fields.get('ip_proto')?.value ?? 0n)
  const at = { 1: 2, 6: 16, 17: 6, 58: 2, 2: 2 }[proto]
  const end = isV4 ? l3 + frame.readUInt16BE(l3 + 2) : frame.length
  const pseudo = proto === 1 || proto === 2 ? 0 : proto + (isV4 ? end - l4 : frame.readUInt16BE(l3 + 4))
  if (l4 >= 0 && at !== undefined) before.writeUInt16BE(~pseudo & 0xffff, l4 + at)
  const after = Buffer.from(frame)
  if (isV4) after.writeUInt16BE(0xffff, l3 + 10)
  if (l4 >= 0 && at !== undefined) after.writeUInt16BE(~pseudo & 0xffff, l4 + at)
  // The header's length is read from the frame that was.
  before[l3] = 0
  updateChecksums(before, after, { ...headers, l3, l4 })
  return after
}
