import type { FastifySchemaCompiler } from 'fastify'
import { checker, type Fault, type Schema } from '../contract/check.ts'
import { type ProblemError, problem } from './problems.ts'

const places: { readonly [httpPart: string]: string } = {
  params: 'path',
  querystring: 'query',
  body: 'body',
  headers: 'header',
}

/** Fastify's way to check a part of a request against its schema: a problem, or the value as it came. */
export const validator: FastifySchemaCompiler<Schema> = ({ schema, httpPart }) => {
  const check = checker(schema)
  const place = places[httpPart ?? ''] ?? 'request'
  return value => {
    const fault = check(value, place)
    return fault ? { error: faultProblem(fault) } : { value }
  }
}

const faultProblem = ({ where, expected, got, hint, unknownField }: Fault): ProblemError => {
  const place = { where, expected, got, ...(hint !== undefined && { hint }) }
  return unknownField
    ? problem('unknown-field', [got, parent(where), expected], place)
    : problem('bad-value', [where, got, expected], place)
}

const parent = (where: string): string => where.slice(0, where.lastIndexOf('/'))
