// The pipeline every datapath runs, as data. docs/pipeline.md is written from this file by `npm run docs`.
// What a switch must be able to do is read from here, too (switch/unsupported.ts), so what is checked is what is sent.
// To add a table: add it where a frame meets it; its place is its OpenFlow table id. To add a kind of entry: give it a
// priority and a sentence under `entries`; compile then asks for it by name.
export const pipeline = tables({
  admit: {
    question: 'Which network is this frame in?',
    match: ['in_port', 'tunnel_id', 'vlan_vid', 'eth_dst', 'eth_src', 'eth_type'],
    snooping: [],
    limiting: [],
    strict: [],
    next: ['guard', 'deliver'],
    does: ['write_metadata', 'goto_table', 'output', 'pop_vlan'],
    mayDo: ['meter', 'set tunnel_id'],
    entries: {
      vlink: [
        1100,
        'From an end of a vlink, any frame: into the next link, marked, or out of the other end. Metered if so wished.',
      ],
      passing: [1100, "A vlink's frame from a link, by port and VNI: on into the next link, or out of its end."],
      probe: [1000, 'Our LLDP from a tunnel, in the probe VNI, which no pod can write: to the controller.'],
      bounce: [1000, 'Our LLDP that asks whether we forward: back into the tunnel it came from, in the probe VNI.'],
      plainProbe: [990, 'Our LLDP from a plain link, untagged: to the controller.'],
      reserved: [910, 'To 01:80:c2:00:00:0x (bridges, LACP, PAUSE, LLDP of others; IEEE 802.1Q §8.6.3): dropped.'],
      loopProbe: [
        920,
        'Our probe for loops, from whatever port, which only a loop leads back to us: a metered copy to the controller, and no further.',
      ],
      forged: [900, 'From a multicast source address, which no sender has (IEEE 802 §8.2.2): dropped.'],
      trunk: [100, 'Any frame on a trunk port, with whatever tags: its network goes into metadata; to `guard`.'],
      tagged: [
        100,
        'On an access port with the VLAN tag of a network: the tag goes, its network goes into metadata; to `guard`.',
      ],
      access: [100, 'Untagged on an access port: its network goes into metadata; to `guard`.'],
      link: [
        100,
        'From a link, by port and VNI, or by port and VLAN tag, which goes: its network and the remote bit go into metadata; to `deliver`.',
      ],
      mirrored: [100, "A mirror's copy from a link, by port and VNI: out of the mirror port, as it is."],
      cut: [
        110,
        'A port that leads frames of its network back into it: dropped. For a controller that starts anew, too.',
      ],
      group: [
        105,
        'To a group address (broadcast, multicast) on an access port or a trunk: as such, through its broadcast limit.',
      ],
      priorityGroup: [95, 'The same with a priority tag.'],
      priority: [
        90,
        'A priority tag (VID 0) on an access port counts as untagged: the tag goes, then as above. Below `tagged`, for there are switches that read VID 0 as any tag.',
      ],
      miss: [0, 'Everything else: dropped. Its cookie is the marker: the instance of the store that rules here.'],
    },
  },
  guard: {
    question: 'May this sender speak?',
    match: ['in_port', 'metadata', 'eth_src', 'vlan_vid', 'eth_type'],
    snooping: [],
    limiting: [],
    strict: [
      'arp_op',
      'arp_spa',
      'arp_tpa',
      'arp_sha',
      'ip_proto',
      'ipv4_src',
      'ipv4_dst',
      'ipv6_src',
      'ipv6_dst',
      'udp_src',
      'udp_dst',
      'icmpv6_type',
      'icmpv6_code',
      'ipv6_nd_target',
      'ipv6_nd_sll',
      'ipv6_nd_tll',
    ],
    next: ['deliver'],
    does: ['goto_table', 'output'],
    mayDo: ['group', 'meter'],
    entries: {
      trunkKnown: [70, 'As `known`, on a trunk, whose frames keep their tags.'],
      trunkSuppressed: [65, 'As `suppressed`, on a trunk.'],
      trunkLearn: [60, 'As `learn`, on a trunk.'],
      tag: [52, 'A tag behind the one that has gone: dropped, for it would come out untested.'],
      innerTag: [50, 'The same where a switch takes such a tag for payload.'],
      neighbour: [
        46,
        "Strict: a neighbour solicitation or advertisement whose source, target and link-layer address are the port's: to `deliver`.",
      ],
      detection: [48, 'Strict: a solicitation from :: for an address of the port (RFC 4862 §5.4): to `deliver`.'],
      notNeighbour: [44, 'Strict: any other neighbour solicitation or advertisement: dropped.'],
      untrusted: [
        44,
        'Strict: what only DHCP servers and routers send (UDP from 67 or 547; ICMPv6 130, 134, 137, 141, 142, 151): dropped, unless the port is trusted with it.',
      ],
      unaddressed: [
        42,
        'Strict: what a machine without an address sends: DHCP requests, ARP probes for its own address, MLD and router solicitations from ::, IGMPv3 reports from 0.0.0.0: to `deliver`.',
      ],
      own: [40, 'Strict: ARP and IP from an address that the port may use: to `deliver`.'],
      known: [30, 'A source MAC pinned to the port, or learned there (then with an idle time-out): to `deliver`.'],
      suppressed: [20, 'A port that showed more MACs than it may: to `deliver`, and no copies for some seconds.'],
      learn: [
        10,
        'Any other source on a learning port: to `deliver`, and a metered copy of the first bytes to the controller.',
      ],
      spoofed: [5, 'Strict: everything else from the port: dropped, and counted here.'],
    },
  },
  deliver: {
    question: 'Where does it go?',
    match: ['metadata', 'eth_dst'],
    snooping: ['eth_type', 'ip_proto', 'ipv4_src', 'ipv4_dst', 'ipv6_dst', 'icmpv6_type'],
    limiting: ['in_port'],
    strict: [
      'eth_src',
      'vlan_vid',
      'eth_type',
      'ip_proto',
      'arp_op',
      'arp_spa',
      'arp_tpa',
      'ipv6_src',
      'icmpv6_type',
      'icmpv6_code',
      'ipv6_nd_target',
      'ipv6_nd_sll',
    ],
    next: ['listen', 'answer'],
    does: ['output', 'group'],
    mayDo: [
      'goto_table',
      'meter',
      'set tunnel_id',
      'push_vlan',
      'set vlan_vid',
      'pop_vlan',
      'move',
      'set eth_src',
      'set arp_op',
      'set arp_sha',
      'set arp_spa',
      'set ipv6_src',
      'set icmpv6_type',
      'set nd_options_type',
      'set nd_reserved',
    ],
    entries: {
      announced: [
        42,
        'Strict, where it began: an ARP request from 0.0.0.0 or a solicitation from :: (duplicate address detection): flooded, for others must hear it.',
      ],
      itself: [
        41,
        'Strict, where it began: who has an address asks for it (gratuitous ARP): flooded, for the same reason.',
      ],
      unsigned: [
        40,
        'Strict, where it began: a solicitation without the link-layer address of its sender: flooded, for it can not be turned into an answer.',
      ],
      asked4: [38, 'Strict, where it began: an ARP request for a known address: answered out of the port that asks.'],
      asked6: [38, 'Strict, where it began: a solicitation of a known address: made an advertisement, to `answer`.'],
      shared: [
        34,
        'To a MAC that several ports may use (allowedAddresses): to all of these, over the links that lead to some.',
      ],
      here: [32, 'A known MAC on a port of this switch: out of that port.'],
      there: [
        30,
        'A known MAC on another switch: marked with VNI or VLAN tag, out of the link that leads there. In a full mesh only what began here (remote = 0).',
      ],
      query: [28, 'Snooping: a query, or what shows a multicast router: flooded, and to `listen` where it began.'],
      asked: [27, 'Snooping: anything else of IGMP from the querier, who is not us: as a query.'],
      report: [26, 'Snooping: the rest of IGMP and MLD, to multicast routers only, and to `listen` where it began.'],
      control: [24, 'Snooping: to a group of the link (224.0.0.0/24, ff02::/16), which everybody is in: flooded.'],
      joined: [22, 'Snooping: to a group that ports have joined: out of these, and the links that lead to such.'],
      unjoined: [20, 'Snooping: the rest of IP multicast, to routers and to ports that were not asked yet.'],
      unknown: [12, 'To an unknown address, where it began: as below, through the broadcast limit of its port.'],
      dropUnknown: [14, 'Strict, when no port of the network learns: to a MAC that nobody has: dropped.'],
      flood: [
        10,
        'The rest (broadcast, multicast, unknown) that began here: to the group of local ports and links. On a tree also what came over a link.',
      ],
      remote: [
        10,
        'In a full mesh, the rest that came over a link: to the group of local ports. It never leaves by a link again.',
      ],
    },
  },
  listen: {
    question: 'Who wants which multicast?',
    match: [],
    snooping: ['in_port', 'metadata'],
    limiting: [],
    strict: [],
    next: [],
    does: [],
    mayDo: ['output'],
    entries: {
      copy: [10, 'A query or a report from this port: a metered copy to the controller.'],
    },
  },
  answer: {
    question: 'Which MAC does the neighbour have?',
    match: [],
    snooping: [],
    limiting: [],
    strict: ['metadata', 'eth_type', 'ip_proto', 'icmpv6_type', 'icmpv6_code', 'ipv6_nd_target'],
    next: [],
    does: [],
    mayDo: ['set ipv6_nd_tll', 'output'],
    entries: {
      advertised: [
        10,
        'The advertisement gets the MAC of its target, and goes out of the port that asks. Only now: a switch sets the field in advertisements only.',
      ],
    },
  },
})

export type TableName = keyof typeof pipeline
export type EntryName<T extends TableName> = keyof (typeof pipeline)[T]['entries'] & string
export type MatchField<T extends TableName> = (typeof pipeline)[T]['match' | 'snooping' | 'limiting' | 'strict'][number]
export type NextTable<T extends TableName> = (typeof pipeline)[T]['next'][number]

/** Metadata carries the network (bits 0-31), whether the frame came over a link (32) and the epoch (33). */
export const metadata = {
  network: 0xffff_ffffn,
  remote: 1n << 32n,
  epoch: 1n << 33n,
} as const

/** The bits of it that are in use: what is matched and written is masked with these, and a switch needs no others. */
export const metadataBits = metadata.network | metadata.remote | metadata.epoch

/** The VNI of a network's frames, or of a mirror's copies: its number, and in bit 23 the epoch. */
export const vniOf = (number: number, epoch: 0 | 1): bigint => BigInt(number + epoch * 0x80_0000)

/** The VNI of our LLDP probes; no network has it. */
export const probeVni = 0xfffffen
/** The VNI of LLDP that its receiver sends back as a probe, without asking us; no network has it either. */
export const bounceVni = 0x7ffffen

/** What entries do: `set` a field; the other actions and instructions by their names in OpenFlow. */
export type Doing =
  | 'write_metadata'
  | 'goto_table'
  | 'meter'
  | 'output'
  | 'group'
  | 'push_vlan'
  | 'pop_vlan'
  | 'move'
  | `set ${SetField}`
type SetField =
  | 'tunnel_id'
  | 'vlan_vid'
  | 'eth_src'
  | 'arp_op'
  | 'arp_sha'
  | 'arp_spa'
  | 'ipv6_src'
  | 'icmpv6_type'
  | 'ipv6_nd_tll'
  | 'nd_options_type'
  | 'nd_reserved'

type Table = {
  readonly question: string
  readonly match: readonly string[]
  /** Fields that only networks which snoop multicast match. A table that matches nothing else is theirs alone. */
  readonly snooping: readonly string[]
  /** Fields that only limits match: where a switch lacks them, or meters, there are no limits. */
  readonly limiting: readonly string[]
  /** Fields that only strict ports and networks match. Where a switch lacks them, what they would let in is dropped. */
  readonly strict: readonly string[]
  readonly next: readonly string[]
  /** Instructions and actions that every network needs of it. */
  readonly does: readonly Doing[]
  /** Those that it takes for VLANs, tunnels, vlinks, mirrors, or to snoop multicast. */
  readonly mayDo: readonly Doing[]
  readonly entries: Readonly<Record<string, readonly [priority: number, sentence: string]>>
}

/** Tables in the order a frame meets them; a table's place is its OpenFlow table id. */
function tables<const T extends Readonly<Record<string, Table>>>(declared: T) {
  const names = Object.keys(declared)
  for (const [id, name] of names.entries())
    for (const target of declared[name]!.next)
      if (names.indexOf(target) <= id)
        throw new Error(`table ${name} (${id}) goes to ${target}: goto_table only goes forward (OpenFlow 1.3.5 §5.1.1)`)
  return Object.fromEntries(names.map((name, id) => [name, { id, name, ...declared[name]! }])) as unknown as {
    readonly [N in keyof T]: T[N] & { readonly id: number; readonly name: N }
  }
}
