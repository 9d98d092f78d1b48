// From a socket's bytes to messages: cut into frames, taken in turn with other connections, no faster than a switch may speak.
import { wireVersion } from '../index.ts'
import { asyncRate, type Connection, close } from './connection.ts'
import { incompatible } from './handshake.ts'
import { takePacketIn, waitingPacketIns } from './packet-ins.ts'
import { noticePorts } from './port-watch.ts'
import { accept, lostFraming } from './receive.ts'
import { refill } from './token-bucket.ts'

/** So much of what was read is split into messages at once, so that a flood of tiny ones takes little memory. */
const pieceLength = 16_384

/** Takes bytes from the socket. work() looks at them. */
export function received(c: Connection, chunk: Buffer): void {
  if (c.state.is === 'closed') return
  c.heardAt = c.clock.now()
  if (c.bytesIn === 0) c.hooks.heard(c)
  c.bytesIn += chunk.length
  c.unread += chunk.length
  c.chunks.push(chunk)
  if (c.unread >= c.limits.unread && !c.paused) {
    c.paused = true
    c.transport.pause()
  }
  c.hooks.busy(c)
}

/** The switch has closed its side: what it said before still counts. */
export function ended(c: Connection): void {
  c.finished = true
  c.hooks.busy(c)
}

/**
 * Looks at messages until `until` (exact time, ms), and then hands packet-ins on for as long again. Returns whether
 * there is more to do. At least one message is looked at, and one packet-in handed on, however late it is.
 */
export function work(c: Connection, until: number): boolean {
  const start = c.clock.exact()
  let more = true
  do more = next(c)
  while (more && c.clock.exact() < until)
  noticePorts(c)
  const untilThen = c.clock.exact() + (until - start)
  do if (!deliver(c)) return more
  while (c.clock.exact() < untilThen)
  return more || waitingPacketIns(c.packetIns) > 0
}

/** Looks at one message; false if there is none, or it has to wait. */
function next(c: Connection): boolean {
  if (isResting(c)) return false
  const frame = c.frames[c.nextFrame]
  if (frame !== undefined) {
    c.nextFrame++
    accept(c, frame)
    return true
  }
  if (c.state.is === 'closed') return false
  if (c.fault !== undefined) lostFraming(c, c.fault)
  else if (c.chunks.length > 0) {
    split(c)
    return true
  } else if (c.finished) finish(c)
  return false
}

/** Whether the switch has sent so much that the rest has to wait in its socket: tick() goes on with it. */
function isResting(c: Connection): boolean {
  if (c.asyncBudget.messages > 0 && c.asyncBudget.bytes > 0 && !c.asyncBudget.resting) return false
  const before = c.asyncBudget.throttled
  const may = refill(c.asyncBudget, asyncRate(c.limits), c.clock.now())
  if (c.asyncBudget.throttled > before) c.metrics.throttled?.()
  return !may
}

/** Splits the next piece of what was read into messages. */
function split(c: Connection): void {
  c.frames = []
  c.nextFrame = 0
  const chunk = c.chunks[0]!
  const piece = chunk.subarray(0, pieceLength)
  if (piece.length === chunk.length) c.chunks.shift()
  else c.chunks[0] = chunk.subarray(pieceLength)
  c.unread -= piece.length
  const foreign = c.state.is === 'hello' && c.framing.pending() === 0 ? foreignTo(piece) : undefined
  if (foreign !== undefined) return void foreign(c)
  if (c.paused && c.unread <= c.limits.unread / 2) {
    c.paused = false
    c.transport.resume()
  }
  try {
    c.framing.push(piece, frame => c.frames.push(frame))
  } catch (error) {
    c.fault = error as Error
  }
  const partial = piece.subarray(piece.length - c.framing.pending())
  if (c.framing.pending() === 0) c.partialSince = undefined
  else if (c.frames.length > 0 || c.partialSince === undefined) {
    c.partialSince = c.clock.now()
    c.fault ??= implausible(c, partial)
  }
}

/** What ends a connection whose first bytes are another protocol's; undefined: they may be OpenFlow. */
function foreignTo(first: Buffer): ((c: Connection) => void) | undefined {
  // A TLS record: handshake (22), version 3.x (RFC 8446 §5.1).
  if (first[0] === 22 && first[1] === 3)
    return c =>
      close(
        c,
        'tls_on_tcp',
        "speaks TLS, but this listener is plain TCP: use tls: here, or tcp: as the switch's target",
      )
  if (/^[A-Z]{3,7} /.test(first.toString('latin1', 0, 8)))
    return c => incompatible(c, 'speaks HTTP, or another protocol of text, but this port is for OpenFlow switches')
  return undefined
}

/**
 * What is wrong with the first bytes of a message, if that can be seen from them: bytes of another protocol, or from
 * the middle of a message, seem to announce a long one, and to wait for it is in vain.
 */
function implausible(c: Connection, [version, type]: Buffer): Error | undefined {
  // Behind a HELLO that is still to be looked at, anything may come.
  if (c.state.is === 'hello' && c.frames.length > 0) return undefined
  if (c.state.is === 'hello') return (type ?? 0) > 1 ? new Error(`expected HELLO first, got type ${type}`) : undefined
  // An error about HELLO may carry another version, but comes before the features.
  if (c.state.is === 'features' || version === wireVersion) return undefined
  return new Error(`expected version 4 (OpenFlow 1.3), got ${version}`)
}

function finish(c: Connection): void {
  const middle = c.framing.pending() > 0 ? ', in the middle of a message' : ''
  close(c, 'closed', `closed by the switch${middle}`)
}

function deliver(c: Connection): boolean {
  const packetIn = c.state.is === 'live' ? takePacketIn(c.packetIns) : undefined
  if (packetIn === undefined || c.state.is !== 'live') return false
  c.hooks.packetIn(c.state.session, packetIn)
  return true
}
