// What must hold whatever the bytes, or the text. Each law answers with what is wrong, or undefined.
import {
  decode,
  decodeLenient,
  encode,
  formatFlow,
  formatMessage,
  type Message,
  parseFlow,
  TextError,
  WireError,
} from '../../openflow/index.ts'

/** The message, or undefined where it is refused as it should be: by a WireError that says where. */
function read(decoder: (bytes: Buffer) => Message, bytes: Buffer): Message | undefined {
  try {
    return decoder(bytes)
  } catch (error) {
    if (error instanceof WireError && error.offset !== undefined) return undefined
    throw error
  }
}

/** A decode is refused, or encodes to exactly the bytes that were read; and has words. */
export function exact(bytes: Buffer): string | undefined {
  const message = read(decode, bytes)
  if (message === undefined) return undefined
  formatMessage(message)
  return encode(message).equals(bytes) ? undefined : 'encodes otherwise'
}

/** A lenient decode is refused, or is what is left when padding is forgotten: bytes that then read exactly. */
export function lenient(bytes: Buffer): string | undefined {
  const message = read(decodeLenient, bytes)
  if (message === undefined) return undefined
  const clean = encode(message)
  return encode(decode(clean)).equals(clean) ? undefined : 'what was read leniently does not read exactly'
}

/** A text is refused by a TextError, or is a flow that is printed as one that prints the same. */
export function flowText(text: string): string | undefined {
  try {
    const printed = formatFlow(parseFlow(text))
    const again = formatFlow(parseFlow(printed))
    return printed === again ? undefined : `prints as ${printed}, and that as ${again}`
  } catch (error) {
    if (error instanceof TextError) return undefined
    throw error
  }
}
