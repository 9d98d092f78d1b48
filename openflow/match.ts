import {
  experimenterField,
  type Field,
  fieldByHeader,
  fieldByName,
  type Match,
  parseUnknownName,
  unknownName,
} from './fields.ts'
import {
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
} from './wire.ts'

const hasMask = 0x100

type Values = Record<string, unknown>

function readField(c: Cursor, into: Values): void {
  const start = take(c, 4)
  const header = c.view.getUint32(start)
  const end = start + 4 + (header & 0xff)
  if (end > c.end) refuse(c, start, `OXM header says ${header & 0xff} bytes, but ${c.end - start - 4} are left`)
  const field = header >>> 16 === 0xffff ? readExperimenter(c, start, header, end) : fieldByHeader(header)
  if (field?.value === undefined) {
    readBytes(c, start, header, end, field, into)
    return
  }
  const at = start + field.offset
  if (into[field.name] !== undefined) refuse(c, start, `field ${field.name} stands there twice`)
  if (header === field.header) into[field.name] = field.value.get(c, at)
  else if (header === field.maskedHeader)
    into[field.name] = { value: field.value.get(c, at), mask: field.value.get(c, at + field.value.size) }
  else
    refuse(
      c,
      start,
      `field ${field.name} takes ${field.value.size} bytes, or twice that with a mask; header says ${header & 0xff}`,
    )
  c.at = end
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
  into: Values,
): void {
  const experimenter = header >>> 16 === 0xffff ? c.view.getUint32(start + 4) : undefined
  const name = field?.name ?? unknownName(header, experimenter)
  if (into[name] !== undefined) refuse(c, start, `field ${name} stands there twice`)
  const at = start + (experimenter === undefined ? 4 : 8)
  const size = end - at
  c.at = end
  if ((header & hasMask) === 0) into[name] = c.bytes.subarray(at, end)
  else if (size % 2 === 1) refuse(c, start, `field ${name} has a mask, but an odd length of ${size}`)
  else into[name] = { value: c.bytes.subarray(at, at + size / 2), mask: c.bytes.subarray(at + size / 2, end) }
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

/** OXM fields without a header around them, up to the end of the enclosing structure. */
export const oxmFields: Codec<Match> = {
  read(c) {
    const match: Values = {}
    while (c.at < c.end) readField(c, match)
    return match as Match
  },
  write(c, match) {
    let name = ''
    try {
      for (name in match) writeField(c, name, (match as Values)[name])
    } catch (error) {
      throw located(error, name)
    }
  },
}

/** Exactly one OXM field, as an object of one entry. */
export const oxmField: Codec<Match> = {
  read(c) {
    const match: Values = {}
    readField(c, match)
    return match as Match
  },
  write(c, match) {
    const names = Object.keys(match)
    if (names.length !== 1) wrong('one field', names.join(', '))
    writeField(c, names[0]!, (match as Values)[names[0]!])
  },
}

const oxmMatch = 1

/** struct ofp_match (§7.2.3.1): type, length without padding, fields, padding to 8 bytes. */
export const match: Codec<Match> = {
  read(c) {
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
    const start = take(c, 4)
    c.view.setUint16(start, oxmMatch)
    oxmFields.write(c, value)
    c.view.setUint16(start + 2, check16(c.at - start))
    writePadding(c, start)
  },
}
