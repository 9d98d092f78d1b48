// Matches that name the same fields, with masks on the same of them, are a struct of fixed size. Programs use a handful of
// such shapes for nearly all of their matches, so a shape that is seen often is compiled as one: twice as fast as field after field.

import { type Compiled, type Fields, struct } from '../wire/struct.ts'
import { type Cursor, constant, type Fixed, fixed, pad } from '../wire/wire.ts'
import { type Field, fieldByHeader, fieldByName } from './fields.ts'

/** What follows a header of 32 bits: a value, or with a mask both. */
type Part = { readonly field: Field; readonly masked: boolean }

/** A beginning of a match; the shapes that begin with it, and one field more, are next. */
export type Shape = {
  readonly parts: readonly Part[]
  readonly next: Map<number, Shape>
  /** The one that came last: nearly always the one that comes now. */
  lastHeader: number
  lastName: string
  lastMasked: boolean
  last: Shape | undefined
  uses: number
  /** Reads and writes the fields alone, and a whole struct ofp_match. */
  fields: Compiled | undefined
  match: Compiled | undefined
}

const newShape = (parts: readonly Part[]): Shape => ({
  parts,
  ...{
    next: new Map(),
    lastHeader: -1,
    lastName: '',
    lastMasked: false,
    last: undefined,
    uses: 0,
    fields: undefined,
    match: undefined,
  },
})

/** A peer may send what it likes: it must not fill our memory with shapes, nor our time with compiling them. */
const mostShapes = 1024
const usesBeforeCompiled = 64

export const emptyShape = newShape([])
let shapes = 0

/** The shape that has one field more; undefined if that is not of a fixed size, there twice, or one shape too many. */
function extended(shape: Shape, header: number, part: Part): Shape | undefined {
  const found = shape.next.get(header)
  if (found === undefined && (shapes >= mostShapes || shape.parts.some(({ field }) => field === part.field)))
    return undefined
  const next = found ?? newShape([...shape.parts, part])
  if (found === undefined) {
    shapes++
    shape.next.set(header, next)
  }
  shape.lastHeader = header
  shape.lastName = part.field.name
  shape.lastMasked = part.masked
  shape.last = next
  return next
}

/** The shape behind `shape` with the field of this header. */
export function withHeader(shape: Shape, header: number): Shape | undefined {
  if (shape.lastHeader === header) return shape.last
  const field = header >>> 16 === 0xffff ? undefined : fieldByHeader(header)
  if (field?.value === undefined || (header !== field.header && header !== field.maskedHeader)) return undefined
  return extended(shape, header, { field, masked: header === field.maskedHeader })
}

/** The same, of a field by name. */
export function withName(shape: Shape, name: string, masked: boolean): Shape | undefined {
  if (shape.lastName === name && shape.lastMasked === masked) return shape.last
  const field = fieldByName.get(name)
  if (field?.value === undefined || field.experimenter !== undefined) return undefined
  return extended(shape, masked ? field.maskedHeader : field.header, { field, masked })
}

/** What reads and writes fields of this shape; undefined as long as it has not been asked for often. */
export function fieldsCodec(shape: Shape): Compiled | undefined {
  if (shape.fields === undefined && ++shape.uses > usesBeforeCompiled) shape.fields = struct(fieldsOf(shape))
  return shape.fields
}

/** The same with the head of a struct ofp_match before them, and padding behind. */
export function matchCodec(shape: Shape): Compiled | undefined {
  if (shape.match === undefined && ++shape.uses > usesBeforeCompiled) {
    const length = shape.parts.reduce((sum, { field, masked }) => sum + lengthOf(field, masked), 4)
    const padding = (8 - (length & 7)) & 7
    const tail = padding === 0 ? {} : { _: pad(padding) }
    shape.match = struct({ _head: constant(oxmMatch * 0x10000 + length), ...fieldsOf(shape), ...tail })
  }
  return shape.match
}

/** OFPMT_OXM, the only type of match in OpenFlow 1.3. */
export const oxmMatch = 1

const lengthOf = ({ header, maskedHeader }: Field, masked: boolean): number =>
  4 + ((masked ? maskedHeader : header) & 0xff)

const fieldsOf = ({ parts }: Shape): Fields =>
  Object.fromEntries(
    parts.flatMap(({ field, masked }) => [
      [`_${field.name}`, constant(masked ? field.maskedHeader : field.header)],
      [field.name, masked ? withMask(field.value!) : field.value!],
    ]),
  )

const withMask = (value: Fixed<unknown>): Fixed<{ readonly value: unknown; readonly mask: unknown }> =>
  fixed(
    value.size * 2,
    (c: Cursor, at) => ({ value: value.get(c, at), mask: value.get(c, at + value.size) }),
    (c: Cursor, at, it) => {
      value.set(c, at, it.value)
      value.set(c, at + value.size, it.mask)
    },
  )
