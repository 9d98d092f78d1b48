import type { Progress } from '../../controller/view/view.ts'
import { attachmentKey } from '../../store/attachments.ts'
import { attach, detach } from '../../store/desired.ts'
import { moveAttachment } from '../../store/moves.ts'
import { isVlan } from '../../store/parse.ts'
import { followNames } from '../../store/port-names.ts'
import { refuse } from '../../store/refusals.ts'
import type { Attachment } from '../../store/state.ts'
import { type Endpoint, endpointKey } from '../../topology/topology.ts'
import * as schemas from '../contract/schemas.ts'
import { sendList } from '../http/lists.ts'
import { problem, refusalProblem } from '../http/problems.ts'
import { type App, type Services, write } from '../http/services.ts'
import { byEndpoint, dpidOf } from './endpoints.ts'
import { findNetwork, networkId } from './networks.ts'
import { namedEndpoint, type PortPath } from './port-names.ts'
import { progressAfter, progressNow, waitOf } from './progress.ts'
import { notRemoved, unadopted } from './unadopted.ts'

export const attachmentRoutes = (app: App, services: Services): void => {
  const tags = ['attachments']
  const path = '/v1/networks/:network/attachments/:dpid/:port'

  app.get(
    '/v1/networks/:network/attachments',
    {
      schema: {
        tags,
        summary: 'The ports of a network, by datapath id and port number',
        params: schemas.NetworkPath,
        response: { 200: schemas.Attachments },
      },
    },
    async (request, reply) =>
      sendList(services, reply, 'attachments', () => {
        const { id } = findNetwork(services, request.params.network)
        const { revision, members } = services.store.state()
        const items = [...(members.get(id)?.values() ?? [])].sort(
          (a, b) => byEndpoint(a, b) || (a.vlan ?? 0) - (b.vlan ?? 0),
        )
        return { head: { revision }, items, each: attachment => attachmentNow(services, attachment) }
      }),
  )

  app.get(
    path,
    {
      schema: {
        tags,
        summary: 'One port, or one VLAN of it',
        params: schemas.AttachmentPath,
        querystring: schemas.VlanQuery,
        response: { 200: schemas.Attachment },
      },
    },
    async request => {
      const attachment = findAttachment(services, request.params, vlanOf(request.query))
      await services.controller.readLimits(attachment.dpid)
      return attachmentNow(services, attachment)
    },
  )

  app.put(
    path,
    {
      schema: {
        tags,
        summary: 'Attaches a port to a network, or replaces what is known of it: a field that is not given is unset',
        params: schemas.AttachmentPath,
        querystring: schemas.WaitQuery,
        body: schemas.AttachmentSpec,
        response: { 200: schemas.Attachment, 201: schemas.Attachment },
      },
    },
    async (request, reply) => {
      const wait = waitOf(request.query)
      const { network } = request.params
      const endpoint = namedEndpoint(services, request.params)
      const { created, attachment } = await write(services, request.actor, draft => {
        const { dpid, port, portName } = endpoint
        // It may have another number since it was attached by that name.
        if (portName !== undefined) followNames(draft, dpid, new Map([[portName, port]]))
        return attach(draft, { ...request.body, ...endpoint, network })
      })
      const subject = subjectOf(attachment)
      const progress =
        wait === undefined ? progressNow(services, subject) : await progressAfter(services, subject, wait)
      return reply.code(created ? 201 : 200).send(attachmentAnswer(services, attachment, progress))
    },
  )

  app.post(
    `${path}/move`,
    {
      schema: {
        tags,
        summary:
          'Moves a port to another network, with its addresses, guard and limits: it leaves the one before it enters the other',
        params: schemas.AttachmentPath,
        querystring: schemas.VlanWaitQuery,
        body: schemas.MoveSpec,
        response: { 200: schemas.Moved },
      },
    },
    async request => {
      const wait = waitOf(request.query)
      const network = networkId(request.params.network)
      const vlan = vlanOf(request.query)
      const { to, mirror } = request.body
      const endpoint = attachedEndpoint(services, request.params, vlan)
      const { attachment, addressesTaken } = await write(services, request.actor, draft =>
        moveAttachment(draft, network, { ...endpoint, vlan }, to, mirror),
      )
      const subject = subjectOf(attachment)
      const progress =
        wait === undefined ? progressNow(services, subject) : await progressAfter(services, subject, wait)
      return {
        ...attachmentAnswer(services, attachment, progress),
        ...(addressesTaken.length > 0 && { addressesTaken: [...addressesTaken] }),
      }
    },
  )

  app.delete(
    path,
    {
      schema: {
        tags,
        summary: 'Detaches a port, or one VLAN of it, from a network; repeating it is no error',
        params: schemas.AttachmentPath,
        querystring: schemas.VlanWaitQuery,
        response: { 200: schemas.AttachmentDeleted },
      },
    },
    async request => {
      const wait = waitOf(request.query) ?? 0
      const network = networkId(request.params.network)
      const vlan = vlanOf(request.query)
      const endpoint = attachedEndpoint(services, request.params, vlan)
      const { detached, revision } = await write(services, request.actor, draft =>
        detach(draft, network, endpoint.dpid, endpoint.port, vlan),
      )
      const last = services.store.state().networks.get(network)?.revision ?? revision
      const subject = { network, revision: last, attachment: attachmentKey({ ...endpoint, vlan }) }
      const keeper = detached ? undefined : unadopted(services, endpoint.dpid)
      const progress =
        keeper === undefined ? await progressAfter(services, subject, wait) : notRemoved(keeper, revision)
      const tags = detached || vlan !== undefined ? [] : tagsAt(services, network, endpoint)
      return { deleted: detached, ...(tags.length > 0 && { tags }), ...progress }
    },
  )
}

/** By the name by which it was attached, it is where it is now. */
const attachedEndpoint = (services: Services, path: PortPath, vlan: number | undefined): Endpoint => {
  const { named } = services.store.state()
  for (const attachment of named.get(dpidOf(path.dpid))?.values() ?? []) {
    const { network, portName } = attachment
    if (network === path.network && portName === path.port && attachment.vlan === vlan) return attachment
  }
  return namedEndpoint(services, path)
}

/** The VLANs by which a port is in a network, for who asks without one. */
const tagsAt = ({ store }: Services, network: string, port: Endpoint): number[] =>
  [...(store.state().taggedAt.get(endpointKey(port))?.values() ?? [])]
    .flatMap(each => (each.network === network && each.vlan !== undefined ? [each.vlan] : []))
    .sort((a, b) => a - b)

const findAttachment = (services: Services, path: PortPath, vlan: number | undefined): Attachment => {
  const { id } = findNetwork(services, path.network)
  const endpoint = attachedEndpoint(services, path, vlan)
  const key = attachmentKey({ ...endpoint, vlan })
  const attachment = services.store.state().attachments.get(key)
  if (attachment?.network === id) return attachment
  const tags = vlan === undefined ? tagsAt(services, id, endpoint) : []
  if (tags.length > 0) throw problem('attached-by-tag', [key, id, tags.join(', ')], { what: key })
  throw problem('unknown-attachment', [key, id, attachment ? `network ${attachment.network}` : 'none'], { what: key })
}

const vlanOf = ({ vlan }: { readonly vlan?: string | undefined }): number | undefined => {
  if (vlan === undefined) return undefined
  if (!isVlan(Number(vlan))) throw refusalProblem(refuse('bad-vlan', vlan))
  return Number(vlan)
}

const subjectOf = (attachment: Attachment) => ({
  network: attachment.network,
  revision: attachment.revision,
  attachment: attachmentKey(attachment),
})

const attachmentNow = (services: Services, attachment: Attachment) =>
  attachmentAnswer(services, attachment, progressNow(services, subjectOf(attachment)))

const attachmentAnswer = (
  { controller }: Services,
  attachment: Attachment,
  progress: Progress,
): schemas.Wire<typeof schemas.Attachment> => {
  const { network, dpid, port, portName, mac, ips, name, vlan, trunk, broadcast, rate } = attachment
  const { guard, ownGuard, allowedAddresses, trusted } = attachment
  return {
    ...{ network, dpid, port },
    ...(portName !== undefined && { portName }),
    ...(mac !== undefined && { mac }),
    ...(ips !== undefined && { ips: [...ips] }),
    ...(name !== undefined && { name }),
    ...(vlan !== undefined && { vlan }),
    ...(trunk && { trunk }),
    ...(broadcast !== undefined && { broadcastLimit: broadcast || ('off' as const) }),
    ...(rate && { rateLimit: rate }),
    limits: [...controller.limits(attachmentKey(attachment))],
    guard,
    ...(ownGuard && { ownGuard }),
    ...(allowedAddresses && { allowedAddresses: [...allowedAddresses] }),
    ...(trusted && { trusted: [...trusted] }),
    ...progress,
  }
}
