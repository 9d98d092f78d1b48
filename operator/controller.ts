/** The controller, as far as the operator needs it: /v1, over HTTP. */

import { type IncomingMessage, Agent as PlainAgent, request as plain } from 'node:http'
import { Agent as SecuredAgent, request as secured } from 'node:https'
import type { Mesh, MeshWish, Node, Nodes } from '../api/contract/mesh-schemas.ts'
import type {
  Attachment,
  Attachments,
  AttachmentWish,
  Deleted,
  Links,
  Network,
  Networks,
  NetworkWish,
  StateAnswer,
  Wire,
} from '../api/contract/schemas.ts'

export type Controller = {
  readonly url: string
  /** Which store it has, and whether it was declared complete. */
  state(): Promise<Wire<typeof StateAnswer>>
  declareComplete(): Promise<void>
  networks(): Promise<Wire<typeof Networks>['networks']>
  /** Undefined when there is none of this id. */
  network(id: string): Promise<Wire<typeof Network> | undefined>
  putNetwork(id: string, wish: Wire<typeof NetworkWish>): Promise<Wire<typeof Network>>
  deleteNetwork(id: string): Promise<void>
  /** Undefined when there is no such network. */
  attachments(id: string): Promise<Wire<typeof Attachments>['attachments'] | undefined>
  putAttachment(at: Port, wish: Wire<typeof AttachmentWish>): Promise<Wire<typeof Attachment>>
  /** Answers how far the switches are after `wait` milliseconds at most. */
  deleteAttachment(at: Port, wait: number): Promise<Wire<typeof Deleted>>
  nodes(): Promise<Wire<typeof Nodes>['nodes']>
  node(name: string): Promise<Wire<typeof Node> | undefined>
  mesh(): Promise<Wire<typeof Mesh>>
  putMesh(wish: Wire<typeof MeshWish>): Promise<void>
  links(): Promise<Wire<typeof Links>['links']>
  close(): void
}

export type Port = { readonly network: string; readonly dpid: string; readonly port: number }

/** The controller answered, and refused. */
export class ControllerRefused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'ControllerRefused'
    this.status = status
  }
}

export type ControllerOptions = {
  /** `http://192.0.2.1:8181` */
  readonly url: URL
  readonly token?: string | undefined
  /** PEM of the CA that signs its certificate; undefined: the system's. */
  readonly ca?: string | undefined
}

/** Milliseconds in which it must answer, beside what it was asked to wait. */
const patience = 10_000

export const controllerAt = ({ url, token, ca }: ControllerOptions): Controller => {
  const isSecured = url.protocol === 'https:'
  const agent = isSecured
    ? new SecuredAgent({ keepAlive: true, ...(ca !== undefined && { ca }) })
    : new PlainAgent({ keepAlive: true })
  const ask = async <T>(method: string, path: string, body?: object, wait = 0): Promise<T> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method, headers, agent, signal: AbortSignal.timeout(patience + wait) }
      const asked = (isSecured ? secured : plain)(new URL(path, url), options, resolve)
      asked.on('error', error => reject(new Error(`the controller ${url.host} does not answer: ${error.message}`)))
      asked.end(text)
    })
    const pieces: Buffer[] = []
    for await (const piece of answer) pieces.push(piece)
    const said = Buffer.concat(pieces).toString()
    const status = answer.statusCode ?? 0
    if (status < 300) return JSON.parse(said) as T
    throw new ControllerRefused(status, `${method} ${path}: ${status} ${problemIn(said)}`)
  }
  const orNone = async <T>(asked: Promise<T>): Promise<T | undefined> => {
    try {
      return await asked
    } catch (error) {
      if (error instanceof ControllerRefused && error.status === 404) return undefined
      throw error
    }
  }
  const at = ({ network, dpid, port }: Port) => `/v1/networks/${network}/attachments/${dpid}/${port}`
  return {
    url: url.href,
    state: () => ask('GET', '/v1/state'),
    declareComplete: async () => void (await ask('PUT', '/v1/state', { complete: true })),
    networks: async () => (await ask<Wire<typeof Networks>>('GET', '/v1/networks')).networks,
    network: id => orNone(ask('GET', `/v1/networks/${id}`)),
    putNetwork: (id, wish) => ask('PUT', `/v1/networks/${id}`, wish),
    deleteNetwork: async id => void (await ask('DELETE', `/v1/networks/${id}`)),
    attachments: async id =>
      (await orNone(ask<Wire<typeof Attachments>>('GET', `/v1/networks/${id}/attachments`)))?.attachments,
    putAttachment: (port, wish) => ask('PUT', at(port), wish),
    deleteAttachment: (port, wait) => ask('DELETE', `${at(port)}?wait=${wait}ms`, undefined, wait),
    nodes: async () => (await ask<Wire<typeof Nodes>>('GET', '/v1/nodes')).nodes,
    node: name => orNone(ask('GET', `/v1/nodes/${encodeURIComponent(name)}`)),
    mesh: () => ask('GET', '/v1/mesh'),
    putMesh: async wish => void (await ask('PUT', '/v1/mesh', wish)),
    links: async () => (await ask<Wire<typeof Links>>('GET', '/v1/links')).links,
    close: () => agent.destroy(),
  }
}

/** The sentence for people in a problem (RFC 9457). */
const problemIn = (text: string): string => {
  try {
    const { detail, title } = JSON.parse(text)
    return detail ?? title
  } catch {
    return text.slice(0, 200)
  }
}
