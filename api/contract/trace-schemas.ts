import { dpidText } from './schemas.ts'
import { Type } from './type.ts'

/** What /v1/trace is asked, and answers. */

const closed = { additionalProperties: false } as const
const optional = (description: string, maxLength = 64) => Type.Optional(Type.String({ description, maxLength }))

export const TraceQuery = Type.Object(
  {
    dpid: dpidText,
    port: Type.String({
      description: 'the OpenFlow port where the frame comes in, in decimal',
      pattern: '^[1-9][0-9]{0,9}$',
    }),
    vni: Type.Optional(
      Type.String({ description: 'of a tunnel: the VNI that the frame comes with', pattern: '^[0-9]{1,8}$' }),
    ),
    tables: Type.Optional(
      Type.Enum(['desired', 'held', 'both'], {
        description:
          'on what the switches should hold, on what they hold now (they are read), or on both (the default)',
      }),
    ),
    frame: optional('the frame in hex, from its destination address on; then none of the fields below', 18_432),
    src: optional('source MAC address'),
    dst: optional('destination MAC address; broadcast unless given'),
    vlan: optional('VLAN tag'),
    type: optional('arp, ip, ipv6, lldp, or an EtherType; follows from the other fields'),
    arp: optional('request or reply'),
    ipSrc: optional('source address, IPv4 or IPv6; of ARP, that of the sender'),
    ipDst: optional('destination address; of ARP, that which is asked for'),
    proto: optional('icmp, igmp, tcp, udp, icmp6, or a number'),
    srcPort: optional('of TCP and UDP'),
    dstPort: optional('of TCP and UDP'),
    icmpType: optional('of ICMP and ICMPv6'),
    target: optional('of a neighbour solicitation or advertisement: the address'),
  },
  closed,
)

const endpoint = { dpid: Type.String(), port: Type.Integer() }
const portName = Type.Optional(Type.String())
const vni = Type.Optional(Type.Integer())
const Step = Type.Object({
  table: Type.Integer(),
  tableName: Type.Optional(Type.String()),
  entry: Type.Optional(Type.String({ description: 'as ovs-ofctl prints it; absent: no entry took the frame' })),
  owner: Type.Optional(Type.String({ description: 'whose the entry is, in words' })),
  network: Type.Optional(Type.String()),
  rule: Type.Optional(Type.String({ description: 'its name in docs/pipeline.md' })),
  why: Type.String({ description: 'what it is for' }),
  frame: Type.String({ description: 'the frame as it came to this table, as a match of ovs-ofctl' }),
  notes: Type.Array(Type.String()),
  doubts: Type.Array(Type.String({ description: 'what could not be followed: the rest may be otherwise' })),
})
const End = Type.Object({
  is: Type.Enum(['link', 'port', 'controller', 'local', 'lost', 'loop'], {
    description:
      'link: it goes on at `to`, as visit number `visit`. port: out of a port; `uses` says what networks have it for. lost: `why`. loop: it comes where it has been, in visit `visit`',
  }),
  to: Type.Optional(Type.Object(endpoint)),
  visit: Type.Optional(Type.Integer()),
  uses: Type.Optional(
    Type.Array(Type.Object({ network: Type.String(), is: Type.String(), name: Type.Optional(Type.String()) })),
  ),
  why: Type.Optional(Type.String()),
})
const Copy = Type.Object({
  step: Type.Integer({ description: 'the number of the step that made it' }),
  groups: Type.Array(Type.Object({ group: Type.Integer(), bucket: Type.Integer() }), {
    description: 'the groups on its way, and which bucket of each, from 0',
  }),
  port: Type.Optional(Type.Integer()),
  ...{ portName, vni },
  frame: Type.String({ description: 'the copy in hex' }),
  meter: Type.Optional(Type.Integer({ description: 'the meter that limits such copies' })),
  end: End,
})
const Visit = Type.Object(
  {
    ...{ ...endpoint, portName, vni },
    frame: Type.String({ description: 'the frame in hex, as it came' }),
    from: Type.Optional(Type.Object({ visit: Type.Integer(), copy: Type.Integer() })),
    steps: Type.Array(Step),
    groups: Type.Array(Type.String({ description: 'a group that was met, as ovs-ofctl prints it' })),
    copies: Type.Array(Copy),
    dropped: Type.Optional(Type.String({ description: 'where no copy left: what dropped the frame' })),
    unknown: Type.Optional(Type.String({ description: 'why nothing can be said of this switch' })),
  },
  { description: 'a frame at a switch' },
)
const TraceOnTables = Type.Object({
  tables: Type.Enum(['desired', 'held']),
  unread: Type.Array(Type.String(), {
    description: 'switches that could not be read now: what they held last was taken',
  }),
  visits: Type.Array(Visit),
  ends: Type.Array(Type.String(), { description: 'how every copy ended, a sentence each' }),
  certain: Type.Boolean({ description: 'false: something could not be followed; `doubts` and `unknown` say what' }),
})
export const TraceAnswer = Type.Object({
  revision: Type.Integer({ description: 'the revision of the store' }),
  frame: Type.String({ description: 'the frame in hex' }),
  words: Type.String({ description: 'the frame as a match of ovs-ofctl' }),
  traces: Type.Array(TraceOnTables),
  differ: Type.Optional(
    Type.Boolean({ description: 'the frame ends elsewhere on what the switches hold than on what they should' }),
  ),
})
