import { ask, type Connection, close, put } from './connection.ts'
import { noticePorts, rereadPorts } from './port-watch.ts'
import { expire, repetitions } from './requests.ts'
import type { Ending } from './session.ts'

/** Looks at everything about a connection that depends on time. To be called every `limits.tick` ms or so. */
export function tick(c: Connection): void {
  if (c.state.is === 'closed') return
  const now = c.clock.now()
  const overdue = faults.find(({ since, limit }) => {
    const start = since(c)
    return start !== undefined && now - start >= c.limits[limit]
  })
  if (overdue !== undefined) return void close(c, overdue.ending, `${overdue.words} for ${c.limits[overdue.limit]} ms`)
  expire(c.requests, now)
  for (const { asked, bytes } of repetitions(c.requests, now)) put(c, bytes, asked.type)
  if (c.alarms.length > 0) ring(c, now)
  if (c.asyncBudget.resting) c.hooks.busy(c)
  if (!isLive(c)) return
  noticePorts(c)
  rereadPorts(c, now)
  if (now - c.echoAt >= c.limits.echo) echo(c, now)
}

const isLive = (c: Connection): boolean => c.state.is === 'live'

/** Wakes those whose time has passed. */
function ring(c: Connection, now: number): void {
  const due = c.alarms.filter(({ at }) => at <= now)
  if (due.length === 0) return
  c.alarms = c.alarms.filter(({ at }) => at > now)
  for (const { wake } of due) wake()
}

type Limit = 'hello' | 'handshake' | 'partial' | 'silence'

/** What may last only so long, and since when it does; undefined: it does not now. */
const faults: readonly {
  readonly since: (c: Connection) => number | undefined
  readonly limit: Limit
  readonly ending: Ending
  readonly words: string
}[] = [
  {
    since: c => (c.state.is === 'hello' ? c.openedAt : undefined),
    limit: 'hello',
    ending: 'hello_timeout',
    words: 'no HELLO',
  },
  {
    since: c => (c.state.is === 'live' ? undefined : c.openedAt),
    limit: 'handshake',
    ending: 'handshake_timeout',
    words: 'handshake not done',
  },
  // The rest of it may be among what we have not looked at yet.
  {
    since: c => (c.unread > 0 || c.nextFrame < c.frames.length ? undefined : c.partialSince),
    limit: 'partial',
    ending: 'partial_message',
    words: 'a message was not whole',
  },
  // While bytes of it are still to be looked at, it is we who are slow.
  { since: c => (c.unread > 0 ? undefined : c.heardAt), limit: 'silence', ending: 'silent', words: 'no byte' },
  { since: c => c.outbox.blockedAt, limit: 'silence', ending: 'not_reading', words: 'did not read' },
]

/** Any byte is life, but an idle switch sends none unless it is asked (§7.5.2). */
function echo(c: Connection, now: number): void {
  c.echoAt = now
  const began = c.clock.exact()
  ask(c, { type: 'echo_request', payload: Buffer.alloc(0) }, c.limits.silence).then(
    () => {
      if (c.state.is === 'live') c.metrics.echo?.(c.state.session.dpid, (c.clock.exact() - began) / 1000)
    },
    // No answer is not a fault by itself: see `faults` for what is.
    () => undefined,
  )
}
