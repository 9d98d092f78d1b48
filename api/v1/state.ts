import * as schemas from '../contract/schemas.ts'
import { type App, type Services, write } from '../http/services.ts'

export const stateRoutes = (app: App, services: Services): void => {
  const { store, controller } = services
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
        summary: 'Whether the controller is ready: the state is complete, and every connected switch is compared',
        response: { 200: schemas.Ready, 503: schemas.Ready },
      },
    },
    async (_, reply) => {
      const { ready, reasons } = controller.ready()
      return reply.code(ready ? 200 : 503).send({ ready, reasons: [...reasons], revision: store.state().revision })
    },
  )
}

const stateNow = ({ store }: Services) => {
  const { complete, revision } = store.state()
  return { instance: store.instance, complete, revision }
}
