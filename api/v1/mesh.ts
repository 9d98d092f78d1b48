import { putMesh } from '../../store/nodes.ts'
import type { Node, State } from '../../store/state.ts'
import * as schemas from '../contract/mesh-schemas.ts'
import type { Wire } from '../contract/schemas.ts'
import { type App, type Services, write } from '../http/services.ts'

export const meshRoutes = (app: App, services: Services): void => {
  const tags = ['nodes']

  app.get(
    '/v1/mesh',
    { schema: { tags, summary: 'All declared nodes and the links between them', response: { 200: schemas.Mesh } } },
    async () => meshAnswer(services.store.state()),
  )

  app.put(
    '/v1/mesh',
    {
      schema: {
        tags,
        summary: 'Declares all nodes and links in one call: what is not in it is deleted',
        body: schemas.MeshSpec,
        response: { 200: schemas.Mesh },
      },
    },
    async request => {
      await write(services, request.actor, draft => putMesh(draft, request.body))
      return meshAnswer(services.store.state())
    },
  )
}

const meshAnswer = ({ overlay, nodes, nodeLinks, revision }: State): Wire<typeof schemas.Mesh> => {
  const { full, allocated: _, ...settings } = overlay
  const links = Array.from(nodeLinks.values(), ({ a, b, ...link }) => ({ endpointA: a, endpointB: b, ...link }))
  const sorted = [...nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    full,
    ...settings,
    ...(settings.controllers && { controllers: [...settings.controllers] }),
    nodes: sorted.map(nodeAnswer),
    ...(!full && { links }),
    revision,
  } as Wire<typeof schemas.Mesh>
}

/** As it was declared; the provider always, which may have been said of all. */
const nodeAnswer = ({ dpid: _, number: _n, firstLinkPort: _p, revision: _r, ...declared }: Node) => declared
