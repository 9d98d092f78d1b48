/** The webhooks, over HTTPS: /pods for pods that are created, /bindings for pods that are bound. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Logger } from 'pino'
import type { Recorder } from '../kube/events.ts'
import type { Pod } from '../kube/objects.ts'
import type { Record } from '../world/metrics.ts'
import type { World } from '../world/world.ts'
import { bindingVerdict } from './bind.ts'
import { answer, parseReview, podVerdict, type Review, type Verdict } from './review.ts'

export type Certificate = { readonly key: string; readonly cert: string }
export type Webhooks = {
  readonly port: number
  /** A new certificate, for the next connections. */
  renew(certificate: Certificate): void
  close(): Promise<void>
}

export type WebhookOptions = {
  readonly world: World
  readonly events: Recorder
  readonly record: Record
  readonly log: Logger
  readonly certificate: Certificate
  readonly host: string
  readonly port: number
}

/** Bytes of a review; an object in Kubernetes has 1.5 MiB at most, and an update holds two. */
const longest = 8 << 20
/**
 * Milliseconds for a binding, of the two seconds that the API server waits for us: other pods must not be held up. A pod that does not
 * get its interfaces in this time gets them from the leader.
 */
const bindingPatience = 1_500
/** Milliseconds: the API server keeps its connections for 90 s. One that we close first may be the one that it is about to use. */
const idle = 125_000

export const serveWebhooks = (options: WebhookOptions): Promise<Webhooks> => {
  const { world, events, record, log, certificate, host, port } = options
  const verdicts: { readonly [path: string]: (review: Review) => Promise<Verdict> } = {
    '/pods': async ({ request }) =>
      podVerdict(request.object as Pod, request.namespace ?? '', world.isNad, world.namespace),
    '/bindings': review => within(bindingPatience, bindingVerdict(world, events, review)),
  }
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const [path = ''] = (request.url ?? '').split('?')
    const decide = Object.hasOwn(verdicts, path) ? verdicts[path] : undefined
    const webhook = path.slice(1)
    if (request.method !== 'POST' || !decide) return void response.writeHead(404).end()
    const ended = record.admissionSeconds.startTimer({ webhook })
    try {
      const review = parseReview(await body(request))
      if (!review) return void response.writeHead(400).end()
      await world.whole
      const verdict = await decide(review)
      record.admissions.inc({ webhook, outcome: verdict.is })
      if (verdict.is === 'denied')
        log.info(
          { pod: `${review.request.namespace}/${review.request.name ?? ''}`, why: verdict.message },
          `${webhook}: refused`,
        )
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer(review.request.uid, verdict)))
    } catch (error) {
      record.admissions.inc({ webhook, outcome: 'error' })
      log.warn({ err: error }, `${webhook}: no answer`)
      response.writeHead(500, { 'content-type': 'text/plain' }).end((error as Error).message)
    } finally {
      ended()
    }
  }
  const server = createServer(
    { ...certificate, requestTimeout: 10_000, headersTimeout: 8_000, keepAliveTimeout: idle },
    (request, response) => void respond(request, response),
  )
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const bound = server.address()
      resolve({
        port: typeof bound === 'object' && bound ? bound.port : port,
        renew: next => server.setSecureContext(next),
        close: () =>
          new Promise<void>(done => {
            server.close(() => done())
            server.closeIdleConnections()
            setTimeout(() => server.closeAllConnections(), 2_000).unref()
          }),
      })
    })
  })
}

const within = async (milliseconds: number, verdict: Promise<Verdict>): Promise<Verdict> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>(resolve => {
    timer = setTimeout(() => resolve({ is: 'allowed' }), milliseconds)
  })
  try {
    return await Promise.race([verdict, late])
  } finally {
    clearTimeout(timer)
  }
}

const body = async (request: IncomingMessage): Promise<string> => {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request) {
    length += piece.length
    if (length > longest) throw new Error(`a review of more than ${longest} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}
