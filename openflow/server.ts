import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { type Clock, type Connection, close, type Hooks, newConnection } from './connection.ts'
import { tick } from './deadlines.ts'
import { greet } from './handshake.ts'
import { drained, type Transport } from './outbox.ts'
import { ended, received, work } from './receive.ts'
import { type Log, newRegistry, silent } from './registry.ts'
import { newRounds } from './rounds.ts'
import { limits as defaults, type Events, type Limits, type Record, type Session } from './session.ts'

export type { Log } from './registry.ts'

/** Where to listen: an IP address or name of this machine, and a TCP port (0: any that is free). */
export type Listener = { readonly host: string; readonly port: number }

export type Server = {
  /** Where it listens, in the order of the listeners, with the real ports. */
  readonly addresses: readonly Listener[]
  /** Live sessions by dpid. */
  sessions(): ReadonlyMap<string, Session>
  /** Ends all sessions and stops listening. The switches keep their flows. */
  close(): Promise<void>
}

export type ServerOptions = {
  readonly listeners: readonly Listener[]
  readonly events: Events
  readonly record: Record
  readonly log?: Log
  /** Other than the default ones. */
  readonly limits?: Partial<Limits>
}

/**
 * Listens for OpenFlow switches. Resolves when every listener is open; rejects, with none open, if one cannot be.
 * A switch may be `up` before that.
 */
export async function listen({ listeners, events, record, log = silent, limits: own }: ServerOptions): Promise<Server> {
  const limits = { ...defaults, ...own }
  const clock = sessionClock()
  const registry = newRegistry({ events, record, log, exact: clock.exact })
  const connections = openConnections({ clock, limits, record }, registry.hooks)
  const servers = await openAll(listeners, connections.accept, limits, record, log).catch(error => {
    connections.close()
    throw error
  })
  const timer = setInterval(() => {
    clock.advance()
    connections.tick()
  }, limits.tick)
  return {
    addresses: servers.map(addressOf),
    sessions: () => registry.sessions,
    async close() {
      clearInterval(timer)
      const closed = servers.map(server => new Promise(resolve => server.close(resolve)))
      connections.close()
      await Promise.all(closed)
    },
  }
}

/** All connections, live or not, and the turns in which they are worked on. */
function openConnections(
  context: Pick<Connection, 'clock' | 'limits' | 'record'>,
  registered: Omit<Hooks, 'busy'>,
): { accept(socket: Socket): void; tick(): void; close(): void } {
  const all = new Set<Connection>()
  const rounds = newRounds({ work, exact: context.clock.exact, later: setImmediate, slice: 1, budget: 5 })
  const hooks: Hooks = {
    ...registered,
    busy: rounds.add,
    ended(connection, was, ending, reason) {
      all.delete(connection)
      rounds.remove(connection)
      registered.ended(connection, was, ending, reason)
    },
  }
  let serial = 0
  return {
    accept(socket) {
      // Multiples of the golden ratio fall evenly between 0 and 1.
      const phase = (serial++ * 0.618034) % 1
      const connection = newConnection(transportOf(socket, context.limits.linger), { ...context, hooks }, phase)
      all.add(connection)
      attach(socket, connection)
      greet(connection)
    },
    tick() {
      for (const connection of all) tick(connection)
    },
    close() {
      for (const connection of [...all]) close(connection, 'stopped', 'the controller stops')
    },
  }
}

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
