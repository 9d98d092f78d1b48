import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import type { Services } from './services.ts'

/** Milliseconds that one piece of a list takes, at most; others run in between. */
const slice = 5
/** An answer that is no longer goes in one piece, bytes. */
const small = 65_536

/**
 * Answers a list that may be long: `{...head, [name]: [...]}`. It is made piece by piece, once for all who ask at the same
 * moment, and sent as fast as its client reads. `items` is asked when it is begun.
 */
export const sendList = async <T>(
  { shared }: Services,
  reply: FastifyReply,
  name: string,
  make: () => List<T> | Promise<List<T>>,
): Promise<never> => {
  const pieces = await shared(reply.request.url, async () => {
    const { head, items, each } = await make()
    return piecesOf(head, name, items, each)
  })
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  reply.type('application/json; charset=utf-8').header('content-length', length)
  // Fastify takes these as they are, whatever the schema of the answer says.
  return reply.send(length <= small ? Buffer.concat(pieces) : Readable.from(pieces)) as never
}

type List<T> = { readonly head: object; readonly items: Iterable<T>; readonly each: (item: T) => object }

/** The bytes of a list, in order. */
export const piecesOf = async <T>(
  head: object,
  name: string,
  items: Iterable<T>,
  each: (item: T) => object,
): Promise<readonly Buffer[]> => {
  const fields = JSON.stringify(head).slice(1, -1)
  const pieces: Buffer[] = []
  let text = `{${fields}${fields === '' ? '' : ','}${JSON.stringify(name)}:[`
  let until = performance.now() + slice
  let isFirst = true
  for (const item of items) {
    text += (isFirst ? '' : ',') + JSON.stringify(each(item))
    isFirst = false
    if (performance.now() < until) continue
    pieces.push(Buffer.from(text))
    text = ''
    await setImmediate()
    until = performance.now() + slice
  }
  pieces.push(Buffer.from(`${text}]}`))
  return pieces
}
