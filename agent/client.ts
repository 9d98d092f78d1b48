/** The agent's side of the controller's HTTP API: it watches the plan of its node, and sends reports. */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Client, createClient, RefusedError, UnreachableError } from '../api/contract/client.ts'
import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Identity } from '../api/contract/transport.ts'
import { checkPlan, type PlanSource } from './plan-file.ts'

export type Controller = {
  /** `http://192.0.2.1:8181` */
  readonly url: URL
  /** Asked anew for each call: a token that is renewed needs no other agent. */
  readonly token: (() => Promise<string | undefined>) | undefined
  /** By which CA the controller is known, and the agent's own certificate: asked anew for each call. */
  readonly identity: (() => Promise<Identity>) | undefined
}

/** Bytes of an answer; the plan of a node with 4,095 links has some 700 kB. */
const longest = 16 << 20
/**
 * Seconds that a request for a new plan stays open, and milliseconds after which an answer is late: a controller that is gone
 * without a word is missed within 15 s.
 */
const longWait = 10
const late = 4_000

/** The client of a controller. Who makes it closes it. */
export const clientOf = (controller: Controller): Client => createClient({ ...controller, longest })

export type Following = {
  take(plan: NodePlan): void
  /** The controller does not answer, or has no plan. Called once for each reason. */
  complain(why: string): void
  /** It answers again. */
  returned(): void
  /** It answered with a plan, a new one or the same. */
  well(): void
}

/** Milliseconds between two tries while nobody answers: a thousand nodes may do so at once. */
const backoff = { first: 100, most: 2_000 }

/** Least milliseconds between two requests: changes that come faster are taken together. */
const pace = 100

/** Follows the plan of a node, for as long as it takes. */
export function followPlan(
  controller: Controller,
  node: string,
  { take, complain, returned, well }: Following,
): PlanSource {
  const stop = new AbortController()
  const { signal } = stop
  let client = clientOf(controller)
  let version = ''
  let complaint = ''
  let delay = backoff.first
  /** Seconds to wait for a new plan: none at first, and none while the controller is unreachable. */
  let patience = 0
  let unreachable = false
  const say = (why: string) => {
    if (why !== complaint) complain(`the controller ${controller.url.host}: ${why}`)
    complaint = why
  }
  const once = async (): Promise<void> => {
    const input = { node, unless: version || '0'.repeat(16), wait: `${patience}s` }
    const answer = await client.getNodePlan(input, { signal, timeout: late }).catch(refusal)
    if (unreachable) returned()
    unreachable = false
    if (answer instanceof RefusedError) {
      if (answer.status !== 404) throw answer
      // Asked so, it waits for the node, too.
      say(`it has no node ${node} yet: ${answer.message}`)
    } else {
      complaint = ''
      const plan = checkPlan(answer, 'its plan is refused')
      if (plan.version !== version) take(await withControllers(plan, controller))
      version = plan.version
      well()
    }
    patience = longWait
    delay = backoff.first
  }
  const loop = async () => {
    while (!signal.aborted) {
      const began = performance.now()
      try {
        await once()
        // A controller that stops answers at once although it was asked to wait: do not ask as fast as it answers.
        if (performance.now() - began < pace) await sleep(pace * (1 + Math.random()), signal)
        continue
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof UnreachableError) {
          unreachable = true
          // Its other connections lead nowhere, either.
          client.close()
          client = clientOf(controller)
        }
        say((error as Error).message)
      }
      patience = 0
      await sleep(delay * (0.5 + Math.random() / 2), signal)
      delay = Math.min(2 * delay, backoff.most)
    }
  }
  void loop().finally(client.close)
  return { close: () => stop.abort() }
}

/** A refusal is an answer; everything else is thrown. */
const refusal = (error: unknown): RefusedError => {
  if (error instanceof RefusedError) return error
  throw error
}

/** A plan without controllers means the controller that it came from, at OpenFlow's own port. */
async function withControllers(plan: NodePlan, { url }: Controller): Promise<NodePlan> {
  if (plan.controllers.length > 0) return plan
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const host = isIP(name) > 0 ? name : (await lookup(name)).address
  const scheme = plan.tls === undefined ? 'tcp' : 'ssl'
  return { ...plan, controllers: [`${scheme}:${host.includes(':') ? `[${host}]` : host}:6653`] }
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
