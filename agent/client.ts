/** What an agent asks of the controller and tells it, over HTTP: its plan, watched, and its reports. */

import { lookup } from 'node:dns/promises'
import { type ClientRequest, request as plain } from 'node:http'
import { request as secured } from 'node:https'
import { isIP } from 'node:net'
import type { NodePlan, NodeReport } from '../api/contract/node-schemas.ts'
import { checkPlan, type PlanSource } from './plan-file.ts'

export type Controller = {
  /** `http://192.0.2.1:8181` */
  readonly url: URL
  readonly token: string | undefined
  /** PEM of the CA that signs the controller's certificate; undefined: the system's. */
  readonly ca: string | undefined
}

type Answer = { readonly status: number; readonly text: string }

/** Bytes of an answer; the plan of a node with 4,095 links has some 700 kB. */
const longest = 16 << 20
/** Seconds that a question for a new plan stays open. */
const longWait = 30

function ask(
  { url, token, ca }: Controller,
  method: string,
  path: string,
  body: object | undefined,
  { timeout, signal }: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    }
    const whole = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
    const options = { method, headers, signal: whole, ...(ca !== undefined && { ca }) }
    const asked: ClientRequest = (url.protocol === 'https:' ? secured : plain)(new URL(path, url), options, answer => {
      const pieces: Buffer[] = []
      let length = 0
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece)
        length += piece.length
        if (length > longest) asked.destroy(new Error(`the answer has more than ${longest} bytes`))
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString() }))
      answer.on('error', reject)
    })
    asked.on('error', error =>
      reject(whole.aborted && !signal.aborted ? new Error(`no answer in ${timeout} ms`) : error),
    )
    // A connection whose other side is gone without a word is dead after 15 s: libuv asks ten times, a second apart.
    asked.on('socket', socket => socket.setKeepAlive(true, 5_000))
    asked.end(text)
  })
}

/** What a refusal says: the controller's problems are JSON with a sentence for people. */
const refusal = ({ status, text }: Answer): string => {
  try {
    const { detail, title } = JSON.parse(text)
    return `${status} ${detail ?? title}`
  } catch {
    return `${status} ${text.slice(0, 200)}`
  }
}

export type Following = {
  tell(plan: NodePlan): void
  /** The controller does not answer, or has no plan; told when it changes. */
  complain(why: string): void
  /** It answers again. */
  returned(): void
}

/** Milliseconds between two tries while nobody answers: a thousand nodes may do so at once. */
const backoff = { first: 100, most: 2_000 }

/** Milliseconds between two questions, at least: changes that come faster than that are taken together. */
const pace = 100

/** Follows the plan of a node, for as long as it takes. */
export function followPlan(controller: Controller, node: string, { tell, complain, returned }: Following): PlanSource {
  const stop = new AbortController()
  const { signal } = stop
  const place = `/v1/nodes/${encodeURIComponent(node)}/plan`
  let version = ''
  let complaint = ''
  let delay = backoff.first
  /** Seconds: at first, and while it is away, a question that is answered at once. */
  let patience = 0
  let away = false
  const say = (why: string) => {
    if (why !== complaint) complain(`the controller ${controller.url.host}: ${why}`)
    complaint = why
  }
  const once = async (): Promise<void> => {
    const query = `?unless=${version || '0'.repeat(16)}&wait=${patience}s`
    const timeout = (patience + 10) * 1000
    const answer = await ask(controller, 'GET', place + query, undefined, { timeout, signal })
    if (away) returned()
    away = false
    // Asked so, it waits for the node, too.
    if (answer.status === 404) say(`it has no node ${node} yet: ${refusal(answer)}`)
    else if (answer.status !== 200) throw new Error(refusal(answer))
    else {
      complaint = ''
      const plan = checkPlan(JSON.parse(answer.text), `the controller ${controller.url.host}`)
      if (plan.version !== version) tell(await withControllers(plan, controller))
      version = plan.version
    }
    patience = longWait
    delay = backoff.first
  }
  const loop = async () => {
    while (!signal.aborted) {
      const began = performance.now()
      try {
        await once()
        // Who answers at once although asked to wait (a controller that stops) is not asked as fast as it answers.
        if (performance.now() - began < pace) await sleep(pace * (1 + Math.random()), signal)
        continue
      } catch (error) {
        if (signal.aborted) return
        const { message, code } = error as NodeJS.ErrnoException
        // A refusal is an answer.
        if (code !== undefined) away = true
        say(message)
      }
      patience = 0
      await sleep(delay * (0.5 + Math.random() / 2), signal)
      delay = Math.min(2 * delay, backoff.most)
    }
  }
  void loop()
  return { close: () => stop.abort() }
}

/** A plan without controllers means the one that it came from, at OpenFlow's own port. */
async function withControllers(plan: NodePlan, { url }: Controller): Promise<NodePlan> {
  if (plan.controllers.length > 0) return plan
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const host = isIP(name) > 0 ? name : (await lookup(name)).address
  const scheme = plan.tls === undefined ? 'tcp' : 'ssl'
  return { ...plan, controllers: [`${scheme}:${host.includes(':') ? `[${host}]` : host}:6653`] }
}

/** Rejects with what the controller refused, or that it was not reached. */
export async function sendReport(controller: Controller, report: NodeReport, signal: AbortSignal): Promise<void> {
  const path = `/v1/nodes/${encodeURIComponent(report.node)}/report`
  const answer = await ask(controller, 'PUT', path, report, { timeout: 10_000, signal })
  if (answer.status >= 300) throw new Error(refusal(answer))
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
