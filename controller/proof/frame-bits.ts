// Which bits of a frame a frame set asks about, and in which order; and sets of frames by what a match says of them.
//
// Up to three VLAN tags stand first, for a switch may take them off one by one. What lies behind an IP header that is not there is never
// asked for: a match names its prerequisites (OpenFlow 1.3.5 §7.2.3.6).
import { all, type Bits, type FrameSet, type FrameSpace } from './frame-sets.ts'

/** A field of a frame: where its bits stand. */
export type Slot = { readonly at: number; readonly width: number }

/** In the order in which diagrams ask. What tells frames apart most often comes first. */
// biome-ignore format: a table is read by its rows and columns
const widths = {
  tag1: 1, vid1: 12, tag2: 1, vid2: 12, tpid2: 1, tag3: 1, tpid3: 1,
  eth_type: 16, eth_dst: 48, eth_src: 48, vlan_pcp: 3,
  ip_proto: 8, ipv4_src: 32, ipv4_dst: 32, ipv6_src: 128, ipv6_dst: 128,
  arp_op: 16, arp_spa: 32, arp_tpa: 32, arp_sha: 48, arp_tha: 48,
  icmpv6_type: 8, icmpv6_code: 8, ipv6_nd_target: 128, ipv6_nd_sll: 48, ipv6_nd_tll: 48,
  nd_reserved: 32, nd_options_type: 8,
  icmpv4_type: 8, icmpv4_code: 8, tcp_src: 16, tcp_dst: 16, udp_src: 16, udp_dst: 16, sctp_src: 16, sctp_dst: 16,
  tcp_flags: 12, ip_dscp: 6, ip_ecn: 2, nw_ttl: 8, ip_frag: 2, ipv6_flabel: 20, ipv6_exthdr: 9,
  mpls_label: 20, mpls_tc: 3, mpls_bos: 1, tun_src: 32, tun_dst: 32, tun_ipv6_src: 128, tun_ipv6_dst: 128,
} as const
export type FrameField = keyof typeof widths

export const slots = (() => {
  let at = 0
  const found: Record<string, Slot> = {}
  for (const [name, width] of Object.entries(widths)) {
    found[name] = { at, width }
    at += width
  }
  return found as { readonly [F in FrameField]: Slot }
})()
export const isFrameField = (name: string): name is FrameField => Object.hasOwn(slots, name)

/** OFPVID_PRESENT (§7.2.3.7). */
export const present = 0x1000
const stag = 0x88a8n
const ctag = 0x8100n
/** What Open vSwitch and the specification call a frame of IEEE 802.3, which has a length and no type. */
export const noType = 0x05ff

export const fieldSet = (space: FrameSpace, field: FrameField, value: bigint, mask = fullMask(field)): FrameSet =>
  space.field(slots[field].at, slots[field].width, value & mask, mask)
export const fullMask = (field: FrameField): bigint => (1n << BigInt(slots[field].width)) - 1n

const tags = [
  { tag: slots.tag1.at, vid: slots.vid1 },
  { tag: slots.tag2.at, vid: slots.vid2, tpid: slots.tpid2.at },
  { tag: slots.tag3.at, tpid: slots.tpid3.at },
] as const
/** So many tags of a frame are told apart; one with more is taken for one with these. */
export const mostTags = tags.length

/** Frames that have an n-th tag (from 0) of their own. */
export const hasTag = (space: FrameSpace, n: number): FrameSet => (tags[n] ? space.bit(tags[n].tag) : 0)

/** Frames whose n-th tag reads so under the mask, in 13 bits: OFPVID_PRESENT and the VID. Undefined: that is not known of it. */
export function vidSet(space: FrameSpace, n: number, value: number, mask: number): FrameSet | undefined {
  const it = tags[n]
  if (!it) return (value & mask) === 0 ? all : 0
  let set: FrameSet = all
  if (mask & present) set = value & present ? space.bit(it.tag) : space.minus(all, space.bit(it.tag))
  if ((mask & 0xfff) === 0) return set
  if (!('vid' in it)) return undefined
  return space.and(set, space.field(it.vid.at, it.vid.width, BigInt(value & mask & 0xfff), BigInt(mask & 0xfff)))
}

/** Frames whose type, behind the first `seen` tags of their own, is this one: the next tag's own number where there is one. */
export function typeSet(space: FrameSpace, seen: number, type: bigint): FrameSet {
  const plain = fieldSet(space, 'eth_type', type)
  const next = tags[seen]
  if (!next) return plain
  const tpid = 'tpid' in next ? space.bit(next.tpid) : undefined
  const asTag = type === stag ? (tpid ?? 0) : type === ctag ? (tpid === undefined ? all : space.minus(all, tpid)) : 0
  return space.choose(space.bit(next.tag), asTag, plain)
}

/** All frames that there are: bits of headers that are not there are 0, and no type is a tag's or a length. */
export function everyFrame(space: FrameSpace): FrameSet {
  const tag = (n: number) => space.bit(tags[n]!.tag)
  const zero = (slot: Slot) => space.field(slot.at, slot.width, 0n, (1n << BigInt(slot.width)) - 1n)
  const third = space.choose(tag(2), all, zero(slots.tpid3))
  const second = space.choose(
    tag(1),
    third,
    [zero(slots.vid2), zero(slots.tpid2), space.minus(third, tag(2))].reduce(space.and),
  )
  const first = space.choose(tag(0), second, [zero(slots.vid1), space.minus(second, tag(1))].reduce(space.and))
  // Types are 0x600 and above; what is below is a length, and counts as one type.
  const short = space.minus(fieldSet(space, 'eth_type', 0n, 0xf800n), fieldSet(space, 'eth_type', 0x0600n, 0x0600n))
  const typed = [ctag, stag].reduce(
    (set, t) => space.minus(set, fieldSet(space, 'eth_type', t)),
    space.minus(all, short),
  )
  return space.and(first, space.or(typed, fieldSet(space, 'eth_type', BigInt(noType))))
}

/** The value of a field in these bits. */
export function valueIn(bits: Bits, field: FrameField): bigint {
  const { at, width } = slots[field]
  let value = 0n
  for (let i = 0; i < width; i++) value = (value << 1n) | BigInt(bits.get(at + i) ?? 0)
  return value
}

/** For `one`: the bits of these values, and 0 elsewhere. */
export function liking(values: { readonly [F in FrameField]?: bigint }): (bit: number) => 0 | 1 {
  const wish = new Map<number, 0 | 1>()
  for (const [field, value] of Object.entries(values)) {
    const { at, width } = slots[field as FrameField]
    for (let i = 0; i < width; i++) wish.set(at + i, Number((value >> BigInt(width - 1 - i)) & 1n) as 0 | 1)
  }
  return bit => wish.get(bit) ?? 0
}
