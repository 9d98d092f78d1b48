import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { type Clock, type Connection, close, type Hooks, isAlive, newConnection, type State } from './connection.ts'
import { tick } from './deadlines.ts'
import { greet } from './handshake.ts'
import { drained, type Transport } from './outbox.ts'
import { ended, received, work } from './receive.ts'
import { newRounds } from './rounds.ts'
import { limits as defaults, type Ending, type Events, type Limits, type Record, type Session } from './session.ts'

/** Where to listen: an IP address or name of this machine, and a TCP port (0: any that is free). */
export type Listener = { readonly host: string; readonly port: number }

/** Where a line goes; a pino logger is one. */
export type Log = {
  info(details: object, words: string): void
  warn(details: object, words: string): void
  error(details: object, words: string): void
}

export type Server = {
  /** Where it listens, in the order of the listeners, with the real ports. */
  readonly addresses: readonly Listener[]
  /** Live sessions by dpid. */
  sessions(): ReadonlyMap<string, Session>
  /** Ends all sessions and stops listening. The switches keep their flows. */
  close(): Promise<void>
}

/**
 * Listens for OpenFlow switches. Resolves when every listener is open; rejects, with none open, if one cannot be.
 * `limits` replaces some of the default limits.
 */
export async function listen({
  listeners,
  events,
  record,
  log = silent,
  limits: own = {},
}: {
  readonly listeners: readonly Listener[]
  readonly events: Events
  readonly record: Record
  readonly log?: Log
  readonly limits?: Partial<Limits>
}): Promise<Server> {
  const limits = { ...defaults, ...own }
  const clock = sessionClock()
  const connections = new Set<Connection>()
  const registry = newRegistry(events, record, log)
  const rounds = newRounds({ work, exact: clock.exact, later: setImmediate, slice: 1, budget: 5 })
  const hooks: Hooks = {
    ...registry.hooks,
    busy: rounds.add,
    ended(connection, was, ending, reason) {
      connections.delete(connection)
      rounds.remove(connection)
      registry.hooks.ended(connection, was, ending, reason)
    },
  }

  let serial = 0
  const accept = (socket: Socket): void => {
    const context = { clock, limits, record, hooks }
    // Multiples of the golden ratio fall evenly between 0 and 1.
    const connection = newConnection(transportOf(socket, limits.linger), context, (serial++ * 0.618034) % 1)
    connections.add(connection)
    attach(socket, connection)
    greet(connection)
  }
  const stop = (): void => {
    for (const connection of [...connections]) close(connection, 'stopped', 'the controller stops')
  }
  const servers = await openAll(listeners, accept, limits, record, log).catch(error => {
    stop()
    throw error
  })
  const timer = setInterval(() => {
    clock.advance()
    for (const connection of connections) tick(connection)
  }, limits.tick)

  return {
    addresses: servers.map(addressOf),
    sessions: registry.sessions,
    async close() {
      clearInterval(timer)
      const closed = servers.map(server => new Promise(resolve => server.close(resolve)))
      stop()
      await Promise.all(closed)
    },
  }
}

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** So much time may pass between two looks at the clock; more means that this process was stopped meanwhile, in ms. */
const longestPause = 1_000

function sessionClock(): Clock & { advance(): void } {
  const exact = () => performance.now()
  let now = 0
  let seen = exact()
  return {
    exact,
    now: () => now,
    turn: () => new Promise(resolve => setImmediate(resolve)),
    advance() {
      const at = exact()
      now += Math.min(at - seen, longestPause)
      seen = at
    },
  }
}

/** Knows which session is live for which datapath: never two. */
function newRegistry(events: Events, record: Record, log: Log) {
  const live = new Map<string, { readonly connection: Connection; readonly session: Session }>()
  const sessions = new Map<string, Session>()

  /** A fault of whoever listens is not the switch's, and none of the other switches'. */
  const tell = (what: string, call: () => void): void => {
    try {
      call()
    } catch (error) {
      log.error({ err: error, event: what }, `the ${what} event failed: ${(error as Error).message}`)
    }
  }

  function remove(connection: Connection, { session }: { readonly session: Session }, reason: string): void {
    if (live.get(session.dpid)?.connection !== connection) return
    live.delete(session.dpid)
    sessions.delete(session.dpid)
    log.info({ dpid: session.dpid, remote: session.remote, reason }, 'switch is gone')
    tell('down', () => events.down(session, reason))
  }

  /** The first one stays as long as it lives; so a stranger with its number cannot push it out. */
  async function claim(connection: Connection, session: Session): Promise<void> {
    const { dpid } = session
    for (let first = live.get(dpid); first !== undefined; first = live.get(dpid)) {
      const { remote } = first.session
      if (await isAlive(first.connection))
        return close(connection, 'duplicate', `datapath ${dpid} is connected already, from ${remote}, and answers`)
      if (connection.state.is !== 'claiming') return
      close(first.connection, 'replaced', `does not answer, and ${session.remote} says that it is datapath ${dpid}`)
    }
    if (connection.state.is !== 'claiming') return
    connection.state = { is: 'live', session }
    live.set(dpid, { connection, session })
    sessions.set(dpid, session)
    record.connection('up')
    log.info({ dpid, remote: session.remote, can: session.can }, 'switch is up')
    tell('up', () => events.up(session))
  }

  return {
    sessions: (): ReadonlyMap<string, Session> => sessions,
    hooks: {
      claim: (connection: Connection, session: Session) => void claim(connection, session),
      ended(connection: Connection, was: State, ending: Ending, reason: string) {
        record.connection(ending)
        if (was.is === 'live') remove(connection, was, reason)
        else log.warn({ remote: connection.transport.remote, state: was.is, reason }, 'connection refused')
      },
      portStatus: (session: Session) => tell('portStatus', () => events.portStatus(session)),
      packetIn: (session: Session, packetIn: Parameters<Events['packetIn']>[1]) =>
        tell('packetIn', () => events.packetIn(session, packetIn)),
      flowRemoved: (session: Session, flowRemoved: Parameters<Events['flowRemoved']>[1]) =>
        tell('flowRemoved', () => events.flowRemoved(session, flowRemoved)),
    },
  }
}

/** Ties a socket's events to a connection. */
function attach(socket: Socket, connection: Connection): void {
  socket.on('data', (chunk: Buffer) => received(connection, chunk))
  socket.on('drain', () => drained(connection.outbox))
  socket.on('end', () => ended(connection))
  socket.on('error', error => close(connection, 'lost', `connection lost: ${error.message}`))
  socket.on('close', () => close(connection, 'lost', 'connection lost'))
}

function transportOf(socket: Socket, linger: number): Transport {
  return {
    remote: join(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0),
    write: bytes => socket.write(bytes),
    queued: () => socket.writableLength,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close(orderly) {
      if (!orderly) return void socket.resetAndDestroy()
      // What still arrives is read and thrown away: unread bytes would turn our farewell into a reset.
      socket.resume()
      socket.end()
      const timer = setTimeout(() => socket.destroy(), linger)
      socket.once('close', () => clearTimeout(timer))
    },
  }
}

const join = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** Opens every listener, or none. */
async function openAll(
  listeners: readonly Listener[],
  accept: (socket: Socket) => void,
  limits: Limits,
  record: Record,
  log: Log,
): Promise<NetServer[]> {
  const servers: NetServer[] = []
  try {
    for (const listener of listeners) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
      server.maxConnections = limits.connections
      server.on('drop', () => record.connection('too_many'))
      await open(server, listener)
      servers.push(server)
      // Out of file descriptors, for example: that connection is lost, the others go on.
      server.on('error', error => log.error({ err: error }, `cannot accept a connection: ${error.message}`))
    }
    return servers
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
}

const faults: { readonly [code: string]: string } = {
  EADDRINUSE: 'another program listens there; stop it or choose another port',
  EACCES: 'not allowed; ports below 1024 need root',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such name',
}

const open = (server: NetServer, { host, port }: Listener): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const words = faults[error.code ?? ''] ?? error.message
      reject(new Error(`cannot listen for switches on tcp:${join(host, port)}: ${words}`, { cause: error }))
    })
    server.listen({ host, port, backlog: 4096 }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })

function addressOf(server: NetServer): Listener {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`expected a TCP address, got ${address}`)
  return { host: address.address, port: address.port }
}
