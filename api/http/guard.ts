import type { FastifyRequest } from 'fastify'
import { certificateOf } from './app.ts'
import { type Actor, type Auth, anybody, authorize, type Gate, loginGate, type Needs, tokenGate } from './auth.ts'
import { createFailures } from './failures.ts'
import { oddity } from './odd-requests.ts'
import type { App } from './services.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whose credential a route wants; the token's when it says nothing. */
    gate?: 'open' | 'login'
    /** The least role; unless given, `read` for a GET and `write` for the rest. */
    needs?: Needs
    /** The agent of the node in the path may use it as well. */
    agent?: true
  }
  interface FastifyRequest {
    /** Who asks. */
    actor: Actor
  }
}

/** Before a body is read: who has no credential makes us read nothing. Answers how to change the rules. */
export const guard = (app: App, auth: Auth): ((auth: Auth) => void) => {
  const failures = createFailures(() => performance.now())
  const gatesOf = (rules: Auth): { readonly [Name in 'token' | 'login']: Gate } => ({
    token: tokenGate(rules.token, failures),
    login: loginGate(rules, failures),
  })
  let gates = gatesOf(auth)
  app.decorateRequest('actor')
  app.addHook('onRequest', async (request: FastifyRequest) => {
    const odd = oddity(request.raw)
    if (odd) throw odd
    const { gate = 'token', needs, agent } = request.routeOptions.config ?? {}
    if (gate === 'open') {
      request.actor = anybody
      return
    }
    const { authorization, host, origin } = request.headers
    const { ip: address, protocol, raw } = request
    request.actor = await gates[gate]({
      address,
      authorization,
      host,
      origin,
      protocol,
      certificate: certificateOf(raw),
    })
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const { node } = (request.params ?? {}) as { readonly node?: string }
    authorize(request.actor, needs ?? (isRead ? 'read' : 'write'), agent ? node : undefined)
  })
  return rules => {
    gates = gatesOf(rules)
  }
}
