// What a switch asks of a match beyond its form: prerequisites (§7.2.3.6) and masks (§7.2.3.5). The codec reads and
// writes any match; this says beforehand what a switch will refuse.
import { type Field, fieldByName, type Masked, type Match, type Needs } from './fields.ts'

/** The words of the error that a switch answers with (OFPET_BAD_MATCH), the field, and what is wrong with it. */
export type MatchFault = {
  readonly error: 'BAD_PREREQ' | 'BAD_MASK' | 'BAD_WILDCARDS' | 'BAD_VALUE'
  readonly field: string
  readonly detail: string
}

const exact = (value: unknown): unknown => (typeof value === 'object' ? undefined : value)
const ethType = (m: Match): unknown => exact(m.eth_type ?? m.nxm_of_eth_type)
const ipProto = (m: Match): unknown => exact(m.ip_proto ?? m.nxm_of_ip_proto)
const isIp = (m: Match): boolean => ethType(m) === 0x0800 || ethType(m) === 0x86dd
const icmpv6 = (m: Match): boolean => ethType(m) === 0x86dd && ipProto(m) === 58
const icmpv6Type = (m: Match): unknown => exact(m.icmpv6_type ?? m.nxm_nx_icmpv6_type)

const rules: { readonly [N in Needs]: readonly [holds: (m: Match) => boolean, words: string] } = {
  in_port: [m => m.in_port !== undefined, 'in_port'],
  vlan: [m => m.vlan_vid !== undefined && m.vlan_vid !== 0, 'a vlan_vid other than none (0)'],
  ip: [isIp, 'eth_type 0x0800 or 0x86dd'],
  ipv4: [m => ethType(m) === 0x0800, 'eth_type 0x0800'],
  ipv6: [m => ethType(m) === 0x86dd, 'eth_type 0x86dd'],
  arp: [m => ethType(m) === 0x0806 || ethType(m) === 0x8035, 'eth_type 0x0806'],
  tcp: [m => isIp(m) && ipProto(m) === 6, 'eth_type 0x0800 or 0x86dd, and ip_proto 6'],
  udp: [m => isIp(m) && ipProto(m) === 17, 'eth_type 0x0800 or 0x86dd, and ip_proto 17'],
  sctp: [m => isIp(m) && ipProto(m) === 132, 'eth_type 0x0800 or 0x86dd, and ip_proto 132'],
  icmpv4: [m => ethType(m) === 0x0800 && ipProto(m) === 1, 'eth_type 0x0800 and ip_proto 1'],
  icmpv6: [icmpv6, 'eth_type 0x86dd and ip_proto 58'],
  nd: [m => icmpv6(m) && (icmpv6Type(m) === 135 || icmpv6Type(m) === 136), 'icmpv6_type 135 or 136'],
  nd_solicit: [m => icmpv6(m) && icmpv6Type(m) === 135, 'icmpv6_type 135'],
  nd_advert: [m => icmpv6(m) && icmpv6Type(m) === 136, 'icmpv6_type 136'],
  mpls: [m => ethType(m) === 0x8847 || ethType(m) === 0x8848, 'eth_type 0x8847 or 0x8848'],
  pbb: [m => ethType(m) === 0x88e7, 'eth_type 0x88e7'],
  nsh: [m => ethType(m) === 0x894f, 'eth_type 0x894f'],
}

const isMasked = (value: unknown): value is Masked<any> =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array)

/** Bits of a number that lie beyond those that the field has. */
const beyond = (field: Field, value: unknown): boolean =>
  typeof value === 'number' && field.bits < 32 && value >= 2 ** field.bits

const outside = ({ value, mask }: Masked<any>): boolean => {
  if (typeof value === 'bigint') return (value & ~(mask as bigint)) !== 0n
  return typeof value === 'number' && (value & ~mask) !== 0
}

/** Everything in a match that a switch refuses; empty if it should take it. */
export function checkMatch(match: Match): readonly MatchFault[] {
  const faults: MatchFault[] = []
  for (const [name, value] of Object.entries<unknown>(match)) {
    const field = fieldByName.get(name)
    if (field === undefined) continue
    const rule = field.needs && rules[field.needs]
    if (rule && !rule[0](match)) faults.push({ error: 'BAD_PREREQ', field: name, detail: `${name} needs ${rule[1]}` })
    if (isMasked(value)) {
      if (!field.masks) faults.push({ error: 'BAD_MASK', field: name, detail: `${name} takes no mask` })
      else if (outside(value))
        faults.push({ error: 'BAD_WILDCARDS', field: name, detail: `${name} has bits outside its mask` })
    }
    if (beyond(field, isMasked(value) ? value.value : value))
      faults.push({ error: 'BAD_VALUE', field: name, detail: `${name} has ${field.bits} bits, got ${value}` })
  }
  return faults
}
