// The guard of a strict port: which of its frames go on. What is not let in is dropped. Pure.
//
// OpenFlow sees the source of a packet, or the target of a solicitation, each in one entry. So an advertisement's source may be
// its target or the link-local address, and not any other of the port's: else entries were as many as pairs of addresses.
import type { Action, Match } from '../../openflow/index.ts'
import { maskText, type Prefix, widthOf } from '../../store/prefix.ts'
import type { Attachment } from '../../store/state.ts'
import { entry, type Item } from './item.ts'
import type { LocalNetwork } from './local-network.ts'
import type { EntryName, MatchField, pipeline } from './pipeline.ts'
import { type Sender, sendersOf } from './senders.ts'

/** Frames by what they say of their sender. Each kind is let in where the switch matches all that is needed to tell, else none of it is. */
export const families = {
  ARP: ['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha'],
  IPv4: ['ip_proto', 'ipv4_src', 'ipv4_dst', 'udp_src', 'udp_dst'],
  IPv6: [
    'ip_proto',
    'ipv6_src',
    'ipv6_dst',
    'udp_src',
    'icmpv6_type',
    'icmpv6_code',
    'ipv6_nd_target',
    'ipv6_nd_sll',
    'ipv6_nd_tll',
  ],
} as const satisfies Readonly<Record<string, readonly (typeof pipeline.guard.strict)[number][]>>
export type Family = keyof typeof families

/** The fields that keep a switch from telling such frames apart. @param missing Fields that its guard table does not match. */
export const lacking = (family: Family, missing: ReadonlySet<string>): readonly string[] =>
  families[family].filter(field => missing.has(field))

type Passes = { readonly apply: readonly Action[]; readonly meter?: number }
type Kind = EntryName<'guard'>
type Fields = { readonly [F in MatchField<'guard'>]?: Match[F] }
type Row = readonly [kind: Kind, match: Fields]

const arp = { eth_type: 0x0806 } as const
const ipv4 = { eth_type: 0x0800 } as const
const ipv6 = { eth_type: 0x86dd } as const
const udp = { ip_proto: 17 } as const
const icmp6 = (icmpv6_type: number) => ({ ...ipv6, ip_proto: 58, icmpv6_type }) as const
const solicitation = { ...icmp6(135), icmpv6_code: 0 } as const
const advertisement = { ...icmp6(136), icmpv6_code: 0 } as const
/** Neighbour discovery without a link-layer address: the field is 0 then. */
const noAddress = '00:00:00:00:00:00'

/** What a trusted port may send (RFC 2131 §4.1, RFC 8415 §7.2; RFC 4861, RFC 3810, RFC 3122, RFC 4286). */
const trusts = {
  dhcp: [
    { ...ipv4, ...udp, udp_src: 67 },
    { ...ipv6, ...udp, udp_src: 547 },
  ],
  router: [130, 134, 137, 141, 142, 151].map(icmp6),
} as const

/** The entries of a strict port. @param passes What else is done to frames that are let in: copies for a mirror, a meter. */
export function strict(items: Item[], local: LocalNetwork, attachment: Attachment, passes: Passes): void {
  const { marks, datapath } = local
  const { number, fixed, any: metadata } = marks
  const missing = datapath.missing ?? new Set()
  const sees = (family: Family) => lacking(family, missing).length === 0
  const port = { in_port: attachment.port, metadata }
  const put = (kind: Kind, match: Fields, more: object) =>
    items.push(entry(number, 'guard', kind, { ...fixed, match: { ...port, ...match }, ...more }))
  for (const sender of sendersOf(attachment)) {
    const rows: Row[] = []
    if (sees('ARP')) rows.push(...arpOf(sender))
    if (sees('IPv4')) rows.push(...ipv4Of(sender))
    if (sees('IPv6')) rows.push(...ipv6Of(sender))
    for (const [kind, match] of rows) put(kind, { eth_src: sender.mac, ...match }, { ...passes, goto: 'deliver' })
  }
  for (const match of deniedTo(attachment))
    if (sees(match.eth_type === ipv4.eth_type ? 'IPv4' : 'IPv6')) put('untrusted', match, {})
  if (sees('IPv6')) for (const match of [icmp6(135), icmp6(136)]) put('notNeighbour', match, {})
  put('spoofed', {}, {})
}

const deniedTo = ({ trusted = [] }: Attachment): readonly Fields[] => [
  ...(trusted.includes('dhcp') ? [] : trusts.dhcp),
  ...(trusted.includes('router') ? [] : trusts.router),
]

const of = (family: 4 | 6) => (prefix: Prefix) => prefix.family === family
/** All of a prefix; nothing to match where it is all addresses. */
const within = <F extends 'ipv4_src' | 'ipv6_src' | 'arp_spa' | 'arp_tpa' | 'ipv6_nd_target'>(
  field: F,
  prefix: Prefix,
) => {
  const { family, address: value, length } = prefix
  if (length === 0) return {}
  return { [field]: length === widthOf(family) ? value : { value, mask: maskText(prefix) } } as Fields
}

/** RFC 826; a probe (RFC 5227) comes from 0.0.0.0, and asks for an address that the port may have. */
const arpOf = ({ mac, owned }: Sender): readonly Row[] =>
  owned.filter(of(4)).flatMap((prefix): readonly Row[] => [
    ['own', { ...arp, arp_sha: mac, ...within('arp_spa', prefix) }],
    ['unaddressed', { ...arp, arp_op: 1, arp_sha: mac, arp_spa: '0.0.0.0', ...within('arp_tpa', prefix) }],
  ])

const ipv4Of = ({ sources }: Sender): readonly Row[] => [
  ...sources.filter(of(4)).map((prefix): Row => ['own', { ...ipv4, ...within('ipv4_src', prefix) }]),
  ['unaddressed', { ...ipv4, ...udp, ipv4_src: '0.0.0.0', ipv4_dst: '255.255.255.255', udp_src: 68, udp_dst: 67 }],
  ['unaddressed', { ...ipv4, ip_proto: 2, ipv4_src: '0.0.0.0', ipv4_dst: '224.0.0.22' }],
]

const ipv6Of = ({ mac, owned, sources, linkLocal }: Sender): readonly Row[] => [
  ...sources.filter(of(6)).map((prefix): Row => ['own', { ...ipv6, ...within('ipv6_src', prefix) }]),
  ...owned.filter(of(6)).flatMap(prefix => neighbourOf(mac, prefix, linkLocal)),
  // MLD of a machine that has no address yet (RFC 3810 §5.2.13, RFC 3590), and its question for routers (RFC 4861 §4.1).
  ...[131, 132, 143].map((type): Row => ['unaddressed', { ...icmp6(type), ipv6_src: '::' }]),
  ['unaddressed', { ...icmp6(133), icmpv6_code: 0, ipv6_src: '::', ipv6_dst: 'ff02::2' }],
]

/** Of one address, or a prefix: RFC 4861 §4.3, §4.4, and duplicate address detection (RFC 4862 §5.4). */
const neighbourOf = (mac: string, prefix: Prefix, linkLocal: Prefix): readonly Row[] => [
  ...[mac, noAddress].flatMap((ll): readonly Row[] => [
    ['neighbour', { ...solicitation, ipv6_nd_sll: ll, ...within('ipv6_src', prefix) }],
    ...[...new Set([prefix, linkLocal])].map(
      (source): Row => [
        'neighbour',
        { ...advertisement, ipv6_nd_tll: ll, ...within('ipv6_src', source), ...within('ipv6_nd_target', prefix) },
      ],
    ),
  ]),
  ['detection', { ...solicitation, ipv6_src: '::', ...within('ipv6_nd_target', prefix) }],
]
