// What ovs-ofctl calls fields (ovs-fields(7)), and other words of its own.
import { fieldTable } from '../messages/fields.ts'

type Style = 'dec' | 'hex' | 'hex4' | 'hex5' | 'address' | 'port' | 'port16' | 'bits' | 'octets' | 'frag' | 'packet'

/** How ovs-ofctl names a field in a match, after `->`, and where single bits of it are meant. */
export type FieldText = {
  readonly key: string
  readonly name: string
  readonly ref: string
  readonly style: Style
  /** Style `bits`: a name for each bit, from bit 0. */
  readonly flags?: readonly string[]
  /** Style `bits`, in a match: without a mask it is shown as if it had this one. */
  readonly defaultMask?: number
  /** Style `dec`, as the value of a new field: hexadecimal, though a match has it in decimal. */
  readonly hexOnSet?: boolean
  /** Where in a match ovs-ofctl prints it. */
  readonly order: number
}

const tcpFlags = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]']
const ctStates = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat']
const tunnelFlags = ['oam']

/**
 * In the order of ovs-ofctl: our name, the style, and its names in a match, after `->` and for single bits. A dash stands for
 * our own name, or for that in capitals behind OXM_OF_, NXM_NX_ and so on. `reg#16` stands for reg0 to reg15.
 */
const words = `
pkt_mark          hex      -               -            -
recirc_id         hex      -               -            -
dp_hash           hex      -               -            -
conj_id           dec      -               -            -
actset_output     port     -               -            ONFOXM_ET_ACTSET_OUTPUT
ct_state          bits     -               -            -
ct_zone           dec      -               -            -
ct_mark           hex      -               -            -
ct_label          hex      -               -            -
ct_nw_src         address  -               -            -
ct_ipv6_src       address  -               -            -
ct_nw_dst         address  -               -            -
ct_ipv6_dst       address  -               -            -
ct_nw_proto       dec      -               -            -
ct_tp_src         dec      -               -            -
ct_tp_dst         dec      -               -            -
packet_type       packet   -               -            -
reg#16            hex      -               -            -
xreg#8            hex      -               -            OXM_OF_PKT_REG#
xxreg#4           hex      -               -            -
tunnel_id         hex      tun_id          tun_id       NXM_NX_TUN_ID
tun_src           address  -               -            NXM_NX_TUN_IPV4_SRC
tun_dst           address  -               -            NXM_NX_TUN_IPV4_DST
tun_ipv6_src      address  -               -            -
tun_ipv6_dst      address  -               -            -
tun_gbp_id        dec      -               -            -
tun_gbp_flags     hex      -               -            -
tun_erspan_ver    dec      -               -            NXOXM_ET_ERSPAN_VER
tun_erspan_idx    hex      -               -            NXOXM_ET_ERSPAN_IDX
tun_erspan_dir    dec      -               -            NXOXM_ET_ERSPAN_DIR
tun_erspan_hwid   hex      -               -            NXOXM_ET_ERSPAN_HWID
tun_gtpu_flags    hex      gtpu_flags      -            NXOXM_ET_GTPU_FLAGS
tun_gtpu_msgtype  dec      gtpu_msgtype    -            NXOXM_ET_GTPU_MSGTYPE
tun_flags         bits     -               -            -
tun_metadata#64   octets   -               -            -
metadata          hex      -               -            -
in_port           port     -               in_port_oxm  -
nxm_of_in_port    port16   nxm_of_in_port  in_port      NXM_OF_IN_PORT
in_phy_port       port     -               -            -
vlan_tci          hex4     -               -            NXM_OF_VLAN_TCI
vlan_vid          dec      -               -            -
vlan_pcp          dec      dl_vlan_pcp     -            -
eth_src           address  dl_src          eth_src      NXM_OF_ETH_SRC
eth_dst           address  dl_dst          eth_dst      NXM_OF_ETH_DST
eth_type          hex4     dl_type         eth_type     NXM_OF_ETH_TYPE
ipv6_src          address  -               -            NXM_NX_IPV6_SRC
ipv6_dst          address  -               -            NXM_NX_IPV6_DST
ipv6_flabel       hex5     ipv6_label      ipv6_label   NXM_NX_IPV6_LABEL
ipv6_exthdr       hex      -               -            -
arp_spa           address  -               -            NXM_OF_ARP_SPA
arp_tpa           address  -               -            NXM_OF_ARP_TPA
nsh_flags         dec      -               -            -
nsh_ttl           dec      -               -            -
nsh_mdtype        dec      -               -            -
nsh_np            dec      -               -            -
nsh_spi           hex      -               -            -
nsh_si            dec      -               -            -
nsh_c1            hex      -               -            -
nsh_c2            hex      -               -            -
nsh_c3            hex      -               -            -
nsh_c4            hex      -               -            -
ipv4_src          address  nw_src          ip_src       NXM_OF_IP_SRC
ipv4_dst          address  nw_dst          ip_dst       NXM_OF_IP_DST
ip_proto          dec      nw_proto        nw_proto     NXM_OF_IP_PROTO
arp_op            dec      -               -            NXM_OF_ARP_OP
arp_sha           address  -               -            NXM_NX_ARP_SHA
arp_tha           address  -               -            NXM_NX_ARP_THA
nxm_of_ip_tos     dec      nxm_of_ip_tos   nw_tos       NXM_OF_IP_TOS
ip_dscp           dec      -               -            -
ip_ecn            dec      nw_ecn          nw_ecn       NXM_NX_IP_ECN
nw_ttl            dec      -               -            NXM_NX_IP_TTL
mpls_label        dec      -               -            -
mpls_tc           dec      -               -            -
mpls_ttl          dec      -               -            NXM_NX_MPLS_TTL
mpls_bos          dec      -               -            -
pbb_isid          hex      -               -            -
pbb_uca           dec      -               -            -
ip_frag           frag     nw_frag         -            -
icmpv4_type       dec      icmp_type       icmp_type    NXM_OF_ICMP_TYPE
icmpv4_code       dec      icmp_code       icmp_code    NXM_OF_ICMP_CODE
icmpv6_type       dec      icmp_type       icmpv6_type  NXM_NX_ICMPV6_TYPE
icmpv6_code       dec      icmp_code       icmpv6_code  NXM_NX_ICMPV6_CODE
ipv6_nd_target    address  nd_target       nd_target    NXM_NX_ND_TARGET
ipv6_nd_sll       address  nd_sll          nd_sll       NXM_NX_ND_SLL
ipv6_nd_tll       address  nd_tll          nd_tll       NXM_NX_ND_TLL
nd_reserved       dec      -               -            ERICOXM_OF_ICMPV6_ND_RESERVED
nd_options_type   dec      -               -            ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE
tcp_src           dec      tp_src          tcp_src      NXM_OF_TCP_SRC
udp_src           dec      tp_src          udp_src      NXM_OF_UDP_SRC
sctp_src          dec      tp_src          sctp_src     -
tcp_dst           dec      tp_dst          tcp_dst      NXM_OF_TCP_DST
udp_dst           dec      tp_dst          udp_dst      NXM_OF_UDP_DST
sctp_dst          dec      tp_dst          sctp_dst     -
tcp_flags         bits     -               -            NXM_NX_TCP_FLAGS
nxet_dp_hash      hex      -               -            NXOXM_ET_DP_HASH
`

/** NXM's own forms of fields that OXM has as well: the same text. */
export const sameText: Readonly<Record<string, string>> = {
  nxm_of_eth_dst: 'eth_dst',
  nxm_of_eth_src: 'eth_src',
  nxm_of_eth_type: 'eth_type',
  nxm_of_ip_proto: 'ip_proto',
  nxm_of_ip_src: 'ipv4_src',
  nxm_of_ip_dst: 'ipv4_dst',
  nxm_of_tcp_src: 'tcp_src',
  nxm_of_tcp_dst: 'tcp_dst',
  nxm_of_udp_src: 'udp_src',
  nxm_of_udp_dst: 'udp_dst',
  nxm_of_icmp_type: 'icmpv4_type',
  nxm_of_icmp_code: 'icmpv4_code',
  nxm_of_arp_op: 'arp_op',
  nxm_of_arp_spa: 'arp_spa',
  nxm_of_arp_tpa: 'arp_tpa',
  nxm_nx_tun_id: 'tunnel_id',
  nxm_nx_arp_sha: 'arp_sha',
  nxm_nx_arp_tha: 'arp_tha',
  nxm_nx_ipv6_src: 'ipv6_src',
  nxm_nx_ipv6_dst: 'ipv6_dst',
  nxm_nx_icmpv6_type: 'icmpv6_type',
  nxm_nx_icmpv6_code: 'icmpv6_code',
  nxm_nx_nd_target: 'ipv6_nd_target',
  nxm_nx_nd_sll: 'ipv6_nd_sll',
  nxm_nx_nd_tll: 'ipv6_nd_tll',
  nxm_nx_ipv6_label: 'ipv6_flabel',
  nxm_nx_ip_ecn: 'ip_ecn',
  nxm_nx_tcp_flags: 'tcp_flags',
}

const prefixes: Readonly<Record<string, string>> = { of: 'OXM_OF_', nxmOf: 'NXM_OF_', nxmNx: 'NXM_NX_', nsh: 'NXOXM_' }
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  tcp_flags: tcpFlags,
  ct_state: ctStates,
  tun_flags: tunnelFlags,
}

const makeText = (row: string, order: number): readonly [string, FieldText] => {
  const [field, style, key, name, ref] = row.split(/ +/) as [keyof typeof fieldTable, Style, string, string, string]
  const own = (word: string): string => (word === '-' ? field : word)
  return [
    field,
    {
      key: own(key),
      name: own(name),
      ref: ref === '-' ? `${prefixes[fieldTable[field][0]] ?? ''}${field.toUpperCase()}` : ref,
      style,
      order,
      ...(flagsOf[field] && { flags: flagsOf[field] }),
      ...(field === 'ct_zone' && { hexOnSet: true }),
      ...(field === 'tun_flags' && { defaultMask: 1 }),
    },
  ]
}

const rows = words
  .trim()
  .split('\n')
  .flatMap(row => {
    const count = /^\w+#(\d+)/.exec(row)?.[1]
    if (count === undefined) return [row]
    return Array.from({ length: Number(count) }, (_, i) => row.replace(`#${count}`, String(i)).replace('#', String(i)))
  })
export const fieldTexts: ReadonlyMap<string, FieldText> = new Map(rows.map(makeText))
for (const [alias, field] of Object.entries(sameText))
  (fieldTexts as Map<string, FieldText>).set(alias, fieldTexts.get(field)!)
/** Names of protocols (tcp, arp) stand before the registers. */
export const protocolOrder = fieldTexts.get('reg0')!.order - 0.5

/** A field that ovs-ofctl has no word for: its name and its bytes. */
export const unknownText = (name: string): FieldText => ({
  key: name,
  name,
  ref: name,
  style: 'octets',
  order: 1000,
})
export const textOf = (name: string): FieldText => fieldTexts.get(name) ?? unknownText(name)
/** Open vSwitch's names in multipath and bundle, in the order of their numbers. */
export const hashFields = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
]
export const linkAlgorithms = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash']
export const memberAlgorithms = ['active_backup', 'hrw']
