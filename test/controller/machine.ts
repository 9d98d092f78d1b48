// A machine on a port, and what it says: as it is, or as somebody else.
import * as frames from '../reference/frames.ts'

export type Machine = { readonly mac: string; readonly ip4: string; readonly ip6: string; readonly linkLocal: string }

/** The address that a kernel makes of a MAC (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [a, b, c, d, e, f] = mac.split(':').map(byte => Number.parseInt(byte, 16)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f].map(group => group.toString(16))
  return new URL(`http://[fe80:0:0:0:${groups.join(':')}]/`).hostname.slice(1, -1)
}

const { arp, broadcast, icmpv6, ipv4, ipv6, neighbour, udp } = frames
const data = Buffer.from('l2sm l2sm l2sm l2sm')
/** The group that solicitations for an address go to (RFC 4291 §2.7.1). */
export function solicitedNode(ip: string): { readonly mac: string; readonly ip: string } {
  const groups = ip.split('::').at(-1)!.split(':')
  const all = groups
    .map(g => g.padStart(4, '0'))
    .join('')
    .padStart(8, '0')
  const [a, b, c] = [all.slice(-6, -4), all.slice(-4, -2), all.slice(-2)]
  return { mac: `33:33:ff:${a}:${b}:${c}`, ip: `ff02::1:ff${a}:${b}${c}` }
}

/** What a machine says. Each may lie: by default it says what is so. */
export const says = {
  arp: (
    me: Machine,
    tpa: string,
    { op = 1 as 1 | 2, src = me.mac, sha = me.mac, spa = me.ip4, dst = broadcast } = {},
  ) => arp({ dst, src }, { op, sha, spa, tpa }),
  ipv4: (
    me: Machine,
    { src = me.ip4, dst = '255.255.255.255', as = me.mac, to = broadcast, from = 5000, port = 5000 } = {},
  ) => ipv4({ dst: to, src: as }, { src, dst }, udp(from, port, data)),
  ipv6: (
    me: Machine,
    { src = me.ip6, dst = 'ff02::1', as = me.mac, to = '33:33:00:00:00:01', from = 5000, port = 5000 } = {},
  ) => ipv6({ dst: to, src: as }, { src, dst }, udp(from, port, data)),
  icmpv6: (me: Machine, type: number, { src = me.linkLocal, dst = 'ff02::2', as = me.mac } = {}) =>
    ipv6({ dst: '33:33:00:00:00:02', src: as }, { src, dst }, icmpv6(type, 0, Buffer.alloc(16))),
  solicit: (
    me: Machine,
    target: string,
    { src = me.ip6, sll = me.mac as string | null, as = me.mac, to = solicitedNode(target).mac } = {},
  ) =>
    ipv6(
      { dst: to, src: as },
      { src, dst: solicitedNode(target).ip },
      neighbour('solicit', target, sll === null ? undefined : [1, sll]),
    ),
  advertise: (me: Machine, target: string, { src = target, tll = me.mac as string | null, as = me.mac } = {}) =>
    ipv6(
      { dst: '33:33:00:00:00:01', src: as },
      { src, dst: 'ff02::1' },
      neighbour('advert', target, tll === null ? undefined : [2, tll]),
    ),
}

/** Frames that a strict port lets through, all of them to everybody. @param nobody An IPv4 and an IPv6 address that nobody has. */
export const legitimate = (
  me: Machine,
  other: Machine,
  nobody = { ip4: '10.0.7.7', ip6: 'fd00::7:7' },
): Readonly<Record<string, Buffer>> => ({
  'an ARP request': says.arp(me, nobody.ip4),
  'an ARP reply to all': says.arp(me, other.ip4, { op: 2 }),
  'gratuitous ARP': says.arp(me, me.ip4),
  'an ARP announcement as a reply': says.arp(me, me.ip4, { op: 2 }),
  'an ARP probe': says.arp(me, me.ip4, { spa: '0.0.0.0' }),
  'an IPv4 broadcast': says.ipv4(me),
  'a DHCP request': says.ipv4(me, { src: '0.0.0.0', from: 68, port: 67 }),
  'a DHCP renewal': says.ipv4(me, { from: 68, port: 67 }),
  'IPv6 multicast': says.ipv6(me),
  'IPv6 multicast from the link-local address': says.ipv6(me, { src: me.linkLocal }),
  'a DHCPv6 request': says.ipv6(me, { src: me.linkLocal, from: 546, port: 547 }),
  'a solicitation': says.solicit(me, nobody.ip6),
  'a solicitation from the link-local address': says.solicit(me, nobody.ip6, { src: me.linkLocal }),
  'a solicitation without its own MAC': says.solicit(me, nobody.ip6, { sll: null }),
  'duplicate address detection': says.solicit(me, me.ip6, { src: '::', sll: null }),
  'duplicate address detection of the link-local address': says.solicit(me, me.linkLocal, {
    src: '::',
    sll: null,
  }),
  'an advertisement': says.advertise(me, me.ip6),
  'an advertisement from the link-local address': says.advertise(me, me.ip6, { src: me.linkLocal }),
  'an advertisement without its MAC': says.advertise(me, me.ip6, { tll: null }),
  'an advertisement of the link-local address': says.advertise(me, me.linkLocal),
  'a router solicitation': says.icmpv6(me, 133),
  'a router solicitation from ::': says.icmpv6(me, 133, { src: '::' }),
  'an MLD report': says.icmpv6(me, 143, { dst: 'ff02::16' }),
  'an MLD report from ::': says.icmpv6(me, 143, { src: '::', dst: 'ff02::16' }),
})

/** Frames with which a machine says that it is another, or what it has no right to say. */
export const forged = (
  me: Machine,
  other: Machine,
  nobody = { ip4: '10.0.7.7', ip6: 'fd00::7:7' },
): Readonly<Record<string, Buffer>> => ({
  'another MAC': says.ipv4(me, { as: other.mac }),
  'another MAC that nobody has': says.arp(me, nobody.ip4, { src: '02:66:66:66:66:66' }),
  "an ARP sender's MAC": says.arp(me, nobody.ip4, { sha: other.mac }),
  "an ARP sender's address": says.arp(me, nobody.ip4, { spa: other.ip4 }),
  "gratuitous ARP of another's address": says.arp(me, other.ip4, { spa: other.ip4 }),
  "an ARP reply of another's address": says.arp(me, nobody.ip4, { op: 2, spa: other.ip4 }),
  "an ARP probe for another's address": says.arp(me, other.ip4, { spa: '0.0.0.0' }),
  'an ARP reply from 0.0.0.0': says.arp(me, me.ip4, { op: 2, spa: '0.0.0.0' }),
  "another's IPv4 address": says.ipv4(me, { src: other.ip4 }),
  '0.0.0.0': says.ipv4(me, { src: '0.0.0.0' }),
  "another's IPv6 address": says.ipv6(me, { src: other.ip6 }),
  "another's link-local address": says.ipv6(me, { src: other.linkLocal }),
  '::': says.ipv6(me, { src: '::' }),
  "a solicitation from another's address": says.solicit(me, nobody.ip6, { src: other.ip6 }),
  "a solicitation with another's MAC": says.solicit(me, nobody.ip6, { sll: other.mac }),
  "duplicate address detection of another's address": says.solicit(me, other.ip6, { src: '::', sll: null }),
  "an advertisement of another's address": says.advertise(me, other.ip6, { src: me.ip6 }),
  "an advertisement with another's MAC": says.advertise(me, me.ip6, { tll: other.mac }),
  "an advertisement from another's address": says.advertise(me, me.ip6, { src: other.ip6 }),
  'a router advertisement': says.icmpv6(me, 134),
  'a redirect': says.icmpv6(me, 137),
  'an MLD query': says.icmpv6(me, 130),
  'an answer of a DHCP server': says.ipv4(me, { from: 67, port: 68 }),
  'an answer of a DHCPv6 server': says.ipv6(me, { src: me.linkLocal, from: 547, port: 546 }),
  'a frame that is neither ARP nor IP': frames.ethernet({ dst: broadcast, src: me.mac }, 0x88b5, Buffer.alloc(46)),
  'a frame with a tag': frames.ethernet({ dst: broadcast, src: me.mac, tags: [{ vid: 7 }] }, 0x88b5, Buffer.alloc(46)),
})
