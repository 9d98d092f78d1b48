import type { TSchema } from 'typebox'
import { type Refusal, refuse } from '../../store/refusals.ts'
import type { Draft } from '../../store/store.ts'
import { parseEndpoint } from '../../topology/parse.ts'
import { type Endpoint, endpointKey } from '../../topology/topology.ts'
import { Type } from '../contract/type.ts'
import type { Actor } from '../http/auth.ts'
import { ProblemError } from '../http/problems.ts'
import { type Services, write } from '../http/services.ts'

/** What the calls of today's contract (onos.ts) have in common. */

/** Milliseconds that a detach waits for the switches: the client gives up after 10 s. */
export const longestDetach = 5000

export const closed = { additionalProperties: false } as const
export const orNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Optional(Type.Union([schema, Type.Null()], { description }))
export const networkText = Type.String({ description: 'the name of an L2Network', examples: ['net-a'] })
export const endpointText = Type.String({
  description: 'of:<16 hex digits>/<port>',
  examples: ['of:00000000000000a1/1'],
})
export const endpointTexts = Type.Array(endpointText, { maxItems: 10_000 })

export const NamePath = Type.Object({ networkId: networkText }, closed)
export const nothing = Type.Null({ description: 'done, and on disk' })

export const tags = ['onos']
export const config = { gate: 'login' } as const

/** As `write`; that a network is not known is a conflict here. */
export const change = async <T extends object>(
  services: Services,
  actor: Actor,
  decide: (draft: Draft) => T | Refusal,
) =>
  write(services, actor, decide).catch((error: unknown) => {
    if (error instanceof ProblemError && error.problem.status === 404)
      throw new ProblemError({ ...error.problem, status: 409 })
    throw error
  })

export const endpointOf = (text: string): Endpoint | Refusal => parseEndpoint(text) ?? refuse('bad-endpoint', text)

/** One port for each of their switches that is connected: a switch confirms all of them at once. */
export const connected = ({ controller }: Services, ports: readonly Endpoint[]): readonly Endpoint[] =>
  [...new Map(ports.map(port => [port.dpid, port])).values()].filter(port => controller.connected(port.dpid))

export const named = (endpoint: Endpoint): string => `of:${endpointKey(endpoint)}`
