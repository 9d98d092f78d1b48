// Open vSwitch's actions that the codec keeps as bytes: NXAST_REG_MOVE and NXAST_REG_LOAD (ovs-actions(7)).
import type { Action } from '../../openflow/index.ts'
import { type Field, fieldOf, toWords } from './field.ts'

export type NiciraAction =
  | {
      readonly is: 'move'
      readonly bits: number
      readonly from: number
      readonly to: number
      readonly src: Field
      readonly dst: Field
    }
  | { readonly is: 'load'; readonly bits: number; readonly to: number; readonly dst: Field; readonly value: bigint }

// biome-ignore format: a table
const oxm: Readonly<Record<number, string>> = {
  2: 'metadata', 3: 'eth_dst', 4: 'eth_src', 5: 'eth_type', 6: 'vlan_vid', 7: 'vlan_pcp', 8: 'ip_dscp', 9: 'ip_ecn',
  11: 'ipv4_src', 12: 'ipv4_dst', 13: 'tcp_src', 14: 'tcp_dst', 15: 'udp_src', 16: 'udp_dst', 19: 'icmpv4_type',
  20: 'icmpv4_code', 21: 'arp_op', 22: 'arp_spa', 23: 'arp_tpa', 24: 'arp_sha', 25: 'arp_tha', 26: 'ipv6_src',
  27: 'ipv6_dst', 28: 'ipv6_flabel', 29: 'icmpv6_type', 30: 'icmpv6_code', 31: 'ipv6_nd_target', 32: 'ipv6_nd_sll',
  33: 'ipv6_nd_tll', 38: 'tunnel_id',
}
// biome-ignore format: a table
const nxmOf: Readonly<Record<number, string>> = {
  1: 'eth_dst', 2: 'eth_src', 3: 'eth_type', 7: 'ipv4_src', 8: 'ipv4_dst', 9: 'tcp_src', 10: 'tcp_dst', 11: 'udp_src',
  12: 'udp_dst', 13: 'icmpv4_type', 14: 'icmpv4_code', 15: 'arp_op', 16: 'arp_spa', 17: 'arp_tpa',
}
// biome-ignore format: a table
const nxmNx: Readonly<Record<number, string>> = {
  16: 'tunnel_id', 17: 'arp_sha', 18: 'arp_tha', 19: 'ipv6_src', 20: 'ipv6_dst', 21: 'icmpv6_type', 22: 'icmpv6_code',
  23: 'ipv6_nd_target', 24: 'ipv6_nd_sll', 25: 'ipv6_nd_tll', 28: 'ip_ecn', 31: 'tun_src', 32: 'tun_dst',
}

/** The field of an OXM or NXM header (§7.2.3.2): class in 16 bits, number in 7. */
function fieldOfHeader(header: number): Field | undefined {
  const number = (header >>> 9) & 0x7f
  const space = header >>> 16
  const name =
    space === 0x8000
      ? oxm[number]
      : space === 0
        ? nxmOf[number]
        : space === 1
          ? number < 16
            ? `reg${number}`
            : nxmNx[number]
          : undefined
  return name === undefined ? undefined : fieldOf(name)
}

/** undefined: an experimenter's action that this switch does not have. */
export function niciraAction(action: Extract<Action, { type: 'experimenter' }>): NiciraAction | undefined {
  if (action.experimenter !== 0x2320 || action.payload.length < 14) return undefined
  const { payload } = action
  const subtype = payload.readUInt16BE(0)
  if (subtype === 6) {
    const src = fieldOfHeader(payload.readUInt32BE(8))
    const dst = fieldOfHeader(payload.readUInt32BE(12))
    const [bits, from, to] = [2, 4, 6].map(at => payload.readUInt16BE(at)) as [number, number, number]
    if (!src || (!dst?.settable && dst?.name !== 'metadata')) return undefined
    return from + bits <= src.bits && to + bits <= dst.bits ? { is: 'move', bits, from, to, src, dst } : undefined
  }
  if (subtype === 7) {
    const dst = fieldOfHeader(payload.readUInt32BE(4))
    const [to, bits] = [payload.readUInt16BE(2) >> 6, (payload.readUInt16BE(2) & 63) + 1]
    if (!dst || to + bits > dst.bits) return undefined
    return { is: 'load', bits, to, dst, value: payload.readBigUInt64BE(8) }
  }
  return undefined
}

/** A field's words as one number, and back. */
export const wordsToNumber = (words: Iterable<number>): bigint => {
  let value = 0n
  for (const word of words) value = (value << 32n) | BigInt(word >>> 0)
  return value
}
export const numberToWords = (field: Field, value: bigint): number[] => toWords({ ...field, form: 'number' }, value)
