// Reads single values in ovs-ofctl's syntax.
import type { FieldRef } from '../messages/field-ref.ts'
import { type Field, fieldByName, fieldTable, parseUnknownName } from '../messages/fields.ts'
import { cursorOf, WireError } from '../wire/wire.ts'
import { ipv4Mask, ipv6Mask, parsePort } from './field.ts'
import { type FieldText, fieldTexts, textOf } from './words.ts'

/** A line that is not in ovs-ofctl's syntax. `message` says what was expected and what was there. */
export class TextError extends Error {
  override name = 'TextError'
}
export const unexpected = (expected: string, got: string): never => {
  throw new TextError(`expected ${expected}, got '${got}'`)
}

export function parseNumber(text: string, max: number, what: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN
  return value <= max ? value : unexpected(`a number from 0 to ${max} for ${what}`, text)
}
export function parseBigInt(text: string, bits: number, what: string): bigint {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) && text.length < 80 ? BigInt(text) : -1n
  return value >= 0n && value >> BigInt(bits) === 0n ? value : unexpected(`a number of ${bits} bits for ${what}`, text)
}
export const parseHex = (text: string, what: string): Buffer => {
  if (!/^([0-9a-f]{2})*$/i.test(text)) unexpected(`pairs of hex digits for ${what}`, text)
  return Buffer.from(text, 'hex')
}

/** Splits at commas that stand in no bracket. */
export const splitList = (text: string): string[] => splitAt(text, /,/)
/** Splits at commas and blanks that stand in no bracket, as ovs-ofctl does a list of actions. */
export const splitWords = (text: string): string[] => splitAt(text, /[,\s]/)

function splitAt(text: string, separator: RegExp): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i <= text.length; i++) {
    const ch = text[i]
    if (ch === '(' || ch === '[') depth++
    else if (ch === ')' || ch === ']') depth--
    else if (ch === undefined || (depth === 0 && separator.test(ch))) {
      const part = text.slice(start, i).trim()
      if (part !== '') parts.push(part)
      start = i + 1
    }
    if (depth < 0) unexpected('brackets that match', text)
  }
  if (depth !== 0) unexpected('brackets that match', text)
  return parts
}

/** `key=value` or `key:value`; a value of undefined if there is neither. */
export function splitPair(text: string): [key: string, value: string | undefined] {
  const at = text.search(/[=:]/)
  return at === -1 ? [text, undefined] : [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

const aliases: Readonly<Record<string, string>> = {
  ip_proto: 'ip_proto',
  nw_tos: 'nxm_of_ip_tos',
  ip_ecn: 'ip_ecn',
  tun_id: 'tunnel_id',
  in_port_oxm: 'in_port',
  nw_frag: 'ip_frag',
  icmp_type: 'icmpv4_type',
  icmp_code: 'icmpv4_code',
}

/** Every name of a field: ours, those of ovs-ofctl, and those with OXM_OF_ and the like. */
const byWord = new Map<string, string>()
for (const [field, { key, name, ref }] of fieldTexts)
  for (const word of [key, name, ref]) if (!byWord.has(word)) byWord.set(word, field)
for (const [word, field] of Object.entries(aliases)) byWord.set(word, field)
for (const field of Object.keys(fieldTable)) {
  if (!byWord.has(field)) byWord.set(field, field)
  if (fieldTable[field as keyof typeof fieldTable][0] === 'of') byWord.set(`OXM_OF_${field.toUpperCase()}`, field)
}
export const findField = (word: string): string | undefined => byWord.get(word) ?? byWord.get(word.toUpperCase())

/** The value as reading it from the wire would give it; refuses what the field cannot hold. */
function normal(field: Field, value: unknown, text: string): any {
  const c = cursorOf(Buffer.alloc(16))
  try {
    field.value!.set(c, 0, value)
  } catch (error) {
    if (error instanceof WireError) unexpected(`a value for ${field.name}`, text)
    throw error
  }
  return field.value!.get(c, 0)
}

const macOf = (text: string): string =>
  text
    .split(':')
    .map(byte => byte.padStart(2, '0'))
    .join(':')

function parseFlags(text: FieldText, value: string, max: number): unknown {
  const names = text.flags!
  const bit = (name: string): number => {
    const i = names.indexOf(name)
    return i === -1 ? unexpected(`one of ${names.join(', ')}`, name) : 1 << i
  }
  if (/^[+-]/.test(value)) {
    const signs = value.match(/[+-][^+-]+/g) ?? unexpected('flags such as +syn-ack', value)
    const all = signs.map(sign => bit(sign.slice(1)))
    const on = all.filter((_, i) => signs[i]!.startsWith('+'))
    return { value: on.reduce((a, b) => a | b, 0), mask: all.reduce((a, b) => a | b, 0) }
  }
  if (/^\d/.test(value)) return parsePlain(value, part => parseNumber(part, max, text.key))
  return value.split('|').reduce((bits, name) => bits | bit(name), 0)
}

const frags: Readonly<Record<string, unknown>> = {
  no: 0,
  yes: { value: 1, mask: 1 },
  first: 1,
  later: 3,
  not_later: { value: 0, mask: 2 },
}

function parsePlain(text: string, parse: (part: string) => unknown): unknown {
  const slash = text.indexOf('/')
  if (slash === -1) return parse(text)
  return { value: parse(text.slice(0, slash)), mask: parse(text.slice(slash + 1)) }
}

function parseAddress(field: Field, text: string): unknown {
  if (field.kind === 'mac') return parsePlain(text, part => normal(field, macOf(part), text))
  const prefix = /^(.*)\/(\d{1,3})$/.exec(text)
  if (prefix === null) return parsePlain(text, part => normal(field, part, text))
  const bits = parseNumber(prefix[2]!, field.kind === 'ipv4' ? 32 : 128, 'a prefix')
  const value = normal(field, prefix[1]!, text)
  if (bits === (field.kind === 'ipv4' ? 32 : 128)) return value
  return { value, mask: field.kind === 'ipv4' ? ipv4Mask(bits) : ipv6Mask(bits) }
}

function parseOctets(text: string): Buffer {
  const digits = /^0x([0-9a-f]*)$/i.exec(text)?.[1] ?? BigInt(parseBigInt(text, 256, 'a value')).toString(16)
  return parseHex(digits.length % 2 === 1 ? `0${digits}` : digits, 'a value')
}

/** `(1,0x800)`: OpenFlow 1.5's packet types, namespace and type. */
function parsePacketType(text: string): number {
  const parts = /^\(\s*(\w+)\s*,\s*(\w+)\s*\)$/.exec(text)
  if (parts === null) return parseNumber(text, 0xffffffff, 'packet_type')
  return parseNumber(parts[1]!, 0xffff, 'a namespace') * 0x10000 + parseNumber(parts[2]!, 0xffff, 'a packet type')
}

/** A value, or `{ value, mask }`, of a field that is named as we name it; undefined for `ANY` and `*`. */
export function parseValue(name: string, text: string): any {
  if (text === '*' || text === 'ANY') return undefined
  const field = fieldByName.get(name)
  const style = textOf(name).style
  if (field?.value === undefined) return parsePlain(text, parseOctets)
  if (style === 'address') return parseAddress(field, text)
  if (style === 'frag') return frags[text] ?? unexpected(Object.keys(frags).join(', '), text)
  if (style === 'packet') return parsePacketType(text)
  if (style === 'port' && parsePort(text) !== undefined) return parsePort(text)
  if (style === 'port16' && parsePort(text) !== undefined) return parsePort(text)! & 0xffff
  const size = field.value.size
  if (style === 'bits') return parseFlags(textOf(name), text, 2 ** field.bits - 1)
  if (field.kind === 'u64' || field.kind === 'u128') return parsePlain(text, part => parseBigInt(part, size * 8, name))
  return parsePlain(text, part => parseNumber(part, 2 ** field.bits - 1, name))
}

/** Open vSwitch's option fields: of any length up to this, in bytes, which is also what it takes them for by itself. */
const longestOption = 124
/** An offset has 10 bits in the actions that have one. */
const mostBits = 1024

/**
 * A value as a switch wants it: no bit of it outside its mask (else it is refused, BAD_WILDCARDS), and no mask that says
 * nothing. undefined where the mask has no bit at all. Fields of no fixed length are left as they are.
 */
export function underMask(name: string, given: any): any {
  const field = fieldByName.get(name)
  if (field?.value === undefined || typeof given !== 'object' || !('mask' in given)) return given
  const { size } = field.value
  const c = cursorOf(Buffer.alloc(size * 2))
  field.value.set(c, 0, given.value)
  field.value.set(c, size, given.mask)
  const mask = c.bytes.subarray(size)
  if (mask.every(byte => byte === 0)) return undefined
  for (let i = 0; i < size; i++) c.bytes[i]! &= mask[i]!
  const value = field.value.get(c, 0)
  return mask.every(byte => byte === 0xff) ? value : { value, mask: given.mask }
}

export type Bits = { readonly field: FieldRef; readonly offset: number; readonly nBits: number }

/** `NXM_NX_REG0[0..15]`, `reg0[3]`, `reg0[]` or `reg0`. */
export function parseBits(text: string): Bits {
  const parts = /^([^[\]]+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$/.exec(text) ?? unexpected('a field with bits', text)
  const word = parts[1]!
  // Bits of it are those of NXM's port, which has 16.
  const found =
    (word === 'in_port' ? 'nxm_of_in_port' : findField(word)) ??
    (isRef(word) ? word : unexpected('the name of a field', word))
  const isOption = fieldByName.has(found) && fieldByName.get(found)!.value === undefined
  const name = isOption ? `${found}:${longestOption}` : found
  if (parts[2] === undefined)
    return {
      field: name as FieldRef,
      offset: 0,
      nBits: isOption ? longestOption * 8 : (fieldByName.get(name)?.bits ?? 1),
    }
  const offset = Number(parts[2])
  const last = Number(parts[3] ?? parts[2])
  if (last < offset) unexpected('a last bit behind the first', text)
  if (last >= mostBits) unexpected(`bits below ${mostBits}`, text)
  return { field: name as FieldRef, offset, nBits: last - offset + 1 }
}
const isRef = (word: string): boolean => {
  const [name, low] = word.split(':') as [string, string?]
  return low !== undefined && (fieldByName.has(name) || parseUnknownName(name) !== undefined)
}
