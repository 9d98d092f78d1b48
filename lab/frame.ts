/** Builds Ethernet frames byte by byte, well-formed or not. Addresses are spelled as usual, in lower case. */

import { isIPv4 } from 'node:net'

export type Tag = {
  /** 0 to 4095; 0 is a priority tag. */
  readonly vid: number
  readonly tpid?: number
  readonly priority?: number
}

export type Ethernet = {
  readonly dst: string
  readonly src: string
  /** Outermost first. A plain number is a VLAN id. */
  readonly tags?: readonly (number | Tag)[]
}

export const broadcast = 'ff:ff:ff:ff:ff:ff'

export const ethertypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  experimental: 0x88b5,
  lldp: 0x88cc,
} as const

/** A frame without its checksum, padded to the 60 bytes that are the least on a wire. */
export function ethernet(header: Ethernet, type: number, payload: Buffer): Buffer {
  const tags = (header.tags ?? []).map(tag => (typeof tag === 'number' ? { vid: tag } : tag))
  const pieces = tags.map(({ vid, tpid = ethertypes.vlan, priority = 0 }) => u16(tpid, (priority << 13) | vid))
  const frame = Buffer.concat([octets(header.dst), octets(header.src), ...pieces, u16(type), payload])
  return frame.length >= 60 ? frame : Buffer.concat([frame, Buffer.alloc(60 - frame.length)])
}

export type Arp = {
  readonly op: 'request' | 'reply'
  readonly sender: { readonly mac: string; readonly ip: string }
  readonly target: { readonly mac?: string; readonly ip: string }
}

/** RFC 826. */
export function arp(header: Ethernet, { op, sender, target }: Arp): Buffer {
  const ends = [sender, { mac: '00:00:00:00:00:00', ...target }]
  const addresses = ends.flatMap(({ mac, ip }) => [octets(mac), ipv4Octets(ip)])
  const start = Buffer.concat([u16(1, ethertypes.ipv4), Buffer.from([6, 4]), u16(op === 'request' ? 1 : 2)])
  return ethernet(header, ethertypes.arp, Buffer.concat([start, ...addresses]))
}

export type Udp = {
  readonly src: string
  readonly dst: string
  readonly sourcePort: number
  readonly targetPort: number
  readonly payload?: Buffer
}

/** IPv4 or IPv6, as the addresses are; with checksums. */
export function udp(header: Ethernet, { src, dst, sourcePort, targetPort, payload = Buffer.alloc(0) }: Udp): Buffer {
  const segment = Buffer.concat([u16(sourcePort, targetPort, 8 + payload.length, 0), payload])
  // RFC 768: a sum of zero is sent as all ones, as zero says that there is none.
  segment.writeUInt16BE(checksum(pseudoHeader(src, dst, 17, segment.length), segment) || 0xffff, 6)
  return ip(header, { src, dst, protocol: 17, payload: segment })
}

export type Ip = {
  readonly src: string
  readonly dst: string
  readonly protocol: number
  readonly payload: Buffer
}

/** RFC 791 or 8200. A hop limit of 255, as neighbour discovery demands. */
export function ip(header: Ethernet, { src, dst, protocol, payload }: Ip): Buffer {
  if (isIPv4(src)) {
    const head = Buffer.concat([u16(0x4500, 20 + payload.length, 0, 0x4000), Buffer.from([255, protocol]), u16(0)])
    const packet = Buffer.concat([head, ipv4Octets(src), ipv4Octets(dst)])
    packet.writeUInt16BE(checksum(packet), 10)
    return ethernet(header, ethertypes.ipv4, Buffer.concat([packet, payload]))
  }
  const head = Buffer.concat([u16(0x6000, 0, payload.length), Buffer.from([protocol, 255])])
  return ethernet(header, ethertypes.ipv6, Buffer.concat([head, ipv6Octets(src), ipv6Octets(dst), payload]))
}

export type Icmp6 = { readonly src: string; readonly dst: string; readonly type: number; readonly body: Buffer }

/** RFC 4443, code 0; `body` is what follows the checksum. */
export function icmp6(header: Ethernet, { src, dst, type, body }: Icmp6): Buffer {
  const message = Buffer.concat([u16(type << 8, 0), body])
  message.writeUInt16BE(checksum(pseudoHeader(src, dst, 58, message.length), message), 2)
  return ip(header, { src, dst, protocol: 58, payload: message })
}

export type Neighbour = {
  readonly src: string
  readonly dst: string
  readonly target: string
  /** The link-layer address option; without it there is none, as in duplicate address detection. */
  readonly mac?: string
}

/** RFC 4861 §4.3, type 135. */
export const neighbourSolicitation = (header: Ethernet, { src, dst, target, mac }: Neighbour): Buffer =>
  icmp6(header, { src, dst, type: 135, body: Buffer.concat([Buffer.alloc(4), ipv6Octets(target), linkLayer(1, mac)]) })

/** RFC 4861 §4.4, type 136, solicited and overriding. */
export const neighbourAdvertisement = (header: Ethernet, { src, dst, target, mac }: Neighbour): Buffer =>
  icmp6(header, { src, dst, type: 136, body: Buffer.concat([u16(0x6000, 0), ipv6Octets(target), linkLayer(2, mac)]) })

/** RFC 4861 §4.2, type 134: a router that nobody asked for, with a prefix of its own. */
export function routerAdvertisement(
  header: Ethernet,
  { src, dst, prefix }: { src: string; dst: string; prefix: string },
): Buffer {
  const lifetimes = Buffer.concat([Buffer.from([64, 0]), u16(1800, 0, 0, 0, 0)])
  const option = Buffer.concat([Buffer.from([3, 4, 64, 0xc0]), u16(0, 1800, 0, 1800, 0, 0), ipv6Octets(prefix)])
  return icmp6(header, { src, dst, type: 134, body: Buffer.concat([lifetimes, option]) })
}

const linkLayer = (option: number, mac: string | undefined): Buffer =>
  mac === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from([option, 1]), octets(mac)])

/** What makes a frame countable, wherever in it this stands; see frames.py. */
export const magic = Buffer.from('l2smPrb!', 'latin1')
export const probeLength = magic.length + 8

export type Probe = { readonly stream: number; readonly sequence: number }

export function probePayload({ stream, sequence }: Probe, length = probeLength): Buffer {
  const payload = Buffer.alloc(Math.max(length, probeLength))
  magic.copy(payload)
  payload.writeUInt32BE(stream, magic.length)
  payload.writeUInt32BE(sequence, magic.length + 4)
  return payload
}

/** A countable frame of `size` bytes or a few more, of an Ethernet type that is nobody's (IEEE 802, 88-B5). */
export const probe = (header: Ethernet, counted: Probe = { stream: 0, sequence: 0 }, size = 60): Buffer =>
  ethernet(header, ethertypes.experimental, probePayload(counted, size - 14))

/** RFC 1071, over buffers of even length but for the last. */
export function checksum(...pieces: Buffer[]): number {
  const whole = Buffer.concat(pieces)
  let sum = 0
  for (let at = 0; at + 1 < whole.length; at += 2) sum += whole.readUInt16BE(at)
  if (whole.length % 2 === 1) sum += whole[whole.length - 1]! << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

function pseudoHeader(src: string, dst: string, protocol: number, length: number): Buffer {
  const write = isIPv4(src) ? ipv4Octets : ipv6Octets
  return Buffer.concat([write(src), write(dst), u16(protocol, length)])
}

/** '02:00:00:00:00:01' as six bytes. */
export function octets(mac: string): Buffer {
  const bytes = Buffer.from(mac.replaceAll(':', ''), 'hex')
  if (bytes.length !== 6) throw new Error(`mac "${mac}": expected six pairs of hex digits`)
  return bytes
}

const ipv4Octets = (address: string): Buffer => Buffer.from(address.split('.').map(Number))

function ipv6Octets(address: string): Buffer {
  const [left = '', right] = address.split('::')
  const words = (text: string) => text.split(':').filter(word => word !== '')
  const [before, after] = [words(left), words(right ?? '')]
  const zeros = right === undefined ? [] : Array<string>(8 - before.length - after.length).fill('0')
  return u16(...[...before, ...zeros, ...after].map(word => Number.parseInt(word, 16)))
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2)
  return bytes
}
