// Random frames that the tables of random.ts have entries for.
import { arp, broadcast, ethernet, icmp, icmpv6, ipv4, ipv6, type L4, neighbour, type Tag, tcp, udp } from './frames.ts'
import { groupMacs, ip6s, ips, l4Ports, macs, type Random, vids } from './random.ts'

const tags = (r: Random): Tag[] => {
  const tag = () => ({ vid: r.one(vids), pcp: r.below(2), tpid: r.one([0x8100, 0x8100, 0x8100, 0x88a8]) })
  return r.one([() => [], () => [], () => [], () => [tag()], () => [tag(), tag()]])()
}

/**
 * `marker`: 8 bytes that stand at the end of the frame, whatever becomes of its headers. One in eight has an EtherType
 * without much behind it; with `whole` not that of ARP or IP: what a switch writes into headers that are not there is
 * nobody's rule, and Open vSwitch overwrites what it finds.
 */
export function randomFrame(r: Random, marker: Buffer, whole = false): Buffer {
  const l2 = {
    dst: r.one([...macs, ...groupMacs, broadcast]),
    src: r.one([...macs, ...macs, '01:00:00:00:00:05']),
    tags: tags(r),
  }
  const v4 = { src: r.one(ips), dst: r.one(ips), tos: r.one([0, 4, 1]), flags: r.chance(0.05) ? 0x2000 : 0x4000 }
  const v6 = { src: r.one(ip6s), dst: r.one(ip6s), tos: r.one([0, 4, 1]) }
  const l4 = (): L4 =>
    r.one([() => udp(r.one(l4Ports), r.one(l4Ports), marker), () => tcp(r.one(l4Ports), r.one(l4Ports), marker)])()
  const nd = (): L4 =>
    neighbour(
      r.one(['solicit', 'advert']),
      r.one(ip6s),
      r.one([[1, r.one(macs)], [2, r.one(macs)], undefined] as const),
    )
  const pad = Buffer.concat([Buffer.alloc(r.below(20)), marker])
  return r.one<() => Buffer>([
    () => arp(l2, { op: r.one([1, 2]), sha: r.one(macs), spa: r.one(ips), tha: r.one(macs), tpa: r.one(ips) }, pad),
    () => ipv4(l2, v4, l4()),
    () => ipv4(l2, v4, l4(), pad),
    () => ipv4(l2, v4, icmp(r.one([0, 8]), r.below(2), marker)),
    () => ipv6(l2, v6, l4(), r.below(2)),
    () => Buffer.concat([ipv6(l2, v6, nd()), marker]),
    () => ipv6(l2, v6, icmpv6(r.one([128, 134]), 0, Buffer.concat([Buffer.alloc(4), marker]))),
    () => ethernet(l2, r.one([0x88cc, 0x88b5, 0x0100, 0x8847, ...(whole ? [] : [0x0800, 0x86dd, 0x0806])]), pad),
  ])()
}
