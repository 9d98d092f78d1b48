import {
  address,
  datapath,
  interfaceNumber,
  mostInterfaces,
  mtu,
  NodePlan,
  NodeReport,
  nodeName,
  spare,
  TlsFiles,
  target,
  udpPort,
} from './node-schemas.ts'
import { WaitQuery } from './schemas.ts'
import { Type } from './type.ts'

/** What goes over the wire for /v1/nodes and /v1/mesh, the contract with the agents apart (node-schemas.ts). */

const closed = { additionalProperties: false } as const

const provider = Type.String({
  description:
    'who controls the switch, 1 to 253 characters; the names of the bridge and of the datapath follow from it and the name of the node',
  minLength: 1,
  maxLength: 253,
})
const settings = {
  provider: Type.Optional(provider),
  mtu: Type.Optional(mtu),
  interfaceNumber: Type.Optional(interfaceNumber),
  spare: Type.Optional(spare),
  most: Type.Optional(mostInterfaces),
  controllers: Type.Optional(Type.Array(target, { maxItems: 8 })),
  tls: Type.Optional(TlsFiles),
  datapath: Type.Optional(datapath),
}
const linkSettings = {
  udpPort: Type.Optional(udpPort),
  bfd: Type.Optional(Type.Boolean({ description: 'true: the switches monitor the link by BFD (RFC 5880)' })),
}

export const NodePath = Type.Object({ node: nodeName }, closed)
export const PlanQuery = Type.Object(
  {
    ...WaitQuery.properties,
    unless: Type.Optional(
      Type.String({
        description: 'the version of the plan that the client has, 16 hex digits',
        pattern: '^[0-9a-f]{16}$',
      }),
    ),
  },
  closed,
)

const peer = Type.Object({ peer: nodeName, ...linkSettings }, closed)
export const NodeSpec = Type.Object(
  {
    address,
    ...settings,
    links: Type.Optional(
      Type.Array(peer, {
        description: 'the nodes that it is linked to, {"peer"} each; absent: no change. Not in a full mesh',
        maxItems: 4000,
      }),
    ),
  },
  closed,
)

const link = Type.Object({ endpointA: nodeName, endpointB: nodeName, ...linkSettings }, closed)
const declaredNode = Type.Object({ name: nodeName, address, ...settings }, closed)
const full = Type.Boolean({ description: 'true: every node is linked to every other' })
const mesh = { ...settings, ...linkSettings }
export const MeshSpec = Type.Object(
  {
    nodes: Type.Array(declaredNode, { maxItems: 4000 }),
    full: Type.Optional(full),
    links: Type.Optional(Type.Array(link, { maxItems: 16_384 })),
    ...mesh,
  },
  closed,
)

const revision = Type.Integer({ description: 'the revision of the store' })
export const Mesh = Type.Object({
  full,
  ...mesh,
  nodes: Type.Array(Type.Object({ name: nodeName, address, ...settings })),
  links: Type.Optional(Type.Array(link, { description: 'absent in a full mesh' })),
  revision,
})

const nodeStatus = {
  name: nodeName,
  dpid: Type.String({ description: '16 lower-case hex digits' }),
  bridge: Type.String(),
  address,
  state: Type.Enum(['ready', 'working', 'failing', 'silent', 'unseen'], {
    description:
      'ready: its switch is as planned, and connected. silent, unseen: its agent has not reported for long, or not since the controller started',
  }),
  missing: Type.Array(Type.String(), { description: 'what differs from the plan, a sentence each' }),
  warnings: Type.Array(Type.String(), { description: 'what an operator should know although nothing is missing' }),
  reported: Type.Optional(Type.String({ description: 'when its agent reported last, RFC 3339' })),
  links: Type.Integer({ description: 'the number of planned links' }),
}
export const Nodes = Type.Object({ revision, nodes: Type.Array(Type.Object(nodeStatus)) })
export const Node = Type.Object({ ...nodeStatus, plan: NodePlan, report: Type.Optional(NodeReport), revision })
export const NodeDeleted = Type.Object({
  deleted: Type.Boolean(),
  remains: Type.Array(Type.String(), {
    description:
      'what still refers to the switch of the node, a sentence each, at most 100: it stays until it is deleted',
  }),
  revision,
})
/** So that an agent knows at once when there is a newer plan. */
export const Reported = Type.Object({ plan: Type.String({ description: "the newest plan's version" }), revision })
