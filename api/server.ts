import type { Server } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyRequest, type FastifyServerOptions, fastify } from 'fastify'
import type { Controller } from '../controller/view/view.ts'
import type { Store } from '../store/store.ts'
import { Description, NoQuery, type Wire } from './contract/schemas.ts'
import { type Auth, loginGate, tokenGate } from './http/auth.ts'
import { answerErrors, badUrl, clientErrors } from './http/errors.ts'
import { createFailures } from './http/failures.ts'
import { maxBytes, parseJson } from './http/json.ts'
import { description } from './http/openapi.ts'
import type { App, Services } from './http/services.ts'
import { validator } from './http/validator.ts'
import type { Metrics } from './metrics.ts'
import { measureNodes } from './node-metrics.ts'
import { onosRoutes } from './onos/onos.ts'
import { attachmentRoutes } from './v1/attachments.ts'
import { linkRoutes } from './v1/links.ts'
import { meshRoutes } from './v1/mesh.ts'
import { networkRoutes } from './v1/networks.ts'
import { nodeRoutes, nodeServices } from './v1/nodes.ts'
import { stateRoutes } from './v1/state.ts'
import { switchRoutes } from './v1/switches.ts'

export type ApiOptions = {
  readonly store: Store
  readonly controller: Controller
  readonly metrics: Metrics
  readonly auth: Auth
  readonly log: FastifyBaseLogger
  readonly version: string
}

export type Api = {
  /** Port 0 is any free one; answers the one that it is. Rejects when it can't listen there. */
  listen(address: {
    readonly host: string
    readonly port: number
  }): Promise<{ readonly host: string; readonly port: number }>
  /** What /openapi.json answers. */
  openapi(): Promise<object>
  /** Ends waits, answers what is being answered, and closes; after 3 s also what is not. */
  close(): Promise<void>
}

/** Milliseconds in which a request must have arrived, headers and body; looked at twice a second. */
const arrival = 8_000
/** Connections that the system holds for us until we accept them: as many come at once when the nodes of a mesh wake up. */
const backlog = 4096
/** Milliseconds that a request may still take once the program stops. */
const farewell = 3_000

/** Everything that is spoken over HTTP. Open to everybody: /livez, /readyz and /onos/ui; the rest is for who `auth` says. */
export const createApi = async (options: ApiOptions): Promise<Api> => {
  const { metrics, log } = options
  const stopping = new AbortController()
  const services: Services = { store: options.store, controller: options.controller, stopping: stopping.signal }
  const app = createServer()
  app.addHook('preClose', async () => stopping.abort())
  // Or who was waiting would keep the connection open, and us with it.
  app.addHook('onSend', async (_, reply) => {
    if (stopping.signal.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const seconds = reply.elapsedTime / 1000
    metrics.request(request.method, request.routeOptions.url ?? 'none', reply.statusCode, seconds)
    log.debug({ method: request.method, url: request.url, status: reply.statusCode, seconds }, 'answered')
  })
  guard(app, options.auth)
  strictBodies(app)
  answerErrors(app, log, () => options.store.state().revision)
  const openapi = description(app, options.version)

  networkRoutes(app, services)
  attachmentRoutes(app, services)
  switchRoutes(app, services)
  linkRoutes(app, services)
  const withNodes = nodeServices(services)
  nodeRoutes(app, withNodes)
  measureNodes(metrics.registry, withNodes)
  meshRoutes(app, services)
  stateRoutes(app, services)
  onosRoutes(app, services)
  app.get('/metrics', { schema: { tags: ['state'], summary: 'For Prometheus' } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.scrape(services.store, services.controller)),
  )
  app.get(
    '/openapi.json',
    { schema: { tags: ['state'], summary: 'This description', response: { 200: Description } } },
    async () => (await openapi()) as Wire<typeof Description>,
  )

  await app.ready()

  return {
    openapi,
    async listen({ host, port }) {
      await app.listen({ host, port, backlog })
      const bound = app.server.address()
      return { host, port: typeof bound === 'object' && bound ? bound.port : port }
    },
    async close() {
      const late = setTimeout(() => app.server.closeAllConnections(), farewell)
      await app.close()
      clearTimeout(late)
    },
  }
}

type ValidatorFactory = NonNullable<
  NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>['buildValidator']
>

/** Fastify's own log is off: what is answered and what fails is told by us, once. */
const createServer = (): App => {
  const app = fastify<Server>({
    http: { headersTimeout: arrival, requestTimeout: arrival, connectionsCheckingInterval: 500, maxHeaderSize: 16_384 },
    requestTimeout: arrival,
    bodyLimit: maxBytes,
    // An id that is too long is told so by its parser; the headers' limit is the limit here.
    routerOptions: { maxParamLength: 16_384 },
    clientErrorHandler: clientErrors,
    frameworkErrors: badUrl,
    // In place of Ajv, whose types Fastify asks for here; it is not even loaded.
    schemaController: {
      compilersFactory: {
        buildValidator: (() => validator) as unknown as ValidatorFactory,
        buildSerializer: () => () => value => JSON.stringify(value),
      },
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  // Beyond this the system refuses connections, and not we one by one.
  app.server.maxConnections = 4096
  return app
}

/** Before a body is read: who has no credential makes us read nothing. */
const guard = (app: App, auth: Auth): void => {
  const failures = createFailures(() => performance.now())
  const gates = { token: tokenGate(auth.token, failures), login: loginGate(auth.login, failures), open: () => {} }
  app.addHook('onRequest', async (request: FastifyRequest) => {
    const { authorization, host, origin } = request.headers
    gates[request.routeOptions.config?.gate ?? 'token']({ address: request.ip, authorization, host, origin })
  })
}

/** Our own JSON parser, and nothing but JSON. No body is an empty object; a query is refused where there is none to give. */
const strictBodies = (app: App): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_: FastifyRequest, body: Buffer) =>
    parseJson(body),
  )
  app.addHook('preValidation', async request => {
    if (request.body === undefined && request.method !== 'GET' && request.method !== 'HEAD') request.body = {}
  })
  app.addHook('onRoute', route => {
    route.schema = { querystring: NoQuery, ...route.schema }
  })
}
