// What actions do to a packet's headers: OpenFlow 1.3.5 §5.12 and §7.2.5.
import { type Field, word } from './field.ts'
import { at, type Packet, present, showTag } from './frame.ts'

/** A copy that can be changed without the other noticing. Bytes are shared: every change makes new ones. */
export const copyPacket = (p: Packet): Packet => ({ ...p, key: p.key.slice() })

type Pushing = { readonly pushInherits: boolean; readonly mostTags: number }

/** §5.12: a new outermost tag. Beyond what the switch can hold, the innermost tag that it sees is lost. */
export function pushVlan(p: Packet, ethertype: number, { pushInherits, mostTags }: Pushing): void {
  const tag = Buffer.alloc(4)
  tag.writeUInt16BE(ethertype)
  if (pushInherits && p.tags > 0) tag.writeUInt16BE(p.frame.readUInt16BE(14), 2)
  const lost = p.tags === mostTags ? 4 : 0
  const seen = 12 + p.tags * 4
  p.frame = Buffer.concat([p.frame.subarray(0, 12), tag, p.frame.subarray(12, seen - lost), p.frame.subarray(seen)])
  shift(p, 4 - lost)
  p.tags += 1 - lost / 4
  showTag(p)
}

/** §5.12: the outermost tag goes. Nothing to take off: nothing happens. */
export function popVlan(p: Packet): void {
  if (p.tags === 0) return
  p.frame = Buffer.concat([p.frame.subarray(0, 12), p.frame.subarray(16)])
  shift(p, -4)
  p.tags--
  showTag(p)
}

function shift(p: Packet, by: number): void {
  for (const place of ['l3', 'l4', 'sll', 'tll'] as const) if (p[place] >= 0) p[place] += by
}

/** Whether the packet has the headers that the field is in, as far as its key knows. */
export const hasField = (p: Packet, field: Field): boolean =>
  field.needs.every(([name, values]) => {
    const value = p.key[word(name)]!
    return name === 'vlan_vid' ? value !== 0 : values.includes(value)
  }) &&
  (field.name !== 'vlan_vid' || p.key[at.vid] !== 0)

/** Writes a field (§7.2.5, set-field) into key and bytes; checksums follow. A field that is not there stays so. */
export function setField(p: Packet, field: Field, words: readonly number[]): void {
  if (!hasField(p, field)) return
  for (const [i, value] of words.entries()) p.key[field.at + i] = value
  if (field.name === 'vlan_vid') p.key[at.vid]! |= present
  const place = placeOf(p, field)
  if (!place) return
  const frame = Buffer.from(p.frame)
  const { offset, bytes, bits = bytes * 8, low = 0 } = place
  if (bits === bytes * 8 && bytes % 4 === 0)
    for (const [i, value] of words.entries()) frame.writeInt32BE(value, offset + i * 4)
  else if (bytes === 6) {
    frame.writeUInt16BE(words[0]! & 0xffff, offset)
    frame.writeInt32BE(words[1]!, offset + 2)
  } else {
    const mask = 2 ** bits - 1
    const kept = BigInt(frame.readUIntBE(offset, bytes)) & ~(BigInt(mask) << BigInt(low))
    frame.writeUIntBE(Number(kept | (BigInt((words[0]! & mask) >>> 0) << BigInt(low))), offset, bytes)
  }
  fixChecksums(p, frame, field)
  p.frame = frame
  if (field.name === 'nd_options_type') retype(p, words[0]!)
}

/** The option that was a source address may have become a target address, and the other way round (RFC 4861 §4.6.1). */
function retype(p: Packet, kind: number): void {
  const option = p.sll >= 0 ? p.sll : p.tll
  p.sll = kind === 1 ? option : -1
  p.tll = kind === 2 ? option : -1
}

type Place = { readonly offset: number; readonly bytes: number; readonly bits?: number; readonly low?: number }

const fixed: Readonly<Record<string, readonly [from: 'l2' | 'l3' | 'l4', offset: number, bytes: number]>> = {
  eth_dst: ['l2', 0, 6],
  eth_src: ['l2', 6, 6],
  ipv4_src: ['l3', 12, 4],
  ipv4_dst: ['l3', 16, 4],
  ipv6_src: ['l3', 8, 16],
  ipv6_dst: ['l3', 24, 16],
  arp_op: ['l3', 6, 2],
  arp_sha: ['l3', 8, 6],
  arp_spa: ['l3', 14, 4],
  arp_tha: ['l3', 18, 6],
  arp_tpa: ['l3', 24, 4],
  tcp_src: ['l4', 0, 2],
  tcp_dst: ['l4', 2, 2],
  udp_src: ['l4', 0, 2],
  udp_dst: ['l4', 2, 2],
  icmpv4_type: ['l4', 0, 1],
  icmpv4_code: ['l4', 1, 1],
  icmpv6_type: ['l4', 0, 1],
  icmpv6_code: ['l4', 1, 1],
  nd_reserved: ['l4', 4, 4],
  ipv6_nd_target: ['l4', 8, 16],
}

/** Where a field stands in the frame; undefined: it is no part of it (metadata, registers), or this frame has none. */
function placeOf(p: Packet, { name }: Field): Place | undefined {
  const v6 = p.key[at.type] === 0x86dd
  if (name === 'vlan_vid') return { offset: 14, bytes: 2, bits: 12 }
  if (name === 'vlan_pcp') return { offset: 14, bytes: 2, bits: 3, low: 13 }
  if (name.startsWith('ip') && p.l3 < 0) return undefined
  if (name === 'ip_dscp')
    return v6 ? { offset: p.l3, bytes: 2, bits: 6, low: 6 } : { offset: p.l3 + 1, bytes: 1, bits: 6, low: 2 }
  if (name === 'ip_ecn')
    return v6 ? { offset: p.l3, bytes: 2, bits: 2, low: 4 } : { offset: p.l3 + 1, bytes: 1, bits: 2 }
  if (name === 'ipv6_flabel') return { offset: p.l3, bytes: 4, bits: 20 }
  if (name === 'ipv6_nd_sll') return p.sll < 0 ? undefined : { offset: p.sll, bytes: 6 }
  if (name === 'ipv6_nd_tll') return p.tll < 0 ? undefined : { offset: p.tll, bytes: 6 }
  if (name === 'nd_options_type') {
    const option = p.sll >= 0 ? p.sll : p.tll
    return option < 0 ? undefined : { offset: option - 2, bytes: 1 }
  }
  const place = fixed[name]
  if (!place) return undefined
  const base = place[0] === 'l2' ? 0 : p[place[0]]
  return base < 0 ? undefined : { offset: base + place[1], bytes: place[2] }
}

const checksumAt: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 }

/** RFC 1624: what a 16-bit word was and is now goes into the sum; so a sum that was wrong stays wrong. */
function fixChecksums(p: Packet, frame: Buffer, field: Field): void {
  const { l3, l4 } = p
  const type = p.key[at.type]
  if (l3 < 0 || (type !== 0x0800 && type !== 0x86dd)) return
  if (type === 0x0800 && field.needs.some(([name]) => name === 'eth_type')) {
    const header = (frame[l3]! & 15) * 4
    if (field.name.startsWith('ip')) adjust(frame, l3 + 10, difference(p.frame, frame, l3, l3 + header, l3 + 10))
  }
  const sum = checksumAt[p.key[at.proto]!]
  if (l4 < 0 || sum === undefined) return
  const pseudo = /^ipv[46]_(src|dst)$/.test(field.name) && p.key[at.proto] !== 1
  const inside = field.needs.some(([name]) => name === 'ip_proto' || name === 'icmpv6_type')
  if (!pseudo && !inside) return
  const udp = p.key[at.proto] === 17
  if (udp && frame.readUInt16BE(l4 + 6) === 0) return // RFC 768: none was made
  const [from, to] = pseudo ? (type === 0x0800 ? [l3 + 12, l3 + 20] : [l3 + 8, l3 + 40]) : [l4, frame.length & ~1]
  adjust(frame, l4 + sum, difference(p.frame, frame, from, to, l4 + sum))
  if (udp && frame.readUInt16BE(l4 + 6) === 0) frame.writeUInt16BE(0xffff, l4 + 6)
}

function difference(before: Buffer, after: Buffer, from: number, to: number, sum: number): number {
  let total = 0
  for (let i = from; i + 1 < to; i += 2)
    if (i !== sum) total += (~before.readUInt16BE(i) & 0xffff) + after.readUInt16BE(i)
  return total
}

function adjust(frame: Buffer, sum: number, change: number): void {
  let total = (~frame.readUInt16BE(sum) & 0xffff) + change
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  frame.writeUInt16BE(~total & 0xffff, sum)
}
