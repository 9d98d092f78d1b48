// What was declared, as sets of frames: which of a port's frames are whose, which of them a network has to carry, and which it may
// leave out.
import type { Member, PlaneNetwork } from './data-plane.ts'
import { everyFrame, fieldSet, hasTag, present, slots, vidSet } from './frame-bits.ts'
import { all, type FrameSet, type FrameSpace, none } from './frame-sets.ts'
import { ofItsSenders } from './sender.ts'

/** 01:80:c2:00:00:00 to 0f go to a bridge, never through one (IEEE 802.1Q §8.6.3). */
const reservedDst = { value: 0x0180_c200_0000n, mask: 0xffff_ffff_fff0n } as const
const multicastBit = 1n << 40n
/** Our probes for loops come back to us, whoever leads them back, and go nowhere else. */
const loopProbeDst = 0x036c_3273_6d02n

/** Sets that are the same for all networks: worked out once for a space. */
export type Common = {
  readonly every: FrameSet
  /** What no port may send: to a bridge, or from an address that no sender has (IEEE 802 §8.2.2). */
  readonly refused: FrameSet
  /** Our own probes for loops. */
  readonly probes: FrameSet
  readonly tagged: FrameSet
  readonly twoTags: FrameSet
  /** What members are to hear, from any sender: without tags, and with any. */
  readonly untaggedFrames: FrameSet
  readonly anyFrames: FrameSet
  /** IP multicast, and what hosts and routers say of it: it goes to those who want it, where a network snoops. */
  readonly multicast: FrameSet
}

export function commonOf(space: FrameSpace): Common {
  const every = everyFrame(space)
  const probes = fieldSet(space, 'eth_dst', loopProbeDst)
  const refused = [
    fieldSet(space, 'eth_dst', reservedDst.value, reservedDst.mask),
    fieldSet(space, 'eth_src', multicastBit, multicastBit),
  ].reduce(space.or)
  const tagged = hasTag(space, 0)
  const anyFrames = space.minus(every, refused)
  return {
    ...{ every, refused, probes, tagged, twoTags: hasTag(space, 1), anyFrames },
    untaggedFrames: space.minus(anyFrames, tagged),
    multicast: multicastFrames(space),
  }
}

function multicastFrames(space: FrameSpace): FrameSet {
  const ip = fieldSet(space, 'eth_type', 0x0800n)
  const ip6 = fieldSet(space, 'eth_type', 0x86ddn)
  const to = space.or(
    space.and(ip, fieldSet(space, 'ipv4_dst', 0xe000_0000n, 0xf000_0000n)),
    space.and(ip6, fieldSet(space, 'ipv6_dst', 0xffn << 120n, 0xffn << 120n)),
  )
  const igmp = space.and(ip, fieldSet(space, 'ip_proto', 2n))
  let mld: FrameSet = none
  for (const type of [130n, 131n, 132n, 143n, 151n]) mld = space.or(mld, fieldSet(space, 'icmpv6_type', type))
  return space.or(to, space.or(igmp, space.and(space.and(ip6, fieldSet(space, 'ip_proto', 58n)), mld)))
}

/** Frames of a port that are this member's: by its tag, or, without one, those that have none or the priority tag. */
export function shareOf(space: FrameSpace, { every, tagged }: Common, { vlan, trunk }: Member): FrameSet {
  if (trunk) return every
  const vid = vidSet(space, 0, present | (vlan ?? 0), present | 0xfff) ?? none
  return space.and(every, vlan === undefined ? space.or(vid, space.minus(all, tagged)) : vid)
}

/** Of these, what the network is to carry: no second tag, no sender that it may not be. */
export function rightOf(space: FrameSpace, common: Common, member: Member, share: FrameSet): FrameSet {
  let right = space.minus(share, common.refused)
  if (!member.trunk) right = space.minus(right, common.twoTags)
  const own = ofItsSenders(space, member)
  return own === undefined ? right : space.and(right, own)
}

export const toMac = (space: FrameSpace, mac: number): FrameSet => fieldSet(space, 'eth_dst', BigInt(mac))

/** The same frames, whoever sent them; and with whatever tags, where they are none of the network's. */
export const anySender = (space: FrameSpace, set: FrameSet, { trunk }: Pick<Member, 'trunk'>): FrameSet => {
  const { eth_src, tag1, tpid3 } = slots
  const any = space.whatever(set, eth_src.at, eth_src.at + eth_src.width)
  return trunk ? any : space.whatever(any, tag1.at, tpid3.at + tpid3.width)
}

/** How much of a frame may go to the controller, from a port that it learns from, and of what it listens to (bytes). */
const learnedBytes = 128
const listenedBytes = 1600

/** A copy that was said to be made: the first bytes from a port whose addresses are learned, or what is said of multicast. */
export const isDeclaredCopy = (
  { maxLen, tableId }: { readonly maxLen: number; readonly tableId: number },
  { guard }: Member,
  { multicast }: PlaneNetwork,
  tables: { readonly guard: number; readonly listen: number },
): boolean =>
  tableId === tables.guard
    ? guard === 'learn' && maxLen <= learnedBytes
    : tableId === tables.listen && multicast === 'snoop' && maxLen <= listenedBytes
