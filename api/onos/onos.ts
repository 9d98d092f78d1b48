import type { Static } from 'typebox'
import { deleteNetwork, detach, putNetwork } from '../../store/desired.ts'
import { moveMirror, moveToNetwork } from '../../store/moves.ts'
import { isRefusal, type Refusal, refuse } from '../../store/refusals.ts'
import type { Network } from '../../store/state.ts'
import type { Draft } from '../../store/store.ts'
import { type Endpoint, endpointKey } from '../../topology/topology.ts'
import { Type } from '../contract/type.ts'
import { problem, refusalProblem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'
import { byEndpoint } from '../v1/endpoints.ts'
import { findNetwork, networkId } from '../v1/networks.ts'
import { progressAfter } from '../v1/progress.ts'
import { unadopted } from '../v1/unadopted.ts'
import {
  change,
  closed,
  config,
  connected,
  endpointOf,
  endpointText,
  endpointTexts,
  longestDetach,
  NamePath,
  named,
  networkText,
  nothing,
  orNull,
  tags,
} from './contract.ts'
import { vlinkCalls } from './vlinks.ts'

/**
 * The REST contract of the controller that L2S-M has today, for its operator as it is: paths, codes and bodies are that
 * operator's, also where /v1 would answer otherwise. It takes every code but the expected one as a failure and asks again for
 * ever, so asking again is never an error. It gives no MAC: ports are attached with guard `learn`.
 */

const VnetSpec = Type.Object(
  {
    networkId: networkText,
    networkEndpoints: orNull(endpointTexts, 'a list of of:<16 hex digits>/<port>'),
    mirrorPort: orNull(endpointText, 'of:<16 hex digits>/<port>'),
  },
  closed,
)
const PortSpec = Type.Object({ networkId: networkText, networkEndpoints: endpointTexts }, closed)
const MirrorSpec = Type.Object({ networkId: networkText, mirrorPort: endpointText }, closed)
const Vnet = Type.Object({
  networkId: Type.String(),
  networkEndpoints: Type.Array(Type.String()),
  mirrorPort: Type.Optional(Type.String()),
})
const Up = Type.Object({ up: Type.Literal(true) })
export const onosRoutes = (app: App, services: Services): void => {
  // The readiness probe of the shipped manifests, which sends no login. It does not ask whether switches are compared: no
  // switch could reach a controller that its Service leaves out for being unready.
  app.get(
    '/onos/ui',
    { config: { gate: 'open' }, schema: { tags, summary: 'Whether the adapter is up', response: { 200: Up } } },
    async () => ({ up: true as const }),
  )
  for (const path of ['/onos/vnets/api', '/onos/vlinks/api', '/onos/idco/mscs'])
    app.get(
      `${path}/status`,
      { config, schema: { tags, summary: 'Whether the adapter is up', response: { 200: Up } } },
      async () => ({
        up: true as const,
      }),
    )
  networkCalls(app, services, '/onos/vnets/api')
  networkCalls(app, services, '/onos/idco/mscs')
  portCalls(app, services)
  vlinkCalls(app, services)
}

const networkCalls = (app: App, services: Services, path: string): void => {
  app.post(
    path,
    {
      config,
      schema: {
        tags,
        summary: 'Creates a network with its ports, completely or not at all',
        body: VnetSpec,
        response: { 204: nothing },
      },
    },
    async ({ actor, body }, reply) => {
      // Its DELETE would be the call that detaches ports.
      if (body.networkId === 'port')
        throw problem('reserved-name', ['"port"', 'its address belongs to another call'], { where: 'body/networkId' })
      await change(services, actor, draft => createVnet(draft, body))
      return reply.code(204).send(null)
    },
  )

  app.get(
    `${path}/:networkId`,
    { config, schema: { tags, summary: 'One network', params: NamePath, response: { 200: Vnet } } },
    async ({ params }) => vnetAnswer(services, findVnet(services, params.networkId)),
  )

  app.delete(
    `${path}/:networkId`,
    {
      config,
      schema: {
        tags,
        summary: 'Deletes a network; repeating it is no error',
        params: NamePath,
        response: { 204: nothing },
      },
    },
    async ({ actor, params }, reply) => {
      const network = networkId(params.networkId)
      const { deleted, ports, revision } = await change(services, actor, draft => {
        if (draft.networks.get(network)?.vlink) return { deleted: false, ports: [] }
        const ports = [...(draft.members.get(network)?.values() ?? [])]
        return { ...deleteNetwork(draft, network), ports }
      })
      const keeper = deleted ? undefined : unadopted(services)
      if (keeper !== undefined) throw problem('not-removed', [`network ${network}`, keeper], { what: network })
      if (connected(services, ports).length > 0) await progressAfter(services, { network, revision }, longestDetach)
      return reply.code(204).send(null)
    },
  )
}

const portCalls = (app: App, services: Services): void => {
  app.post(
    '/onos/vnets/api/port',
    {
      config,
      schema: {
        tags,
        summary: 'Attaches ports to a network; a port of another network moves',
        body: PortSpec,
        response: { 204: nothing },
      },
    },
    async ({ actor, body }, reply) => {
      await change(services, actor, draft => attachAll(draft, body.networkId, body.networkEndpoints) ?? {})
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/onos/vnets/api/port',
    { config, schema: { tags, summary: 'Detaches ports from a network', body: PortSpec, response: { 204: nothing } } },
    async ({ actor, body }, reply) => {
      const network = networkId(body.networkId)
      const { ports, unknown, revision } = await change(services, actor, draft =>
        detachAll(draft, network, body.networkEndpoints),
      )
      for (const port of unknown) {
        const keeper = unadopted(services, port.dpid)
        if (keeper !== undefined) throw problem('not-removed', [`port ${named(port)}`, keeper], { what: named(port) })
      }
      await confirmed(services, network, services.store.state().networks.get(network)?.revision ?? revision, ports)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/onos/vnets/api/mirror-port',
    {
      config,
      schema: {
        tags,
        summary: 'Sets the port that receives a copy of every frame',
        body: MirrorSpec,
        response: { 204: nothing },
      },
    },
    async ({ actor, body }, reply) => {
      await change(services, actor, draft => {
        const mirror = endpointOf(body.mirrorPort)
        return isRefusal(mirror) ? mirror : moveMirror(draft, body.networkId, mirror)
      })
      return reply.code(204).send(null)
    },
  )
}

const createVnet = (draft: Draft, spec: Static<typeof VnetSpec>): object | Refusal => {
  const mirror = spec.mirrorPort ? endpointOf(spec.mirrorPort) : undefined
  if (isRefusal(mirror)) return mirror
  const put = putNetwork(draft, spec.networkId)
  if (isRefusal(put)) return put
  const mirrored = mirror ? moveMirror(draft, spec.networkId, mirror) : put
  return isRefusal(mirrored) ? mirrored : (attachAll(draft, spec.networkId, spec.networkEndpoints ?? []) ?? put)
}

const attachAll = (draft: Draft, network: string, texts: readonly string[]): Refusal | undefined => {
  for (const text of texts) {
    const endpoint = endpointOf(text)
    const result = isRefusal(endpoint) ? endpoint : moveToNetwork(draft, network, endpoint)
    if (isRefusal(result)) return result
  }
  // An empty list is still a call about a network.
  return draft.networks.has(network) ? undefined : refuse('unknown-network', network)
}

const detachAll = (
  draft: Draft,
  network: string,
  texts: readonly string[],
): { ports: readonly Endpoint[]; unknown: readonly Endpoint[] } | Refusal => {
  const ports: Endpoint[] = []
  const unknown: Endpoint[] = []
  for (const text of texts) {
    const endpoint = endpointOf(text)
    if (isRefusal(endpoint)) return endpoint
    const result = detach(draft, network, endpoint.dpid, endpoint.port)
    if (isRefusal(result)) return result
    ports.push(endpoint)
    if (!result.detached) unknown.push(endpoint)
  }
  return { ports, unknown }
}

/**
 * Until the switches have taken these ports out: after the 204 the client gives the interface to another pod. Also for a
 * port that was out already, as the client may ask again because the first answer was late. A switch that is away can't
 * confirm, and is not waited for: it is told first thing when it connects.
 */
const confirmed = async (
  services: Services,
  network: string,
  revision: number,
  ports: readonly Endpoint[],
): Promise<void> => {
  const present = connected(services, ports)
  const waits = present.map(port =>
    progressAfter(services, { network, revision, attachment: endpointKey(port) }, longestDetach),
  )
  await Promise.all(waits)
}

/** A vlink of that name is another call's. */
const findVnet = (services: Services, text: string): Network => {
  const network = findNetwork(services, text)
  if (network.vlink) throw refusalProblem(refuse('unknown-network', text))
  return network
}

const vnetAnswer = ({ store }: Services, { id, mirror }: Network): Static<typeof Vnet> => ({
  networkId: id,
  networkEndpoints: [...(store.state().members.get(id)?.values() ?? [])].sort(byEndpoint).map(named),
  ...(mirror && { mirrorPort: named(mirror) }),
})
