import type { Static, TSchema } from 'typebox'
import { deleteNetwork, detach, ensureAttached, putNetwork, setMirror } from '../store/desired.ts'
import { isRefusal, type Refusal, refuse } from '../store/refusals.ts'
import type { Network } from '../store/state.ts'
import type { Draft } from '../store/store.ts'
import { parseEndpoint } from '../topology/parse.ts'
import { type Endpoint, endpointKey } from '../topology/topology.ts'
import { byEndpoint } from './endpoints.ts'
import { findNetwork, networkId } from './networks.ts'
import { ProblemError, problem } from './problems.ts'
import { progressAfter } from './progress.ts'
import { type App, type Services, write } from './services.ts'
import { Type } from './type.ts'

/**
 * The REST contract of the controller that L2S-M has today, for its operator as it is: paths, codes and bodies are that
 * operator's, also where /v1 would answer otherwise. It takes every code but the expected one as a failure and asks again for
 * ever, so asking again is never an error. It gives no MAC: ports are attached with guard `learn`.
 */

/** Milliseconds that a detach waits for the switches: the client gives up after 10 s. */
const longestDetach = 5000

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Optional(Type.Union([schema, Type.Null()], { description }))
const networkText = Type.String({ description: 'the name of an L2Network', examples: ['net-a'] })
const endpointText = Type.String({ description: 'of:<16 hex digits>/<port>', examples: ['of:00000000000000a1/1'] })
const endpointTexts = Type.Array(endpointText, { maxItems: 10_000 })

const NamePath = Type.Object({ networkId: networkText }, closed)
const VnetWish = Type.Object(
  {
    networkId: networkText,
    networkEndpoints: orNull(endpointTexts, 'a list of of:<16 hex digits>/<port>'),
    mirrorPort: orNull(endpointText, 'of:<16 hex digits>/<port>'),
  },
  closed,
)
const PortWish = Type.Object({ networkId: networkText, networkEndpoints: endpointTexts }, closed)
const MirrorWish = Type.Object({ networkId: networkText, mirrorPort: endpointText }, closed)
const Vnet = Type.Object({
  networkId: Type.String(),
  networkEndpoints: Type.Array(Type.String()),
  mirrorPort: Type.Optional(Type.String()),
})
const Up = Type.Object({ up: Type.Literal(true) })
const nothing = Type.Null({ description: 'done, and on disk' })

const tags = ['onos']
const config = { gate: 'login' } as const

export const onosRoutes = (app: App, services: Services): void => {
  // The readiness probe of the shipped manifests, which sends no login. It does not ask whether switches are compared: no
  // switch could reach a controller that its Service leaves out for being unready.
  app.get(
    '/onos/ui',
    { config: { gate: 'open' }, schema: { tags, summary: 'It is up', response: { 200: Up } } },
    async () => ({ up: true as const }),
  )
  for (const path of ['/onos/vnets/api', '/onos/vlinks/api', '/onos/idco/mscs'])
    app.get(`${path}/status`, { config, schema: { tags, summary: 'It is up', response: { 200: Up } } }, async () => ({
      up: true as const,
    }))
  networkCalls(app, services, '/onos/vnets/api')
  networkCalls(app, services, '/onos/idco/mscs')
  portCalls(app, services)
  vlinkCalls(app)
}

const networkCalls = (app: App, services: Services, path: string): void => {
  app.post(
    path,
    {
      config,
      schema: {
        tags,
        summary: 'Creates a network, with ports: all of it or nothing',
        body: VnetWish,
        response: { 204: nothing },
      },
    },
    async ({ body }, reply) => {
      // Its DELETE would be the call that detaches ports.
      if (body.networkId === 'port')
        throw problem('bad-value', {
          detail: 'a network can not be called "port" here: its address is that of another call',
          where: 'body/networkId',
          hint: 'use /v1/networks/port, or another name',
        })
      await change(services, draft => createVnet(draft, body))
      return reply.code(204).send(null)
    },
  )

  app.get(
    `${path}/:networkId`,
    { config, schema: { tags, summary: 'One network', params: NamePath, response: { 200: Vnet } } },
    async ({ params }) => vnetAnswer(services, findNetwork(services, params.networkId)),
  )

  app.delete(
    `${path}/:networkId`,
    {
      config,
      schema: {
        tags,
        summary: 'Deletes a network; an unknown one is deleted already',
        params: NamePath,
        response: { 204: nothing },
      },
    },
    async ({ params }, reply) => {
      const network = networkId(params.networkId)
      const { ports, revision } = await change(services, draft => {
        const ports = [...(draft.members.get(network)?.values() ?? [])]
        return { ...deleteNetwork(draft, network), ports }
      })
      if (connected(services, ports).length > 0) await progressAfter(services, { network, revision }, longestDetach)
      return reply.code(204).send(null)
    },
  )
}

const portCalls = (app: App, services: Services): void => {
  app.post(
    '/onos/vnets/api/port',
    { config, schema: { tags, summary: 'Puts ports into a network', body: PortWish, response: { 204: nothing } } },
    async ({ body }, reply) => {
      await change(services, draft => attachAll(draft, body.networkId, body.networkEndpoints) ?? {})
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/onos/vnets/api/port',
    { config, schema: { tags, summary: 'Takes ports out of a network', body: PortWish, response: { 204: nothing } } },
    async ({ body }, reply) => {
      const network = networkId(body.networkId)
      const { ports, revision } = await change(services, draft => detachAll(draft, network, body.networkEndpoints))
      await confirmed(services, network, services.store.state().networks.get(network)?.revision ?? revision, ports)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/onos/vnets/api/mirror-port',
    {
      config,
      schema: { tags, summary: 'Where copies of all frames go', body: MirrorWish, response: { 204: nothing } },
    },
    async ({ body }, reply) => {
      await change(services, draft => {
        const mirror = endpointOf(body.mirrorPort)
        return isRefusal(mirror) ? mirror : setMirror(draft, body.networkId, mirror)
      })
      return reply.code(204).send(null)
    },
  )
}

const vlinkCalls = (app: App): void => {
  const later = async (): Promise<never> => {
    throw problem('not-implemented', {
      detail: 'vlinks come later: nothing was changed, and there are none',
      hint: 'use a network of type vnet until then',
    })
  }
  const schema = { tags, summary: 'Not there yet' }
  app.post('/onos/vlinks/api', { config, schema }, later)
  app.get('/onos/vlinks/api/:networkId', { config, schema: { ...schema, params: NamePath } }, later)
  app.delete('/onos/vlinks/api/:networkId', { config, schema: { ...schema, params: NamePath } }, later)
}

/** As `write`; that a network is not known is a conflict here. */
const change = async <T extends object>(services: Services, decide: (draft: Draft) => T | Refusal) =>
  write(services, decide).catch((error: unknown) => {
    if (error instanceof ProblemError && error.problem.status === 404)
      throw new ProblemError({ ...error.problem, status: 409 })
    throw error
  })

const endpointOf = (text: string): Endpoint | Refusal => parseEndpoint(text) ?? refuse('bad-endpoint', text)

const createVnet = (draft: Draft, wish: Static<typeof VnetWish>): object | Refusal => {
  const mirror = wish.mirrorPort ? endpointOf(wish.mirrorPort) : undefined
  if (isRefusal(mirror)) return mirror
  const put = putNetwork(draft, wish.networkId, { mirror })
  return isRefusal(put) ? put : (attachAll(draft, wish.networkId, wish.networkEndpoints ?? []) ?? put)
}

const attachAll = (draft: Draft, network: string, texts: readonly string[]): Refusal | undefined => {
  for (const text of texts) {
    const endpoint = endpointOf(text)
    const result = isRefusal(endpoint) ? endpoint : ensureAttached(draft, network, endpoint)
    if (isRefusal(result)) return result
  }
  // An empty list is still a call about a network.
  return draft.networks.has(network) ? undefined : refuse('unknown-network', network)
}

const detachAll = (
  draft: Draft,
  network: string,
  texts: readonly string[],
): { ports: readonly Endpoint[] } | Refusal => {
  const ports: Endpoint[] = []
  for (const text of texts) {
    const endpoint = endpointOf(text)
    if (isRefusal(endpoint)) return endpoint
    const result = detach(draft, network, endpoint.dpid, endpoint.port)
    if (isRefusal(result)) return result
    ports.push(endpoint)
  }
  return { ports }
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

/** One port for each of their switches that is connected: a switch confirms all of them at once. */
const connected = ({ controller }: Services, ports: readonly Endpoint[]): readonly Endpoint[] =>
  [...new Map(ports.map(port => [port.dpid, port])).values()].filter(port => controller.connected(port.dpid))

const named = (endpoint: Endpoint): string => `of:${endpointKey(endpoint)}`

const vnetAnswer = ({ store }: Services, { id, mirror }: Network): Static<typeof Vnet> => ({
  networkId: id,
  networkEndpoints: [...(store.state().members.get(id)?.values() ?? [])].sort(byEndpoint).map(named),
  ...(mirror && { mirrorPort: named(mirror) }),
})
