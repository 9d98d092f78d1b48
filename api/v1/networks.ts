import type { Progress } from '../../controller/view/view.ts'
import { deleteNetwork } from '../../store/desired.ts'
import { duplicatesIn } from '../../store/duplicates.ts'
import { parseNetworkId } from '../../store/parse.ts'
import { refuse } from '../../store/refusals.ts'
import type { Attachment, Network } from '../../store/state.ts'
import { type DatapathId, type Endpoint, endpointKey } from '../../topology/topology.ts'
import * as schemas from '../contract/schemas.ts'
import { sendList } from '../http/lists.ts'
import { refusalProblem } from '../http/problems.ts'
import { type App, type Services, write } from '../http/services.ts'
import { snoopingOf } from './multicast.ts'
import { progressAfter, progressNow, waitOf } from './progress.ts'
import { notRemoved, unadopted } from './unadopted.ts'
import { networkDecision, vlinkAnswer } from './vlinks.ts'

export const networkRoutes = (app: App, services: Services): void => {
  const tags = ['networks']

  app.get(
    '/v1/networks',
    { schema: { tags, summary: 'All networks, by id', response: { 200: schemas.Networks } } },
    async (_, reply) =>
      sendList(services, reply, 'networks', () => {
        const { revision, networks } = services.store.state()
        const items = [...networks.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
        return { head: { revision }, items, each: network => networkNow(services, network) }
      }),
  )

  app.get(
    '/v1/networks/:network',
    { schema: { tags, summary: 'One network', params: schemas.NetworkPath, response: { 200: schemas.Network } } },
    async request => {
      const network = findNetwork(services, request.params.network)
      const mtu = await services.controller.mtu(network.id)
      return {
        ...networkNow(services, network),
        ...(mtu !== undefined && { mtu }),
        ...snoopingOf(services, network),
        ...duplicatesOf(services, network.id),
      }
    },
  )

  app.put(
    '/v1/networks/:network',
    {
      schema: {
        tags,
        summary:
          'Creates or changes a network: its mirror, its guard and who receives multicast; with type vlink, joins two ports by a path',
        params: schemas.NetworkPath,
        querystring: schemas.WaitQuery,
        body: schemas.NetworkSpec,
        response: { 200: schemas.Network, 201: schemas.Network },
      },
    },
    async (request, reply) => {
      const wait = waitOf(request.query)
      const { network: id } = request.params
      const { created, network } = await write(services, request.actor, networkDecision(services, id, request.body))
      const subject = { network: network.id, revision: network.revision }
      const progress =
        wait === undefined ? progressNow(services, subject) : await progressAfter(services, subject, wait)
      return reply.code(created ? 201 : 200).send(networkAnswer(services, network, progress))
    },
  )

  app.delete(
    '/v1/networks/:network',
    {
      schema: {
        tags,
        summary: 'Deletes a network and detaches its ports; repeating it is no error',
        params: schemas.NetworkPath,
        querystring: schemas.WaitQuery,
        response: { 200: schemas.NetworkDeleted },
      },
    },
    async request => {
      const wait = waitOf(request.query) ?? 0
      const network = networkId(request.params.network)
      const { deleted, detached, revision } = await write(services, request.actor, draft => {
        const detached = draft.members.get(network)?.size ?? 0
        return { ...deleteNetwork(draft, network), detached }
      })
      const keeper = deleted ? undefined : unadopted(services)
      const progress =
        keeper === undefined ? await progressAfter(services, { network, revision }, wait) : notRemoved(keeper, revision)
      return { deleted, detached, ...progress }
    },
  )
}

/** The id as it stands in a path, if it is one. */
export const networkId = (text: string): string => {
  if (parseNetworkId(text) === undefined) throw refusalProblem(refuse('bad-id', text))
  return text
}

export const findNetwork = ({ store }: Services, text: string): Network => {
  const network = store.state().networks.get(networkId(text))
  if (!network) throw refusalProblem(refuse('unknown-network', text))
  return network
}

const networkNow = (services: Services, network: Network) =>
  networkAnswer(services, network, progressNow(services, { network: network.id, revision: network.revision }))

const networkAnswer = (
  services: Services,
  { id, number, mirror, multicast, broadcast, guard, vlink }: Network,
  progress: Progress,
): schemas.Wire<typeof schemas.Network> => ({
  id,
  type: vlink ? 'vlink' : 'vnet',
  number,
  ...(mirror && { mirror: { dpid: mirror.dpid, port: mirror.port } }),
  ...(vlink && vlinkAnswer(services, id, vlink)),
  ...(!vlink && { multicast: multicast ?? 'flood' }),
  ...(broadcast !== undefined && { broadcastLimit: broadcast || 'off' }),
  ...(guard && { guard }),
  attachments: services.store.state().members.get(id)?.size ?? 0,
  ...partitionsOf(services.controller.partitions(id), services.store.state().members.get(id)?.values() ?? []),
  ...conflictsOf(services, id),
  ...progress,
})

/** Nothing, when no address is contested. */
const conflictsOf = ({ controller }: Services, id: string) => {
  const conflicts = controller.conflicts(id)
  return conflicts.length > 0 ? { conflicts: [...conflicts] } : {}
}

/** Nothing, when every IP address is at one port. */
const duplicatesOf = ({ controller, store }: Services, id: string) => {
  const place = ({ dpid, port }: Endpoint) => ({ dpid, port })
  const declared = [...duplicatesIn(store.state(), id)].slice(0, 50)
  const duplicates = [
    ...declared.map(([ip, at]) => ({ ip, ports: at.slice(0, 50).map(place), by: 'declared' as const })),
    ...controller
      .ipConflicts(id)
      .map(({ ip, holder, claimant }) => ({ ip, ports: [holder, claimant].map(place), by: 'seen' as const })),
  ]
  return duplicates.length > 0 ? { duplicates } : {}
}

/** Nothing, when all reach each other. */
const partitionsOf = (all: readonly ReadonlySet<DatapathId>[], members: Iterable<Attachment>) => {
  if (all.length < 2) return {}
  const keys = new Map<DatapathId, string[]>()
  for (const member of members) keys.set(member.dpid, [...(keys.get(member.dpid) ?? []), endpointKey(member)])
  const partitions = all.map(partition => ({
    switches: [...partition],
    attachments: [...partition].flatMap(dpid => keys.get(dpid) ?? []),
  }))
  return { partitions }
}
