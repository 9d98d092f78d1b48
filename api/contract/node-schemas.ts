import type { Static } from 'typebox'
import { Type } from './type.ts'

/**
 * The contract between the controller and the agent of a node: its plan, which says what the node's Open vSwitch should
 * be, and its report, which says what it is. Both in full: who reads a plan fills in no defaults, and a plan file is what
 * `GET /v1/nodes/{name}/plan` answers, saved.
 *
 * The agent asks `GET /v1/nodes/{name}/plan?unless=VERSION&wait=30s`: answered at once while the plan's version is another
 * one, else when it becomes so, else with the same plan when the time is over. 404: no such node is declared (asked with
 * `wait`, it waits for that too). Then, and while nobody answers, an agent leaves everything as it is.
 * It tells `PUT /v1/nodes/{name}/report` after each change, and every `reportEvery` seconds.
 */

const closed = { additionalProperties: false } as const

/** Seconds between reports while nothing changes. */
export const reportEvery = 30
/** A node that has not reported for so many seconds is shown as silent. */
export const silentAfter = 95

/** OpenFlow ports from here up are of interfaces beyond the first ones; links have the ports between. */
export const firstSparePort = 4096

const port = Type.Integer({ description: 'an OpenFlow port number, 1 to 4294967040', minimum: 1, maximum: 0xffffff00 })
const dpid = Type.String({ description: 'a datapath id, 16 lower-case hex digits', pattern: '^[0-9a-f]{16}$' })
const device = Type.String({
  description: 'the name of a network device, 1 to 15 characters of A-Z a-z 0-9 . _ -',
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,15}$',
})
export const address = Type.String({
  description: 'an IPv4 or IPv6 address, without a prefix length',
  pattern: '^[0-9a-fA-F:.]{2,45}$',
})
/** What Kubernetes calls a node: a DNS subdomain (RFC 1123); capitals and _ for those that are no Kubernetes nodes. */
export const nodeName = Type.String({
  description: 'the name of a node: 1 to 253 characters of A-Z a-z 0-9 . _ -, and not . or .. alone',
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,253}$',
  examples: ['worker-1'],
})
/** As Open vSwitch spells a controller. Not `pssl:` or `unix:`: the controller listens. */
export const target = Type.String({
  description: 'tcp:HOST:PORT or ssl:HOST:PORT, HOST an IPv4 address or an IPv6 one in brackets',
  pattern: '^(tcp|ssl):([0-9.]{7,15}|\\[[0-9a-fA-F:.]{2,45}\\]):[1-9][0-9]{0,4}$',
  examples: ['tcp:192.0.2.1:6653'],
})
/** Names of what an agent makes: it touches no device that is called otherwise, whatever a plan says. */
const named = (what: string, prefix: string, digits: number) =>
  Type.String({
    description: `${what}: ${prefix} and ${digits} lower-case hex digits`,
    pattern: `^${prefix}[0-9a-f]{${digits}}$`,
  })
const bridgeName = named('the name of a bridge', 'br-', 8)
const tunnelName = named('the name of a tunnel', 'vx', 10)
const bridgePrefix = named('what ends on the bridge are called, before their number', 'ls', 5)
const podPrefix = named('what ends for pods are called, before their number', 'lp', 5)
const path = Type.String({ description: 'the absolute path of a file on the node', pattern: '^/[^\\u0000]{1,4095}$' })

/**
 * Open vSwitch has one set of these for the whole node. Secrets stay on the node: a plan only says where, and they must lie
 * below the folder that the agent was told (`--tls-folder`).
 */
export const TlsFiles = Type.Object({ key: path, cert: path, ca: path }, closed)

export const udpPort = Type.Integer({ description: 'a UDP port, 1 to 65535', minimum: 1, maximum: 65535 })
export const mtu = Type.Integer({ description: 'the MTU of the underlay, 576 to 65535', minimum: 576, maximum: 65535 })
export const interfaceNumber = Type.Integer({
  description: 'interfaces that are always there, at OpenFlow ports 1 to this: 0 to 1000',
  minimum: 0,
  maximum: 1000,
})
export const spare = Type.Integer({ description: 'interfaces kept free, 0 to 1000', minimum: 0, maximum: 1000 })
export const mostInterfaces = Type.Integer({
  description: 'interfaces at most, 0 to 10000',
  minimum: 0,
  maximum: 10_000,
})
/** `auto`: the kernel's where the openvswitch module is there, else in ovs-vswitchd. */
export const datapath = Type.Enum(['auto', 'kernel', 'userspace'])

export const PlannedLink = Type.Object(
  {
    peer: nodeName,
    /** Of the port on the bridge: `vx` and the first 5 bytes of sha256(bridge + ' ' + peer). */
    name: tunnelName,
    /** Asked of Open vSwitch (ofport_request). Never another link's, and the same for as long as the link is declared. */
    port,
    type: Type.Literal('vxlan'),
    local: address,
    remote: address,
    udpPort,
    /** Open vSwitch watches the tunnel (RFC 5880); its state goes into the report. */
    bfd: Type.Boolean(),
  },
  closed,
)

export const NodePlan = Type.Object(
  {
    node: nodeName,
    /** Changes with anything in this plan, and only then: a digest of it. */
    version: Type.String({ description: '16 lower-case hex digits', pattern: '^[0-9a-f]{16}$' }),
    provider: Type.String({
      description: 'who controls the switch, 1 to 253 characters',
      minLength: 1,
      maxLength: 253,
    }),
    /** `br-` and the first 4 bytes of sha256(node + provider). */
    bridge: bridgeName,
    /** The first 8 bytes of sha256(bridge). */
    dpid,
    /** Of the node; the links end here. `mtu` absent: that of the device which has the address. */
    underlay: Type.Object({ address, mtu: Type.Optional(mtu) }, closed),
    /** By port. */
    links: Type.Array(PlannedLink, { maxItems: 4095 }),
    /**
     * Pairs of veth. Those with the numbers 1 to `fixed` always exist, at the OpenFlow port of their number, except for
     * numbers that links have. More have numbers from firstSparePort up: so many that `spare` are free, and `most` in all.
     * The end on the bridge is called `bridgePrefix` and the number, the end for a pod `podPrefix` and the number. `names`
     * spells that out for those that always exist; the agent does not read it.
     */
    interfaces: Type.Object(
      {
        ...{ fixed: interfaceNumber, spare, most: mostInterfaces, bridgePrefix, podPrefix },
        names: Type.Optional(
          Type.Array(Type.Object({ port, bridgeEnd: device, podEnd: device }, closed), { maxItems: 1000 }),
        ),
      },
      closed,
    ),
    /**
     * In order. Empty: the host that the agent has the plan from, at port 6653; with `tls` by ssl, else by tcp.
     */
    controllers: Type.Array(target, { maxItems: 8 }),
    tls: Type.Optional(TlsFiles),
    openvswitch: Type.Object(
      {
        datapath,
        /** Milliseconds without a word after which the switch asks its controller whether it is there. */
        inactivityProbe: Type.Integer({ minimum: 1000, maximum: 60_000 }),
        /** Milliseconds between tries to connect, at most. */
        maxBackoff: Type.Integer({ minimum: 1000, maximum: 60_000 }),
      },
      closed,
    ),
  },
  closed,
)

const words = Type.String({ minLength: 1, maxLength: 500 })
/** Of RFC 5880 §4.1, as Open vSwitch spells them. */
const bfdState = Type.Enum(['admin_down', 'down', 'init', 'up'])

export const ReportedPort = Type.Object(
  {
    /** Open vSwitch takes longer ones than the kernel for what is no device. */
    name: Type.String({ description: 'the name of a port, 1 to 255 characters', minLength: 1, maxLength: 255 }),
    /** Absent: Open vSwitch gave it none; then `error` says why. */
    port: Type.Optional(port),
    /** `interface`: of the stock; `link`: a tunnel of the plan; `other`: not from the plan. */
    role: Type.Enum(['interface', 'link', 'other']),
    /** Of an interface: the name of the end for a pod, as it is on the node. */
    podEnd: Type.Optional(device),
    /** Of an interface: that end is in a pod. */
    used: Type.Optional(Type.Boolean()),
    /** Of a link: the node that it leads to. */
    peer: Type.Optional(nodeName),
    /** Of a link that is watched by BFD. */
    bfd: Type.Optional(bfdState),
    error: Type.Optional(words),
  },
  closed,
)

export const NodeReport = Type.Object(
  {
    node: nodeName,
    /** RFC 3339, by the node's clock. */
    time: Type.String({
      description: 'a time such as 2030-01-31T12:00:00.000Z',
      pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$',
    }),
    agent: Type.Object(
      {
        version: Type.String({ minLength: 1, maxLength: 64 }),
        /** Another one for each machine and network namespace: two that report as one node are told apart by it. */
        machine: Type.Optional(Type.String({ description: '16 lower-case hex digits', pattern: '^[0-9a-f]{16}$' })),
        host: Type.Optional(
          Type.String({ description: 'what the machine calls itself', minLength: 1, maxLength: 253 }),
        ),
      },
      closed,
    ),
    /** The version of the plan that all of this was last compared with; absent: none yet. */
    plan: Type.Optional(Type.String({ description: "a plan's version", pattern: '^[0-9a-f]{16}$' })),
    bridge: device,
    dpid,
    underlay: Type.Object({ address, mtu: Type.Optional(mtu), device: Type.Optional(device) }, closed),
    openvswitch: Type.Object(
      {
        version: Type.String({ maxLength: 64 }),
        datapath: Type.Enum(['kernel', 'userspace']),
        /** Whether one of its controllers answers, as Open vSwitch sees it. */
        connected: Type.Boolean(),
        /** Of the bridge: what it does while no controller is connected. Absent: it does not exist. */
        failMode: Type.Optional(Type.Enum(['secure', 'standalone'])),
        /** Of the bridge: whether it has hidden flows for its controllers, above all others. */
        inBand: Type.Optional(Type.Boolean()),
      },
      closed,
    ),
    /** Of the bridge, by name. */
    ports: Type.Array(ReportedPort, { maxItems: 16_384 }),
    /** `ok`: all is as planned. `working`: it is being made so. `failing`: it can not be made so; `reasons` says what and why. */
    health: Type.Object(
      {
        state: Type.Enum(['ok', 'working', 'failing']),
        reasons: Type.Array(words, { maxItems: 100 }),
        /** What somebody should know although all is as planned. */
        warnings: Type.Optional(Type.Array(words, { maxItems: 100 })),
      },
      closed,
    ),
  },
  closed,
)

export type NodePlan = Static<typeof NodePlan>
export type PlannedLink = Static<typeof PlannedLink>
export type NodeReport = Static<typeof NodeReport>
export type ReportedPort = Static<typeof ReportedPort>
