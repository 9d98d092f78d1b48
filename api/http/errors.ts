import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { Emit } from '../../controller/view/event.ts'
import { defectOf } from '../../controller/view/recorded.ts'
import { shown } from '../contract/shown.ts'
import { ProblemError, problem, problemType } from './problems.ts'
import type { App } from './services.ts'

// Not by `import`: Node would load its fetch with it, a twentieth of our start.
const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** Fastify's own refusals, in our words. */
const fastifyErrors: { readonly [code: string]: () => ProblemError } = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => problem('too-large', [], { where: 'body', expected: 'at most 1048576 bytes' }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    problem('bad-media-type', [], { where: 'header/content-type', expected: 'application/json' }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => problem('bad-length', [], { where: 'header/content-length' }),
  FST_ERR_BAD_URL: () => problem('bad-path', [], { where: 'path' }),
}

/** Every error of every route leaves as a problem, and so does what has no route. */
export const answerErrors = (app: App, log: FastifyBaseLogger, emit: Emit, revision: () => number): void => {
  const known: Known[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat()) known.push({ method: name, segments: url.split('/') })
  })
  app.setErrorHandler((error: unknown, request, reply) => send(reply, problemOf(error, request, log, emit), revision()))
  app.setNotFoundHandler((request, reply) => send(reply, noRoute(request, known), revision()))
}

/** Paths that can't be decoded get no route, and none of its hooks: nobody's credential is asked for. */
export const badUrl = (_error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
  send(reply, fastifyErrors.FST_ERR_BAD_URL!())
}

/** Who is not let in is not told the revision either. */
const strangers: readonly number[] = [401, 403, 429]

const send = (reply: FastifyReply, { problem, headers }: ProblemError, revision?: number): FastifyReply => {
  const told = revision === undefined || strangers.includes(problem.status) ? problem : { ...problem, revision }
  return reply.code(problem.status).headers(headers).type(problemType).send(told)
}

const problemOf = (error: unknown, request: FastifyRequest, log: FastifyBaseLogger, emit: Emit): ProblemError => {
  if (error instanceof ProblemError) {
    if (error.problem.status >= 500) log.error({ url: request.url, problem: error.problem }, error.message)
    return error
  }
  const { code = '', statusCode = 500, message } = error as { code?: string; statusCode?: number; message?: string }
  const own = fastifyErrors[code]
  if (own) return own()
  // What Node says of a body that broke off, and the like.
  if (statusCode >= 400 && statusCode < 500) return problem('bad-request', [message ?? 'it cannot be read'])
  emit(defectOf(`${request.method} ${request.routeOptions.url ?? request.url}`, error))
  return problem('internal', [])
}

type Known = { readonly method: string; readonly segments: readonly string[] }

const noRoute = ({ method, url }: FastifyRequest, known: readonly Known[]): ProblemError => {
  const path = url.split('?', 1)[0]!
  const segments = path.split('/')
  const here = known.filter(
    route =>
      route.segments.length === segments.length &&
      route.segments.every((segment, i) => segment.startsWith(':') || segment === segments[i]),
  )
  const methods = [...new Set(here.map(route => route.method))].sort()
  if (methods.length === 0) return problem('no-route', [shown(path)])
  const allow = methods.join(', ')
  return problem('method-not-allowed', [method, shown(path), allow], { expected: allow, got: method }, { allow })
}

/** Requests that Node could not make out: slow, too large, or no HTTP. The connection is closed after the answer. */
export const clientErrors = (error: Error & { code?: string }, socket: Duplex): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const { problem: body } = clientError(error)
  if (socket.writable) {
    const text = JSON.stringify(body)
    const head = [
      `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
      `Content-Type: ${problemType}`,
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
  }
  socket.destroy(error)
}

const clientError = ({ code, message }: Error & { code?: string }): ProblemError => {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('timeout', [])
  if (code === 'HPE_HEADER_OVERFLOW') return problem('headers-too-large', [])
  return problem('bad-request', [message])
}
