// What makes a machine show that it is there, sent to its port alone and to its MAC alone. Whatever it answers counts, for
// any frame from it is counted by its guard entry.

import { ipv6 } from '../../openflow/wire/address.ts'
import { cursorOf } from '../../openflow/wire/wire.ts'
import { checksum, icmpv6, ourMac, ourSources, pseudoHeader } from '../switch/our-frames.ts'

/**
 * Ethernet frames to the machine with this MAC: an ARP probe for each IPv4 address (RFC 5227 §2.1.1: from 0.0.0.0, so that it
 * changes nobody's table), a neighbour solicitation for the link-local address that follows from the MAC (RFC 4291 appendix
 * A), and an echo request to all nodes (RFC 4443 §4.1), which most machines with IPv6 answer whatever their address is.
 */
export const probeFrames = (mac: number, ipv4: Iterable<number>): readonly Buffer[] => [
  ...[...ipv4].map(address => arpProbe(mac, address)),
  solicitation(mac),
  echoRequest(mac),
]

const header = (mac: number, type: number): Buffer => {
  const frame = Buffer.alloc(14)
  frame.writeUIntBE(mac, 0, 6)
  ourMac.copy(frame, 6)
  frame.writeUInt16BE(type, 12)
  return frame
}

/** RFC 826: hardware type Ethernet, protocol IPv4, a request. Padded to the shortest frame of Ethernet. */
function arpProbe(mac: number, target: number): Buffer {
  const arp = Buffer.alloc(46)
  arp.set([0, 1, 8, 0, 6, 4, 0, 1])
  ourMac.copy(arp, 8)
  arp.writeUInt32BE(target, 24)
  return Buffer.concat([header(mac, 0x0806), arp])
}

/** RFC 4861 §4.3, with our own MAC as source link-layer address. */
function solicitation(mac: number): Buffer {
  const target = linkLocal(mac)
  const message = Buffer.concat([Buffer.from([135, 0, 0, 0, 0, 0, 0, 0]), target, Buffer.from([1, 1]), ourMac])
  return icmpFrame(mac, target, 255, message)
}

function echoRequest(mac: number): Buffer {
  const all = Buffer.alloc(16)
  ipv6.set(cursorOf(all), 0, 'ff02::1')
  return icmpFrame(mac, all, 1, Buffer.from([128, 0, 0, 0, 0x6c, 0x32, 0, 1]))
}

function icmpFrame(mac: number, to: Buffer, hopLimit: number, message: Buffer): Buffer {
  const addresses = Buffer.alloc(32)
  ipv6.set(cursorOf(addresses), 0, ourSources.ipv6)
  to.copy(addresses, 16)
  message.writeUInt16BE(checksum(pseudoHeader(addresses, message.length), message), 2)
  const start = Buffer.from([0x60, 0, 0, 0, 0, message.length, icmpv6, hopLimit])
  return Buffer.concat([header(mac, 0x86dd), start, addresses, message])
}

/** fe80::/64 and the modified EUI-64 of the MAC. */
function linkLocal(mac: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(mac, 0, 6)
  const host = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!]
  return Buffer.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...host])
}

/** The sender's IPv4 address of an ARP or IPv4 frame, if it says one; 0.0.0.0 is none. */
export function ipv4Sender(frame: Buffer): number | undefined {
  if (frame.length < 34) return undefined
  const type = frame.readUInt16BE(12)
  const address = type === 0x0806 ? frame.readUInt32BE(28) : type === 0x0800 ? frame.readUInt32BE(26) : 0
  return address === 0 ? undefined : address
}
