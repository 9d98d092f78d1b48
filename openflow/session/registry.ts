import { newConflicts } from './conflicts.ts'
import { type Clock, type Connection, close, type Hooks, isAlive, type State } from './connection.ts'
import type { Limits } from './limits.ts'
import type { Conflict, Ending, Events, Metrics, Session } from './session.ts'

/** A logger; pino's fits. */
export type Log = { [level in 'debug' | 'info' | 'warn' | 'error']: (details: object, words: string) => void }

const nothing = () => undefined
export const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Which session is live for each datapath (never two), and who is notified of that. */
export type Registry = {
  /** Live sessions by dpid. */
  readonly sessions: ReadonlyMap<string, Session>
  readonly conflicts: ReadonlyMap<string, Conflict>
  readonly hooks: Omit<Hooks, 'busy' | 'heard' | 'claim'>
  /** Makes a connection whose handshake is done live, or closes it. Resolves when one of both is done. */
  claim(connection: Connection, session: Session): Promise<void>
  /** A peer whose connection ended before it spoke OpenFlow. */
  rejected(remote: string, ending: Ending, reason: string): void
  tick(): void
}

type Live = { readonly connection: Connection; readonly session: Session }

type Options = {
  readonly events: Events
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: Clock
  readonly limits: Limits
  readonly date: () => Date
}

export function newRegistry({ events, metrics, log, clock, limits, date }: Options): Registry {
  const live = new Map<string, Live>()
  /** How many of them are from each address. */
  const from = new Map<string, number>()
  const sessions = new Map<string, Session>()
  const notify = notifier(log)
  const over = (dpid: string) => {
    log.info({ dpid }, 'nobody else claims this datapath id any more')
    notify('conflict', () => events.conflict?.(dpid, undefined))
  }
  const conflicts = newConflicts(clock.now, date, limits.conflict, over)
  const refused = rarely(clock.exact, (details: object, unsaid) =>
    log.warn({ ...details, unsaid }, 'connection refused'),
  )
  const conflicting = rarely(clock.exact, (details: object, unsaid) =>
    log.warn({ ...details, unsaid }, 'two switches claim one datapath id, or one switch has two targets here'),
  )

  function add(connection: Connection, session: Session): void {
    const { dpid, remote, can } = session
    connection.state = { is: 'live', session }
    live.set(dpid, { connection, session })
    count(connection, 1)
    sessions.set(dpid, session)
    metrics.connection('up')
    log.info({ dpid, remote, can: { ...can, tables: can.tables?.length } }, 'switch is up')
    notify('up', () => events.up(session))
  }

  function count({ transport: { address } }: Connection, by: 1 | -1): void {
    const now = (from.get(address) ?? 0) + by
    if (now > 0) from.set(address, now)
    else from.delete(address)
  }

  function remove(connection: Connection, { dpid, remote }: Session, reason: string): void {
    const ended = live.get(dpid)
    // The late end of a connection that was replaced must not take its successor along.
    if (ended?.connection !== connection) return
    live.delete(dpid)
    count(connection, -1)
    sessions.delete(dpid)
    log.info({ dpid, remote, reason }, 'switch is gone')
    notify('down', () => events.down(ended.session, reason))
    conflicts.gone(dpid)
  }

  function ended(connection: Connection, was: State, ending: Ending, reason: string): void {
    metrics.connection(ending)
    if (was.is === 'live') return void remove(connection, was.session, reason)
    const details = { remote: connection.transport.remote, state: was.is, reason }
    // Somebody looked whether the port is open: a load balancer, a monitor.
    if (was.is === 'hello' && (ending === 'closed' || ending === 'lost')) log.debug(details, 'closed before HELLO')
    else refused(details)
  }

  /**
   * The first connection of a datapath stays while it answers: a stranger that claims the same dpid cannot displace it. But
   * one that has a certificate for the dpid displaces one that has none.
   */
  async function claim(connection: Connection, session: Session): Promise<void> {
    const { dpid, remote } = session
    for (let first = live.get(dpid); first !== undefined; first = live.get(dpid)) {
      const isBetter = proves(connection, dpid) && !proves(first.connection, dpid)
      const alive = await isAlive(first.connection)
      if (connection.state.is !== 'claiming') return
      if (live.get(dpid) !== first) continue
      if (alive) {
        const [stays, goes] = isBetter ? [remote, first.session.remote] : [first.session.remote, remote]
        const conflict = conflicts.claimed(dpid, stays, goes, isBetter ? 'certificate' : 'first')
        metrics.conflict?.(dpid)
        conflicting({ dpid, live: stays, claimant: goes, decidedBy: conflict.decidedBy, claims: conflict.claims })
        if (!isBetter) {
          close(connection, 'duplicate', `datapath ${dpid} is connected already, from ${stays}, and answers`)
          return notify('conflict', () => events.conflict?.(dpid, conflict))
        }
        close(first.connection, 'replaced', `has no certificate for ${dpid}, and ${remote} has one`)
        // Its end has ended the conflict as well.
        const again = conflicts.claimed(dpid, stays, goes, 'certificate')
        add(connection, session)
        return notify('conflict', () => events.conflict?.(dpid, again))
      }
      close(first.connection, 'replaced', `does not answer, and ${remote} says that it is datapath ${dpid}`)
    }
    if (connection.state.is !== 'claiming') return
    const others = from.get(connection.transport.address) ?? 0
    if (others < limits.sessionsPerAddress) add(connection, session)
    else close(connection, 'too_many', `${others} switches of its address are live already`)
  }

  return {
    sessions,
    conflicts: conflicts.current,
    rejected(remote, ending, reason) {
      metrics.connection(ending)
      const details = { remote, state: 'connected', reason }
      if (ending === 'closed') log.debug(details, 'closed before HELLO')
      else refused(details)
    },
    tick: conflicts.tick,
    claim,
    hooks: {
      ended,
      portStatus: (session, ports) => notify('portStatus', () => events.portStatus(session, ports)),
      capabilities: session => notify('capabilities', () => events.capabilities?.(session)),
      packetIn: (session, packetIn) => notify('packetIn', () => events.packetIn(session, packetIn)),
      flowRemoved: (session, flowRemoved) => notify('flowRemoved', () => events.flowRemoved(session, flowRemoved)),
    },
  }
}

/** Whether a connection has shown a certificate for this datapath. */
const proves = ({ transport: { scope } }: Connection, dpid: string): boolean => scope !== 'any' && scope.has(dpid)

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

/** Log lines a second that strangers may cause. */
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
