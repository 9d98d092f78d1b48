import type { IncomingMessage } from 'node:http'
import { shown } from '../contract/shown.ts'
import { type ProblemError, problem } from './problems.ts'

/** Headers of which two would be read differently by two readers (RFC 9110 §5.3, §7.2, §11.6.2). Node keeps the first. */
const single: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type', 'content-encoding', 'origin'])

/** What is wrong with the head of a request that Node's parser lets pass; undefined if nothing is. */
export const oddity = ({ rawHeaders, headers, httpVersion }: IncomingMessage): ProblemError | undefined => {
  const seen = new Set<string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!single.has(name)) continue
    if (seen.has(name)) return problem('header-twice', [name], { where: `header/${name}` }, close)
    seen.add(name)
  }
  // What is in front of us may take it for a request without a body (RFC 9112 §6.1).
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined)
    return problem('not-chunked', [], { where: 'header/transfer-encoding' }, close)
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined
  const place = { where: 'header/content-encoding', expected: 'none', got: shown(encoding) }
  return problem('bad-encoding', [shown(encoding)], place, { 'accept-encoding': 'identity' })
}

/** Nothing after such a request is to be trusted. */
const close = { connection: 'close' }
