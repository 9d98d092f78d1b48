import { maxMessageLength } from './framing.ts'
import { type Message, message } from './messages.ts'
import { type Cursor, cursorOf, WireError } from './wire.ts'

/**
 * One message, header included; `bytes` is exactly that message. Byte strings in the result are views of `bytes`.
 * Throws a WireError if encoding what it read would not give exactly these bytes.
 */
export function decode(bytes: Buffer): Message {
  return read(bytes, true)
}

/**
 * As `decode`, but skips padding that is not zero and what follows the end of a text, as §7.1.2 lets a receiver do:
 * encoding the result may then give other bytes. For switches that send what their memory held.
 */
export function decodeLenient(bytes: Buffer): Message {
  return read(bytes, false)
}

function read(bytes: Buffer, strict: boolean): Message {
  const c = cursorOf(bytes, strict)
  const value = message.read(c)
  if (c.at !== c.end) throw new WireError(`header says ${c.at} bytes, got ${c.end}`, 2)
  return value
}

/** Where messages are written before they are copied out; longer than any message, so only its length limits one. */
const slab = cursorOf(Buffer.allocUnsafeSlow(maxMessageLength + 4096), true)

function write(c: Cursor, value: Message): void {
  c.base = c.at
  c.depth = 0
  message.write(c, value)
}

/** The message's bytes. Throws a WireError that names the field if a value does not fit it. */
export function encode(value: Message): Buffer {
  slab.at = 0
  slab.end = slab.bytes.length
  write(slab, value)
  const bytes = Buffer.allocUnsafe(slab.at)
  slab.bytes.copy(bytes, 0, 0, slab.at)
  return bytes
}

/** Many messages in one Buffer, in order, ready to be written at once. */
export function encodeAll(messages: readonly Message[]): Buffer {
  let c = cursorOf(Buffer.allocUnsafeSlow(slab.bytes.length + messages.length * 128), true)
  for (const value of messages) {
    if (c.bytes.length - c.at < slab.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(c.bytes.length * 2 + slab.bytes.length)
      c.bytes.copy(grown, 0, 0, c.at)
      c = { ...cursorOf(grown, true), at: c.at }
    }
    write(c, value)
  }
  return c.bytes.subarray(0, c.at)
}
