import { Buffer } from 'node:buffer'
import { maxMessageLength } from '../wire/framing.ts'
import { type Cursor, cursorOf, WireError } from '../wire/wire.ts'
import { type Message, message } from './messages.ts'

/**
 * One message, header included: exactly the bytes from `from` to `to`. Byte strings in the result are views of them.
 * Throws a WireError if encoding what it read would not give exactly these bytes.
 */
export function decode(bytes: Buffer, from = 0, to = bytes.length): Message {
  return read(bytes, from, to, true)
}

/**
 * As `decode`, but skips padding that is not zero and what follows the end of a text, as §7.1.2 lets a receiver do:
 * encoding the result may then give other bytes. For switches that send what their memory held. Of a multipart reply, an item
 * that cannot be read but says its length is left out, and what is wrong with it stands in the reply's `unreadable`.
 */
export function decodeLenient(bytes: Buffer, from = 0, to = bytes.length): Message {
  const value = read(bytes, from, to, false)
  if (recent.skipped === undefined) return value
  const unreadable = recent.skipped
  recent.skipped = undefined
  return { ...value, unreadable } as Message
}

/**
 * Messages of one chunk of a stream share its memory, and a cursor over it (its DataView above all) costs as much as
 * reading a short message does; so the last one is kept.
 */
let recent = cursorOf(Buffer.alloc(0))
let recentMemory: ArrayBufferLike = recent.bytes.buffer
let recentBytes = recent.bytes
/** Where those bytes stand in their memory. */
let recentStart = 0

function read(bytes: Buffer, from: number, to: number, strict: boolean): Message {
  if (bytes !== recentBytes) {
    const memory = bytes.buffer
    if (memory !== recentMemory) {
      recent = cursorOf(Buffer.from(memory))
      recentMemory = memory
    }
    recentBytes = bytes
    recentStart = bytes.byteOffset
  }
  const c = recent
  c.base = c.at = recentStart + from
  c.end = recentStart + to
  c.depth = 0
  c.strict = strict
  c.skipped = undefined
  const value = message.read(c)
  if (c.at !== c.end) throw new WireError(`header says ${c.at - c.base} bytes, got ${to - from}`, 2)
  return value
}

/** Where messages are written before they are copied out; longer than any message, so only its length limits one. */
const slab = cursorOf(Buffer.allocUnsafeSlow(maxMessageLength + 4096))

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
  let c = cursorOf(Buffer.allocUnsafeSlow(slab.bytes.length + messages.length * 128))
  for (const value of messages) {
    if (c.bytes.length - c.at < slab.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(c.bytes.length * 2 + slab.bytes.length)
      c.bytes.copy(grown, 0, 0, c.at)
      c = { ...cursorOf(grown), at: c.at }
    }
    write(c, value)
  }
  return c.bytes.subarray(0, c.at)
}
