import { type Refusal, refusals } from '../../store/refusals.ts'

/**
 * Every way in which the API itself can say no, as RFC 9457 problems; what is wrong with a wish stands in
 * store/refusals.ts. To add one: a row here; then `throw problem('its-code', { detail })` where it is found out.
 */
export const catalogue = {
  'bad-json': [400, 'The body is not JSON'],
  'duplicate-key': [400, 'A key stands twice in one object'],
  'forbidden-key': [400, 'This key is never accepted'],
  'bad-value': [400, 'A value is not one that is allowed'],
  'unknown-field': [400, 'There is no such field'],
  'bad-path': [400, 'The path can not be read'],
  'bad-request': [400, 'This is not an HTTP request that can be read'],
  unauthorized: [401, 'A credential is needed'],
  'foreign-origin': [403, 'Not from a web page of somebody else'],
  'no-route': [404, 'There is nothing at this address'],
  'unknown-attachment': [404, 'The port is not in this network'],
  'unknown-switch': [404, 'No such switch has connected'],
  'unknown-port': [404, 'The switch has no port of that name'],
  'unknown-link': [404, 'There is no such link'],
  'method-not-allowed': [405, 'This method is not for this address'],
  timeout: [408, 'The request took too long to arrive'],
  'takeover-refused': [409, 'The switch can not be taken over now'],
  'too-large': [413, 'The body is too large'],
  'too-deep': [413, 'The body is nested too deeply'],
  'bad-media-type': [415, 'Bodies are JSON'],
  'too-many-failures': [429, 'Too many wrong credentials'],
  'headers-too-large': [431, 'The request line and its headers are too large'],
  internal: [500, 'Something is wrong with the controller'],
  'store-unavailable': [503, 'The store can not write'],
  'store-full': [507, 'The disk of the store is full'],
} as const satisfies { readonly [code: string]: readonly [status: number, title: string] }

export type ProblemCode = keyof typeof catalogue

/** What a reader needs to put it right: one sentence, and its parts where they are known. */
export type Details = {
  readonly detail: string
  /** What it is about: a network, a port, a field. */
  readonly what?: string
  /** Where in the request: `body/ips/0`, `path/dpid`, `query/wait`, `header/authorization`. */
  readonly where?: string
  readonly expected?: string
  readonly got?: string
  /** What to do next. */
  readonly hint?: string
}

export type Problem = Details & { readonly type: string; readonly title: string; readonly status: number }

export const problemType = 'application/problem+json'

const typeOf = (code: string): string => `urn:problem-type:l2sm:${code}`

/** Thrown by what answers a request; the server sends it. */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly problem: Problem
  readonly headers: { readonly [name: string]: string }
  constructor(problem: Problem, headers: { readonly [name: string]: string } = {}) {
    super(problem.detail)
    this.problem = problem
    this.headers = headers
  }
}

export const problem = (code: ProblemCode, details: Details, headers?: { readonly [name: string]: string }) => {
  const [status, title] = catalogue[code]
  return new ProblemError({ type: typeOf(code), title, status, ...details }, headers)
}

/** What the store's decisions refuse, as a problem. */
export const refusalProblem = ({ refused, detail }: Refusal): ProblemError => {
  const { status, title } = refusals[refused]
  return new ProblemError({ type: typeOf(refused), title, status, detail })
}
