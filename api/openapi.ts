import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { problemType } from './problems.ts'
import { ProblemAnswer } from './schemas.ts'

/** /openapi.json, from the schemas of the routes. */
export const documentation = (version: string): FastifyDynamicSwaggerOptions => ({
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
