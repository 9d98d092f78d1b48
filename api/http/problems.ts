import type { Refusal } from '../../store/refusals.ts'
import { type About, catalogue, type ProblemCode, type Row } from './catalogue.ts'

export type { ProblemCode } from './catalogue.ts'

/** RFC 9457: what a reader needs to put it right. What goes wrong, and in which words, stands in catalogue.ts. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  /** One sentence about this time. */
  readonly detail: string
  /** What to do next. */
  readonly hint?: string
} & Place

/** Where in the request it is, and what was expected there. */
export type Place = {
  /** What it is about: a network, a port, a field. */
  readonly what?: string
  /** `body/ips/0`, `path/dpid`, `query/wait`, `header/authorization`. */
  readonly where?: string
  readonly expected?: string
  readonly got?: string
  /** In place of the catalogue's, when this time more is known. */
  readonly hint?: string
}

export type Headers = { readonly [name: string]: string }

export const problemType = 'application/problem+json'

/** Thrown by what answers a request; the server sends it. */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly problem: Problem
  readonly headers: Headers
  constructor(problem: Problem, headers: Headers = {}) {
    super(problem.detail)
    this.problem = problem
    this.headers = headers
  }
}

export const problem = <Code extends ProblemCode>(
  code: Code,
  about: About<Code>,
  place: Place = {},
  headers?: Headers,
): ProblemError => made(code, (catalogue[code].sentence as Row['sentence'])(...about), place, headers)

/** What the store's decisions refuse, as a problem. */
export const refusalProblem = ({ refused, detail }: Refusal): ProblemError => made(refused, detail)

const made = (code: ProblemCode, detail: string, place: Place = {}, headers?: Headers): ProblemError => {
  const { status, title, hint }: Row = catalogue[code]
  const type = `urn:problem-type:l2sm:${code}`
  return new ProblemError({ type, title, status, detail, ...(hint !== undefined && { hint }), ...place }, headers)
}
