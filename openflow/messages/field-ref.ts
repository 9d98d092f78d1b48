// A field named by its header alone, without a value (§7.2.3.2): in table features, and in Open vSwitch's actions.

import { type Codec, type Cursor, type Fixed, fixed, refuse, take, u16, wrong } from '../wire/wire.ts'
import {
  experimenterField,
  type Field,
  type FieldName,
  fieldByHeader,
  fieldByName,
  parseUnknownName,
  type UnknownField,
  unknownName,
} from './fields.ts'

/**
 * A field, as a name where its header says the usual length and no mask; otherwise with the header's last 9 bits
 * behind it: `tun_metadata0:16`, `eth_dst:268` (mask bit 256, length 12).
 */
export type FieldRef = FieldName | `${FieldName | UnknownField}:${number}`
/** A field in a list of what a table can do; `hasMask` and `length` as its header says. */
export type OxmId = { readonly field: FieldName | UnknownField; readonly hasMask: boolean; readonly length: number }

type Header = { readonly name: FieldName | UnknownField; readonly field: Field | undefined; readonly low: number }

function readHeader(c: Cursor): Header {
  const header = c.view.getUint32(take(c, 4))
  const experimenter = header >>> 16 === 0xffff ? c.view.getUint32(take(c, 4)) : undefined
  const found = experimenter === undefined ? fieldByHeader(header) : experimenterField(header, experimenter, noExpType)
  return { name: (found?.name ?? unknownName(header, experimenter)) as FieldName, field: found, low: header & 0x1ff }
}
/** A header alone has no room for the type of ONF field 0, so that stays an unknown field. */
const noExpType = -1

function writeHeader(c: Cursor, name: string, low: number | undefined): void {
  const field = fieldByName.get(name)
  const known = field?.expType === undefined ? field : undefined
  const { header, experimenter }: { header: number; experimenter?: number | undefined } =
    known ?? parseUnknownName(name) ?? wrong('a field', name)
  const bits = low ?? (known?.value ? header & 0x1ff : wrong('a length behind a field that has no usual one', name))
  if ((bits & 0x1ff) !== bits) wrong('a number below 512', bits)
  c.view.setUint32(take(c, 4), ((header & ~0x1ff) | bits) >>> 0)
  if (experimenter !== undefined) c.view.setUint32(take(c, 4), experimenter)
}

const format = ({ name, field, low }: Header): FieldRef =>
  field?.value && low === (field.header & 0x1ff) ? (name as FieldName) : `${name}:${low}`

function write(c: Cursor, ref: FieldRef): void {
  if (typeof ref !== 'string') wrong('the name of a field', ref)
  const colon = ref.indexOf(':')
  if (colon === -1) writeHeader(c, ref, undefined)
  else if (/^(0|[1-9]\d{0,2})$/.test(ref.slice(colon + 1)))
    writeHeader(c, ref.slice(0, colon), Number(ref.slice(colon + 1)))
  else wrong('the name of a field, and perhaps a length', ref)
}

/** 4 bytes, or 8 for a field of an experimenter. */
export const fieldRef: Codec<FieldRef> = { read: c => format(readHeader(c)), write }

/** For structures that have room for 4 bytes only. */
export const fieldRef4: Fixed<FieldRef> = fixed(
  4,
  (c, at) => {
    const header = c.view.getUint32(at)
    if (header >>> 16 === 0xffff) refuse(c, at, 'expected a field without an experimenter, got class 0xffff')
    const field = fieldByHeader(header)
    return format({ name: (field?.name ?? unknownName(header)) as FieldName, field, low: header & 0x1ff })
  },
  (c, at, ref) => {
    const after = c.at
    c.at = at
    write(c, ref)
    if (c.at !== at + 4) wrong('a field without an experimenter', ref)
    c.at = after
  },
)

export const oxmId: Codec<OxmId> = {
  read(c) {
    const { name, low } = readHeader(c)
    return { field: name, hasMask: low >= 0x100, length: low & 0xff }
  },
  write(c, { field, hasMask, length }) {
    if ((length & 0xff) !== length) wrong('a length below 256', length)
    writeHeader(c, field, (hasMask ? 0x100 : 0) | length)
  },
}

/** Which bits of a field: 16 bits on the wire, so at most 64 of them, starting below 1024. */
export type Range = { readonly offset: number; readonly nBits: number }
export const range: Fixed<Range> = fixed(
  2,
  (c, at) => {
    const bits = u16.get(c, at)
    return { offset: bits >>> 6, nBits: (bits & 0x3f) + 1 }
  },
  (c, at, { offset, nBits }) => {
    if ((offset & 0x3ff) !== offset) wrong('an offset below 1024', offset)
    if (nBits < 1 || nBits > 64 || !Number.isInteger(nBits)) wrong('1 to 64 bits', nBits)
    u16.set(c, at, (offset << 6) | (nBits - 1))
  },
)
