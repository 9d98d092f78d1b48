import { dpidText } from './schemas.ts'
import { Type } from './type.ts'

/** GET /v1/events: what happened. The kinds of events, and when there is one of each, stand in docs/events.md. */

/** Events in one answer: unless `limit` says otherwise, and at most. */
export const standardLimit = 100
export const mostEvents = 1000

const eventId = '^e[0-9]{1,16}$'
const text = { maxLength: 317, minLength: 1 }

export const EventsQuery = Type.Object(
  {
    since: Type.Optional(
      Type.String({
        description:
          'a revision (17): events since the store reached it, that write included; or the id of an event (e1764260000123): those after it. Absent: the newest ones',
        pattern: '^(e[0-9]{1,16}|[0-9]{1,15})$',
      }),
    ),
    kind: Type.Optional(
      Type.String({
        description: 'of these kinds, with commas between them; docs/events.md lists all',
        pattern: '^[a-z-]{1,40}(,[a-z-]{1,40}){0,49}$',
        examples: ['switch-connected,switch-disconnected'],
      }),
    ),
    network: Type.Optional(Type.String({ description: 'about this network', ...text })),
    dpid: Type.Optional({ ...dpidText, description: 'about this switch, also at an end of a link' }),
    node: Type.Optional(Type.String({ description: 'about this node', ...text })),
    severity: Type.Optional(
      Type.Enum(['debug', 'info', 'warn', 'error'], { description: 'this or worse; "info" unless said' }),
    ),
    limit: Type.Optional(
      Type.String({
        description: `so many at most, 1 to ${mostEvents}; ${standardLimit} unless said. Not for a stream`,
        pattern: '^([1-9][0-9]{0,2}|1000)$',
      }),
    ),
  },
  { additionalProperties: false },
)

/** What a stream goes on after: an event source sends it by itself when it connects again. */
export const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(Type.String({ description: 'as ?since=, and it counts more', pattern: eventId })),
})

const endpoint = Type.Object({ dpid: Type.String(), port: Type.Integer() })

export const Event = Type.Object(
  {
    id: Type.String({ description: 'goes up, also over restarts', pattern: eventId }),
    time: Type.String({ description: 'UTC', format: 'date-time' }),
    revision: Type.Integer({ description: 'of the store, when it happened' }),
    severity: Type.Enum(['debug', 'info', 'warn', 'error']),
    kind: Type.String({ description: 'docs/events.md lists them, with the fields that come beside these' }),
    sentence: Type.String({ description: 'the same in words, as the log has it' }),
    actor: Type.Optional(Type.String({ description: 'who did it: the name of a credential, or "controller"' })),
    network: Type.Optional(Type.String()),
    dpid: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer()),
    node: Type.Optional(Type.String()),
    link: Type.Optional(Type.Object({ from: endpoint, to: endpoint })),
    other: Type.Optional(endpoint),
    before: Type.Optional(Type.Object({}, { description: 'absent: it is new', additionalProperties: true })),
    after: Type.Optional(Type.Object({}, { description: 'absent: it is gone', additionalProperties: true })),
    isCut: Type.Optional(Type.Boolean({ description: 'it was too long, and is not shown in full' })),
  },
  { additionalProperties: true },
)

export const Events = Type.Object({
  revision: Type.Integer({ description: 'of the store, now' }),
  events: Type.Array(Event, { description: 'oldest first' }),
  last: Type.String({ description: 'as ?since= it asks for what comes after these', pattern: eventId }),
  isMore: Type.Boolean({
    description: 'there are more than the limit: later ones if ?since= was given, else earlier ones',
  }),
  isGap: Type.Boolean({ description: 'some since then may be gone: the history is bounded' }),
})
