import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { sourceOf } from './source.ts'

/**
 * How many connections there are, and what one of them may ask at once. Whoever comes is let in; where there are too many,
 * the one that has been idle longest goes, of the same source if that source has too many. So nobody who only
 * holds connections keeps others out, and an idle connection may otherwise stay for long: Go's client keeps its own for 90 s.
 */
export type Limits = {
  /** Of all sources together: as many as a mesh of 4,000 nodes has, whose agents hold one each while they wait. */
  readonly all: number
  /** Of one source, which is an IPv4 address or the /64 of an IPv6 one. */
  readonly perSource: number
  /** Requests of one connection that are read before the first is answered (pipelining, RFC 9112 §9.3.2). */
  readonly pipelined: number
}

export const limits: Limits = { all: 8192, perSource: 2048, pipelined: 32 }

/** The same where a process may have only so many files open: half of them are for switches and the store. */
export const limitsFor = (openFiles: number): Limits => {
  const all = Math.min(limits.all, Math.floor(openFiles / 2))
  return { ...limits, all, perSource: Math.min(limits.perSource, Math.ceil(all / 2)) }
}

/** Bytes that are parsed at once: not many more requests than are answered fit in. */
const piece = 1024

/** Why a connection was closed by us before its client closed it. */
export type Dropped = 'idle' | 'refused' | 'pipelined'

export type Connections = {
  /** Wraps what answers requests: those of one connection are answered one after the other. */
  inTurn(listener: RequestListener): RequestListener
  /** Answers what could not be read, after the requests before it; then nothing more is read of that connection. */
  unreadable(socket: Duplex, answer: () => void): void
  /** Takes what connects to a server of HTTP or HTTPS. */
  watch(server: Server): void
  readonly count: () => number
}

type Connection = {
  readonly socket: Socket
  readonly source: Source
  /** Requests that came and are not answered, in order. The first is being answered. */
  readonly waiting: { readonly isWhole: () => boolean; readonly answer: () => void }[]
  /** It asked too much at once: what comes after the last of these is not answered. */
  over: boolean
}

/** Connections of one source; the idle ones in the order in which they became so. */
type Source = { readonly address: string; count: number; readonly idle: Set<Connection> }

/** What a socket and the TLS socket above it have in common, and no other connection has while they live. */
const nameOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`

export const createConnections = (
  { all, perSource, pipelined }: Limits,
  dropped: (why: Dropped) => void,
): Connections => {
  const known = new Map<string, Connection>()
  const idle = new Set<Connection>()
  const sources = new Map<string, Source>()

  const rest = (connection: Connection): void => {
    idle.add(connection)
    connection.source.idle.add(connection)
  }
  const work = (connection: Connection): void => {
    idle.delete(connection)
    connection.source.idle.delete(connection)
  }
  const forget = (name: string, connection: Connection): void => {
    if (known.get(name) !== connection) return
    known.delete(name)
    connection.waiting.length = 0
    work(connection)
    if (--connection.source.count === 0) sources.delete(connection.source.address)
  }
  const drop = ({ socket }: Pick<Connection, 'socket'>, why: Dropped): void => {
    dropped(why)
    socket.destroy()
  }
  /** Whether there is room for one more of this source, after the one that was idle longest went. */
  const makeRoom = (source: Source | undefined): boolean => {
    const crowd = source && source.count >= perSource ? source.idle : known.size >= all ? idle : undefined
    if (crowd === undefined) return true
    const [victim] = crowd
    if (victim === undefined) return false
    forget(nameOf(victim.socket), victim)
    drop(victim, 'idle')
    return true
  }
  const admit = (socket: Socket): void => {
    const name = nameOf(socket)
    const address = sourceOf(socket.remoteAddress ?? '')
    if (!makeRoom(sources.get(address))) {
      drop({ socket }, 'refused')
      return
    }
    const source = sources.get(address) ?? { address, count: 0, idle: new Set() }
    sources.set(address, source)
    source.count++
    const connection: Connection = { socket, source, waiting: [], over: false }
    known.set(name, connection)
    rest(connection)
    socket.once('close', () => forget(name, connection))
  }
  /**
   * Node parses all of a read at once, 64 KiB, also what comes after a request that is not answered yet. A listener for data makes it
   * take what it is given, so it is given a little, and nothing after the last request that is answered.
   */
  const inPieces = (socket: Socket): void => {
    const [parse] = socket.listeners('data') as ((data: Buffer) => void)[]
    if (parse === undefined) return
    socket.removeListener('data', parse)
    socket.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length; at += piece) {
        if (socket.destroyed || known.get(nameOf(socket))?.over) return
        if (socket.isPaused()) return void socket.unshift(data.subarray(at))
        parse.call(socket, data.subarray(at, at + piece))
      }
    })
  }
  const next = (connection: Connection): void => {
    connection.waiting.shift()
    const [first] = connection.waiting
    // A turn of the event loop in between, so that other connections get theirs.
    if (first) setImmediate(first.answer)
    else if (!connection.socket.destroyed) rest(connection)
  }

  return {
    count: () => known.size,
    watch: server => {
      // A TLS socket comes by the second event, and what is below it by the first.
      const isSecure = 'setSecureContext' in server
      server.on('connection', admit)
      server.on(isSecure ? 'secureConnection' : 'connection', inPieces)
    },
    unreadable: (socket, answer) => {
      const connection = known.get(nameOf(socket as Socket))
      if (connection === undefined || socket.destroyed) return answer()
      const { waiting } = connection
      // Of a request whose body broke off, this is the answer.
      if (waiting.at(-1)?.isWhole() === false) waiting.pop()
      if (waiting.length === 0) return answer()
      connection.over = true
      waiting.push({ isWhole: () => true, answer })
    },
    inTurn: listener => (request: IncomingMessage, response: ServerResponse) => {
      const connection = known.get(nameOf(request.socket))
      if (connection === undefined) return void request.socket.destroy()
      if (connection.over) return
      work(connection)
      connection.waiting.push({ isWhole: () => request.complete, answer: () => listener(request, response) })
      if (connection.waiting.length >= pipelined) {
        connection.over = true
        dropped('pipelined')
        // The connection ends with this answer. What is behind it was never taken, and its client asks again.
        response.setHeader('connection', 'close')
        request.socket.pause()
      }
      response.once('close', () => next(connection))
      if (connection.waiting.length === 1) listener(request, response)
    },
  }
}
