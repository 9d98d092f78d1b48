// What a guarded port may send, as it was declared: whom it may pose as. Worked out here from the addresses alone, not from what the
// compiler makes of them.
import type { Member } from './data-plane.ts'
import { type FrameField, fieldSet, fullMask } from './frame-bits.ts'
import { type FrameSet, type FrameSpace, none } from './frame-sets.ts'

type Addresses = { readonly family: 4 | 6; readonly value: bigint; readonly mask: bigint }
type Sender = { readonly mac: bigint; readonly owned: readonly Addresses[]; readonly sources: readonly Addresses[] }

export const macBits = (mac: string): bigint => BigInt(`0x${mac.replaceAll(':', '')}`)

/** Frames of this member whose sender is one that it may be; undefined: it may be anybody. */
export function ofItsSenders(space: FrameSpace, member: Member): FrameSet | undefined {
  if (member.guard === 'learn') return undefined
  const senders = sendersOf(member)
  const from = ({ mac }: Sender) => fieldSet(space, 'eth_src', mac)
  if (member.guard !== 'strict') return senders.map(from).reduce(space.or, none)
  const sets = (fields: Fields): FrameSet => within(space, fields)
  const any = (rows: readonly FrameSet[]): FrameSet => rows.reduce(space.or, none)
  let all: FrameSet = none
  for (const sender of senders) {
    const said = any([arpOf(sender, sets, any), ipv4Of(sender, sets, any), ipv6Of(sender, sets, any, space)])
    all = space.or(all, space.and(from(sender), said))
  }
  return space.minus(all, any(untrusted(member).map(sets)))
}

type Fields = { readonly [F in FrameField]?: bigint | Addresses }
type Sets = (fields: Fields) => FrameSet
type Any = (rows: readonly FrameSet[]) => FrameSet

function within(space: FrameSpace, fields: Fields): FrameSet {
  let set: FrameSet = 1
  for (const [name, it] of Object.entries(fields)) {
    const field = name as FrameField
    const { value, mask } = typeof it === 'bigint' ? { value: it, mask: fullMask(field) } : it!
    set = space.and(set, fieldSet(space, field, value, mask))
  }
  return set
}

const arp = { eth_type: 0x0806n }
const ipv4 = { eth_type: 0x0800n }
const ipv6 = { eth_type: 0x86ddn }
const icmp6 = (icmpv6_type: bigint) => ({ ...ipv6, ip_proto: 58n, icmpv6_type })
const solicitation = { ...icmp6(135n), icmpv6_code: 0n }
const advertisement = { ...icmp6(136n), icmpv6_code: 0n }
const of = (family: 4 | 6) => (addresses: Addresses) => addresses.family === family

/** What only DHCP servers and routers say (RFC 2131, RFC 8415; RFC 4861, RFC 3810, RFC 3122, RFC 4286). */
function untrusted({ trusted = [] }: Member): readonly Fields[] {
  const dhcp = [
    { ...ipv4, ip_proto: 17n, udp_src: 67n },
    { ...ipv6, ip_proto: 17n, udp_src: 547n },
  ]
  const router = [130n, 134n, 137n, 141n, 142n, 151n].map(icmp6)
  return [...(trusted.includes('dhcp') ? [] : dhcp), ...(trusted.includes('router') ? [] : router)]
}

/** RFC 826, and the probe of RFC 5227 for an address of its own. */
const arpOf = ({ mac, owned }: Sender, sets: Sets, any: Any): FrameSet =>
  any(
    owned
      .filter(of(4))
      .flatMap(own => [
        sets({ ...arp, arp_sha: mac, arp_spa: own }),
        sets({ ...arp, arp_op: 1n, arp_sha: mac, arp_spa: 0n, arp_tpa: own }),
      ]),
  )

/** From its addresses, or from none: a question to DHCP, a report of IGMP. */
const ipv4Of = ({ sources }: Sender, sets: Sets, any: Any): FrameSet =>
  any([
    ...sources.filter(of(4)).map(own => sets({ ...ipv4, ipv4_src: own })),
    sets({ ...ipv4, ip_proto: 17n, ipv4_src: 0n, ipv4_dst: 0xffff_ffffn, udp_src: 68n, udp_dst: 67n }),
    sets({ ...ipv4, ip_proto: 2n, ipv4_src: 0n, ipv4_dst: 0xe000_0016n }),
  ])

/** The same of IPv6; of neighbour discovery (RFC 4861 §4.3, §4.4; RFC 4862 §5.4) what is about its own addresses. */
function ipv6Of({ mac, owned, sources }: Sender, sets: Sets, any: Any, space: FrameSpace): FrameSet {
  const own6 = owned.filter(of(6))
  // Of a prefix that holds the link-local address any may speak for the others.
  const linkLocal = own6.find(({ value, mask }) => (own6.at(-1)!.value & mask) === value)!
  const neighbours = own6.flatMap(own => [
    ...[mac, 0n].flatMap(ll => [
      sets({ ...solicitation, ipv6_nd_sll: ll, ipv6_src: own }),
      sets({ ...advertisement, ipv6_nd_tll: ll, ipv6_src: own, ipv6_nd_target: own }),
      sets({ ...advertisement, ipv6_nd_tll: ll, ipv6_src: linkLocal, ipv6_nd_target: own }),
    ]),
    sets({ ...solicitation, ipv6_src: 0n, ipv6_nd_target: own }),
  ])
  const others = any([
    ...sources.filter(of(6)).map(own => sets({ ...ipv6, ipv6_src: own })),
    ...[131n, 132n, 143n].map(type => sets({ ...icmp6(type), ipv6_src: 0n })),
    sets({ ...icmp6(133n), icmpv6_code: 0n, ipv6_src: 0n, ipv6_dst: (0xff02n << 112n) | 2n }),
  ])
  return space.or(any(neighbours), space.minus(others, any([135n, 136n].map(type => sets(icmp6(type))))))
}

/** Its own MAC, and those that it is allowed; the link-local address of each stands last. */
function sendersOf({ mac, ips = [], allowedAddresses = [] }: Member): readonly Sender[] {
  if (mac === undefined) return []
  const own = ips.map(ip => addressesOf(ip.split('/')[0]!))
  const macs = new Set([mac, ...allowedAddresses.flatMap(each => each.mac ?? [])])
  return [...macs].map(each => {
    const allowed = allowedAddresses.filter(it => (it.mac ?? mac) === each).map(({ ip }) => addressesOf(ip))
    const owned = [...(each === mac ? own : []), ...allowed, linkLocalOf(each)]
    return { mac: macBits(each), owned, sources: each === mac ? owned : [...owned, ...own, linkLocalOf(mac)] }
  })
}

/** An address, or all that begin as it does: `10.0.0.0/8`. */
function addressesOf(text: string): Addresses {
  const [name = '', length] = text.split('/')
  const family = name.includes(':') ? 6 : 4
  const width = family === 4 ? 32n : 128n
  const rest = width - BigInt(length ?? width)
  const mask = ((1n << width) - 1n) ^ ((1n << rest) - 1n)
  return { family, value: (family === 4 ? ipv4Bits(name) : ipv6Bits(name)) & mask, mask }
}
const joined = (parts: readonly bigint[], width: bigint): bigint =>
  parts.reduce((all, part) => (all << width) | part, 0n)
const ipv4Bits = (text: string): bigint => joined(text.split('.').map(BigInt), 8n)
function ipv6Bits(text: string): bigint {
  const groups = (part: string) => (part === '' ? [] : part.split(':').map(group => BigInt(`0x${group}`)))
  const [left, right] = text.split('::').map(groups)
  const zeros = right ? new Array<bigint>(8 - left!.length - right.length).fill(0n) : []
  return joined([...left!, ...zeros, ...(right ?? [])], 16n)
}

/** RFC 4291, appendix A. */
function linkLocalOf(mac: string): Addresses {
  const bits = macBits(mac)
  const id = (((bits >> 24n) ^ 0x020000n) << 40n) | (0xfffen << 24n) | (bits & 0xff_ffffn)
  return { family: 6, value: (0xfe80n << 112n) | id, mask: (1n << 128n) - 1n }
}
