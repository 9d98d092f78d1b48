// A frame on its way through the tables of one switch: its bytes, and all that matches see of it.
import { checkMatch, fieldBits } from '../../openflow/index.ts'
import { ones, withBits } from './bits.ts'
import { updateChecksums } from './checksum.ts'
import { type HeaderField, type Headers, headersOf, present, tagFields } from './headers.ts'

/** How a kind of switch differs in what it does with a frame. */
export type Model = {
  /** How many VLAN tags it looks at; the rest is payload to it. */
  readonly vlanLimit: number
  /** How many it can hold: a push beyond them loses the innermost. */
  readonly mostTags: number
  /** A pushed tag takes VID and priority from the one below (OpenFlow 1.3.5 §5.12.1). */
  readonly pushInherits: boolean
  /** A VID that is set where there is no tag makes one. */
  readonly vidMakesTag: boolean
  /** A frame that no entry takes still gets what was written to its action set. */
  readonly missExecutesSet: boolean
  readonly name: string
}

export const openVSwitch: Model = {
  name: 'Open vSwitch',
  vlanLimit: 1,
  mostTags: 2,
  pushInherits: false,
  vidMakesTag: true,
  missExecutesSet: true,
}
/** What the specification asks for, and no extension. */
export const plainSwitch: Model = {
  name: 'OpenFlow 1.3.5',
  vlanLimit: Number.POSITIVE_INFINITY,
  mostTags: Number.POSITIVE_INFINITY,
  pushInherits: true,
  vidMakesTag: false,
  missExecutesSet: false,
}

export type Packet = {
  readonly bytes: Buffer
  readonly headers: Headers
  /** What is not in the frame: in_port, metadata, tunnel_id, registers. What is not here is 0. */
  readonly pipeline: ReadonlyMap<string, bigint>
}

/** Fewer than 14 bytes are no Ethernet frame: undefined. */
export function packetOf(bytes: Buffer, model: Model, pipeline: ReadonlyMap<string, bigint>): Packet | undefined {
  return bytes.length < 14 ? undefined : { bytes, headers: headersOf(bytes, model.vlanLimit), pipeline }
}

/** Fields that go along with a frame inside a switch. */
const pipelineFields = new Set([
  ...['in_port', 'metadata', 'tunnel_id', 'tun_src', 'tun_dst', 'pkt_mark', 'recirc_id', 'actset_output'],
  ...Array.from({ length: 16 }, (_, i) => `reg${i}`),
])
/** Fields that a frame may have without our reading them: nothing can be said of an entry that compares one. */
const headerFields = new Set([
  ...[
    'eth_dst',
    'eth_src',
    'eth_type',
    'vlan_vid',
    'vlan_pcp',
    'vlan_tci',
    'mpls_label',
    'mpls_tc',
    'mpls_bos',
    'mpls_ttl',
  ],
  ...['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha', 'ip_dscp', 'ip_ecn', 'ip_proto', 'ip_frag', 'nw_ttl'],
  ...[
    'ipv4_src',
    'ipv4_dst',
    'ipv6_src',
    'ipv6_dst',
    'ipv6_flabel',
    'tcp_src',
    'tcp_dst',
    'tcp_flags',
    'udp_src',
    'udp_dst',
  ],
  ...[
    'sctp_src',
    'sctp_dst',
    'icmpv4_type',
    'icmpv4_code',
    'icmpv6_type',
    'icmpv6_code',
    'ipv6_nd_target',
    'ipv6_nd_sll',
  ],
  ...['ipv6_nd_tll', 'nd_reserved', 'nd_options_type'],
])
export const isReadField = (name: string): boolean => pipelineFields.has(name) || headerFields.has(name)

/** What an entry compares; what the frame has not is 0. Undefined: a field that we do not read. */
export function fieldOf(p: Packet, name: string): bigint | undefined {
  const field = p.headers.fields.get(name)
  if (field) return field.value
  if (name === 'vlan_tci') return tciOf(p)
  return isReadField(name) ? (p.pipeline.get(name) ?? 0n) : undefined
}

/** NXM's form of VID and priority: bit 12 says that there is a tag (ovs-fields(7)). */
function tciOf({ headers: { fields } }: Packet): bigint {
  const vid = fields.get('vlan_vid')?.value ?? 0n
  return vid === 0n ? 0n : vid | ((fields.get('vlan_pcp')?.value ?? 0n) << 13n)
}

/** Whether the headers that a field is in are there, as far as those before them say (§7.2.3.6). */
export function hasField(p: Packet, name: string): boolean {
  const number = (field: string) => Number(fieldOf(p, field))
  const known = { eth_type: number('eth_type'), ip_proto: number('ip_proto'), icmpv6_type: number('icmpv6_type') }
  const match = { in_port: 1, vlan_vid: number('vlan_vid'), ...known, [name]: fieldOf(p, name) }
  const isThere = !checkMatch(match).some(({ error, field }) => error === 'BAD_PREREQ' && field === name)
  return isThere && (name !== 'vlan_vid' || number('vlan_vid') !== 0)
}

/** With a field changed, in its bytes too, and checksums after it. A field that the frame has not stays so. */
export function withField(p: Packet, name: string, value: bigint): Packet {
  if (!hasField(p, name)) return p
  if (pipelineFields.has(name)) return { ...p, pipeline: new Map(p.pipeline).set(name, value) }
  const before = p.headers.fields.get(name)
  const now = name === 'vlan_vid' ? value | present : value & ones(fieldBits(name) ?? 128)
  const place = before?.place
  const headers = { ...p.headers, fields: new Map(p.headers.fields).set(name, { value: now, ...(place && { place }) }) }
  if (!place) return { ...p, headers }
  const bytes = withBits(p.bytes, place, value)
  updateChecksums(p.bytes, bytes, p.headers)
  return { ...p, bytes, headers: name === 'nd_options_type' ? retyped(headers, value) : headers }
}

/** The option that was a source address has become a target address, or the other way round (RFC 4861 §4.6.1): it is written under that name. */
function retyped(headers: Headers, kind: bigint): Headers {
  const fields = new Map(headers.fields)
  const place = (fields.get('ipv6_nd_sll') ?? fields.get('ipv6_nd_tll'))?.place
  for (const [name, type] of [
    ['ipv6_nd_sll', 1n],
    ['ipv6_nd_tll', 2n],
  ] as const) {
    const value = fields.get(name)?.value ?? 0n
    fields.set(name, { value, ...(kind === type && place && { place }) })
  }
  return { ...headers, fields }
}

/** §5.12: a new outermost tag. */
export function pushVlan(p: Packet, ethertype: number, { pushInherits, mostTags }: Model): Packet {
  const { bytes, headers } = p
  const tag = Buffer.alloc(4)
  tag.writeUInt16BE(ethertype)
  if (pushInherits && headers.tags > 0) tag.writeUInt16BE(bytes.readUInt16BE(14), 2)
  const lost = headers.tags === mostTags ? 4 : 0
  const seen = 12 + headers.tags * 4
  const now = Buffer.concat([bytes.subarray(0, 12), tag, bytes.subarray(12, seen - lost), bytes.subarray(seen)])
  return { ...p, bytes: now, headers: shifted(headers, now, 4 - lost, headers.tags + 1 - lost / 4) }
}

/** §5.12: the outermost tag goes. Where there is none, nothing happens. */
export function popVlan(p: Packet): Packet {
  const { bytes, headers } = p
  if (headers.tags === 0) return p
  const now = Buffer.concat([bytes.subarray(0, 12), bytes.subarray(16)])
  return { ...p, bytes: now, headers: shifted(headers, now, -4, headers.tags - 1) }
}

/** All that stands behind the tags, so many bytes further on. */
function shifted({ fields, l3, l4 }: Headers, bytes: Buffer, by: number, tags: number): Headers {
  const moved = new Map<string, HeaderField>()
  for (const [name, field] of fields) {
    const { place, value } = field
    if (name === 'vlan_vid' || name === 'vlan_pcp') continue
    moved.set(name, place && place.at >= 96 ? { value, place: { ...place, at: place.at + by * 8 } } : field)
  }
  for (const [name, field] of tagFields(bytes, tags)) moved.set(name, field)
  return { fields: moved, tags, l3: l3 < 0 ? l3 : l3 + by, l4: l4 < 0 ? l4 : l4 + by }
}
