import { readFileSync } from 'node:fs'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { admission } from './admission.ts'
import { type Clock, type Connection, type Context, close, type Hooks, newConnection } from './connection.ts'
import { tick } from './deadlines.ts'
import { sendHello } from './handshake.ts'
import { limits as defaults, type Limits } from './limits.ts'
import { drained, type Transport } from './outbox.ts'
import { ended, received, work } from './receive.ts'
import { type Log, newRegistry, type Registry, silent } from './registry.ts'
import { roundRobin } from './round-robin.ts'
import type { Conflict, Ending, Events, Metrics, Session } from './session.ts'
import { type Credentials, type Scope, scopeShown, tlsOptions } from './tls.ts'

export type { Log } from './registry.ts'
export type { Credentials } from './tls.ts'

/** Where to listen: an IP address or name of this machine, and a TCP port (0: any that is free). */
export type Address = { readonly host: string; readonly port: number }

/**
 * With `tls`, only switches that show a certificate of that CA may connect, only by TLS 1.2 or newer, and only as a datapath
 * that the certificate names. `anyDpid`: one that names none is good for all.
 */
export type Listener = Address & { readonly tls?: Credentials | undefined; readonly anyDpid?: boolean }

export type Server = {
  /** Where it listens, in the order of the listeners, with the real ports. */
  readonly addresses: readonly Address[]
  /** Live sessions by dpid. */
  sessions(): ReadonlyMap<string, Session>
  /** Dpids that more than one switch claims. */
  conflicts(): ReadonlyMap<string, Conflict>
  /**
   * From now on TLS handshakes use these; sessions that are up stay as they are. Throws, and goes on with those before,
   * when they are of no use.
   */
  renew(credentials: Credentials): void
  /** Ends all sessions and stops listening. The switches keep their flows. */
  close(): Promise<void>
}

export type ServerOptions = {
  readonly listeners: readonly Listener[]
  readonly events: Events
  readonly metrics: Metrics
  readonly log?: Log
  /** Other than the default ones. */
  readonly limits?: Partial<Limits>
  /**
   * Where several controllers may reach the switches, and one of them leads: the number of the leadership, which grows
   * with every change of it (a lease's `leaseTransitions`). Each switch is then claimed as master before anything else,
   * and a session is live only as long as its switch takes us as that; so a leader that was replaced, and does not know,
   * writes nothing. Without, the switch gives all controllers the same rights.
   */
  readonly generation?: () => bigint
}

/**
 * Listens for OpenFlow switches. Resolves when every listener is open; rejects, with none open, if one cannot be.
 * A switch may be `up` before that.
 */
export async function listen(options: ServerOptions): Promise<Server> {
  const { listeners, events, metrics, log = silent, limits: own, generation } = options
  const limits = { ...defaults, connections: Math.min(defaults.connections, connectionsByFiles()), ...own }
  const clock = sessionClock()
  const registry = newRegistry({ events, metrics, log, clock, limits, date: () => new Date() })
  const context = { clock, limits, metrics, generation, memories: new Map(), allPorts: { count: 0 } }
  const connections = openConnections(context, registry)
  const handshakes = openHandshakes(connections, { clock, limits, rejected: registry.rejected })
  const create = ({ tls, anyDpid = false }: Listener): NetServer =>
    tls
      ? handshakes.serve(tls, anyDpid)
      : createServer({ allowHalfOpen: true, noDelay: true }, socket => {
          const cut = (words: string) => {
            registry.rejected(remoteOf(socket), 'too_many', words)
            socket.resetAndDestroy()
          }
          if (connections.admit(socket, cut)) connections.accept(socket, socket, 'any')
        })
  const servers = await openAll(listeners, create, log).catch(error => {
    handshakes.close()
    connections.close()
    throw error
  })
  const timer = setInterval(() => {
    clock.advance()
    handshakes.tick()
    connections.tick()
    registry.tick()
  }, limits.tick)
  return {
    addresses: servers.map(addressOf),
    sessions: () => registry.sessions,
    conflicts: () => registry.conflicts,
    renew: handshakes.renew,
    async close() {
      clearInterval(timer)
      const closed = servers.map(server => new Promise(resolve => server.close(resolve)))
      handshakes.close()
      connections.close()
      await Promise.all(closed)
    },
  }
}

/**
 * How many connections there may be, so that files and the API can still be opened when strangers open all that they may: the
 * process's limit of open files less 256, and half of a small one. Where the system does not say that limit, as many as wanted.
 */
function connectionsByFiles(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Infinity : Math.max(Number(soft) / 2, Number(soft) - 256)
  } catch {
    return Infinity
  }
}

type Connections = {
  /**
   * Whether a TCP connection may stay. Where there are too many, it or an idle one is ended by its `cut`, which is told why in
   * words.
   */
  admit(wire: Socket, cut: (words: string) => void): boolean
  /** Takes a switch's socket; `wire` is the TCP connection below it, or the socket itself. */
  accept(socket: Socket, wire: Socket, scope: Scope): void
  tick(): void
  close(): void
}

/** All connections, live or not, worked on in turn. */
function openConnections(context: Omit<Pick<Connection, Context>, 'hooks'>, registry: Registry): Connections {
  const all = new Map<Connection, Socket>()
  const entrance = openEntrance(context.limits)
  const turns = roundRobin({ work, exact: context.clock.exact, later: setImmediate, slice: 1, budget: 5 })
  const hooks: Hooks = {
    ...registry.hooks,
    busy: turns.add,
    heard: connection => entrance.heard(all.get(connection)!),
    claim(connection, session) {
      void registry.claim(connection, session).then(() => {
        if (connection.state.is === 'live') entrance.leave(all.get(connection)!)
      })
    },
    ended(connection, was, ending, reason) {
      entrance.leave(all.get(connection)!)
      all.delete(connection)
      turns.remove(connection)
      registry.hooks.ended(connection, was, ending, reason)
    },
  }
  let serial = 0
  return {
    admit: entrance.admit,
    accept(socket, wire, scope) {
      // Multiples of the golden ratio fall evenly between 0 and 1.
      const phase = (serial++ * 0.618034) % 1
      const transport = transportOf(socket, wire, scope, context.limits.linger)
      const connection = newConnection(transport, { ...context, hooks }, phase)
      all.set(connection, wire)
      entrance.accepted(wire, words => close(connection, 'too_many', words))
      attach(socket, connection)
      sendHello(connection)
    },
    tick() {
      for (const connection of all.keys()) tick(connection)
    },
    close() {
      for (const connection of [...all.keys()]) close(connection, 'stopped', 'the controller stops')
    },
  }
}

type Cut = (words: string) => void

/** TCP connections: how many are open, and which of them are not live yet and can be ended when there are too many. */
function openEntrance(limits: Limits): {
  admit(wire: Socket, cut: Cut): boolean
  /** It is ended by `cut` from now on. */
  accepted(wire: Socket, cut: Cut): void
  heard(wire: Socket): void
  /** It is live, or ended. */
  leave(wire: Socket): void
} {
  const cuts = new Map<Socket, Cut>()
  const crowd = admission<Socket>(limits)
  let open = 0
  const leave = (wire: Socket) => {
    cuts.delete(wire)
    crowd.leave(wire)
  }
  const shed = (wire: Socket, words: string) => {
    const cut = cuts.get(wire)
    leave(wire)
    cut?.(words)
  }
  return {
    admit(wire, cut) {
      open++
      wire.once('close', () => {
        open--
        leave(wire)
      })
      cuts.set(wire, cut)
      const crowded = crowd.enter(wire, wire.remoteAddress ?? 'unknown')
      if (crowded) shed(crowded, 'idle, and too many connections had not finished their handshake')
      if (open <= limits.connections) return true
      const idle = crowd.idlest() ?? wire
      shed(idle, `idle, and at most ${limits.connections} connections may be open`)
      return idle !== wire
    },
    accepted: (wire, cut) => void cuts.set(wire, cut),
    heard: crowd.heard,
    leave,
  }
}

/** Throws what is wrong with a key, its certificate and the CA, as OpenSSL puts it. */
export const checkCredentials = (credentials: Credentials): void => void createSecureContext(tlsOptions(credentials))

/** A TCP connection that speaks TLS but not yet OpenFlow, and since when (session time, ms). */
type Handshake = { readonly wire: Socket; readonly key: string; readonly remote: string; readonly since: number }

type HandshakeOptions = Pick<Connection, 'clock' | 'limits'> & Pick<Registry, 'rejected'>

/** TLS servers that hand switches on to `connections` when their handshakes are done. */
function openHandshakes(
  connections: Connections,
  { clock, limits, rejected }: HandshakeOptions,
): {
  serve(credentials: Credentials, anyDpid: boolean): NetServer
  renew(credentials: Credentials): void
  tick(): void
  close(): void
} {
  const under = new Map<string, Handshake>()
  const servers = new Set<ReturnType<typeof createTlsServer>>()
  /** Once for each: what follows from its end finds it no more. */
  function failed({ key, remote }: Handshake, ending: Ending, reason: string): void {
    under.delete(key)
    rejected(remote, ending, reason)
  }
  function cut(handshake: Handshake, ending: Ending, reason: string): void {
    if (under.get(handshake.key) !== handshake) return
    failed(handshake, ending, reason)
    handshake.wire.resetAndDestroy()
  }
  function begun(wire: Socket): void {
    const handshake = { wire, key: wireOf(wire), remote: remoteOf(wire), since: clock.now() }
    under.set(handshake.key, handshake)
    if (!connections.admit(wire, words => cut(handshake, 'too_many', words))) return
    wire.once('close', () => {
      const mine = under.get(handshake.key) === handshake
      if (mine) failed(handshake, 'closed', 'the connection ended before the TLS handshake did')
    })
  }
  function done(socket: TLSSocket, anyDpid: boolean): void {
    const handshake = under.get(wireOf(socket))
    if (handshake === undefined) return void socket.destroy()
    const shown = scopeShown(socket, anyDpid)
    if ('wrong' in shown) cut(handshake, 'certificate', shown.wrong)
    else {
      under.delete(handshake.key)
      // Not before: a peer that ends its side in the handshake is none to wait for.
      socket.allowHalfOpen = true
      connections.accept(socket, handshake.wire, shown.scope)
    }
  }
  return {
    serve(credentials, anyDpid) {
      const options = { noDelay: true, ...tlsOptions(credentials) }
      const server = createTlsServer(options, socket => done(socket, anyDpid))
      server.on('connection', begun)
      server.on('tlsClientError', (error, socket) => {
        const handshake = under.get(wireOf(socket))
        // A socket that is closed already has no address any more: then the end of its wire tells of it.
        if (handshake !== undefined) failed(handshake, 'tls_failed', `the TLS handshake failed: ${reasonOf(error)}`)
      })
      servers.add(server)
      return server
    },
    renew(credentials) {
      checkCredentials(credentials)
      for (const server of servers) server.setSecureContext(tlsOptions(credentials))
    },
    tick() {
      const overdue = [...under.values()].filter(({ since }) => clock.now() - since >= limits.tls)
      for (const one of overdue) cut(one, 'tls_timeout', `TLS handshake not done for ${limits.tls} ms`)
    },
    close() {
      for (const one of [...under.values()]) cut(one, 'stopped', 'the controller stops')
    },
  }
}

/** OpenSSL's own words where it has some, without its source lines. */
const reasonOf = ({ code, reason, message }: NodeJS.ErrnoException & { readonly reason?: string }): string =>
  code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_HTTP_REQUEST'
    ? `what it sends is not TLS (${reason ?? message}); the target of a switch is ssl: for this listener`
    : (reason ?? message)

/** There is one connection at a time between these: so a TLS socket and the TCP socket below it are known to be one. */
const wireOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`

/** So much time may pass between two looks at the clock; more means that this process was stopped meanwhile, in ms. */
const longestPause = 1_000

function sessionClock(): Clock & { advance(): void } {
  const exact = () => performance.now()
  let now = 0
  let seen = exact()
  return {
    exact,
    now: () => now,
    yield: () => new Promise(resolve => setImmediate(resolve)),
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

function transportOf(socket: Socket, wire: Socket, scope: Scope, linger: number): Transport {
  return {
    remote: remoteOf(socket),
    address: socket.remoteAddress ?? 'unknown',
    scope,
    write: bytes => socket.write(bytes),
    queued: () => socket.writableLength,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close(orderly) {
      if (!orderly) return void wire.resetAndDestroy()
      // What still arrives is read and thrown away: unread bytes would turn our farewell into a reset.
      socket.resume()
      socket.end()
      const timer = setTimeout(() => socket.destroy(), linger)
      socket.once('close', () => clearTimeout(timer))
    },
  }
}

const remoteOf = ({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string => join(remoteAddress, remotePort)

const join = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** Opens every listener, or none. */
async function openAll(
  listeners: readonly Listener[],
  create: (listener: Listener) => NetServer,
  log: Log,
): Promise<NetServer[]> {
  const servers: NetServer[] = []
  try {
    for (const listener of listeners) {
      const server = create(listener)
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

const open = (server: NetServer, { host, port, tls }: Listener): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const words = faults[error.code ?? ''] ?? error.message
      reject(
        new Error(`cannot listen for switches on ${tls ? 'tls' : 'tcp'}:${join(host, port)}: ${words}`, {
          cause: error,
        }),
      )
    })
    server.listen({ host, port, backlog: 4096 }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })

function addressOf(server: NetServer): Address {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`expected a TCP address, got ${address}`)
  return { host: address.address, port: address.port }
}
