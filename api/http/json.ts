import { shown } from '../contract/shown.ts'
import { problem } from './problems.ts'

/** The largest body, in bytes. */
export const maxBytes = 1024 * 1024

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
 * are not UTF-8 are refused (RFC 8259 §4, §8.1, §9). No bytes are undefined. Linear in the bytes. Throws ProblemError.
 */
export const parseJson = (bytes: Uint8Array): unknown => {
  if (bytes.length === 0) return undefined
  const text = decodeText(bytes)
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const words = (error as Error).message
    throw problem('bad-json', [words], { where: 'body' })
  }
  checkKeys(text)
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
  let i = start + 1
  while (i < text.length && text.charCodeAt(i) !== quote) i += text.charCodeAt(i) === backslash ? 2 : 1
  return i
}

/** Before JSON.parse, so the text may be anything. */
const checkDepth = (text: string): void => {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === quote) i = endOfString(text, i)
    else if (c === openObject || c === openArray) depth++
    else if (c === closeObject || c === closeArray) depth--
    if (depth > maxDepth) throw problem('too-deep', [String(maxDepth)], { where: 'body' })
  }
}

/** After JSON.parse, so the text is JSON, and a string before a colon is a key. */
const checkKeys = (text: string): void => {
  const keys: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === openObject) keys.push(new Set())
    else if (c === closeObject) keys.pop()
    if (c !== quote) continue
    const end = endOfString(text, i)
    let next = end + 1
    while (whitespace.has(text.charCodeAt(next))) next++
    if (text.charCodeAt(next) === colon) checkKey(JSON.parse(text.slice(i, end + 1)), keys.at(-1)!)
    i = end
  }
}

const checkKey = (key: string, seen: Set<string>): void => {
  if (key === '__proto__') throw problem('forbidden-key', [], { where: 'body' })
  if (seen.has(key)) throw problem('duplicate-key', [shown(key)], { where: 'body' })
  seen.add(key)
}
