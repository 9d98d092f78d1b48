import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerOptions } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyServerOptions, fastify } from 'fastify'
import { type Connections, createConnections, type Dropped, limitsFor } from './connections.ts'
import { badUrl, clientErrors } from './errors.ts'
import { maxBytes } from './json.ts'
import type { App } from './services.ts'
import { validator } from './validator.ts'

/** What a server for HTTPS has: PEM, and the CA that signs clients' certificates if any are asked for. */
export type HttpTls = { readonly key: string; readonly cert: string; readonly clientCa?: string | undefined }

/** Milliseconds in which a request must have arrived, headers and body; looked at twice a second. */
const arrival = 8_000
/** Milliseconds that an idle connection is kept: longer than the 90 s for which Go's client keeps its own, so that it is never we who close first. */
export const keptIdle = 120_000

type ValidatorFactory = NonNullable<
  NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>['buildValidator']
>

/** A Fastify without routes, its server and its connections. Fastify's own log is off: what is answered and what fails is told by us, once. */
export const createApp = (
  tls: HttpTls | undefined,
  dropped: (why: Dropped) => void,
): { readonly app: App; readonly connections: Connections } => {
  const connections = createConnections(limitsFor(openFiles()), dropped)
  const app = fastify<Server>({
    serverFactory: listener => {
      const server = createServer(tls)
      server.on('request', connections.inTurn(listener as Parameters<Connections['inTurn']>[0]))
      connections.watch(server)
      return server
    },
    requestTimeout: arrival,
    bodyLimit: maxBytes,
    // An id that is too long is told so by its parser; the headers' limit is the limit here.
    routerOptions: { maxParamLength: 16_384 },
    clientErrorHandler: (error, socket) => connections.unreadable(socket, () => clientErrors(error, socket)),
    frameworkErrors: badUrl,
    // In place of Ajv, whose types Fastify asks for here; it is not even loaded.
    schemaController: {
      compilersFactory: {
        buildValidator: (() => validator) as unknown as ValidatorFactory,
        buildSerializer: () => () => value => JSON.stringify(value),
      },
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  return { app, connections }
}

/** Files that this process may have open; Node has raised it as far as it may. Without /proc nobody knows. */
const openFiles = (): number => {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

const createServer = (tls: HttpTls | undefined): Server => {
  const options: ServerOptions = {
    ...{ headersTimeout: arrival, requestTimeout: arrival, connectionsCheckingInterval: 500 },
    ...{ maxHeaderSize: 16_384, keepAliveTimeout: keptIdle },
  }
  // Not by `import`: Node would load its fetch with it, a twentieth of our start.
  if (!tls) return process.getBuiltinModule('node:http').createServer(options)
  const secure = { ...contextOf(tls), handshakeTimeout: arrival, ...askFor(tls) }
  return process.getBuiltinModule('node:https').createServer({ ...options, ...secure })
}

/** What may change without a restart: connections that are there stay as they are. */
export const contextOf = ({ key, cert, clientCa }: HttpTls) => ({
  ...{ key, cert, minVersion: 'TLSv1.2' as const },
  ...(clientCa !== undefined && { ca: clientCa }),
})

/** A certificate is one of several credentials: who has none may have another. */
const askFor = ({ clientCa }: HttpTls) =>
  clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false }

/** The name in the certificate that a client showed, when our CA signed it. */
export const certificateOf = ({ socket }: IncomingMessage): string | undefined => {
  if (!('authorized' in socket) || socket.authorized !== true) return undefined
  const { subject } = (socket as unknown as import('node:tls').TLSSocket).getPeerCertificate()
  return typeof subject?.CN === 'string' ? subject.CN : undefined
}
