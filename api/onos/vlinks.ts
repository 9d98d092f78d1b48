import type { Static } from 'typebox'
import { isRefusal, type Refusal, refuse } from '../../store/refusals.ts'
import type { Vlink } from '../../store/state.ts'
import type { Draft } from '../../store/store.ts'
import { deleteVlink, type PlannedVlink, parseVlink } from '../../store/vlinks.ts'
import { parseDpid } from '../../topology/parse.ts'
import { endpointKey } from '../../topology/topology.ts'
import { dpidText } from '../contract/schemas.ts'
import { Type } from '../contract/type.ts'
import { refusalProblem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'
import { findNetwork, networkId } from '../v1/networks.ts'
import { progressAfter } from '../v1/progress.ts'
import { putPath } from '../v1/vlinks.ts'
import {
  change,
  closed,
  config,
  connected,
  endpointOf,
  endpointText,
  longestDetach,
  NamePath,
  named,
  networkText,
  nothing,
  orNull,
  tags,
} from './contract.ts'

const path = '/onos/vlinks/api'
const switches = Type.Array(dpidText, { maxItems: 256 })
const VlinkSpec = Type.Object(
  {
    linkNetworkId: networkText,
    fromEndP: endpointText,
    toEndP: endpointText,
    path: orNull(switches, 'a list of of:<16 hex digits>'),
  },
  closed,
)
const VlinkAnswer = Type.Object({
  linkNetworkId: Type.String(),
  fromEndP: Type.String(),
  toEndP: Type.String(),
  path: Type.Array(Type.String()),
})

/** Vlinks as today's operator specifies them: the reverse path is the path backwards, and there is no bandwidth or latency. */
export const vlinkCalls = (app: App, services: Services): void => {
  app.post(
    path,
    {
      config,
      schema: { tags, summary: 'Joins two ports by a path', body: VlinkSpec, response: { 204: nothing } },
    },
    async ({ actor, body }, reply) => {
      await change(services, actor, draft => createVlink(services, draft, body))
      return reply.code(204).send(null)
    },
  )

  app.get(
    `${path}/:networkId`,
    { config, schema: { tags, summary: 'One vlink', params: NamePath, response: { 200: VlinkAnswer } } },
    async ({ params }) => {
      const { id, vlink } = findNetwork(services, params.networkId)
      if (!vlink) throw refusalProblem(refuse('unknown-network', id))
      return vlinkAnswer(id, vlink)
    },
  )

  app.delete(
    `${path}/:networkId`,
    {
      config,
      schema: {
        tags,
        summary: 'Deletes a vlink; repeating it is no error',
        params: NamePath,
        response: { 204: nothing },
      },
    },
    async ({ actor, params }, reply) => {
      const network = networkId(params.networkId)
      const { ends, revision } = await change(services, actor, draft => {
        const vlink = draft.networks.get(network)?.vlink
        return { ...deleteVlink(draft, network), ends: vlink ? [vlink.from, vlink.to] : [] }
      })
      if (connected(services, ends).length > 0) await progressAfter(services, { network, revision }, longestDetach)
      return reply.code(204).send(null)
    },
  )
}

/** What is there already stays with all that /v1 said of it; other ports or another path are a conflict. */
const createVlink = (services: Services, draft: Draft, spec: Static<typeof VlinkSpec>): object | Refusal => {
  const planned = parseSpec(spec)
  if (isRefusal(planned)) return planned
  const before = draft.networks.get(spec.linkNetworkId)?.vlink
  if (!before) return putPath(services, draft, spec.linkNetworkId, planned)
  return spell(before) === spell(planned) ? {} : refuse('vlink-differs', spec.linkNetworkId, spell(before))
}

/** The switches of the two ends may be left out of the path. */
const parseSpec = (spec: Static<typeof VlinkSpec>): PlannedVlink | Refusal => {
  const from = endpointOf(spec.fromEndP)
  if (isRefusal(from)) return from
  const to = endpointOf(spec.toEndP)
  if (isRefusal(to)) return to
  const between = (spec.path ?? []).map(text => parseDpid(text) ?? text)
  const begun = between[0] === from.dpid ? between : [from.dpid, ...between]
  const whole = begun.at(-1) === to.dpid ? begun : [...begun, to.dpid]
  return parseVlink(spec.linkNetworkId, { from, to, path: whole })
}

const spell = ({ from, to, path }: Pick<Vlink, 'from' | 'to' | 'path'>): string =>
  `from ${endpointKey(from)} to ${endpointKey(to)} over ${path.join(', ')}`

const vlinkAnswer = (id: string, { from, to, path }: Vlink): Static<typeof VlinkAnswer> => ({
  linkNetworkId: id,
  fromEndP: named(from),
  toEndP: named(to),
  path: path.map(dpid => `of:${dpid}`),
})
