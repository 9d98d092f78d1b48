/**
 * JSON values that follow each other without any framing, as JSON-RPC 1.0 sends them over a stream (RFC 7047 §4): a value is
 * over where its outermost bracket closes, wherever the stream was cut into pieces.
 */

export type JsonStream = {
  /** Takes the next piece; answers the values that are whole now. Throws JsonStreamError, after which the stream is of no use. */
  push(piece: string): unknown[]
}

export class JsonStreamError extends Error {
  override name = 'JsonStreamError'
}

/** @param most Characters that one value may have. */
export function jsonStream(most: number): JsonStream {
  let held = ''
  /** In `held`: how far it was looked at, and what was seen up to there. */
  let at = 0
  let depth = 0
  let quoted = false
  const wholes = (): string[] => {
    const texts: string[] = []
    let start = 0
    for (; at < held.length; at++) {
      const code = held.charCodeAt(at)
      if (quoted) {
        // A backslash may be the last character of a piece: then what it escapes comes with the next one.
        if (code === backslash) at++
        else if (code === quote) quoted = false
      } else if (code === quote) {
        if (depth === 0) throw notAnObject(held.slice(start))
        quoted = true
      } else if (code === openBrace || code === openBracket) depth++
      else if (code === closeBrace || code === closeBracket) {
        if (--depth > 0) continue
        if (depth < 0) throw notAnObject(held.slice(start))
        texts.push(held.slice(start, at + 1))
        start = at + 1
      } else if (depth === 0 && code > space) throw notAnObject(held.slice(start))
    }
    if (start > 0) {
      held = held.slice(start)
      at -= start
    }
    return texts
  }
  return {
    push(piece) {
      held += piece
      const texts = wholes()
      if (held.length > most)
        throw new JsonStreamError(`a JSON value goes on after ${most} characters, which is the most that is taken`)
      return texts.map(parse)
    },
  }
}

const [quote, backslash, space] = [0x22, 0x5c, 0x20]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

const notAnObject = (text: string) =>
  new JsonStreamError(`expected a JSON object or array, got ${JSON.stringify(text.trim().slice(0, 40))}`)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new JsonStreamError(`not JSON: ${(error as Error).message}`)
  }
}
