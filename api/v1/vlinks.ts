import { putNetwork } from '../../store/desired.ts'
import { isRefusal, type Refusal, refuse } from '../../store/refusals.ts'
import type { Network, Vlink } from '../../store/state.ts'
import type { Draft } from '../../store/store.ts'
import { parseVlink, putVlink, samePaths, type VlinkSpec } from '../../store/vlinks.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type * as schemas from '../contract/schemas.ts'
import { problem } from '../http/problems.ts'
import type { Services } from '../http/services.ts'

type Put = { readonly created: boolean; readonly network: Network }
type Body = schemas.Wire<typeof schemas.NetworkSpec>

const ofVlinks = ['from', 'to', 'path', 'reversePath', 'reroute', 'bandwidth', 'latency'] as const

const isOfVlinks = (field: string): boolean => (ofVlinks as readonly string[]).includes(field)

/** What PUT /v1/networks/{id} asks of the store. Throws when a network of one type is given what belongs to the other. */
export const networkDecision = (services: Services, id: string, body: Body): ((draft: Draft) => Put | Refusal) => {
  const { type = 'vnet', from, to, path, reversePath, reroute, bandwidth, latency } = body
  if (type === 'vnet') {
    const stray = ofVlinks.find(field => body[field] !== undefined)
    if (stray) throw wrongField(stray, 'a network that is no vlink has none', 'add "type": "vlink", or leave it out')
    return draft => putNetwork(draft, id, body)
  }
  const stray = Object.entries(body).find(([field, value]) => value !== null && field !== 'type' && !isOfVlinks(field))
  if (stray) throw wrongField(stray[0], 'a vlink has none', 'leave it out')
  if (!from || !to || !path) {
    const missing = from ? (to ? 'path' : 'to') : 'from'
    throw wrongField(missing, 'a vlink needs it, and it is missing', 'give from, to and path')
  }
  return draft => putPath(services, draft, id, { from, to, path, reversePath, reroute, bandwidth, latency })
}

const wrongField = (field: string, why: string, hint: string) =>
  problem('wrong-field', [`body/${field}`, why], { where: `body/${field}`, hint })

/** As putVlink, but over a path that exists, as far as we know the mesh. What is there already is not looked at again. */
export const putPath = (services: Services, draft: Draft, id: string, spec: VlinkSpec): Put | Refusal => {
  const planned = parseVlink(id, spec)
  const before = draft.networks.get(id)?.vlink
  if (isRefusal(planned) || (before && samePaths(before, planned))) return putVlink(draft, id, spec)
  const missing = missingHop(services, planned.path) ?? missingHop(services, planned.reversePath)
  const put = putVlink(draft, id, spec)
  return isRefusal(put) || !missing ? put : refuse('vlink-hop-missing', id, ...missing)
}

/** The first hop without a link. Of a switch that is not connected nobody knows yet where its links lead. */
const missingHop = (
  { controller }: Services,
  path: readonly DatapathId[],
): readonly [DatapathId, DatapathId] | undefined => {
  for (const [i, at] of path.entries()) {
    const next = path[i + 1]
    if (next === undefined || controller.linked(at, next)) continue
    if (controller.connected(at) && controller.connected(next)) return [at, next]
  }
  return undefined
}

/** The part of a network's answer that only vlinks have. */
export const vlinkAnswer = ({ controller }: Services, id: string, vlink: Vlink) => {
  const { from, to, path, reversePath, ...rest } = vlink
  const seen = controller.vlink(id)
  return {
    ...{ from, to, path: [...path], reversePath: [...reversePath], ...rest },
    ...(seen && { there: vlinkPathAnswer(seen.there), back: vlinkPathAnswer(seen.back) }),
  }
}

type VlinkPath = NonNullable<ReturnType<Services['controller']['vlink']>>['there']
const vlinkPathAnswer = ({ path, ...linkStatistics }: VlinkPath) => ({
  ...(path && { path: [...path] }),
  ...linkStatistics,
})
