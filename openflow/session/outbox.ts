import type { Scope } from './tls.ts'

/** The socket of a session, as the session needs it. */
export type Transport = {
  /** The peer, as `address:port`. */
  readonly remote: string
  /** Its address alone. */
  readonly address: string
  /** Datapaths that the peer has a certificate for; without TLS it may say that it is any. */
  readonly scope: Scope
  /** Hands bytes over; false: the peer reads slower than we write, wait for `drained` before writing much more. */
  write(bytes: Buffer): boolean
  /** Bytes handed over that the kernel has not taken yet. */
  queued(): number
  /** Reads no more until resume(). */
  pause(): void
  resume(): void
  /** Ends the connection. `orderly`: what was written still leaves; otherwise it is thrown away. */
  close(orderly: boolean): void
}

/**
 * What leaves on a transport. Messages that are posted in one turn of the event loop leave in one write: when nothing else is left to
 * be done in that turn, promises included, or when `full` bytes have come together.
 */
export type Outbox = {
  readonly transport: Transport
  parts: Buffer[]
  bytes: number
  scheduled: boolean
  /** Since when (session time, ms) the peer has not taken all that we wrote; undefined while it has. */
  blockedAt: number | undefined
  readonly waiting: (() => void)[]
}

const full = 65_536

export const newOutbox = (transport: Transport): Outbox => ({
  transport,
  parts: [],
  bytes: 0,
  scheduled: false,
  blockedAt: undefined,
  waiting: [],
})

/** Adds one message. `now` is session time in ms. */
export function post(outbox: Outbox, message: Buffer, now: number): void {
  outbox.parts.push(message)
  outbox.bytes += message.length
  if (outbox.bytes >= full) flush(outbox, now)
  else if (!outbox.scheduled) {
    outbox.scheduled = true
    process.nextTick(flush, outbox, now)
  }
}

export function flush(outbox: Outbox, now: number): void {
  outbox.scheduled = false
  if (outbox.bytes === 0) return
  const bytes = outbox.parts.length === 1 ? outbox.parts[0]! : Buffer.concat(outbox.parts, outbox.bytes)
  outbox.parts = []
  outbox.bytes = 0
  if (!outbox.transport.write(bytes)) outbox.blockedAt ??= now
}

/** The peer has taken all that was written. */
export function drained(outbox: Outbox): void {
  outbox.blockedAt = undefined
  release(outbox)
}

/** Resolves when the peer has taken what was written so far (at once if it has), or the transport is closed. */
export const room = (outbox: Outbox): Promise<void> =>
  outbox.blockedAt === undefined ? Promise.resolve() : new Promise(resolve => outbox.waiting.push(resolve))

/** Nothing more can be written: what was posted is forgotten, and nobody waits for room any longer. */
export function shut(outbox: Outbox): void {
  outbox.parts = []
  outbox.bytes = 0
  release(outbox)
}

function release(outbox: Outbox): void {
  for (const resolve of outbox.waiting.splice(0)) resolve()
}
