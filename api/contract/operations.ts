import type { Static, TSchema } from 'typebox'
import { Events, EventsQuery } from './event-schemas.ts'
import { ExplainAnswer, ExplainQuery } from './explain-schemas.ts'
import * as mesh from './mesh-schemas.ts'
import { NodePlan, NodeReport } from './node-schemas.ts'
import { ProofAnswer, ProofQuery } from './proof-schemas.ts'
import * as schemas from './schemas.ts'
import { TraceAnswer, TraceQuery } from './trace-schemas.ts'

/**
 * Every call of /v1: what a client calls it, where it is, and the schemas of what goes there and comes back. The client
 * (client.ts) is made of this table; test/api/contract/operations.test.ts holds it against the routes of the server.
 * To add a route: add it to the server, and a row here.
 */
type Operation = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** As the server has it: `/v1/networks/:network`. */
  readonly path: string
  readonly params?: TSchema
  readonly query?: TSchema
  readonly body?: TSchema
  readonly answer: TSchema
  /** A status beyond 2xx that is an answer, and no refusal. */
  readonly also?: number
}

const network = '/v1/networks/:network'
const attachment = `${network}/attachments/:dpid/:port`
const link = '/v1/links/:fromDpid/:fromPort/:toDpid/:toPort'
const node = '/v1/nodes/:node'

export const operations = {
  listNetworks: { method: 'GET', path: '/v1/networks', answer: schemas.Networks },
  getNetwork: { method: 'GET', path: network, params: schemas.NetworkPath, answer: schemas.Network },
  putNetwork: {
    ...{ method: 'PUT', path: network, params: schemas.NetworkPath, query: schemas.WaitQuery },
    ...{ body: schemas.NetworkSpec, answer: schemas.Network },
  },
  deleteNetwork: {
    ...{ method: 'DELETE', path: network, params: schemas.NetworkPath, query: schemas.WaitQuery },
    answer: schemas.NetworkDeleted,
  },
  listAttachments: {
    ...{ method: 'GET', path: `${network}/attachments`, params: schemas.NetworkPath },
    answer: schemas.Attachments,
  },
  getAttachment: {
    ...{ method: 'GET', path: attachment, params: schemas.AttachmentPath, query: schemas.VlanQuery },
    answer: schemas.Attachment,
  },
  putAttachment: {
    ...{ method: 'PUT', path: attachment, params: schemas.AttachmentPath, query: schemas.WaitQuery },
    ...{ body: schemas.AttachmentSpec, answer: schemas.Attachment },
  },
  moveAttachment: {
    ...{ method: 'POST', path: `${attachment}/move`, params: schemas.AttachmentPath, query: schemas.VlanWaitQuery },
    ...{ body: schemas.MoveSpec, answer: schemas.Moved },
  },
  deleteAttachment: {
    ...{ method: 'DELETE', path: attachment, params: schemas.AttachmentPath, query: schemas.VlanWaitQuery },
    answer: schemas.AttachmentDeleted,
  },
  listSwitches: { method: 'GET', path: '/v1/switches', answer: schemas.Switches },
  getSwitch: { method: 'GET', path: '/v1/switches/:dpid', params: schemas.SwitchPath, answer: schemas.Switch },
  forgetSwitch: {
    ...{ method: 'DELETE', path: '/v1/switches/:dpid', params: schemas.SwitchPath },
    answer: schemas.SwitchDeleted,
  },
  takeOverSwitch: {
    ...{ method: 'POST', path: '/v1/switches/:dpid/takeover', params: schemas.SwitchPath },
    answer: schemas.Takeover,
  },
  listLinks: { method: 'GET', path: '/v1/links', answer: schemas.Links },
  getLink: { method: 'GET', path: link, params: schemas.LinkPath, answer: schemas.Link },
  putLink: { method: 'PUT', path: link, params: schemas.LinkPath, body: schemas.LinkSpec, answer: schemas.Link },
  deleteLink: { method: 'DELETE', path: link, params: schemas.LinkPath, answer: schemas.LinkDeleted },
  listNodes: { method: 'GET', path: '/v1/nodes', answer: mesh.Nodes },
  getNode: { method: 'GET', path: node, params: mesh.NodePath, answer: mesh.Node },
  putNode: { method: 'PUT', path: node, params: mesh.NodePath, body: mesh.NodeSpec, answer: mesh.Node },
  deleteNode: { method: 'DELETE', path: node, params: mesh.NodePath, answer: mesh.NodeDeleted },
  getNodePlan: {
    ...{ method: 'GET', path: `${node}/plan`, params: mesh.NodePath, query: mesh.PlanQuery },
    answer: NodePlan,
  },
  putNodeReport: {
    ...{ method: 'PUT', path: `${node}/report`, params: mesh.NodePath },
    ...{ body: NodeReport, answer: mesh.Reported },
  },
  getMesh: { method: 'GET', path: '/v1/mesh', answer: mesh.Mesh },
  putMesh: { method: 'PUT', path: '/v1/mesh', body: mesh.MeshSpec, answer: mesh.Mesh },
  getState: { method: 'GET', path: '/v1/state', answer: schemas.StateAnswer },
  putState: { method: 'PUT', path: '/v1/state', body: schemas.StateSpec, answer: schemas.StateAnswer },
  backUp: { method: 'POST', path: '/v1/backup', answer: schemas.Backup },
  restore: { method: 'PUT', path: '/v1/backup', body: schemas.BackupFile, answer: schemas.StateAnswer },
  listEvents: { method: 'GET', path: '/v1/events', query: EventsQuery, answer: Events },
  explain: { method: 'GET', path: '/v1/explain', query: ExplainQuery, answer: ExplainAnswer },
  trace: { method: 'GET', path: '/v1/trace', query: TraceQuery, answer: TraceAnswer },
  proof: { method: 'GET', path: '/v1/proof', query: ProofQuery, answer: ProofAnswer },
  ready: { method: 'GET', path: '/readyz', answer: schemas.Ready, also: 503 },
} as const satisfies { readonly [name: string]: Operation }

export type OperationName = keyof typeof operations
type Of<Name extends OperationName> = (typeof operations)[Name]

type Part<Row, Key extends string> = Row extends { readonly [K in Key]: infer Schema extends TSchema }
  ? Static<Schema>
  : unknown

/** What a call is given: what stands in its path, what stands in its query, and its body. */
export type Input<Name extends OperationName> = Part<Of<Name>, 'params'> &
  Part<Of<Name>, 'query'> &
  (Of<Name> extends { readonly body: infer Body extends TSchema } ? { readonly body: Static<Body> } : unknown)

export type Output<Name extends OperationName> = Static<Of<Name>['answer']>

/** A path with its parameters filled in; all that is left of the input is the query. */
export const target = (name: OperationName, input: { readonly [key: string]: unknown }): string => {
  const { body: _, ...rest } = input
  const left = new Map(Object.entries(rest))
  const path = operations[name].path.replaceAll(/:([A-Za-z]+)/g, (_, key: string) => {
    const value = String(left.get(key))
    left.delete(key)
    return encodeURIComponent(value)
  })
  const query = new URLSearchParams()
  for (const [key, value] of left) if (value !== undefined) query.set(key, String(value))
  return query.size === 0 ? path : `${path}?${query}`
}
