import * as schemas from '../contract/schemas.ts'
import { readyAnswer } from '../http/probes.ts'
import { type App, type Services, write } from '../http/services.ts'

export const stateRoutes = (app: App, services: Services): void => {
  const tags = ['state']

  app.get(
    '/v1/state',
    {
      schema: {
        tags,
        summary: 'The store: its name, and whether it is complete',
        response: { 200: schemas.StateAnswer },
      },
    },
    async () => stateNow(services),
  )

  app.put(
    '/v1/state',
    {
      config: { needs: 'admin' },
      schema: {
        tags,
        summary: 'Declares that this store is complete: flows that another store left on switches are removed',
        body: schemas.StateSpec,
        response: { 200: schemas.StateAnswer },
      },
    },
    async request => {
      await write(services, request.actor, draft => {
        draft.setComplete(request.body.complete)
        return {}
      })
      return stateNow(services)
    },
  )

  app.get(
    '/livez',
    {
      config: { gate: 'open' },
      schema: { tags, summary: 'Whether the controller runs', response: { 200: schemas.Live } },
    },
    async () => ({ live: true }),
  )

  app.get(
    '/readyz',
    {
      config: { gate: 'open' },
      schema: {
        tags,
        summary:
          'Whether networks are as they should be on the switches that are connected; what is not, since when, and for how long that is borne',
        response: { 200: schemas.Ready, 503: schemas.Ready },
      },
    },
    async (_, reply) => {
      const answer = readyAnswer(services)
      return reply.code(answer.ready ? 200 : 503).send(answer)
    },
  )
}

const stateNow = ({ store }: Services) => {
  const { complete, revision } = store.state()
  return { instance: store.instance, complete, revision }
}
