import { kinds } from '../../controller/view/event.ts'
import type { EventQuery, History } from '../../controller/view/history.ts'
import * as schemas from '../contract/event-schemas.ts'
import { nearest } from '../contract/nearest.ts'
import { shown } from '../contract/shown.ts'
import { problem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'
import { dpidOf } from './endpoints.ts'
import { streamEvents } from './event-stream.ts'

/** Clients that follow events at once. */
const mostStreams = 100

export const eventRoutes = (app: App, { store, stopping, history }: Services): void => {
  let streams = 0

  app.get(
    '/v1/events',
    {
      schema: {
        tags: ['state'],
        summary:
          'What happened: writes, switches, links, addresses. With Accept: text/event-stream, what happens from now on, or after Last-Event-ID',
        querystring: schemas.EventsQuery,
        headers: schemas.EventsHeaders,
        response: {
          200: {
            description: 'events, oldest first',
            content: {
              'application/json': { schema: schemas.Events },
              'text/event-stream': { schema: { type: 'string', description: 'each event as JSON in `data`' } },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const query = queryOf(request.query)
      await history.loaded
      if (request.method === 'HEAD' || !wantsStream(request.headers.accept))
        return answer(history, query, request.query, store.state().revision)
      if (streams >= mostStreams) throw problem('too-many-streams', [mostStreams], {}, { 'retry-after': '5' })
      const last = request.headers['last-event-id']
      const after = last === undefined ? query.after : Number(last.slice(1))
      const begin = after ?? (query.revision === undefined ? undefined : 0)
      streams += 1
      reply.raw.on('close', () => void streams--)
      reply.hijack()
      streamEvents(reply.raw, { history, query, after: begin, stopping })
      return reply
    },
  )
}

type Asked = { readonly [Name in 'since' | 'kind' | 'network' | 'dpid' | 'node' | 'limit']?: string } & {
  readonly severity?: EventQuery['severity']
}

const queryOf = ({ since, kind, network, dpid, node, severity = 'info' }: Asked): EventQuery => ({
  ...(since?.startsWith('e') ? { after: Number(since.slice(1)) } : since !== undefined && { revision: Number(since) }),
  ...(kind !== undefined && { kinds: kindsOf(kind) }),
  ...{ network, node, severity, dpid: dpid && dpidOf(dpid) },
})

const kindsOf = (text: string): ReadonlySet<string> => {
  const known = Object.keys(kinds)
  for (const kind of text.split(',')) {
    if (known.includes(kind)) continue
    const meant = nearest(kind, known)
    const expected = 'kinds of docs/events.md, with commas between them'
    throw problem('bad-value', ['query/kind', shown(kind), expected], {
      ...{ where: 'query/kind', expected, got: shown(kind) },
      ...(meant !== undefined && { hint: `did you mean ${meant}?` }),
    })
  }
  return new Set(text.split(','))
}

const answer = (history: History, query: EventQuery, { since, limit }: Asked, revision: number) => {
  const most = limit === undefined ? schemas.standardLimit : Number(limit)
  const { events, last, isMore, isGap } = history.read(query, most, since === undefined ? 'newest' : 'oldest')
  return { revision, events: events.map(({ text }) => JSON.parse(text)), last: `e${last}`, isMore, isGap }
}

/** Whether a client would rather have a stream: it names it, and does not name JSON before. */
const wantsStream = (accept = ''): boolean => {
  const types = accept.split(',').map(part => part.split(';', 1)[0]!.trim().toLowerCase())
  return types.find(type => type === 'text/event-stream' || type === 'application/json') === 'text/event-stream'
}
