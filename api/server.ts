import type { FastifyBaseLogger } from 'fastify'
import type { Emit } from '../controller/view/event.ts'
import type { History } from '../controller/view/history.ts'
import type { Controller } from '../controller/view/view.ts'
import type { Store } from '../store/store.ts'
import { Description, type Wire } from './contract/schemas.ts'
import { contextOf, createApp, type HttpTls } from './http/app.ts'
import type { Auth } from './http/auth.ts'
import { strictBodies } from './http/bodies.ts'
import { answerErrors } from './http/errors.ts'
import { guard } from './http/guard.ts'
import { description } from './http/openapi.ts'
import { listenForProbes } from './http/probes.ts'
import type { App, Services } from './http/services.ts'
import { createShared } from './http/shared.ts'
import type { Metrics } from './metrics.ts'
import { measureNodes } from './node-metrics.ts'
import { onosRoutes } from './onos/onos.ts'
import { attachmentRoutes } from './v1/attachments.ts'
import { backupRoutes, type OpenBackup } from './v1/backup.ts'
import { eventRoutes } from './v1/events.ts'
import { explainRoutes } from './v1/explain.ts'
import { linkRoutes } from './v1/links.ts'
import { meshRoutes } from './v1/mesh.ts'
import { networkRoutes } from './v1/networks.ts'
import { nodeRoutes, nodeServices } from './v1/nodes.ts'
import { proofRoutes } from './v1/proof.ts'
import { stateRoutes } from './v1/state.ts'
import { switchRoutes } from './v1/switches.ts'
import { traceRoutes } from './v1/trace.ts'

export type ApiOptions = {
  readonly store: Store
  readonly controller: Controller
  readonly emit: Emit
  readonly history: History
  readonly metrics: Metrics
  readonly auth: Auth
  /** Absent: HTTP in clear text. */
  readonly tls?: HttpTls | undefined
  readonly log: FastifyBaseLogger
  readonly version: string
  /** How the file of a backup is opened; absent: none is put back. */
  readonly openBackup?: OpenBackup | undefined
}

const noFiles: OpenBackup = async () => {
  throw new Error('this controller opens no files')
}

export type Address = { readonly host: string; readonly port: number }

export type Api = {
  /** Port 0 is any free one; answers the one that it is. Rejects when it can't listen there. */
  listen(address: Address): Promise<Address>
  /** /livez and /readyz alone, without TLS and without a credential. Closed with the rest. */
  listenForProbes(address: Address): Promise<Address>
  /** Other rules, or another certificate, from now on; connections stay. */
  renewAuth(auth: Auth): void
  renewTls(tls: HttpTls): void
  /** What /openapi.json answers. */
  openapi(): Promise<object>
  /** Ends waits, answers what is being answered, and closes; after 3 s also what is not. */
  close(): Promise<void>
}

/** Connections that the system holds for us until we accept them: as many come at once when the nodes of a mesh wake up. */
const backlog = 4096
/** Milliseconds that a request may still take once the program stops. */
const farewell = 3_000

/** Everything that is spoken over HTTP. Open to everybody: /livez, /readyz and /onos/ui; the rest is for who `auth` says. */
export const createApi = async (options: ApiOptions): Promise<Api> => {
  const { store, controller, emit, history, metrics, log } = options
  const stopping = new AbortController()
  const services: Services = { store, controller, emit, history, stopping: stopping.signal, shared: createShared() }
  const { app, connections } = createApp(options.tls, metrics.dropped)
  metrics.connections(connections.count)
  sayWhenStopping(app, stopping)
  record(app, metrics, log)
  const renewAuth = guard(app, options.auth)
  strictBodies(app)
  answerErrors(app, log, emit, () => store.state().revision)
  const openapi = description(app, options.version)

  networkRoutes(app, services)
  attachmentRoutes(app, services)
  const withNodes = nodeServices(services)
  switchRoutes(app, withNodes)
  linkRoutes(app, services)
  nodeRoutes(app, withNodes)
  measureNodes(metrics.registry, withNodes)
  meshRoutes(app, services)
  stateRoutes(app, services)
  backupRoutes(app, services, options.openBackup ?? noFiles)
  eventRoutes(app, services)
  traceRoutes(app, services)
  explainRoutes(app, services)
  proofRoutes(app, services)
  onosRoutes(app, services)
  app.get('/metrics', { schema: { tags: ['state'], summary: 'Metrics for Prometheus' } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.scrape(services.store, services.controller)),
  )
  app.get(
    '/openapi.json',
    { schema: { tags: ['state'], summary: 'This OpenAPI description', response: { 200: Description } } },
    async () => (await openapi()) as Wire<typeof Description>,
  )

  await app.ready()

  const probes: { close(): Promise<void> }[] = []
  return {
    openapi,
    renewAuth,
    renewTls: tls => {
      if ('setSecureContext' in app.server) (app.server as unknown as SecureServer).setSecureContext(contextOf(tls))
    },
    async listen({ host, port }) {
      // A name would be two addresses, of which Fastify takes one when the server is ours.
      await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port, backlog })
      const bound = app.server.address()
      return { host, port: typeof bound === 'object' && bound ? bound.port : port }
    },
    async listenForProbes(address) {
      const { close, ...bound } = await listenForProbes(address, services)
      probes.push({ close })
      return bound
    },
    async close() {
      const late = setTimeout(() => app.server.closeAllConnections(), farewell)
      await app.close()
      await Promise.all(probes.map(({ close }) => close()))
      clearTimeout(late)
    },
  }
}

type SecureServer = import('node:tls').Server

const sayWhenStopping = (app: App, stopping: AbortController): void => {
  app.addHook('preClose', async () => stopping.abort())
  // Or who was waiting would keep the connection open, and us with it.
  app.addHook('onSend', async (_, reply) => {
    if (stopping.signal.aborted) reply.header('connection', 'close')
  })
}

/** Each answer in the metrics and, at debug, in the log. What was written, and by whom, is told as events. */
const record = (app: App, metrics: Metrics, log: FastifyBaseLogger): void => {
  app.addHook('onResponse', async ({ method, url, actor, routeOptions }, reply) => {
    const seconds = reply.elapsedTime / 1000
    metrics.request(method, routeOptions.url ?? 'none', reply.statusCode, seconds)
    log.debug({ method, url, status: reply.statusCode, seconds, actor: actor?.name }, 'answered')
  })
}
