import { headerLength } from './constants.ts'
import { WireError } from './wire.ts'

/** A message's length has 16 bits, so no message is longer. */
export const maxMessageLength = 0xffff

export type Framing = {
  /**
   * Takes the next bytes of the stream and hands every message that is now whole to `deliver`, in order. Throws a
   * WireError at a length that no message can have; what came before it was delivered, what follows must not be read.
   * A message that lies within one chunk is a view of it, not a copy.
   */
  push(chunk: Buffer, deliver: (message: Buffer) => void): void
  /** The same, without a view for each message, which costs a third of reading a short one: it is `bytes` from `from` to `to`. */
  split(chunk: Buffer, deliver: (bytes: Buffer, from: number, to: number) => void): void
  /** Bytes of a message that is not whole yet. */
  pending(): number
}

type Deliver = (bytes: Buffer, from: number, to: number) => void

const lengthAt = (bytes: Buffer, at: number): number => {
  const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
  if (length < headerLength)
    throw new WireError(`header says that the message is ${length} bytes long; expected at least ${headerLength}`, 2)
  return length
}

/** Splits a stream of bytes into messages. */
export function framing(): Framing {
  // The start of a message whose rest has not come yet; grows as bytes arrive, never by what a header promises.
  let partial = Buffer.alloc(0)
  let held = 0

  const hold = (bytes: Buffer): void => {
    if (held + bytes.length > partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(256, 2 * partial.length, held + bytes.length))
      partial.copy(grown, 0, 0, held)
      partial = grown
    }
    held += bytes.copy(partial, held)
  }

  /** Moves what completes the held message from the chunk, and returns how many bytes it took. */
  const complete = (chunk: Buffer, deliver: Deliver): number => {
    let used = 0
    if (held < 4) {
      used = Math.min(4 - held, chunk.length)
      hold(chunk.subarray(0, used))
      if (held < 4) return used
    }
    const missing = lengthAt(partial, 0) - held
    const some = Math.min(missing, chunk.length - used)
    hold(chunk.subarray(used, used + some))
    if (some === missing) {
      const message = partial
      const length = held
      partial = Buffer.alloc(0)
      held = 0
      deliver(message, 0, length)
    }
    return used + some
  }

  const split = (chunk: Buffer, deliver: Deliver): void => {
    let at = held > 0 ? complete(chunk, deliver) : 0
    while (chunk.length - at >= 4) {
      const length = lengthAt(chunk, at)
      if (chunk.length - at < length) break
      deliver(chunk, at, at + length)
      at += length
    }
    if (at < chunk.length) hold(chunk.subarray(at))
  }

  return {
    split,
    push: (chunk, deliver) => split(chunk, (bytes, from, to) => deliver(bytes.subarray(from, to))),
    pending: () => held,
  }
}
