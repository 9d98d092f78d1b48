import { type Compiled, typed } from './struct.ts'
import {
  bounded,
  type Codec,
  type Cursor,
  check16,
  finished,
  located,
  readPadding,
  refuse,
  rest,
  take,
  u32,
  type ValueOf,
  writePadding,
  wrong,
} from './wire.ts'

/** What an element that is not in the table is kept as. `payload` is all behind type and length. */
export type Unknown = { readonly type: 'unknown'; readonly code: number; readonly payload: Buffer }
/** An experimenter's element that is not in the table. `payload` is all behind the experimenter. */
export type Experimenter = { readonly type: 'experimenter'; readonly experimenter: number; readonly payload: Buffer }

export type Variants = Record<string, readonly [code: number, body: Codec<any>]>
export type ValueOfVariants<V extends Variants> = {
  readonly [K in keyof V]: { readonly type: K } & ValueOf<V[K][1]>
}[keyof V]

type Shape = {
  /** Lengths are multiples of 8, padding included (actions, instructions). */
  readonly eights?: boolean
  /** Lengths leave out the zeros that fill up to a multiple of 8 behind the element (hello elements, properties). */
  readonly padded?: boolean
  /** The code that says: an experimenter of 32 bits comes next. */
  readonly experimenterCode?: number
}

/** Elements of experimenters, told apart by 16 bits behind the experimenter's number. */
export type Extensions = Record<string, readonly [experimenter: number, subtype: number, body: Codec<any>]>
type ValueOfExtensions<W extends Extensions> = {
  readonly [K in keyof W]: { readonly type: K } & ValueOf<W[K][2]>
}[keyof W]

type Variant = {
  readonly name: string
  readonly code: number
  readonly experimenter?: number
  readonly subtype?: number
  readonly body: Compiled
}

/** Elements of a 16-bit type and a 16-bit length, each type with a body of its own. */
export function tlv<const S extends Shape, const V extends Variants, const W extends Extensions = Record<never, never>>(
  what: string,
  shape: S,
  variants: V,
  extensions: W = {} as W,
): Codec<
  ValueOfVariants<V> | ValueOfExtensions<W> | Unknown | (S extends { experimenterCode: number } ? Experimenter : never)
> {
  const byName = new Map<string, Variant>()
  const byCode = new Map<number, Variant>()
  const bySubtype = new Map<number, Variant>()
  for (const [name, [code, body]] of Object.entries(variants)) {
    byName.set(name, { name, code, body: typed(name, body) })
    byCode.set(code, byName.get(name)!)
  }
  for (const [name, [experimenter, subtype, body]] of Object.entries(extensions)) {
    byName.set(name, { name, code: shape.experimenterCode!, experimenter, subtype, body: typed(name, body) })
    bySubtype.set(experimenter * 0x10000 + subtype, byName.get(name)!)
  }

  const readKnown = (c: Cursor, known: Variant): unknown => {
    try {
      const value = known.body.read(c)
      finished(c)
      return value
    } catch (error) {
      throw located(error, known.name)
    }
  }

  const readExperimenter = (c: Cursor): unknown => {
    const experimenter = c.view.getUint32(take(c, 4))
    const known = c.at + 2 <= c.end ? bySubtype.get(experimenter * 0x10000 + c.view.getUint16(c.at)) : undefined
    if (known === undefined) return { type: 'experimenter', experimenter, payload: rest.read(c) }
    c.at += 2
    return readKnown(c, known)
  }

  const small = Array.from({ length: 64 }, (_, code) => byCode.get(code))

  const readBody = (c: Cursor, code: number): unknown => {
    const known = code < 64 ? small[code] : byCode.get(code)
    if (known) return readKnown(c, known)
    if (code === shape.experimenterCode) return readExperimenter(c)
    return { type: 'unknown', code, payload: rest.read(c) }
  }

  const writeUnknown = (c: Cursor, start: number, value: any): void => {
    if (value.type === 'unknown') {
      if (byCode.has(value.code) || value.code === shape.experimenterCode) wrong('a type that has no name', value.code)
      c.view.setUint16(start, check16(value.code))
    } else if (value.type === 'experimenter' && shape.experimenterCode !== undefined) {
      c.view.setUint16(start, shape.experimenterCode)
      u32.write(c, value.experimenter)
    } else wrong(`${what} of type ${[...byName.keys()].join(', ')}`, value.type)
    rest.write(c, value.payload)
  }

  const writeKnown = (c: Cursor, start: number, known: Variant, value: any): void => {
    c.view.setUint16(start, known.code)
    if (known.experimenter !== undefined) {
      const at = take(c, 6)
      c.view.setUint32(at, known.experimenter)
      c.view.setUint16(at + 4, known.subtype!)
    }
    try {
      known.body.write(c, value)
    } catch (error) {
      throw located(error, known.name)
    }
  }

  return {
    read(c): any {
      const start = take(c, 4)
      const code = c.view.getUint16(start)
      const length = c.view.getUint16(start + 2)
      if (shape.eights && (length & 7) !== 0)
        refuse(c, start, `expected ${what} of a multiple of 8 bytes, got ${length}`)
      const outer = c.end
      c.end = bounded(c, start, length)
      const value = readBody(c, code)
      c.end = outer
      if (shape.padded) readPadding(c, start)
      return value
    },
    write(c, value: any) {
      if (typeof value !== 'object' || value === null) wrong(what, value)
      const start = take(c, 4)
      const known = byName.get(value.type)
      if (known) writeKnown(c, start, known, value)
      else writeUnknown(c, start, value)
      const length = check16(c.at - start)
      if (shape.eights && (length & 7) !== 0) wrong(`${what} of a multiple of 8 bytes`, length)
      c.view.setUint16(start + 2, length)
      if (shape.padded) writePadding(c, start)
    },
  }
}
