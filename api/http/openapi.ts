import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { fastify, type RouteOptions } from 'fastify'
import { ProblemAnswer } from '../contract/schemas.ts'
import { problemType } from './problems.ts'
import type { App } from './services.ts'

/**
 * /openapi.json, from the schemas of the routes that are added from now on. It is made when it is first asked for: to load
 * what makes it takes a tenth of our start.
 */
export const description = (app: App, version: string): (() => Promise<object>) => {
  const routes: Route[] = []
  let described: Promise<object> | undefined
  app.addHook('onRoute', route => void routes.push(route))
  return () => (described ??= describe(routes, version))
}

type Route = Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config'>

/** The plugin looks at the routes of an app while they are added: so it gets one of its own, that nobody calls. */
const describe = async (routes: readonly Route[], version: string): Promise<object> => {
  const { default: swagger } = await import('@fastify/swagger')
  const app = fastify({ exposeHeadRoutes: false })
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  await app.register(swagger, documentation(version))
  for (const { method, url, schema = {}, config = {} } of routes)
    if (method !== 'HEAD') app.route({ method, url, schema, config, handler: () => '' })
  await app.ready()
  return app.swagger()
}

const documentation = (version: string): FastifyDynamicSwaggerOptions => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'l2sm',
      version,
      description:
        'Isolated layer-2 networks over a mesh of OpenFlow switches. A 2xx to a write means that it is on disk; what the switches have of it, `state` says.',
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' }, login: { type: 'http', scheme: 'basic' } },
    },
    tags: [
      { name: 'networks' },
      { name: 'attachments' },
      { name: 'switches' },
      { name: 'links' },
      { name: 'nodes', description: 'Machines whose switch an agent of ours makes, and the mesh between them.' },
      { name: 'state' },
      { name: 'onos', description: "Today's L2S-M controller, for its operator." },
    ],
  },
  transform: ({ schema, url, route }) => {
    const gate = route.config?.gate ?? 'token'
    const refused = { description: 'why not', content: { [problemType]: { schema: ProblemAnswer } } }
    const response = { ...(schema?.response as object | undefined), default: refused }
    return { url, schema: { ...schema, response, ...(gate !== 'open' && { security: [{ [gate]: [] }] }) } }
  },
})
