// What frames of ours have in common: queries for multicast groups, and probes of the machines at ports.

export type Family = 'ipv4' | 'ipv6'

/** Ours never wins an election: 0.0.0.0 takes no part in one (RFC 4541 §2.1.1), and of IPv6 addresses the lowest wins. */
export const ourSources: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0', ipv6: 'fe80::ffff:ffff:ffff:fffe' }
export const ourMac = Buffer.from('026c32736d01', 'hex')

/** ICMPv6's number as a next header (RFC 4443 §1). */
export const icmpv6 = 58
/** What an ICMPv6 message's checksum covers besides (RFC 8200 §8.1). @param addresses Source and destination. */
export const pseudoHeader = (addresses: Buffer, length: number): Buffer =>
  Buffer.concat([addresses, u32(length), u32(icmpv6)])

/** RFC 1071, over pieces of even length but for the last; 0 over what holds a right one. */
export function checksum(...pieces: readonly Buffer[]): number {
  let sum = 0
  for (const piece of pieces) for (let i = 0; i < piece.length; i++) sum += i % 2 === 0 ? piece[i]! << 8 : piece[i]!
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
