// Frames to send, as bytes. Addresses are text; checksums are right.
import { ipv6Bytes } from './field.ts'

export type Tag = { readonly vid: number; readonly pcp?: number; readonly tpid?: number }
type L2 = { readonly dst: string; readonly src: string; readonly tags?: readonly Tag[] }

const bytes = (...parts: readonly (number | readonly number[] | Buffer)[]): Buffer =>
  Buffer.concat(parts.map(part => (typeof part === 'number' ? u16(part) : Buffer.from(part))))
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
const macBytes = (mac: string): number[] => mac.split(':').map(x => Number.parseInt(x, 16))
const ipv4Bytes = (ip: string): number[] => ip.split('.').map(Number)

export const broadcast = 'ff:ff:ff:ff:ff:ff'

/** An Ethernet frame with any payload; tags from the outermost on. */
export const ethernet = ({ dst, src, tags = [] }: L2, type: number, payload: Buffer): Buffer =>
  bytes(
    macBytes(dst),
    macBytes(src),
    ...tags.flatMap(({ vid, pcp = 0, tpid = 0x8100 }) => [tpid, (pcp << 13) | vid]),
    type,
    payload,
  )

type Arp = {
  readonly op: 1 | 2
  readonly sha: string
  readonly spa: string
  readonly tha?: string
  readonly tpa: string
}

/** RFC 826. `rest` stands behind it, as padding does. */
export const arp = (l2: L2, { op, sha, spa, tha = '00:00:00:00:00:00', tpa }: Arp, rest = Buffer.alloc(18)): Buffer =>
  ethernet(l2, 0x0806, bytes(1, 0x0800, 0x0604, op, macBytes(sha), ipv4Bytes(spa), macBytes(tha), ipv4Bytes(tpa), rest))

export const arpRequest = (src: string, spa: string, tpa: string): Buffer =>
  arp({ dst: broadcast, src }, { op: 1, sha: src, spa, tpa })

/** What follows IP: its protocol number, its bytes, and where in them the checksum stands, if there is one. */
export type L4 = { readonly proto: number; readonly body: Buffer; readonly checksumAt?: number }

export const udp = (src: number, dst: number, payload: Buffer): L4 => ({
  proto: 17,
  body: bytes(src, dst, 8 + payload.length, 0, payload),
  checksumAt: 6,
})
export const tcp = (src: number, dst: number, payload: Buffer): L4 => ({
  proto: 6,
  body: bytes(src, dst, [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02], 1024, 0, 0, payload),
  checksumAt: 16,
})
export const icmp = (type: number, code: number, payload: Buffer): L4 => ({
  proto: 1,
  body: bytes([type, code], 0, [0, 1, 0, 1], payload),
  checksumAt: 2,
})
export const icmpv6 = (type: number, code: number, payload: Buffer): L4 => ({
  proto: 58,
  body: bytes([type, code], 0, payload),
  checksumAt: 2,
})
/** RFC 4861 §4.3 and §4.4; option 1 is a source, option 2 a target link-layer address. */
export const neighbour = (
  kind: 'solicit' | 'advert',
  target: string,
  option?: readonly [kind: 1 | 2, mac: string],
): L4 =>
  icmpv6(
    kind === 'solicit' ? 135 : 136,
    0,
    bytes(
      kind === 'solicit' ? [0, 0, 0, 0] : [0x60, 0, 0, 0],
      ipv6Bytes(target),
      option ? [option[0], 1, ...macBytes(option[1])] : [],
    ),
  )

type Ip = { readonly src: string; readonly dst: string; readonly tos?: number; readonly flags?: number }

export function ipv4(
  l2: L2,
  { src, dst, tos = 0, flags = 0x4000 }: Ip,
  { proto, body, checksumAt }: L4,
  rest = Buffer.alloc(0),
): Buffer {
  const header = bytes([0x45, tos], 20 + body.length, 1, flags, [64, proto], 0, ipv4Bytes(src), ipv4Bytes(dst))
  header.writeUInt16BE(checksum(header), 10)
  const pseudo = proto === 1 ? Buffer.alloc(0) : bytes(ipv4Bytes(src), ipv4Bytes(dst), [0, proto], body.length)
  return ethernet(l2, 0x0800, Buffer.concat([header, summed(body, pseudo, checksumAt), rest]))
}

export function ipv6(l2: L2, { src, dst, tos = 0 }: Ip, { proto, body, checksumAt }: L4, flowLabel = 0): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(((0x60000000 | (tos << 20)) >>> 0) + flowLabel)
  header.writeUInt16BE(body.length, 4)
  header[6] = proto
  header[7] = 255
  const addresses = bytes(ipv6Bytes(src), ipv6Bytes(dst))
  const pseudo = bytes(addresses, 0, body.length, [0, 0, 0, proto])
  return ethernet(l2, 0x86dd, Buffer.concat([header, addresses, summed(body, pseudo, checksumAt)]))
}

function summed(body: Buffer, pseudo: Buffer, at: number | undefined): Buffer {
  if (at === undefined) return body
  const sum = checksum(Buffer.concat([pseudo, body]))
  body.writeUInt16BE(sum === 0 ? 0xffff : sum, at)
  return body
}

/** RFC 1071. */
export function checksum(data: Buffer): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 2) sum += (data[i]! << 8) | (data[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** IEEE 802.1AB: an LLDPDU to the nearest bridge, with TLVs given as bytes. */
export const lldp = (src: string, tlvs: Buffer): Buffer => ethernet({ dst: '01:80:c2:00:00:0e', src }, 0x88cc, tlvs)

/** RFC 7348: a frame in VXLAN, as a tunnel's other end sends it. */
export const vxlan = (l2: L2, ip: Ip, vni: number, inner: Buffer): Buffer =>
  ipv4(l2, ip, {
    proto: 17,
    body: bytes(
      49152 + (vni & 0xfff),
      4789,
      16 + inner.length,
      0,
      [8, 0, 0, 0, vni >> 16, (vni >> 8) & 0xff, vni & 0xff, 0],
      inner,
    ),
  })
