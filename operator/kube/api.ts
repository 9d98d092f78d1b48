/**
 * The Kubernetes API by its paths: what is asked goes out as it is, and objects come back as they are on the wire.
 * @kubernetes/client-node reads kubeconfigs and finds credentials; its generated calls and its informer are not used
 * (docs/decisions/0020-operator.md says why).
 */

import type { IncomingMessage } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'

/** The API server said no: its code, and its words. */
export class Refused extends Error {
  readonly code: number
  /** Of Kubernetes: `AlreadyExists`, `Conflict`, `Expired`, ... */
  readonly reason: string
  constructor(code: number, reason: string, message: string) {
    super(message)
    this.name = 'Refused'
    this.code = code
    this.reason = reason
  }
}

export const isRefused = (error: unknown, code: number): error is Refused =>
  error instanceof Refused && error.code === code

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** How a patch is read: RFC 7386, RFC 6902, Kubernetes' own merge by keys, or server-side apply. */
const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const
export type PatchType = keyof typeof patchTypes

export type Api = {
  /** Undefined when it is not there. */
  get<T>(path: string, query?: Query): Promise<T | undefined>
  create<T>(path: string, object: object, query?: Query): Promise<T>
  replace<T>(path: string, object: object): Promise<T>
  patch<T>(path: string, type: PatchType, change: object, query?: Query): Promise<T>
  /** What is gone is gone: 404 is no error. `options` is a DeleteOptions, such as preconditions. */
  remove(path: string, options?: object): Promise<void>
  /** Lines of an answer as they come, until it ends. `silence`: after so many milliseconds without a byte it is dead. */
  stream(path: string, query: Query, line: (text: string) => void, silence: number, signal: AbortSignal): Promise<void>
  close(): void
}

/** Milliseconds in which the API server must answer. */
const patience = 10_000

type Sent = {
  readonly method: string
  readonly path: string
  readonly body?: object | undefined
  readonly type?: string
}

/** Undefined: in a pod, or as kubectl finds it. */
export const connect = (kubeconfig: string | undefined): Api => {
  const config = new KubeConfig()
  if (kubeconfig === undefined) config.loadFromDefault()
  else config.loadFromFile(kubeconfig)
  const cluster = config.getCurrentCluster()
  if (!cluster) throw new Error('there is no cluster to talk to: give --kubeconfig, or run in a pod')
  const agents = new Map<string, Agent>()

  const send = async (sent: Sent, signal: AbortSignal): Promise<IncomingMessage> => {
    const options: RequestOptions = {}
    // Anew for each request: tokens in files are renewed.
    await config.applyToHTTPSOptions(options)
    const { ca, cert, key } = options
    const identity = `${cert}${key}${ca}`
    // Its own agent does not keep connections. A proxy needs it all the same.
    const kept = cluster.proxyUrl
      ? (options.agent as Agent)
      : (agents.get(identity) ??
        new Agent({
          keepAlive: true,
          ca,
          cert,
          key,
          rejectUnauthorized: !cluster.skipTLSVerify,
          ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
        } as object))
    if (!agents.has(identity)) {
      for (const [old, agent] of agents) if (agents.delete(old)) agent.destroy()
      agents.set(identity, kept)
    }
    const text = sent.body === undefined ? undefined : JSON.stringify(sent.body)
    const headers = {
      ...(options.headers as object),
      accept: 'application/json',
      ...(text !== undefined && {
        'content-type': sent.type ?? 'application/json',
        'content-length': Buffer.byteLength(text),
      }),
    }
    return new Promise((resolve, reject) => {
      const url = new URL(cluster.server.replace(/\/$/, '') + sent.path)
      const asked = request(url, { method: sent.method, headers, agent: kept, signal }, resolve)
      asked.on('error', reject)
      asked.on('socket', socket => socket.setKeepAlive(true, 5_000))
      asked.end(text)
    })
  }

  const ask = async <T>(sent: Sent): Promise<T> => {
    const answer = await send(sent, AbortSignal.timeout(patience))
    const text = await whole(answer)
    const status = answer.statusCode ?? 0
    if (status >= 300) throw refusal(status, text, sent)
    return JSON.parse(text) as T
  }

  return {
    get: async (path, query) => {
      try {
        return await ask({ method: 'GET', path: path + queryText(query) })
      } catch (error) {
        if (isRefused(error, 404)) return undefined
        throw error
      }
    },
    create: (path, body, query) => ask({ method: 'POST', path: path + queryText(query), body }),
    replace: (path, body) => ask({ method: 'PUT', path, body }),
    patch: (path, type, body, query) =>
      ask({ method: 'PATCH', path: path + queryText(query), body, type: patchTypes[type] }),
    remove: async (path, options) => {
      try {
        await ask({ method: 'DELETE', path, body: options })
      } catch (error) {
        if (!isRefused(error, 404)) throw error
      }
    },
    stream: async (path, query, line, silence, signal) => {
      const quiet = new AbortController()
      let timer = setTimeout(() => quiet.abort(), silence)
      const alive = () => {
        clearTimeout(timer)
        timer = setTimeout(() => quiet.abort(), silence)
      }
      try {
        const sent = { method: 'GET', path: path + queryText(query) }
        const answer = await send(sent, AbortSignal.any([signal, quiet.signal]))
        if (answer.statusCode !== 200) throw refusal(answer.statusCode ?? 0, await whole(answer), sent)
        await eachLine(answer, alive, line)
      } catch (error) {
        if (quiet.signal.aborted && !signal.aborted) throw new Error(`nothing came for ${silence} ms`)
        throw error
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => {
      for (const agent of agents.values()) agent.destroy()
    },
  }
}

const queryText = (query: Query = {}): string => {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  )
  return given.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(given))}`
}

const whole = async (answer: IncomingMessage): Promise<string> => {
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const eachLine = async (answer: IncomingMessage, alive: () => void, line: (text: string) => void): Promise<void> => {
  let rest = ''
  answer.setEncoding('utf8')
  for await (const piece of answer) {
    alive()
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const text of lines) if (text !== '') line(text)
  }
}

const refusal = (status: number, text: string, { method, path }: Sent): Refused => {
  try {
    const { reason, message } = JSON.parse(text)
    return new Refused(status, reason ?? '', `${method} ${path}: ${message}`)
  } catch {
    return new Refused(status, '', `${method} ${path}: ${status} ${text.slice(0, 200)}`)
  }
}
