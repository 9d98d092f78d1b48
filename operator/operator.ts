/** The operator: mirrors of the cluster, webhooks in every replica, and in one of them the reconcilers. */

import { createServer } from 'node:http'
import type { Logger } from 'pino'
import type { Client } from '../api/contract/client.ts'
import type { Api } from './kube/api.ts'
import { recorder } from './kube/events.ts'
import { lead } from './kube/lease.ts'
import { act } from './reconcile/leader.ts'
import type { Work } from './reconcile/work.ts'
import { type Certificate, serveWebhooks } from './webhook/server.ts'
import { createMetrics } from './world/metrics.ts'
import { openWorld, type World } from './world/world.ts'

export type OperatorOptions = {
  /** Who makes it closes it. */
  readonly api: Api
  /** Of an installation whose certificates we make. */
  readonly own: Work['own']
  /** Where the operator's own objects are. */
  readonly namespace: string
  /** Of this replica, unique. */
  readonly identity: string
  readonly controller: Client
  /** Undefined: no webhooks are served here. */
  readonly certificate: Certificate | undefined
  readonly webhooks: Address
  readonly http: Address
  readonly log: Logger
}
export type Address = { readonly host: string; readonly port: number }

export type Operator = {
  readonly http: number
  readonly webhooks: number | undefined
  renew(certificate: Certificate): void
  close(): Promise<void>
}

export const startOperator = async (options: OperatorOptions): Promise<Operator> => {
  const { api, namespace, identity, controller, certificate, own, log } = options
  const { registry, record } = createMetrics()
  const events = recorder(api, 'l2sm-operator', () => performance.now())
  const world = openWorld({ api, namespace, record, complain: why => log.warn({ why }, 'the API server') })
  const stop = new AbortController()
  const work: Work = {
    world,
    controller,
    events,
    record,
    log,
    own,
    seen: { programmed: new Map(), used: new Set(), told: new Set(), nodes: new Map() },
  }
  const http = await servePages(options.http, world, async () => {
    for (const kind of ['pods', 'l2networks', 'nads', 'claims'] as const)
      record.mirrorAge.set({ collection: kind }, world[kind].age() / 1000)
    return registry.metrics()
  })
  const webhooks =
    certificate && (await serveWebhooks({ world, events, record, log, certificate, ...options.webhooks }))
  const complain = (why: string) => log.warn({ why }, 'leader')
  const leading = lead(
    { api, namespace, name: 'l2sm-operator', identity, act: signal => act(work, signal), complain },
    stop.signal,
  )
  return {
    http: http.port,
    webhooks: webhooks?.port,
    renew: next => webhooks?.renew(next),
    close: async () => {
      stop.abort()
      await leading
      await webhooks?.close()
      await world.close()
      await events.flush()
      await http.close()
      controller.close()
    },
  }
}

/** /metrics, /livez and /readyz. */
const servePages = (address: Address, world: World, metrics: () => Promise<string>) => {
  const page = async (path: string): Promise<readonly [status: number, text: string]> => {
    if (path === '/livez') return [200, 'live\n']
    if (path === '/metrics') return [200, await metrics()]
    if (path !== '/readyz') return [404, '']
    const missing = world.missing()
    return missing.length === 0 ? [200, 'ready\n'] : [503, `not ready: ${missing.join(', ')} are not known yet\n`]
  }
  const server = createServer({ requestTimeout: 8_000, headersTimeout: 8_000 }, async (request, response) => {
    request.resume()
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    const [status, text] = await page((request.url ?? '').split('?')[0]!)
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  })
  server.maxConnections = 64
  return new Promise<{ readonly port: number; close(): Promise<void> }>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, () => {
      const bound = server.address()
      resolve({
        port: typeof bound === 'object' && bound ? bound.port : address.port,
        close: () =>
          new Promise(done => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      })
    })
  })
}
