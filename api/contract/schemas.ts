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
  pattern: '^(of:)?[0-9a-fA-F]{16}$',
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
  description: 'what a frame pays to take this link: frames take the way with the lowest sum; 10 unless said',
  minimum: 1,
  maximum: 65535,
})
const carries = Type.Enum(['vni', 'vid'], {
  description:
    'how it tells networks apart: "vni", a VXLAN tunnel (unless said otherwise); "vid", a plain link with VLANs',
})
export const LinkWish = Type.Object({ cost: Type.Optional(cost), carries: Type.Optional(carries) }, closed)

export const NoQuery = Type.Object({}, closed)
const wait = Type.Optional(
  Type.String({
    description: `how long to wait for the switches at most: ${durationWords}`,
    pattern: '^[0-9]{1,5}(ms|s)$',
  }),
)
const vlanOfPort = Type.Optional(
  Type.String({
    description: 'which VLAN of the port, 1 to 4094; absent: what is untagged there, or the trunk',
    pattern: '^[1-9][0-9]{0,3}$',
  }),
)
export const WaitQuery = Type.Object({ wait }, closed)
export const VlanQuery = Type.Object({ vlan: vlanOfPort }, closed)
export const VlanWaitQuery = Type.Object({ vlan: vlanOfPort, wait }, closed)

const mac = Type.String({ description: 'the MAC address of an interface, such as 02:42:ac:11:00:02', maxLength: 17 })
const ip = Type.String({ description: 'an IPv4 or IPv6 address, with or without a prefix length', maxLength: 49 })
const guard = Type.Enum(['learn', 'mac'], {
  description: '"learn" (any source MAC may speak) or "mac" (only the given one)',
})
const vlan = Type.Integer({
  description: 'in the network by frames with this VLAN tag only, which comes and goes at the port',
  minimum: 1,
  maximum: 4094,
})
const trunk = Type.Boolean({ description: 'frames come and go as they are, with whatever tags; not with vlan' })
const name = Type.String({ description: 'a name for people, 1 to 253 characters', minLength: 1, maxLength: 253 })

const end = Type.Object({ dpid: dpidText, port }, closed)
const switchPath = Type.Array(dpidText, { maxItems: 256 })
const vlinkWish = {
  from: Type.Optional(end),
  to: Type.Optional(end),
  path: Type.Optional(switchPath),
  reversePath: Type.Optional(switchPath),
  reroute: Type.Optional(Type.Boolean()),
  bandwidth: Type.Optional(
    Type.Integer({ description: 'bits a second, 1000 or more', minimum: 1000, maximum: 4294967295000 }),
  ),
  latency: Type.Optional(Type.Integer({ description: 'nanoseconds from end to end, 1 or more', minimum: 1 })),
}
const multicast = Type.Enum(['flood', 'snoop'], {
  description: 'who gets IP multicast: "flood" (all members) or "snoop" (those who joined, by IGMP or MLD)',
})

export const NetworkSpec = Type.Object(
  {
    type: Type.Optional(
      Type.Enum(['vnet', 'vlink'], {
        description: '"vnet" (the default): a LAN; "vlink": two ports joined over a path',
      }),
    ),
    ...vlinkWish,
    mirror: Type.Optional(
      Type.Union([Type.Object({ dpid: dpidText, port }, closed), Type.Null()], {
        description: '{"dpid", "port"}: copies of every frame go to this port; null: to none; absent: as it is',
      }),
    ),
    multicast: Type.Optional(multicast),
  },
  closed,
)
export const AttachmentSpec = Type.Object(
  {
    mac: Type.Optional(mac),
    ips: Type.Optional(Type.Array(ip, { maxItems: 64 })),
    name: Type.Optional(name),
    guard: Type.Optional(guard),
    vlan: Type.Optional(vlan),
    trunk: Type.Optional(trunk),
  },
  closed,
)
export const StateWish = Type.Object({ complete: Type.Literal(true) }, closed)

const progress = {
  state: Type.Enum(['pending', 'programmed', 'degraded'], {
    description: 'programmed: every switch concerned has confirmed it',
  }),
  reason: Type.Optional(Type.String({ description: 'what is missing' })),
  revision: Type.Integer({ description: 'of the last change to this' }),
}
const revision = Type.Integer({ description: 'of the store' })

const met = Type.Optional(
  Type.Union([Type.Boolean(), Type.Literal('unknown')], { description: 'whether what was wished for is so' }),
)
const way = Type.Object({
  path: Type.Optional(
    Type.Array(dpid, { description: 'the switches that its frames pass now; absent: they do not get through' }),
  ),
  latency: Type.Optional(
    Type.Object({
      measured: Type.Optional(Type.Integer({ description: 'nanoseconds: half the round trips of its links' })),
      met,
    }),
  ),
  bandwidth: Type.Optional(
    Type.Object({
      limited: Type.Boolean({ description: 'what is beyond it is dropped where frames enter' }),
      slowest: Type.Optional(
        Type.Integer({ description: 'bits a second of the slowest port on the way that says its speed' }),
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
  reverseNumber: Type.Optional(Type.Integer({ description: 'as number, for the way back' })),
  reroute: Type.Optional(Type.Boolean()),
  bandwidth: Type.Optional(Type.Integer({ description: 'bits a second' })),
  latency: Type.Optional(Type.Integer({ description: 'nanoseconds' })),
  there: Type.Optional(way),
  back: Type.Optional(way),
}

const snooping = Type.Object({
  groups: Type.Integer({ description: 'that somebody has joined' }),
  querier: Type.String({ description: '"controller", or the IPv4 address of a router that asks in its place' }),
  ports: Type.Array(
    Type.Object({
      ...{ dpid, port },
      gets: Type.Enum(['joined', 'router', 'unsettled', 'crowded'], {
        description:
          'joined: its groups. All multicast: a router, an unsettled port (it was not asked long enough yet) and a crowded one (it wants too many groups)',
      }),
      groups: Type.Array(Type.String()),
    }),
    { description: `ports that get any, in order; of no more than ${shownGroups} groups in all` },
  ),
  isWhole: Type.Boolean({ description: 'false: there are more groups than are shown' }),
})

export const Network = Type.Object({
  id: Type.String(),
  type: Type.Enum(['vnet', 'vlink']),
  number: Type.Integer({ description: 'what switches know it by: its VNI, and bits 0-31 of the metadata' }),
  mirror: Type.Optional(Type.Object({ dpid, port })),
  ...vlink,
  multicast: Type.Optional(multicast),
  attachments: Type.Integer({ description: 'how many ports are in it' }),
  partitions: Type.Optional(
    Type.Array(
      Type.Object({
        switches: Type.Array(Type.String()),
        attachments: Type.Array(Type.String({ description: '<dpid>/<port>' })),
      }),
      { description: 'there when members do not all reach each other: those of one part do, those of two do not' },
    ),
  ),
  conflicts: Type.Optional(
    Type.Array(
      Type.Object({
        mac: Type.String(),
        holder: Type.Object({ dpid, port }, { description: 'who has the address: frames to it go there' }),
        claimant: Type.Object({ dpid, port }, { description: 'who has sent from it, too' }),
        secondsAgo: Type.Integer({ description: 'since both were last seen to speak' }),
      }),
      { description: 'MAC addresses from which two ports have sent in the last ten minutes, the newest first' },
    ),
  ),
  mtu: Type.Optional(
    Type.Integer({ description: 'what members may have as their MTU: it passes on all links that the network uses' }),
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
    Type.String({ description: 'it was attached by this name of its port, and goes where that goes' }),
  ),
  mac: Type.Optional(Type.String()),
  ips: Type.Optional(Type.Array(Type.String())),
  name: Type.Optional(Type.String()),
  vlan: Type.Optional(vlan),
  trunk: Type.Optional(trunk),
  guard,
  ...progress,
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
  deleted: Type.Boolean({ description: 'whether anything was known of it' }),
  revision,
})

const switchFields = {
  dpid,
  connected: Type.Boolean(),
  state: Type.Enum(['disconnected', 'comparing', 'unsupported', 'live', 'unsafe', 'unadopted', 'failing']),
  reason: Type.Optional(Type.String({ description: 'why it is not live' })),
  remote: Type.Optional(Type.String({ description: 'address and port that it connects from' })),
  manufacturer: Type.Optional(Type.String()),
  software: Type.Optional(Type.String()),
  flows: Type.Object({
    desired: Type.Integer(),
    actual: Type.Integer(),
    foreign: Type.Integer({ description: 'of another controller' }),
    drift: Type.Integer({ description: 'missing, too many or different' }),
  }),
  programmedRevision: Type.Integer({ description: 'the newest revision that it has confirmed' }),
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
  rttMs: Type.Optional(Type.Number({ description: 'there and back, less the way to the switches' })),
  loss: Type.Optional(Type.Number({ description: 'the share, 0 to 1, of the last 24 probes that did not arrive' })),
  lost: Type.Optional(Type.Integer({ description: 'probes that did not arrive, since the controller started' })),
  mtu: Type.Optional(Type.Integer({ description: 'bytes after the Ethernet header, in this direction' })),
  probeIntervalMs: Type.Optional(Type.Number({ description: 'stretches when there are more links than the budget' })),
}
export const Links = Type.Object({ revision, links: Type.Array(Type.Object(linkFields)) })
export const Link = Type.Object({ ...linkFields, revision })
export const LinkDeleted = Type.Object({ deleted: Type.Boolean(), revision })

export const StateAnswer = Type.Object({
  instance: Type.String({ description: 'the name of this store, 10 hex digits: it stands in the marker flow' }),
  complete: Type.Boolean({ description: 'this state is all there should be, also for switches of another store' }),
  revision,
})

export const Live = Type.Object({ live: Type.Boolean() })
export const Ready = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()), revision })

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
