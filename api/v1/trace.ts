import type { Controller } from '../../controller/view/view.ts'
import type { Wire } from '../contract/schemas.ts'
import { shown } from '../contract/shown.ts'
import * as schemas from '../contract/trace-schemas.ts'
import { problem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'
import { endpointOf } from './endpoints.ts'

/** Traces at once: each may read many switches. */
const mostAtOnce = 4

export const traceRoutes = (app: App, { controller }: Services): void => {
  let running = 0
  app.get(
    '/v1/trace',
    {
      schema: {
        tags: ['state'],
        summary: 'Where a frame goes: switch by switch, entry by entry, until every copy has ended',
        querystring: schemas.TraceQuery,
        response: { 200: schemas.TraceAnswer },
      },
    },
    async request => {
      if (running >= mostAtOnce) throw problem('too-many-traces', [mostAtOnce], {}, { 'retry-after': '1' })
      running += 1
      try {
        return await answer(controller, request.query)
      } finally {
        running -= 1
      }
    },
  )
}

async function answer(controller: Controller, query: Wire<typeof schemas.TraceQuery>) {
  const { dpid, port, vni, tables = 'both', frame, ...fields } = query
  const start = endpointOf(dpid, port)
  const [extra] = Object.keys(fields)
  if (frame !== undefined && extra !== undefined)
    throw problem('bad-value', [`query/${extra}`, shown(extra), 'no fields beside a frame in hex'])
  const asked = { ...start, tables, frame: frame ?? fields, ...(vni !== undefined && { vni: Number(vni) }) }
  const found = await controller.trace(asked)
  if (!('expected' in found)) return found as Wire<typeof schemas.TraceAnswer>
  const { where, got, expected } = found
  throw problem('bad-value', [`query/${where}`, shown(got), expected], {
    where: `query/${where}`,
    expected,
    got: shown(got),
  })
}
