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

const faultProblem = ({ where, expected, got, hint, unknownField }: Fault): ProblemError =>
  problem(unknownField ? 'unknown-field' : 'bad-value', {
    detail: unknownField
      ? `there is no ${got} in ${parent(where)}: expected ${expected}`
      : `${where} can not be ${got}: expected ${expected}`,
    where,
    expected,
    got,
    ...(hint !== undefined && { hint }),
  })

const parent = (where: string): string => where.slice(0, where.lastIndexOf('/'))
