import { setImmediate } from 'node:timers/promises'
import { shown } from '../contract/shown.ts'
import { problem } from './problems.ts'
import { turns } from './slices.ts'

/** The largest body, in bytes. */
export const maxBytes = 1024 * 1024

/** Different keys in one body: more than this API has. Over 80,000 of them JSON.parse would hold the event loop for 50 ms. */
export const maxKeys = 1000

/** Deeper than any body of ours, and shallow for every reader. */
export const maxDepth = 32

const whitespace = new Set([0x20, 0x09, 0x0a, 0x0d])
const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const openObject = 0x7b
const closeObject = 0x7d
const openArray = 0x5b
const closeArray = 0x5d

/**
 * JSON.parse, but strict where it is lax: a key that stands twice, `__proto__`, nesting beyond maxDepth and bytes that
 * are not UTF-8 are refused (RFC 8259 §4, §8.1, §9). No bytes are undefined. Linear in the bytes, and others run in between: what
 * cannot be divided is JSON.parse, which reads the largest body in some 15 ms. Rejects with ProblemError.
 */
export const parseJson = async (bytes: Uint8Array): Promise<unknown> => {
  if (bytes.length === 0) return undefined
  const text = decodeText(bytes)
  await checkSize(text)
  await setImmediate()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const words = (error as Error).message
    throw problem('bad-json', [words], { where: 'body' })
  }
  await setImmediate()
  await checkKeys(text)
  return value
}

const decodeText = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw problem('bad-json', ['it is not UTF-8'], { where: 'body' })
  }
}

/** The index of the quote that closes the string whose first quote is at `start`; the end of the text if none does. */
const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end
    while (text.charCodeAt(first - 1) === backslash) first--
    // Of backslashes before it each second one is escaped itself.
    if ((end - first) % 2 === 0) return end
  }
  return text.length
}

const afterSpace = (text: string, start: number): number => {
  let i = start
  while (whitespace.has(text.charCodeAt(i))) i++
  return i
}

/** Before JSON.parse, so the text may be anything. */
const checkSize = async (text: string): Promise<void> => {
  const turn = turns()
  let depth = 0
  const keys = new Set<string>()
  for (let i = 0; i < text.length; i++) {
    if (turn.isOver(i)) await turn.next()
    const c = text.charCodeAt(i)
    if (c === quote) {
      const end = endOfString(text, i)
      if (text.charCodeAt(afterSpace(text, end + 1)) === colon) keys.add(text.slice(i, end))
      if (keys.size > maxKeys) throw problem('too-many-keys', [String(maxKeys)], { where: 'body' })
      i = end
    } else if (c === openObject || c === openArray) depth++
    else if (c === closeObject || c === closeArray) depth--
    if (depth > maxDepth) throw problem('too-deep', [String(maxDepth)], { where: 'body' })
  }
}

/** After JSON.parse, so the text is JSON, and a string before a colon is a key. */
const checkKeys = async (text: string): Promise<void> => {
  const turn = turns()
  const keys: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    if (turn.isOver(i)) await turn.next()
    const c = text.charCodeAt(i)
    if (c === openObject) keys.push(new Set())
    else if (c === closeObject) keys.pop()
    if (c !== quote) continue
    const end = endOfString(text, i)
    if (text.charCodeAt(afterSpace(text, end + 1)) === colon) checkKey(keyIn(text, i, end), keys.at(-1)!)
    i = end
  }
}

/** Most keys have no escapes. */
const keyIn = (text: string, start: number, end: number): string => {
  const key = text.slice(start + 1, end)
  return key.includes('\\') ? JSON.parse(`"${key}"`) : key
}

const checkKey = (key: string, seen: Set<string>): void => {
  if (key === '__proto__') throw problem('forbidden-key', [], { where: 'body' })
  if (seen.has(key)) throw problem('duplicate-key', [shown(key)], { where: 'body' })
  seen.add(key)
}
