// Matches as bits: what a field is compared with, as a number and a mask, whatever its kind. For whoever reasons about matches rather than
// prints them.
import { cursorOf } from '../wire/wire.ts'
import {
  experimenterField,
  type FieldName,
  fieldByHeader,
  fieldByName,
  type Match,
  type UnknownField,
  unknownName,
} from './fields.ts'
import { encodeEntry, entryAt } from './flow-entry.ts'

/** Bits of a field that are compared: those of the mask. As numbers, the first byte on the wire the highest. */
export type MatchBits = {
  /** As OXM has it: NXM's own form of the same field has the same name. */
  readonly field: FieldName | UnknownField
  readonly value: bigint
  readonly mask: bigint
}

/**
 * What an entry compares, in wire order; none: it takes every frame. `entry`: struct ofp_flow_stats (§7.3.5.2), as encodeEntry makes it.
 * A field that we do not know is there under its class and number.
 */
export function matchBits(entry: Buffer): readonly MatchBits[] {
  const end = entryAt.match + entry.readUInt16BE(entryAt.match + 2)
  const bits: MatchBits[] = []
  for (let at = entryAt.match + 4; at + 4 <= end; ) {
    const header = entry.readUInt32BE(at)
    const next = at + 4 + (header & 0xff)
    const { name, before } = fieldAt(entry, at, header)
    const from = at + 4 + before
    const size = (header & hasMask) === 0 ? next - from : (next - from) / 2
    const value = numberOf(entry, from, size)
    const mask = (header & hasMask) === 0 ? wholeMask(name, size) : numberOf(entry, from + size, size)
    bits.push({ field: plainName(name), value: value & mask, mask })
    at = next
  }
  return bits
}
const hasMask = 0x100

function fieldAt(entry: Buffer, at: number, header: number): { readonly name: string; readonly before: number } {
  if (header >>> 16 !== 0xffff) return { name: fieldByHeader(header)?.name ?? unknownName(header), before: 0 }
  const experimenter = entry.readUInt32BE(at + 4)
  const field = experimenterField(header, experimenter, (header & 0xff) < 6 ? -1 : entry.readUInt16BE(at + 8))
  return { name: field?.name ?? unknownName(header, experimenter), before: (field?.offset ?? 8) - 4 }
}

const numberOf = (bytes: Buffer, at: number, size: number): bigint =>
  size <= 6 ? BigInt(size === 0 ? 0 : bytes.readUIntBE(at, size)) : BigInt(`0x${bytes.toString('hex', at, at + size)}`)

/** The mask of a field that is compared whole: `size` bytes, or the bits that it has of them. */
const wholeMask = (name: string, size: number): bigint => (1n << BigInt(fieldByName.get(name)?.bits || size * 8)) - 1n

/**
 * Whether a frame is what an entry compares it with, without decoding the match: true, false, or, where all else agrees, the name of a field
 * that `read` does not know. `read`: a field of the frame as its bytes on the wire, by its name in OXM.
 */
export function agrees(entry: Buffer, read: (field: string) => Buffer | undefined): boolean | string {
  const end = entryAt.match + entry.readUInt16BE(entryAt.match + 2)
  let unknown: string | undefined
  for (let at = entryAt.match + 4; at + 4 <= end; ) {
    const header = entry.readUInt32BE(at)
    const length = header & 0xff
    const { name, before } = header >>> 16 === 0x8000 ? basicAt(header) : fieldAt(entry, at, header)
    const value = read(plainName(name))
    const from = at + 4 + before
    const size = (header & hasMask) === 0 ? length - before : (length - before) / 2
    if (value === undefined || value.length !== size) unknown ??= name
    else if ((header & hasMask) === 0) {
      for (let i = 0; i < size; i++) if (value[i] !== entry[from + i]) return false
    } else {
      for (let i = 0; i < size; i++) if ((value[i]! & entry[from + size + i]!) !== entry[from + i]) return false
    }
    at += 4 + length
  }
  return unknown ?? true
}
const basicAt = (header: number) => ({ name: fieldByHeader(header)?.name ?? unknownName(header), before: 0 })

/** NXM's forms of fields that OXM has too (§7.2.3.2), where both mean the same bits. */
const oxmNames: Readonly<Record<string, FieldName>> = {
  ...{ nxm_of_eth_dst: 'eth_dst', nxm_of_eth_src: 'eth_src', nxm_of_eth_type: 'eth_type' },
  ...{ nxm_of_ip_proto: 'ip_proto', nxm_of_ip_src: 'ipv4_src', nxm_of_ip_dst: 'ipv4_dst', nxm_nx_ip_ecn: 'ip_ecn' },
  ...{ nxm_of_tcp_src: 'tcp_src', nxm_of_tcp_dst: 'tcp_dst', nxm_nx_tcp_flags: 'tcp_flags' },
  ...{ nxm_of_udp_src: 'udp_src', nxm_of_udp_dst: 'udp_dst' },
  ...{ nxm_of_icmp_type: 'icmpv4_type', nxm_of_icmp_code: 'icmpv4_code' },
  ...{ nxm_of_arp_op: 'arp_op', nxm_of_arp_spa: 'arp_spa', nxm_of_arp_tpa: 'arp_tpa' },
  ...{ nxm_nx_arp_sha: 'arp_sha', nxm_nx_arp_tha: 'arp_tha', nxm_nx_tun_id: 'tunnel_id' },
  ...{ nxm_nx_ipv6_src: 'ipv6_src', nxm_nx_ipv6_dst: 'ipv6_dst', nxm_nx_ipv6_label: 'ipv6_flabel' },
  ...{ nxm_nx_icmpv6_type: 'icmpv6_type', nxm_nx_icmpv6_code: 'icmpv6_code' },
  ...{ nxm_nx_nd_target: 'ipv6_nd_target', nxm_nx_nd_sll: 'ipv6_nd_sll', nxm_nx_nd_tll: 'ipv6_nd_tll' },
}

/** The OXM name of a field that may be named in NXM's form. */
export const plainName = (name: string): FieldName | UnknownField => oxmNames[name] ?? (name as FieldName)

/** How many bits a field has; undefined: it is unknown, or as long as whoever sends it says. */
export const fieldBits = (name: string): number | undefined => fieldByName.get(name)?.bits || undefined

/** How many bytes it is on the wire: more than its bits need, sometimes. */
export const fieldSize = (name: string): number | undefined => fieldByName.get(name)?.value?.size

/** A field's value as a number. Throws a WireError if it does not fit the field. */
export function fieldNumber(name: string, value: unknown): bigint {
  const match = { [name]: value } as Match
  const flow = { tableId: 0, priority: 0, cookie: 0n, idleTimeout: 0, hardTimeout: 0, flags: 0, instructions: [] }
  return matchBits(encodeEntry({ ...flow, match }))[0]!.value
}

/** A number as the value that a match has for this field: a MAC or IP address as text. Undefined: no field of ours, or one without a length. */
export function fieldValue(name: string, number: bigint): number | bigint | string | undefined {
  const codec = fieldByName.get(name)?.value
  if (!codec) return undefined
  const bytes = Buffer.from(number.toString(16).padStart(codec.size * 2, '0'), 'hex')
  return bytes.length === codec.size ? (codec.get(cursorOf(bytes), 0) as number | bigint | string) : undefined
}
