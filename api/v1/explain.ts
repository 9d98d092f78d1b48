import * as schemas from '../contract/explain-schemas.ts'
import type { Wire } from '../contract/schemas.ts'
import { problem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'

/** At once: each reads switches. */
const mostAtOnce = 4

export const explainRoutes = (app: App, { controller }: Services): void => {
  let running = 0
  app.get(
    '/v1/explain',
    {
      schema: {
        tags: ['state'],
        summary: 'Whether one port reaches another: which way, or what stands between them and what to do',
        querystring: schemas.ExplainQuery,
        response: { 200: schemas.ExplainAnswer },
      },
    },
    async request => {
      if (running >= mostAtOnce) throw problem('too-many-traces', [mostAtOnce], {}, { 'retry-after': '1' })
      running += 1
      const { from, to, size } = request.query
      try {
        const answer = await controller.explain({ from, to, ...(size !== undefined && { size: Number(size) }) })
        return answer as Wire<typeof schemas.ExplainAnswer>
      } finally {
        running -= 1
      }
    },
  )
}
