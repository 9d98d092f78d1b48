import type { Static, TSchema } from 'typebox'
import { durationWords } from './duration.ts'
import { shownGroups } from './limits.ts'
import { Type } from './type.ts'

/**
 * What goes over the wire: types, checks (api/contract/check.ts) and /openapi.json come from here. What a text means (a dpid, a
 * MAC) the parsers of store/ and topology/ decide: a pattern here refuses nothing that they accept, and so only earlier.
 */

const closed = { additionalProperties: false } as const

export const dpidText = Type.String({
  description: '16 hex digits, with or without "of:" before',
  pattern: '^([oO][fF]:)?[0-9a-fA-F]{16}$',
  examples: ['00000000000000a1'],
})
const networkId = Type.String({
  description: '1 to 317 characters of A-Z a-z 0-9 . _ : -, and not . or .. alone',
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._:-]{1,317}$',
  examples: ['default.net-a'],
})
const portText = Type.String({
  description: 'an OpenFlow port number, 1 to 4294967040, in decimal',
  pattern: '^[1-9][0-9]{0,9}$',
  examples: ['1'],
})
const dpid = Type.String({ description: '16 lower-case hex digits' })
const port = Type.Integer({ description: 'an OpenFlow port number, 1 to 4294967040', minimum: 1, maximum: 0xffffff00 })

export const NetworkPath = Type.Object({ network: networkId }, closed)
/** What OpenFlow calls its reserved ports (§7.2.1) is no name: nothing is attached there. */
const reserved = '(?!LOCAL$|CONTROLLER$|NORMAL$|FLOOD$|ALL$|IN_PORT$|TABLE$|ANY$)'
const portOrName = Type.String({
  description:
    'an OpenFlow port number, 1 to 4294967040, in decimal; or the name of the port on its switch: 1 to 16 characters, beginning with a letter or as in 1/2, a / encoded as %2F. The attachment follows the name when the port gets another number',
  pattern: `^${reserved}([1-9][0-9]{0,9}|[A-Za-z_][^\\u0000-\\u001f\\u007f]{0,15}|[0-9]{1,4}/[^\\u0000-\\u001f\\u007f]{1,11})$`,
  examples: ['1', 'eth1'],
})
export const AttachmentPath = Type.Object({ network: networkId, dpid: dpidText, port: portOrName }, closed)
export const SwitchPath = Type.Object({ dpid: dpidText }, closed)
export const LinkPath = Type.Object(
  { fromDpid: dpidText, fromPort: portText, toDpid: dpidText, toPort: portText },
  closed,
)
const cost = Type.Integer({
  description: 'the cost of the link, 10 by default: frames take the path with the lowest total cost',
  minimum: 1,
  maximum: 65535,
})
const carries = Type.Enum(['vni', 'vid'], {
  description: 'how the link separates networks: "vni", a VXLAN tunnel (the default); "vid", a plain link with VLANs',
})
export const LinkSpec = Type.Object({ cost: Type.Optional(cost), carries: Type.Optional(carries) }, closed)

export const NoQuery = Type.Object({}, closed)
const wait = Type.Optional(
  Type.String({
    description: `the longest time to wait for the switches: ${durationWords}`,
    pattern: '^[0-9]{1,5}(ms|s)$',
  }),
)
const vlanOfPort = Type.Optional(
  Type.String({
    description: 'a VLAN of the port, 1 to 4094; absent: the untagged frames of the port, or its trunk',
    pattern: '^[1-9][0-9]{0,3}$',
  }),
)
export const WaitQuery = Type.Object({ wait }, closed)
export const VlanQuery = Type.Object({ vlan: vlanOfPort }, closed)
export const VlanWaitQuery = Type.Object({ vlan: vlanOfPort, wait }, closed)

const mac = Type.String({ description: 'the MAC address of an interface, such as 02:42:ac:11:00:02', maxLength: 17 })
const ip = Type.String({ description: 'an IPv4 or IPv6 address, with or without a prefix length', maxLength: 49 })
const guard = Type.Enum(['learn', 'mac', 'strict'], {
  description:
    '"learn" (any source MAC may send), "mac" (only the given one) or "strict" (and only the given addresses, in ARP, neighbour discovery and IP)',
})
const allowedAddress = Type.Object(
  {
    mac: Type.Optional(mac),
    ip: Type.String({ description: 'an IPv4 or IPv6 address, or a prefix of them', maxLength: 49 }),
  },
  closed,
)
const allowedAddresses = Type.Array(allowedAddress, {
  description:
    'addresses that the port may send from besides its own, each with the MAC that is given, or the own one: virtual addresses (VRRP), and what lies behind a pod that routes',
  maxItems: 64,
})
const trusted = Type.Array(Type.Enum(['dhcp', 'router']), {
  description:
    'what a strict port may send besides: "dhcp" as a DHCP server, IPv4 and IPv6; "router" router advertisements, redirects and multicast queries',
  maxItems: 2,
})
const networkGuard = {
  description:
    'the guard of attachments that ask for none; "strict" also drops unknown unicast, and has switches answer ARP and neighbour solicitations for known addresses',
}
const vlan = Type.Integer({
  description:
    'only frames with this VLAN tag belong to the network; the tag is removed at the port where they enter, and added where they leave',
  minimum: 1,
  maximum: 4094,
})
const trunk = Type.Boolean({ description: 'frames pass unchanged, with any tags; not together with vlan' })
const name = Type.String({ description: 'a name for people, 1 to 253 characters', minLength: 1, maxLength: 253 })

const mostRate = 4_294_967_295
const aSecond =
  'broadcast, multicast and unknown unicast frames that a port may send in a second (and at once); "off": any number'
const frames = [Type.Integer({ minimum: 1, maximum: mostRate }), Type.Literal('off')] as const
const framesPerSecond = Type.Union([...frames], { description: aSecond })
const rate = Type.Object(
  {
    kbps: Type.Integer({ description: 'kilobits per second', minimum: 1, maximum: mostRate }),
    burst: Type.Optional(
      Type.Integer({
        description: 'kilobits that may come at once: a tenth of a second by default, and 144 at least',
        minimum: 1,
        maximum: mostRate,
      }),
    ),
  },
  { ...closed },
)
const rateLimit = Type.Object(
  { send: Type.Optional(rate), receive: Type.Optional(rate) },
  {
    ...closed,
    description: 'send: all that comes from the port; receive: frames to its addresses, but not what is flooded to it',
  },
)

const end = Type.Object({ dpid: dpidText, port }, closed)
const switchPath = Type.Array(dpidText, { maxItems: 256 })
const vlinkSpec = {
  from: Type.Optional(end),
  to: Type.Optional(end),
  path: Type.Optional(switchPath),
  reversePath: Type.Optional(switchPath),
  reroute: Type.Optional(Type.Boolean()),
  bandwidth: Type.Optional(
    Type.Integer({ description: 'bits per second, 1000 or more', minimum: 1000, maximum: 4294967295000 }),
  ),
  latency: Type.Optional(Type.Integer({ description: 'nanoseconds from end to end, 1 or more', minimum: 1 })),
}
const multicast = Type.Enum(['flood', 'snoop'], {
  description: 'who receives IP multicast: "flood" (all members) or "snoop" (members that joined by IGMP or MLD)',
})

export const NetworkSpec = Type.Object(
  {
    type: Type.Optional(
      Type.Enum(['vnet', 'vlink'], {
        description: '"vnet" (the default): a LAN; "vlink": two ports joined by a path',
      }),
    ),
    ...vlinkSpec,
    mirror: Type.Optional(
      Type.Union([Type.Object({ dpid: dpidText, port }, closed), Type.Null()], {
        description:
          '{"dpid", "port"}: this port receives a copy of every frame; null: no port does; absent: no change',
      }),
    ),
    multicast: Type.Optional(multicast),
    broadcastLimit: Type.Optional(
      Type.Union([...frames, Type.Null()], {
        description: `for each port of the network: ${aSecond}; null: the default, 2000; absent: no change`,
      }),
    ),
    guard: Type.Optional(Type.Union([guard, Type.Null()], networkGuard)),
  },
  closed,
)
export const AttachmentSpec = Type.Object(
  {
    mac: Type.Optional(mac),
    ips: Type.Optional(Type.Array(ip, { maxItems: 64 })),
    name: Type.Optional(name),
    guard: Type.Optional(guard),
    allowedAddresses: Type.Optional(allowedAddresses),
    trusted: Type.Optional(trusted),
    vlan: Type.Optional(vlan),
    trunk: Type.Optional(trunk),
    broadcastLimit: Type.Optional(framesPerSecond),
    rateLimit: Type.Optional(rateLimit),
  },
  closed,
)
export const MoveSpec = Type.Object(
  {
    to: Type.String({ description: 'the id of the network that the port goes to' }),
    mirror: Type.Optional(
      Type.Object(
        { dpid: dpidText, port },
        {
          ...closed,
          description: 'quarantine: this port receives a copy of every frame of the network that it goes to',
        },
      ),
    ),
  },
  closed,
)
export const StateSpec = Type.Object({ complete: Type.Literal(true) }, closed)

const progress = {
  state: Type.Enum(['pending', 'programmed', 'degraded'], {
    description:
      'pending: a switch has not confirmed it yet. programmed: every switch concerned has confirmed it. degraded: a switch refused it, or members do not reach each other',
  }),
  reason: Type.Optional(Type.String({ description: 'what is missing' })),
  unconfirmed: Type.Optional(
    Type.Array(Type.String(), {
      description: 'switches of the network that do not know of this attachment yet, since they are not connected',
    }),
  ),
  revision: Type.Integer({ description: 'the revision of the store that last changed this object' }),
}
const revision = Type.Integer({ description: 'the revision of the store' })

const met = Type.Optional(
  Type.Union([Type.Boolean(), Type.Literal('unknown')], { description: 'whether the requested value is met' }),
)
const way = Type.Object({
  path: Type.Optional(
    Type.Array(dpid, { description: 'the switches that its frames pass now; absent: no frame gets through' }),
  ),
  latency: Type.Optional(
    Type.Object({
      measured: Type.Optional(Type.Integer({ description: 'nanoseconds: half of the round-trip times of its links' })),
      met,
    }),
  ),
  bandwidth: Type.Optional(
    Type.Object({
      limited: Type.Boolean({ description: 'true: frames beyond it are dropped where they enter' }),
      slowest: Type.Optional(
        Type.Integer({ description: 'bits per second of the slowest port on the path that reports its speed' }),
      ),
      met,
    }),
  ),
})
const vlink = {
  from: Type.Optional(Type.Object({ dpid, port })),
  to: Type.Optional(Type.Object({ dpid, port })),
  path: Type.Optional(Type.Array(dpid)),
  reversePath: Type.Optional(Type.Array(dpid)),
  reverseNumber: Type.Optional(Type.Integer({ description: 'as number, for the reverse path' })),
  reroute: Type.Optional(Type.Boolean()),
  bandwidth: Type.Optional(Type.Integer({ description: 'bits per second' })),
  latency: Type.Optional(Type.Integer({ description: 'nanoseconds' })),
  there: Type.Optional(way),
  back: Type.Optional(way),
}

const snooping = Type.Object({
  groups: Type.Integer({ description: 'the number of groups with a member' }),
  querier: Type.String({ description: '"controller", or the IPv4 address of the router that is the querier' }),
  ports: Type.Array(
    Type.Object({
      ...{ dpid, port },
      gets: Type.Enum(['joined', 'router', 'unsettled', 'crowded'], {
        description:
          'joined: the groups that the port joined. All multicast: router, unsettled (its groups are not known yet) and crowded (it joined too many groups)',
      }),
      groups: Type.Array(Type.String()),
    }),
    { description: `the ports that receive multicast, in order; at most ${shownGroups} groups in all` },
  ),
  isWhole: Type.Boolean({ description: 'false: there are more groups than this answer shows' }),
})

export const Network = Type.Object({
  id: Type.String(),
  type: Type.Enum(['vnet', 'vlink']),
  number: Type.Integer({
    description: 'the number of the network on the switches: its VNI, and bits 0-31 of the metadata',
  }),
  mirror: Type.Optional(Type.Object({ dpid, port })),
  ...vlink,
  multicast: Type.Optional(multicast),
  broadcastLimit: Type.Optional(framesPerSecond),
  guard: Type.Optional(Type.Enum(['learn', 'mac', 'strict'], networkGuard)),
  attachments: Type.Integer({ description: 'the number of ports in it' }),
  partitions: Type.Optional(
    Type.Array(
      Type.Object({
        switches: Type.Array(Type.String()),
        attachments: Type.Array(Type.String({ description: '<dpid>/<port>' })),
      }),
      {
        description:
          'present when not all members reach each other: members of one partition do, members of two do not',
      },
    ),
  ),
  conflicts: Type.Optional(
    Type.Array(
      Type.Object({
        mac: Type.String(),
        holder: Type.Object({ dpid, port }, { description: 'the port that holds the address: frames to it go there' }),
        claimant: Type.Object({ dpid, port }, { description: 'the other port that sent from it' }),
        secondsAgo: Type.Integer({ description: 'the time since both were last seen to send' }),
      }),
      { description: 'MAC addresses from which two ports have sent in the last ten minutes, the newest first' },
    ),
  ),
  duplicates: Type.Optional(
    Type.Array(
      Type.Object({
        ip: Type.String(),
        ports: Type.Array(Type.Object({ dpid, port })),
        by: Type.Enum(['declared', 'seen'], {
          description: 'declared: the attachments of these ports have it; seen: frames said so in the last ten minutes',
        }),
      }),
      { description: 'IP addresses that two ports of the network have; at most 50 that are declared' },
    ),
  ),
  mtu: Type.Optional(
    Type.Integer({ description: 'the MTU that members may use: it passes on all links of the network' }),
  ),
  snooping: Type.Optional(snooping),
  ...progress,
})
export const Networks = Type.Object({ revision, networks: Type.Array(Network) })

export const Attachment = Type.Object({
  network: Type.String(),
  dpid,
  port,
  portName: Type.Optional(
    Type.String({ description: 'the name by which the port was attached: the attachment follows it' }),
  ),
  mac: Type.Optional(Type.String()),
  ips: Type.Optional(Type.Array(Type.String())),
  name: Type.Optional(Type.String()),
  vlan: Type.Optional(vlan),
  trunk: Type.Optional(trunk),
  broadcastLimit: Type.Optional(framesPerSecond),
  rateLimit: Type.Optional(rateLimit),
  limits: Type.Array(
    Type.Object({
      limit: Type.Enum(['broadcast', 'send', 'receive']),
      framesPerSecond: Type.Optional(Type.Integer()),
      kbps: Type.Optional(Type.Integer()),
      burst: Type.Optional(Type.Integer({ description: 'kilobits' })),
      dropped: Type.Optional(Type.Integer({ description: 'frames that it has dropped since the controller started' })),
      missing: Type.Optional(Type.String({ description: 'why the switch does not have it' })),
    }),
    { description: 'the limits of the port, those by default too' },
  ),
  guard,
  ownGuard: Type.Optional(
    Type.Boolean({ description: 'true: the guard was given for this port, and not by its network' }),
  ),
  allowedAddresses: Type.Optional(allowedAddresses),
  trusted: Type.Optional(trusted),
  ...progress,
})
export const Moved = Type.Object({
  ...Attachment.properties,
  addressesTaken: Type.Optional(
    Type.Array(Type.Object({ ip: Type.String(), holder: Type.Object({ dpid, port }) }), {
      description: 'addresses of the port that another port of its new network has, too: both have them now',
    }),
  ),
})
export const Attachments = Type.Object({ revision, attachments: Type.Array(Attachment) })

/** `deleted`: whether it was there. */
export const Deleted = Type.Object({ deleted: Type.Boolean(), ...progress })
/** `tags`: there when the port was asked for without its VLAN, and is in the network by others. */
export const AttachmentDeleted = Type.Object({
  ...Deleted.properties,
  tags: Type.Optional(
    Type.Array(vlan, { description: 'the VLANs by which the port is in the network: give one as ?vlan=' }),
  ),
})
/** What is deleted with a network. */
export const NetworkDeleted = Type.Object({
  ...Deleted.properties,
  detached: Type.Integer({ description: 'how many ports were in it' }),
})
export const SwitchDeleted = Type.Object({
  deleted: Type.Boolean({ description: 'whether the controller knew the switch' }),
  revision,
})

const switchFields = {
  dpid,
  connected: Type.Boolean(),
  state: Type.Enum(['disconnected', 'comparing', 'unsupported', 'live', 'unsafe', 'unadopted', 'failing']),
  reason: Type.Optional(Type.String({ description: 'why it is not live' })),
  remote: Type.Optional(Type.String({ description: 'the address and port that the switch connects from' })),
  manufacturer: Type.Optional(Type.String()),
  software: Type.Optional(Type.String()),
  unknown: Type.Optional(
    Type.Array(Type.String(), {
      description: 'what it refused or did not answer when it was asked what it can do, and what follows from that',
    }),
  ),
  limitsMissing: Type.Optional(
    Type.Array(Type.String(), { description: 'limits of ports that the switch cannot hold, and why' }),
  ),
  conflict: Type.Optional(
    Type.Object(
      {
        claimant: Type.String({ description: 'the address and port that the other switch connects from' }),
        decidedBy: Type.Enum(['first', 'certificate'], {
          description:
            'why this one is live: it came first and answers, or it alone has a certificate for the datapath id',
        }),
        claims: Type.Integer(),
        since: Type.String({ description: 'ISO 8601, UTC' }),
        last: Type.String({ description: 'ISO 8601, UTC' }),
      },
      { description: 'another switch claims this datapath id; forgotten a minute after the last claim' },
    ),
  ),
  emptied: Type.Optional(
    Type.Object(
      {
        found: Type.String({ description: 'when it came back: ISO 8601, UTC' }),
        since: Type.Optional(
          Type.String({ description: 'when it was connected last; absent: before the controller was started' }),
        ),
        flows: Type.Optional(Type.Integer({ description: 'how many it had then' })),
        reason: Type.String({ description: 'what may have removed them, as far as it is known' }),
      },
      { description: 'the last time it came back without any of its flows, so that its networks were down there' },
    ),
  ),
  failMode: Type.Optional(
    Type.Enum(['secure', 'standalone'], { description: 'what the agent of its node reports of the bridge' }),
  ),
  inBand: Type.Optional(
    Type.Boolean({ description: 'the same: whether it has hidden flows of its own above ours, for its controllers' }),
  ),
  flows: Type.Object({
    desired: Type.Integer(),
    actual: Type.Integer(),
    foreign: Type.Integer({ description: 'flows of another controller' }),
    drift: Type.Integer({ description: 'flows that are missing, superfluous or different' }),
  }),
  programmedRevision: Type.Integer({ description: 'the newest revision of the store that the switch has confirmed' }),
}
export const Switches = Type.Object({ revision, switches: Type.Array(Type.Object(switchFields)) })
export const Switch = Type.Object({
  ...switchFields,
  ports: Type.Array(Type.Object({ number: port, name: Type.String(), mac: Type.String(), up: Type.Boolean() })),
  revision,
})
export const Takeover = Type.Object({
  dpid,
  removed: Type.Array(Type.String({ description: 'a flow or group, as ovs-ofctl prints it' })),
  revision,
})

const endpoint = Type.Object({ dpid, port })
const linkFields = {
  from: endpoint,
  to: endpoint,
  cost: Type.Optional(cost),
  carries: Type.Optional(carries),
  origin: Type.Enum(['declared', 'mesh', 'discovered'], {
    description: 'mesh: planned for the nodes of PUT /v1/mesh or PUT /v1/nodes/{name}',
  }),
  state: Type.Enum(['up', 'down', 'pending']),
  reason: Type.Optional(Type.String()),
  rttMs: Type.Optional(
    Type.Number({ description: 'the round-trip time over the link, without the time between controller and switches' }),
  ),
  loss: Type.Optional(Type.Number({ description: 'the share, 0 to 1, of the last 24 probes that were lost' })),
  lost: Type.Optional(Type.Integer({ description: 'probes that were lost since the controller started' })),
  mtu: Type.Optional(
    Type.Integer({ description: 'the largest frame that passes in this direction: bytes after the Ethernet header' }),
  ),
  probeIntervalMs: Type.Optional(
    Type.Number({ description: 'the time between two probes; it grows with the number of links' }),
  ),
}
export const Links = Type.Object({ revision, links: Type.Array(Type.Object(linkFields)) })
export const Link = Type.Object({ ...linkFields, revision })
export const LinkDeleted = Type.Object({ deleted: Type.Boolean(), revision })

export const StateAnswer = Type.Object({
  instance: Type.String({
    description: 'the name of this store, 10 hex digits: the marker flow on each switch carries it',
  }),
  complete: Type.Boolean({
    description: 'true: nothing but this state should be on the switches, also not what another store left there',
  }),
  revision,
})

const backupFile = Type.String({ description: 'a SQLite database, as --store sqlite:PATH takes it, in base64' })
export const Backup = Type.Object({
  instance: Type.String({ description: 'the store that it is of' }),
  file: backupFile,
})
export const BackupFile = Type.Object({ file: backupFile }, closed)

export const Live = Type.Object({ live: Type.Boolean() })
export const Ready = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Array(Type.String(), { description: 'what makes it unready' }),
  concerns: Type.Array(
    Type.Object({
      what: Type.String(),
      since: Type.String({ description: 'ISO 8601, UTC' }),
      borneForSeconds: Type.Integer({ description: 'for so long it does not make the controller unready yet' }),
    }),
    { description: 'what is not as it should be on connected switches; the first fifty' },
  ),
  revision,
})

/** OpenAPI 3.1. */
export const Description = Type.Object({ openapi: Type.String(), info: Type.Object({}), paths: Type.Object({}) })

export const ProblemAnswer = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  what: Type.Optional(Type.String()),
  where: Type.Optional(Type.String()),
  expected: Type.Optional(Type.String()),
  got: Type.Optional(Type.String()),
  hint: Type.Optional(Type.String()),
  revision: Type.Optional(revision),
})

export type Wire<T extends TSchema> = Static<T>
