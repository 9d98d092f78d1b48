import { duration } from './duration.ts'
import { type Input, type OperationName, type Output, operations, target } from './operations.ts'
import type { ProblemAnswer, Wire } from './schemas.ts'
import { type Answer, createTransport, type Place } from './transport.ts'

export type { Input, OperationName, Output } from './operations.ts'
export type Problem = Wire<typeof ProblemAnswer>

/**
 * The client of /v1, for everybody who asks a controller: one function for each row of operations.ts, with the types of
 * its schemas. It keeps its connections. An answer that is JSON is taken as what the schema says, and not checked field by
 * field: a newer controller may say more than this client knows, in a state for example.
 *
 *   const client = createClient({ url: new URL('http://127.0.0.1:8181') })
 *   await client.putNetwork({ network: 'net-a', wait: '5s', body: {} })
 */
export type Client = {
  readonly [Name in OperationName]: (...args: Arguments<Input<Name>>) => Promise<Output<Name>>
} & {
  /** Ends its connections, and what is being asked with an error. */
  readonly close: () => void
}

type Arguments<In> = [unknown] extends [In]
  ? [input?: Record<string, never>, options?: CallOptions]
  : object extends In
    ? [input?: In, options?: CallOptions]
    : [input: In, options?: CallOptions]

export type ClientOptions = Place & {
  /** The bearer token; a function is asked anew before each call, for a file that may change. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined
  /** Milliseconds that an answer may take, beyond the `wait` of the call; 10,000 unless given. */
  readonly timeout?: number | undefined
  /** Bytes of an answer, at most; 256 MiB unless given. */
  readonly longest?: number | undefined
}

export type CallOptions = {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** As in ClientOptions, for this call. */
  readonly timeout?: number | undefined
}

/** The controller answered, and refused. The message is the status, the controller's sentence, and its hint. */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly status: number
  /** As in the catalogue of problems, `unknown-network`; undefined when something else than a controller answered. */
  readonly code: string | undefined
  readonly problem: Partial<Problem>
  /** Seconds after which to ask again, if the controller named any. */
  readonly retryAfter: number | undefined
  constructor(status: number, problem: Partial<Problem>, retryAfter?: number) {
    const { detail = problem.title ?? 'without a word', hint } = problem
    super(`${status} ${detail}${hint === undefined ? '' : `: ${hint}`}`)
    this.status = status
    this.code = /^urn:problem-type:l2sm:(.+)$/.exec(problem.type ?? '')?.[1]
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/** No answer came, or none of a controller. `code` is the system's, if it has one: ECONNREFUSED. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
  readonly code: string | undefined
  constructor(message: string, cause?: Error) {
    super(message, { cause })
    this.code = (cause as NodeJS.ErrnoException | undefined)?.code
  }
}

/** Each call rejects with RefusedError, UnreachableError, or the reason of its signal. */
export const createClient = (options: ClientOptions): Client => {
  const { timeout = 10_000, longest = 256 << 20 } = options
  const transport = createTransport(options)
  const call = async (name: OperationName, input: Anything = {}, its: CallOptions = {}): Promise<unknown> => {
    const token = typeof options.token === 'function' ? await options.token() : options.token
    const body = input.body === undefined ? undefined : JSON.stringify(input.body)
    const headers = {
      accept: 'application/json, application/problem+json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const patience = (its.timeout ?? timeout) + (duration(String(input.wait)) ?? 0)
    const { method } = operations[name]
    const asked = { method, path: target(name, input), headers, body, timeout: patience, signal: its.signal, longest }
    const answer = await transport.ask(asked).catch((error: Error) => {
      throw its.signal?.aborted ? error : new UnreachableError(error.message, error)
    })
    return read(name, answer)
  }
  const names = Object.keys(operations) as OperationName[]
  const calls = names.map(name => [name, (input?: Anything, its?: CallOptions) => call(name, input, its)])
  return { ...Object.fromEntries(calls), close: transport.close } as Client
}

type Anything = { readonly [key: string]: unknown }

const read = (name: OperationName, answer: Answer): unknown => {
  const { status } = answer
  const row = operations[name]
  const good = (status >= 200 && status < 300) || ('also' in row && row.also === status)
  if (!good) throw refused(answer)
  const value = parse(answer)
  if (value === undefined)
    throw new UnreachableError(`${status}, and no JSON object but ${answer.text.slice(0, 80)}: is this a controller?`)
  return value
}

const refused = (answer: Answer): RefusedError => {
  const seconds = Number(answer.retryAfter)
  const problem = parse(answer) ?? { detail: answer.text.slice(0, 200) }
  return new RefusedError(answer.status, problem, Number.isInteger(seconds) ? seconds : undefined)
}

/** The object that an answer is; undefined when it is none. */
const parse = ({ text }: Answer): Anything | undefined => {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
