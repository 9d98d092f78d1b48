import { readFileSync } from 'node:fs'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { sessionClock } from './clock.ts'
import { type Connection, close } from './connection.ts'
import { type Connections, newConnections } from './connections.ts'
import { ended, received } from './frames.ts'
import { limits as defaults, type Limits } from './limits.ts'
import { drained, type Transport } from './outbox.ts'
import { type Log, newRegistry, type Registry, silent } from './registry.ts'
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
  const connections = newConnections<Socket>(context, registry, setImmediate)
  const accept: Accept = (socket, wire, scope) =>
    attach(socket, connections.accept(transportOf(socket, wire, scope, limits.linger), wire))
  const handshakes = openHandshakes(accept, connections, { clock, limits, rejected: registry.rejected })
  const create = ({ tls, anyDpid = false }: Listener): NetServer =>
    tls
      ? handshakes.serve(tls, anyDpid)
      : createServer({ allowHalfOpen: true, noDelay: true }, socket => {
          const cut = (words: string) => {
            registry.rejected(remoteOf(socket), 'too_many', words)
            socket.resetAndDestroy()
          }
          if (connections.admit(socket, cut)) accept(socket, socket, 'any')
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

/** Throws what is wrong with a key, its certificate and the CA, as OpenSSL puts it. */
export const checkCredentials = (credentials: Credentials): void => void createSecureContext(tlsOptions(credentials))

/** A TCP connection that speaks TLS but not yet OpenFlow, and since when (session time, ms). */
type Handshake = { readonly wire: Socket; readonly key: string; readonly remote: string; readonly since: number }

type HandshakeOptions = Pick<Connection, 'clock' | 'limits'> & Pick<Registry, 'rejected'>

/** Takes a switch's socket; `wire` is the TCP connection below it, or the socket itself. */
type Accept = (socket: Socket, wire: Socket, scope: Scope) => void

/** TLS servers that hand switches on to `accept` when their handshakes are done. */
function openHandshakes(
  accept: Accept,
  { admit }: Connections<Socket>,
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
    if (!admit(wire, words => cut(handshake, 'too_many', words))) return
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
      accept(socket, handshake.wire, shown.scope)
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
