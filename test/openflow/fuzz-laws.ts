// What must hold whatever the bytes, or the text. Each law answers with what is wrong, or undefined.
import {
  canonical,
  decode,
  decodeLenient,
  eachEntry,
  encode,
  flowSet,
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

/** Flow entries are refused by a WireError, or have canonical bytes that are canonical, and are found by them. */
export function entries(bytes: Buffer): string | undefined {
  if (bytes[1] !== 19 || bytes.length < 16 || bytes.readUInt16BE(8) !== 1) return undefined
  const body = bytes.subarray(16)
  const set = flowSet(1)
  let wrong: string | undefined
  const put = (entry: Buffer, at: number, length: number) => {
    const first = refusedOr(() => canonical(entry, at, length))
    if (first === undefined) return
    if (!canonical(first).equals(first)) wrong = 'its canonical bytes are not canonical'
    set.put(first)
  }
  if (refusedOr(() => eachEntry(body, put)) === undefined) return undefined
  const comparison = set.compare()
  comparison.take(body)
  const { changed, extra } = comparison
  // Entries that stand there twice, in two forms, are the second one.
  if (extra.length > 0 || comparison.missing().length > 0) wrong = `${extra.length} entries are not found`
  for (const { slot, entry } of changed) if (set.find(entry) !== slot) wrong = 'a changed entry is that of another slot'
  return wrong
}

function refusedOr<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
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
