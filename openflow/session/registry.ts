import { type Connection, close, type Hooks, isAlive, type State } from './connection.ts'
import type { Ending, Events, Metrics, Session } from './session.ts'

/** A logger; pino's fits. */
export type Log = {
  info(details: object, words: string): void
  warn(details: object, words: string): void
  error(details: object, words: string): void
}

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Which session is live for each datapath (never two), and who is notified of that. */
export type Registry = {
  /** Live sessions by dpid. */
  readonly sessions: ReadonlyMap<string, Session>
  readonly hooks: Omit<Hooks, 'busy'>
  /** A peer whose connection ended before it spoke OpenFlow. */
  rejected(remote: string, ending: Ending, reason: string): void
}

type Live = { readonly connection: Connection; readonly session: Session }

export function newRegistry({
  events,
  metrics,
  log,
  exact,
}: {
  readonly events: Events
  readonly metrics: Metrics
  readonly log: Log
  readonly exact: () => number
}): Registry {
  const live = new Map<string, Live>()
  const sessions = new Map<string, Session>()
  const notify = notifier(log)
  const refused = rarely(exact, (details: object, unsaid) => log.warn({ ...details, unsaid }, 'connection refused'))

  function add(connection: Connection, session: Session): void {
    const { dpid, remote, can } = session
    connection.state = { is: 'live', session }
    live.set(dpid, { connection, session })
    sessions.set(dpid, session)
    metrics.connection('up')
    log.info({ dpid, remote, can }, 'switch is up')
    notify('up', () => events.up(session))
  }

  function remove(connection: Connection, { dpid, remote }: Session, reason: string): void {
    const ended = live.get(dpid)
    // The late end of a connection that was replaced must not take its successor along.
    if (ended?.connection !== connection) return
    live.delete(dpid)
    sessions.delete(dpid)
    log.info({ dpid, remote, reason }, 'switch is gone')
    notify('down', () => events.down(ended.session, reason))
  }

  function ended(connection: Connection, was: State, ending: Ending, reason: string): void {
    metrics.connection(ending)
    if (was.is === 'live') remove(connection, was.session, reason)
    else refused({ remote: connection.transport.remote, state: was.is, reason })
  }

  return {
    sessions,
    rejected(remote, ending, reason) {
      metrics.connection(ending)
      refused({ remote, state: 'tls', reason })
    },
    hooks: {
      claim: (connection, session) => void claim(live, connection, session, add),
      ended,
      portStatus: session => notify('portStatus', () => events.portStatus(session)),
      packetIn: (session, packetIn) => notify('packetIn', () => events.packetIn(session, packetIn)),
      flowRemoved: (session, flowRemoved) => notify('flowRemoved', () => events.flowRemoved(session, flowRemoved)),
    },
  }
}

/** The first connection of a datapath stays while it answers: a stranger that claims the same dpid cannot displace it. */
async function claim(
  live: ReadonlyMap<string, Live>,
  connection: Connection,
  session: Session,
  add: (connection: Connection, session: Session) => void,
): Promise<void> {
  const { dpid } = session
  for (let first = live.get(dpid); first !== undefined; first = live.get(dpid)) {
    if (await isAlive(first.connection)) {
      const { remote } = first.session
      close(connection, 'duplicate', `datapath ${dpid} is connected already, from ${remote}, and answers`)
    }
    if (connection.state.is !== 'claiming') return
    close(first.connection, 'replaced', `does not answer, and ${session.remote} says that it is datapath ${dpid}`)
  }
  if (connection.state.is === 'claiming') add(connection, session)
}

/** Calls a listener. An error in the listener is logged; it must not end any switch's session. */
const notifier =
  (log: Log) =>
  (event: string, call: () => void): void => {
    try {
      call()
    } catch (error) {
      log.error({ err: error, event }, `the ${event} event failed: ${(error as Error).message}`)
    }
  }

/** Log lines a second about refused connections. */
const mostLines = 10

/** Calls `say` at most 10 times a second, and passes how many calls were left out since the last one. */
function rarely<T>(exact: () => number, say: (what: T, unsaid: number) => void): (what: T) => void {
  let second = exact()
  let lines = 0
  let unsaid = 0
  return what => {
    if (exact() - second >= 1_000) {
      second = exact()
      lines = 0
    }
    if (++lines > mostLines) unsaid++
    else {
      say(what, unsaid)
      unsaid = 0
    }
  }
}
