import type { Compiled } from '../wire/struct.ts'
import {
  align8,
  bounded,
  type Codec,
  type Cursor,
  check16,
  located,
  readPadding,
  refuse,
  rest,
  take,
  writePadding,
  wrong,
} from '../wire/wire.ts'
import {
  experimenterField,
  type Field,
  type FieldName,
  fieldByHeader,
  fieldByName,
  type Match,
  parseUnknownName,
  type UnknownField,
  unknownName,
} from './fields.ts'
import { emptyShape, fieldsCodec, matchCodec, oxmMatch, type Shape, withHeader, withName } from './match-shape.ts'

const hasMask = 0x100

type Values = Record<string, unknown>
/** Where the name of the field that was read last is left. */
type Read = { name: string }

function readField(c: Cursor, read: Read): unknown {
  const start = take(c, 4)
  const header = c.view.getUint32(start)
  const end = start + 4 + (header & 0xff)
  if (end > c.end) refuse(c, start, `OXM header says ${header & 0xff} bytes, but ${c.end - start - 4} are left`)
  c.at = end
  const field = header >>> 16 === 0xffff ? readExperimenter(c, start, header, end) : fieldByHeader(header)
  if (field?.value === undefined) return readBytes(c, start, header, end, field, read)
  read.name = field.name
  const at = start + field.offset
  if (header === field.header) return field.value.get(c, at)
  if (header !== field.maskedHeader) {
    const size = field.value.size
    refuse(
      c,
      start,
      `field ${field.name} takes ${size} bytes, or ${size * 2} with a mask; header says ${header & 0xff}`,
    )
  }
  return { value: field.value.get(c, at), mask: field.value.get(c, at + field.value.size) }
}

function readExperimenter(c: Cursor, start: number, header: number, end: number): Field | undefined {
  if (end < start + 8) refuse(c, start, `an experimenter's field takes 4 bytes or more, header says ${header & 0xff}`)
  return experimenterField(header, c.view.getUint32(start + 4), end < start + 10 ? -1 : c.view.getUint16(start + 8))
}

/** A field whose length only its header tells: unknown to us, or of variable length. */
function readBytes(
  c: Cursor,
  start: number,
  header: number,
  end: number,
  field: Field | undefined,
  read: Read,
): unknown {
  const experimenter = header >>> 16 === 0xffff ? c.view.getUint32(start + 4) : undefined
  read.name = field?.name ?? unknownName(header, experimenter)
  const at = start + (experimenter === undefined ? 4 : 8)
  const size = end - at
  if ((header & hasMask) === 0) return c.bytes.subarray(at, end)
  if (size % 2 === 1) refuse(c, start, `field ${read.name} has a mask, but an odd length of ${size}`)
  return { value: c.bytes.subarray(at, at + size / 2), mask: c.bytes.subarray(at + size / 2, end) }
}

type MaskedValue = { readonly value: unknown; readonly mask: unknown }
const isMasked = (value: unknown): value is MaskedValue =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && 'mask' in value

export function writeField(c: Cursor, name: string, value: unknown): void {
  const field = fieldByName.get(name)
  if (field?.value === undefined) {
    writeBytes(c, name, field, value)
    return
  }
  const masked = typeof value === 'object' && isMasked(value)
  const size = field.value.size
  const start = take(c, field.offset + (masked ? size * 2 : size))
  c.view.setUint32(start, masked ? field.maskedHeader : field.header)
  if (field.experimenter !== undefined) {
    c.view.setUint32(start + 4, field.experimenter)
    if (field.expType !== undefined) c.view.setUint16(start + 8, field.expType)
  }
  const at = start + field.offset
  if (!masked) field.value.set(c, at, value)
  else {
    field.value.set(c, at, value.value)
    field.value.set(c, at + size, value.mask)
  }
}

function writeBytes(c: Cursor, name: string, field: Field | undefined, value: unknown): void {
  const known: { header: number; experimenter?: number | undefined } | undefined = field ?? parseUnknownName(name)
  if (known === undefined) throw wrong('a field of OpenFlow 1.3 or Open vSwitch', name)
  const parts = isMasked(value) ? [value.value, value.mask] : [value]
  if (!parts.every(part => part instanceof Uint8Array) || (parts[1] && parts[0]!.length !== parts[1].length))
    throw wrong('a Buffer, or a value and a mask of the same length', value)
  const start = take(c, known.experimenter === undefined ? 4 : 8)
  if (known.experimenter !== undefined) c.view.setUint32(start + 4, known.experimenter)
  for (const part of parts) rest.write(c, part as Buffer)
  const length = c.at - start - 4
  if (length > 0xff) wrong('at most 255 bytes of an OXM field', length)
  c.view.setUint32(start, ((known.header & ~0x1ff) | (parts.length > 1 ? hasMask : 0) | length) >>> 0)
}

/** The shape of the fields that stand between `at` and `end`; undefined where they have none, or do not end there. */
function shapeAhead(c: Cursor, from: number, end: number): Shape | undefined {
  const { view } = c
  let shape: Shape | undefined = emptyShape
  let at = from
  while (at + 4 <= end) {
    const header = view.getUint32(at)
    shape = shape.lastHeader === header ? shape.last : withHeader(shape, header)
    if (shape === undefined) return undefined
    at += 4 + (header & 0xff)
  }
  return at === end ? shape : undefined
}

/** What reads the whole match that is next, if such a one was read often enough. */
function codecAhead(c: Cursor): Compiled | undefined {
  const { view, at, end } = c
  if (at + 8 > end || view.getUint16(at) !== oxmMatch) return undefined
  const length = view.getUint16(at + 2)
  if (at + ((length + 7) & ~7) > end) return undefined
  const shape = shapeAhead(c, at + 4, at + length)
  return shape && matchCodec(shape)
}

/** The shape of a match that is to be written. */
function shapeOf(match: Values): Shape | undefined {
  let shape: Shape | undefined = emptyShape
  for (const name in match) {
    const value = match[name]
    const masked = typeof value === 'object' && isMasked(value)
    shape = shape.lastName === name && shape.lastMasked === masked ? shape.last : withName(shape, name, masked)
    if (shape === undefined) return undefined
  }
  return shape
}

/** OXM fields without a header around them, up to the end of the enclosing structure. */
export const oxmFields: Codec<Match> = {
  read(c) {
    const shape = shapeAhead(c, c.at, c.end)
    const codec = shape && fieldsCodec(shape)
    if (codec !== undefined) return codec.read(c)
    const match: Values = {}
    const read: Read = { name: '' }
    // Which basic fields there were: numbers 0 to 31, and 32 to 63. Looking in the match itself is slower.
    let low = 0
    let high = 0
    while (c.at < c.end) {
      const start = c.at
      const value = readField(c, read)
      const header = c.view.getUint32(start)
      const number = header >>> 9
      const bit = 1 << (number & 31)
      let twice: boolean
      if (number >>> 5 === 0x8000 << 2) {
        twice = (low & bit) !== 0
        low |= bit
      } else if (number >>> 5 === (0x8000 << 2) + 1) {
        twice = (high & bit) !== 0
        high |= bit
      } else twice = match[read.name] !== undefined
      if (twice) refuse(c, start, `field ${read.name} stands there twice`)
      match[read.name] = value
    }
    return match as Match
  },
  write(c, match) {
    const shape = shapeOf(match as Values)
    const codec = shape && fieldsCodec(shape)
    if (codec !== undefined) return codec.write(c, match)
    let name = ''
    try {
      for (name in match) writeField(c, name, (match as Values)[name])
    } catch (error) {
      throw located(error, name)
    }
  },
}

/** A field's new value. OpenFlow 1.3 has no `mask` here; some switches send one. */
export type SetField = {
  readonly field: FieldName | UnknownField
  readonly value: number | bigint | string | Buffer
  readonly mask?: number | bigint | string | Buffer
}

/** An action's body: one OXM field and padding to 8 bytes (§7.2.5, struct ofp_action_set_field). */
export const setFieldBody = <T extends string>(type: T): Codec<SetField> & { readonly ownType: true } => ({
  ownType: true,
  read(c) {
    const read: Read = { name: '' }
    const value: any = readField(c, read)
    align8.read(c)
    const field = read.name as FieldName
    if (!isMasked(value)) return { type, field, value }
    return { type, field, value: value.value as any, mask: value.mask as any }
  },
  write(c, { field, value, mask }) {
    writeField(c, field, mask === undefined ? value : { value, mask })
    align8.write(c, undefined)
  },
})

/** struct ofp_match (§7.2.3.1): type, length without padding, fields, padding to 8 bytes. */
export const match: Codec<Match> = {
  read(c) {
    const codec = codecAhead(c)
    if (codec !== undefined) return codec.read(c)
    const start = take(c, 4)
    const type = c.view.getUint16(start)
    if (type !== oxmMatch) refuse(c, start, `expected match type 1 (OXM), got ${type}`)
    const outer = c.end
    c.end = bounded(c, start, c.view.getUint16(start + 2))
    const value = oxmFields.read(c)
    c.end = outer
    readPadding(c, start)
    return value
  },
  write(c, value) {
    const shape = shapeOf(value as Values)
    const codec = shape && matchCodec(shape)
    if (codec !== undefined) return codec.write(c, value)
    const start = take(c, 4)
    c.view.setUint16(start, oxmMatch)
    oxmFields.write(c, value)
    c.view.setUint16(start + 2, check16(c.at - start))
    writePadding(c, start)
  },
}
