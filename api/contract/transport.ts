import { type Agent, type ClientRequest, Agent as PlainAgent, request as plain } from 'node:http'
import { Agent as SecureAgent, request as secured } from 'node:https'

/** One HTTP request and its answer, over connections that are kept. What is in them, client.ts knows. */

/** PEM texts by which one side of TLS knows the other. */
export type Identity = {
  /** Of the CA that signs the server's certificate; undefined: the system's. */
  readonly ca?: string | undefined
  /** Our own certificate and its key, for a server that asks for one. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export type Place = Identity & {
  /** `http://192.0.2.1:8181`; a path in it comes before every path that is asked for. */
  readonly url: URL
  /** In their place, asked anew before each call: for files that may change. */
  readonly identity?: (() => Identity | Promise<Identity>) | undefined
}

export type Asked = {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body?: string | undefined
  /** Milliseconds until the whole answer is there. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
  /** Bytes of an answer, at most. */
  readonly longest: number
}

export type Answer = {
  readonly status: number
  /** Without its parameters: `application/json`. */
  readonly type: string
  readonly retryAfter: string | undefined
  readonly text: string
}

export type Transport = { ask(asked: Asked): Promise<Answer>; close(): void }

/** Milliseconds that an idle connection is kept. The controller keeps it longer, so it is we who close it. */
const idle = 60_000

export const createTransport = (place: Place): Transport => {
  const secure = place.url.protocol === 'https:'
  const settings = { keepAlive: true, keepAliveMsecs: 5_000, timeout: idle, scheduling: 'lifo' as const }
  const agentFor = ({ ca, cert, key }: Identity) => {
    const tls = { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) }
    return secure ? new SecureAgent({ ...settings, ...tls }) : new PlainAgent(settings)
  }
  const agents = new Set<Agent>()
  let used: Identity | undefined
  let agent: Agent
  const current = async (): Promise<Agent> => {
    const now = (await place.identity?.()) ?? place
    const isSame = used && (['ca', 'cert', 'key'] as const).every(part => now[part] === used![part])
    if (isSame) return agent
    used = now
    // What is being asked ends well; the old one's connections close when they have been idle.
    agent = agentFor(now)
    agents.add(agent)
    return agent
  }
  const base = place.url.pathname.replace(/\/$/, '')
  const send = async (asked: Asked) =>
    exchange(secure ? secured : plain, await current(), new URL(base + asked.path, place.url), asked)
  return {
    async ask(asked) {
      try {
        return await send(asked)
      } catch (error) {
        // The server closed a connection in the moment that we used it: every call of ours may be made twice.
        if (!(error instanceof StaleConnection)) throw error
        return send(asked)
      }
    },
    close: () => {
      for (const each of agents) each.destroy()
    },
  }
}

class StaleConnection extends Error {}

const exchange = (
  request: typeof plain,
  agent: Agent,
  url: URL,
  { method, headers, body, timeout, signal, longest }: Asked,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const late = AbortSignal.timeout(timeout)
    const whole = signal ? AbortSignal.any([signal, late]) : late
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const fail = (error: Error) => {
      if (signal?.aborted) reject(signal.reason)
      else if (late.aborted) reject(new Error(`no answer in ${timeout} ms`))
      else reject(asked.reusedSocket && isReset(error) ? new StaleConnection(error.message, { cause: error }) : error)
    }
    const asked: ClientRequest = request(
      url,
      { method, agent, headers: { ...headers, ...length }, signal: whole },
      answer => {
        const pieces: Buffer[] = []
        let bytes = 0
        answer.on('data', (piece: Buffer) => {
          pieces.push(piece)
          bytes += piece.length
          if (bytes > longest) asked.destroy(new Error(`the answer has more than ${longest} bytes`))
        })
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            type: (answer.headers['content-type'] ?? '').split(';', 1)[0]!.trim(),
            retryAfter: answer.headers['retry-after'],
            text: Buffer.concat(pieces).toString(),
          }),
        )
        // Part of an answer came: asking again is no remedy, so this is no stale connection.
        answer.on('error', error => (whole.aborted ? fail(error) : reject(error)))
      },
    )
    asked.on('error', fail)
    // A connection whose other side is gone without a word is dead after 15 s: libuv asks ten times, a second apart.
    asked.on('socket', socket => socket.setKeepAlive(true, 5_000))
    asked.end(body)
  })

const isReset = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNRESET' || error.code === 'EPIPE'
