import type { FastifyRequest } from 'fastify'
import { NoQuery } from '../contract/schemas.ts'
import { parseJson } from './json.ts'
import { problem } from './problems.ts'
import type { App } from './services.ts'

/**
 * Our own JSON parser, and nothing but JSON. An empty body is no body, whatever its type is said to be; and no body is an
 * empty object. A query is refused where there is none to give.
 */
export const strictBodies = (app: App): void => {
  app.removeAllContentTypeParsers()
  const parseAs = { parseAs: 'buffer' } as const
  app.addContentTypeParser('application/json', parseAs, async (_: FastifyRequest, body: Buffer) => parseJson(body))
  app.addContentTypeParser('*', parseAs, async (_: FastifyRequest, body: Buffer) => {
    if (body.length > 0)
      throw problem('bad-media-type', [], { where: 'header/content-type', expected: 'application/json' })
    return undefined
  })
  app.addHook('preValidation', async request => {
    if (request.body === undefined && request.method !== 'GET' && request.method !== 'HEAD') request.body = {}
  })
  app.addHook('onRoute', route => {
    route.schema = { querystring: NoQuery, ...route.schema }
  })
}
