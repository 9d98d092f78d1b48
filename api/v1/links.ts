import { deleteDeclaredLink, putDeclaredLink } from '../../store/desired.ts'
import { endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import * as schemas from '../contract/schemas.ts'
import { sendList } from '../http/lists.ts'
import { problem } from '../http/problems.ts'
import { type App, type Services, write } from '../http/services.ts'
import { inSlices } from '../http/slices.ts'
import { byEndpoint, endpointOf } from './endpoints.ts'

export const linkRoutes = (app: App, services: Services): void => {
  const { store } = services
  const tags = ['links']
  const path = '/v1/links/:fromDpid/:fromPort/:toDpid/:toPort'
  type LinkText = schemas.Wire<typeof schemas.LinkPath>
  const linkOf = ({ fromDpid, fromPort, toDpid, toPort }: LinkText): Link => ({
    from: endpointOf(fromDpid, fromPort),
    to: endpointOf(toDpid, toPort),
  })

  app.get(
    '/v1/links',
    { schema: { tags, summary: 'All links, one entry for each direction', response: { 200: schemas.Links } } },
    async (_, reply) =>
      sendList(services, reply, 'links', async () => {
        const links = await inSlices(services.controller.eachLink(), link => link)
        const items = links.sort((a, b) => byEndpoint(a.from, b.from) || byEndpoint(a.to, b.to))
        return { head: { revision: store.state().revision }, items, each: link => link }
      }),
  )

  app.get(
    path,
    { schema: { tags, summary: 'One direction of a link', params: schemas.LinkPath, response: { 200: schemas.Link } } },
    async request => {
      const link = linkOf(request.params)
      const found = services.controller.link(link)
      if (found) return { ...found, revision: store.state().revision }
      throw problem('unknown-link', [endpointKey(link.from), endpointKey(link.to)], { what: linkKey(link) })
    },
  )

  app.put(
    path,
    {
      schema: {
        tags,
        summary: 'Declares a link in both directions',
        params: schemas.LinkPath,
        body: schemas.LinkSpec,
        response: { 200: schemas.Link, 201: schemas.Link },
      },
    },
    async (request, reply) => {
      const link = linkOf(request.params)
      const { created, revision } = await write(services, request.actor, draft =>
        putDeclaredLink(draft, { ...link, ...request.body }),
      )
      const pending = {
        ...link,
        ...request.body,
        origin: 'declared',
        state: 'pending',
        reason: 'no switch has been told yet',
      } as const
      return reply.code(created ? 201 : 200).send({ ...(services.controller.link(link) ?? pending), revision })
    },
  )

  app.delete(
    path,
    {
      schema: {
        tags,
        summary: 'Deletes a declared link in both directions; a link that the switches discovered stays',
        params: schemas.LinkPath,
        response: { 200: schemas.LinkDeleted },
      },
    },
    async request => {
      const link = linkOf(request.params)
      return write(services, request.actor, draft => deleteDeclaredLink(draft, link))
    },
  )
}
