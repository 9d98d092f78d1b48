// Every field that a match may hold: OpenFlow 1.3.5 §7.2.3.7, and the extensions of Open vSwitch and the ONF.
// To add a field: a line in the table below.
import { ipv4, ipv6, mac } from '../wire/address.ts'
import { type Fixed, u8, u16, u24, u32, u64, u128 } from '../wire/wire.ts'

/** How a value stands on the wire and in a match; `bytes`: as long as its header says. */
const kinds = { u8, u16, u24, u32, u64, u128, mac, ipv4, ipv6 }
export type Kind = keyof typeof kinds | 'bytes'
export type ValueOfKind<K> = K extends 'u8' | 'u16' | 'u24' | 'u32'
  ? number
  : K extends 'u64' | 'u128'
    ? bigint
    : K extends 'mac' | 'ipv4' | 'ipv6'
      ? string
      : Buffer

/** What must stand in the same match for a field to mean anything (§7.2.3.6); checked by `checkMatch`. */
export type Needs =
  | 'in_port'
  | 'vlan'
  | 'ip'
  | 'ipv4'
  | 'ipv6'
  | 'arp'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'mpls'
  | 'pbb'
  | 'icmpv4'
  | 'icmpv6'
  | 'nd'
  | 'nd_solicit'
  | 'nd_advert'
  | 'nsh'

/** Where a field's number is counted. An `experimenter` stands behind the header of class 0xffff (§7.2.3.5). */
const spaces = {
  of: { class: 0x8000 },
  regs: { class: 0x8001 },
  nxmOf: { class: 0x0000 },
  nxmNx: { class: 0x0001 },
  ericsson: { class: 0x1000 },
  nicira: { class: 0xffff, experimenter: 0x00002320 },
  nsh: { class: 0xffff, experimenter: 0x005ad650 },
  onf: { class: 0xffff, experimenter: 0x4f4e4600 },
  /** The first form of the ONF's extensions for 1.3: field 0, and a 16-bit type behind the experimenter. */
  onfType: { class: 0xffff, experimenter: 0x4f4e4600 },
} as const
type Space = keyof typeof spaces

type Row = readonly [
  space: Space,
  number: number,
  kind: Kind,
  mask: 'masks' | 'whole',
  needs?: Needs | '',
  bits?: number,
]

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7
type Below16 = Digit | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15
type Below64 = Below16 | `${1 | 2 | 3 | 4 | 5}${Digit | 8 | 9}` | 60 | 61 | 62 | 63

const numbered = <P extends string, N extends string | number, const R extends Row>(
  prefix: P,
  from: number,
  count: number,
  row: R,
  _type?: N,
): { readonly [K in `${P}${N}`]: readonly [R[0], number, R[2], R[3]] } => {
  const entries = Array.from({ length: count }, (_, i) => [
    `${prefix}${from + i}`,
    [row[0], row[1] + i, row[2], row[3]],
  ])
  return Object.fromEntries(entries)
}

// biome-ignore format: a table is read by its rows and columns
export const fieldTable = {
  // §7.2.3.7, table 12. Ports of 32 bits; a `bits` at the end is given where a value is narrower than its bytes.
  in_port:        ['of', 0,  'u32',  'whole'],
  in_phy_port:    ['of', 1,  'u32',  'whole', 'in_port'],
  metadata:       ['of', 2,  'u64',  'masks'],
  eth_dst:        ['of', 3,  'mac',  'masks'],
  eth_src:        ['of', 4,  'mac',  'masks'],
  eth_type:       ['of', 5,  'u16',  'whole'],
  vlan_vid:       ['of', 6,  'u16',  'masks', '', 13],
  vlan_pcp:       ['of', 7,  'u8',   'whole', 'vlan', 3],
  ip_dscp:        ['of', 8,  'u8',   'whole', 'ip', 6],
  ip_ecn:         ['of', 9,  'u8',   'whole', 'ip', 2],
  ip_proto:       ['of', 10, 'u8',   'whole', 'ip'],
  ipv4_src:       ['of', 11, 'ipv4', 'masks', 'ipv4'],
  ipv4_dst:       ['of', 12, 'ipv4', 'masks', 'ipv4'],
  // The specification has ports unmasked; Open vSwitch takes and sends masks.
  tcp_src:        ['of', 13, 'u16',  'masks', 'tcp'],
  tcp_dst:        ['of', 14, 'u16',  'masks', 'tcp'],
  udp_src:        ['of', 15, 'u16',  'masks', 'udp'],
  udp_dst:        ['of', 16, 'u16',  'masks', 'udp'],
  sctp_src:       ['of', 17, 'u16',  'masks', 'sctp'],
  sctp_dst:       ['of', 18, 'u16',  'masks', 'sctp'],
  icmpv4_type:    ['of', 19, 'u8',   'whole', 'icmpv4'],
  icmpv4_code:    ['of', 20, 'u8',   'whole', 'icmpv4'],
  arp_op:         ['of', 21, 'u16',  'whole', 'arp'],
  arp_spa:        ['of', 22, 'ipv4', 'masks', 'arp'],
  arp_tpa:        ['of', 23, 'ipv4', 'masks', 'arp'],
  arp_sha:        ['of', 24, 'mac',  'masks', 'arp'],
  arp_tha:        ['of', 25, 'mac',  'masks', 'arp'],
  ipv6_src:       ['of', 26, 'ipv6', 'masks', 'ipv6'],
  ipv6_dst:       ['of', 27, 'ipv6', 'masks', 'ipv6'],
  ipv6_flabel:    ['of', 28, 'u32',  'masks', 'ipv6', 20],
  icmpv6_type:    ['of', 29, 'u8',   'whole', 'icmpv6'],
  icmpv6_code:    ['of', 30, 'u8',   'whole', 'icmpv6'],
  ipv6_nd_target: ['of', 31, 'ipv6', 'masks', 'nd'],
  ipv6_nd_sll:    ['of', 32, 'mac',  'masks', 'nd_solicit'],
  ipv6_nd_tll:    ['of', 33, 'mac',  'masks', 'nd_advert'],
  mpls_label:     ['of', 34, 'u32',  'whole', 'mpls', 20],
  mpls_tc:        ['of', 35, 'u8',   'whole', 'mpls', 3],
  mpls_bos:       ['of', 36, 'u8',   'whole', 'mpls', 1],
  pbb_isid:       ['of', 37, 'u24',  'masks', 'pbb'],
  tunnel_id:      ['of', 38, 'u64',  'masks'],
  ipv6_exthdr:    ['of', 39, 'u16',  'masks', 'ipv6', 9],
  // Of OpenFlow 1.5, as Open vSwitch has it in every version.
  packet_type:    ['of', 44, 'u32',  'whole'],

  // ONF extensions for 1.3.
  pbb_uca:        ['onfType', 2560, 'u8', 'whole', 'pbb', 1],
  tcp_flags:      ['onf', 42, 'u16', 'masks', 'tcp', 12],
  actset_output:  ['onf', 43, 'u32', 'whole'],

  // NXM (Open vSwitch): what OXM has not. Names are those of ovs-fields(7).
  ...numbered('reg', 0, 16, ['nxmNx', 0, 'u32', 'masks'], 0 as Below16),
  ip_frag:        ['nxmNx', 26, 'u8',   'masks', 'ip', 2],
  nw_ttl:         ['nxmNx', 29, 'u8',   'whole', 'ip'],
  mpls_ttl:       ['nxmNx', 30, 'u8',   'whole', 'mpls'],
  tun_src:        ['nxmNx', 31, 'ipv4', 'masks'],
  tun_dst:        ['nxmNx', 32, 'ipv4', 'masks'],
  pkt_mark:       ['nxmNx', 33, 'u32',  'masks'],
  dp_hash:        ['nxmNx', 35, 'u32',  'masks'],
  recirc_id:      ['nxmNx', 36, 'u32',  'whole'],
  conj_id:        ['nxmNx', 37, 'u32',  'whole'],
  tun_gbp_id:     ['nxmNx', 38, 'u16',  'masks'],
  tun_gbp_flags:  ['nxmNx', 39, 'u8',   'masks'],
  ...numbered('tun_metadata', 0, 64, ['nxmNx', 40, 'bytes', 'masks'], 0 as Below64),
  tun_flags:      ['nxmNx', 104, 'u16', 'masks', '', 1],
  ct_state:       ['nxmNx', 105, 'u32', 'masks'],
  ct_zone:        ['nxmNx', 106, 'u16', 'whole'],
  ct_mark:        ['nxmNx', 107, 'u32', 'masks'],
  ct_label:       ['nxmNx', 108, 'u128', 'masks'],
  tun_ipv6_src:   ['nxmNx', 109, 'ipv6', 'masks'],
  tun_ipv6_dst:   ['nxmNx', 110, 'ipv6', 'masks'],
  ...numbered('xxreg', 0, 4, ['nxmNx', 111, 'u128', 'masks'], 0 as 0 | 1 | 2 | 3),
  ct_nw_proto:    ['nxmNx', 119, 'u8',   'whole'],
  ct_nw_src:      ['nxmNx', 120, 'ipv4', 'masks'],
  ct_nw_dst:      ['nxmNx', 121, 'ipv4', 'masks'],
  ct_ipv6_src:    ['nxmNx', 122, 'ipv6', 'masks'],
  ct_ipv6_dst:    ['nxmNx', 123, 'ipv6', 'masks'],
  ct_tp_src:      ['nxmNx', 124, 'u16',  'masks'],
  ct_tp_dst:      ['nxmNx', 125, 'u16',  'masks'],
  vlan_tci:       ['nxmOf', 4,  'u16',  'masks'],

  // NXM's own forms of fields that OXM has under the same name (§7.2.3.2 keeps class 0 and 1 for them).
  nxm_of_in_port:     ['nxmOf', 0,  'u16',  'whole'],
  nxm_of_eth_dst:     ['nxmOf', 1,  'mac',  'masks'],
  nxm_of_eth_src:     ['nxmOf', 2,  'mac',  'masks'],
  nxm_of_eth_type:    ['nxmOf', 3,  'u16',  'whole'],
  nxm_of_ip_tos:      ['nxmOf', 5,  'u8',   'whole', 'ip'],
  nxm_of_ip_proto:    ['nxmOf', 6,  'u8',   'whole', 'ip'],
  nxm_of_ip_src:      ['nxmOf', 7,  'ipv4', 'masks', 'ipv4'],
  nxm_of_ip_dst:      ['nxmOf', 8,  'ipv4', 'masks', 'ipv4'],
  nxm_of_tcp_src:     ['nxmOf', 9,  'u16',  'masks', 'tcp'],
  nxm_of_tcp_dst:     ['nxmOf', 10, 'u16',  'masks', 'tcp'],
  nxm_of_udp_src:     ['nxmOf', 11, 'u16',  'masks', 'udp'],
  nxm_of_udp_dst:     ['nxmOf', 12, 'u16',  'masks', 'udp'],
  nxm_of_icmp_type:   ['nxmOf', 13, 'u8',   'whole', 'icmpv4'],
  nxm_of_icmp_code:   ['nxmOf', 14, 'u8',   'whole', 'icmpv4'],
  nxm_of_arp_op:      ['nxmOf', 15, 'u16',  'whole', 'arp'],
  nxm_of_arp_spa:     ['nxmOf', 16, 'ipv4', 'masks', 'arp'],
  nxm_of_arp_tpa:     ['nxmOf', 17, 'ipv4', 'masks', 'arp'],
  nxm_nx_tun_id:      ['nxmNx', 16, 'u64',  'masks'],
  nxm_nx_arp_sha:     ['nxmNx', 17, 'mac',  'masks', 'arp'],
  nxm_nx_arp_tha:     ['nxmNx', 18, 'mac',  'masks', 'arp'],
  nxm_nx_ipv6_src:    ['nxmNx', 19, 'ipv6', 'masks', 'ipv6'],
  nxm_nx_ipv6_dst:    ['nxmNx', 20, 'ipv6', 'masks', 'ipv6'],
  nxm_nx_icmpv6_type: ['nxmNx', 21, 'u8',   'whole', 'icmpv6'],
  nxm_nx_icmpv6_code: ['nxmNx', 22, 'u8',   'whole', 'icmpv6'],
  nxm_nx_nd_target:   ['nxmNx', 23, 'ipv6', 'masks', 'nd'],
  nxm_nx_nd_sll:      ['nxmNx', 24, 'mac',  'masks', 'nd_solicit'],
  nxm_nx_nd_tll:      ['nxmNx', 25, 'mac',  'masks', 'nd_advert'],
  nxm_nx_ipv6_label:  ['nxmNx', 27, 'u32',  'masks', 'ipv6', 20],
  nxm_nx_ip_ecn:      ['nxmNx', 28, 'u8',   'whole', 'ip', 2],
  nxm_nx_tcp_flags:   ['nxmNx', 34, 'u16',  'masks', 'tcp', 12],

  // OpenFlow 1.5's packet registers, which Open vSwitch has in every version.
  ...numbered('xreg', 0, 8, ['regs', 0, 'u64', 'masks'], 0 as Digit),

  // Experimenter fields of Open vSwitch.
  nxet_dp_hash:    ['nicira', 0,  'u32', 'masks'],
  tun_erspan_idx:  ['nicira', 11, 'u32', 'masks', '', 20],
  tun_erspan_ver:  ['nicira', 12, 'u8',  'masks', '', 4],
  tun_erspan_dir:  ['nicira', 13, 'u8',  'masks', '', 1],
  tun_erspan_hwid: ['nicira', 14, 'u8',  'masks', '', 6],
  tun_gtpu_flags:  ['nicira', 15, 'u8',  'masks'],
  tun_gtpu_msgtype: ['nicira', 16, 'u8', 'masks'],
  nsh_flags:       ['nsh', 1, 'u8',  'masks', 'nsh'],
  nsh_mdtype:      ['nsh', 2, 'u8',  'whole', 'nsh'],
  nsh_np:          ['nsh', 3, 'u8',  'whole', 'nsh'],
  nsh_spi:         ['nsh', 4, 'u32', 'whole', 'nsh', 24],
  nsh_si:          ['nsh', 5, 'u8',  'whole', 'nsh'],
  nsh_c1:          ['nsh', 6, 'u32', 'masks', 'nsh'],
  nsh_c2:          ['nsh', 7, 'u32', 'masks', 'nsh'],
  nsh_c3:          ['nsh', 8, 'u32', 'masks', 'nsh'],
  nsh_c4:          ['nsh', 9, 'u32', 'masks', 'nsh'],
  nsh_ttl:         ['nsh', 10, 'u8', 'whole', 'nsh'],
  nd_reserved:     ['ericsson', 1, 'u32', 'whole', 'nd'],
  nd_options_type: ['ericsson', 2, 'u8',  'whole', 'nd'],
} as const satisfies Record<string, Row>

export type FieldName = keyof typeof fieldTable
/** The name of a field that the table has not: its class and number, and its experimenter. */
export type UnknownField = `oxm_0x${string}` | `experimenter_0x${string}`

export type Masked<T> = { readonly value: T; readonly mask: T }
export type FieldValue<N extends FieldName> = ValueOfKind<(typeof fieldTable)[N][2]>
/** A match in wire order (§7.2.3): `{ in_port: 1, eth_dst: { value: '01:…', mask: 'ff:…' } }`. */
export type Match = { readonly [N in FieldName]?: FieldValue<N> | Masked<FieldValue<N>> } & {
  readonly [N in UnknownField]?: Buffer | Masked<Buffer>
}

/** One field, with what reading and writing need computed once. */
export type Field = {
  readonly name: string
  readonly kind: Kind
  /** undefined: as many bytes as the header says. */
  readonly value: Fixed<any> | undefined
  /** Bytes between the header and the value: experimenter, and type. */
  readonly experimenter: number | undefined
  readonly expType: number | undefined
  /** Bytes before the value: 4, 8 with an experimenter, 10 with an ONF type. */
  readonly offset: number
  /** First 32 bits, with the length of an unmasked and of a masked value. */
  readonly header: number
  readonly maskedHeader: number
  readonly masks: boolean
  readonly needs: Needs | undefined
  readonly bits: number
}

const makeField = (name: string, [spaceName, number, kind, mask, needs, bits]: Row): Field => {
  const space: { readonly class: number; readonly experimenter?: number } = spaces[spaceName]
  const value = kind === 'bytes' ? undefined : kinds[kind]
  const expType = spaceName === 'onfType' ? number : undefined
  const before = (space.experimenter === undefined ? 0 : 4) + (expType === undefined ? 0 : 2)
  const start = ((space.class << 16) | ((expType === undefined ? number : 0) << 9)) >>> 0
  const size = value?.size ?? 0
  return {
    name,
    kind,
    value: value as Fixed<any> | undefined,
    experimenter: space.experimenter,
    expType,
    offset: 4 + before,
    header: start + before + size,
    maskedHeader: start + 0x100 + before + size * 2,
    masks: mask === 'masks',
    needs: needs || undefined,
    bits: bits ?? size * 8,
  }
}

const all: readonly Field[] = Object.entries<Row>(fieldTable).map(([name, row]) => makeField(name, row))
export const fieldByName: ReadonlyMap<string, Field> = new Map(all.map(f => [f.name, f]))

/** Fields of class 0x8000, by number: nearly all that are ever looked up. */
const basic: (Field | undefined)[] = new Array(128).fill(undefined)
/** Other classes by the upper 23 bits of the header. */
const others = new Map<number, Field>()
/** By experimenter and number; and ONF's field 0 by the type behind the experimenter. */
const ofExperimenters = new Map<number, Field>()
const ofOnfTypes = new Map<number, Field>()
const experimenterKey = (experimenter: number, number: number): number => experimenter * 128 + number
for (const field of all) {
  const number = (field.header >>> 9) & 0x7f
  if (field.expType !== undefined) ofOnfTypes.set(field.expType, field)
  else if (field.experimenter !== undefined) ofExperimenters.set(experimenterKey(field.experimenter, number), field)
  else if (field.header >>> 16 === 0x8000) basic[number] = field
  else others.set(field.header >>> 9, field)
}

/** The field of a header of any class but 0xffff. */
export const fieldByHeader = (header: number): Field | undefined =>
  header >>> 16 === 0x8000 ? basic[(header >>> 9) & 0x7f] : others.get(header >>> 9)

/** The field of a header of class 0xffff; `expType` is the two bytes behind the experimenter, used by ONF field 0 only. */
export const experimenterField = (header: number, experimenter: number, expType: number): Field | undefined => {
  const number = (header >>> 9) & 0x7f
  if (experimenter === spaces.onf.experimenter && number === 0) return ofOnfTypes.get(expType)
  return ofExperimenters.get(experimenterKey(experimenter, number))
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
export const unknownName = (header: number, experimenter?: number): UnknownField =>
  experimenter === undefined
    ? `oxm_0x${hex(header >>> 16, 4)}_${(header >>> 9) & 0x7f}`
    : `experimenter_0x${hex(experimenter, 8)}_${(header >>> 9) & 0x7f}`

/** What an unknown field's name stands for; undefined if it is not such a name, or a name of a known field. */
export const parseUnknownName = (name: string): { header: number; experimenter?: number } | undefined => {
  const parts = /^(?:oxm_0x([0-9a-f]{4})|experimenter_0x([0-9a-f]{8}))_(0|[1-9]\d{0,2})$/.exec(name)
  if (parts === null || Number(parts[3]) > 127) return undefined
  const number = Number(parts[3]) << 9
  if (parts[1] !== undefined) {
    const header = ((Number.parseInt(parts[1], 16) << 16) | number) >>> 0
    return parts[1] === 'ffff' || fieldByHeader(header) ? undefined : { header }
  }
  const header = (0xffff0000 | number) >>> 0
  const experimenter = Number.parseInt(parts[2]!, 16)
  return experimenterField(header, experimenter, -1) ? undefined : { header, experimenter }
}
