import {
  bounded,
  type Codec,
  check16,
  finished,
  located,
  readPadding,
  refuse,
  rest,
  take,
  type ValueOf,
  writePadding,
  wrong,
} from '../wire/wire.ts'

type Table = Record<string, readonly [code: number, body: Codec<any>]>

/** A property that the table has not, by its number, as bytes. */
export type UnknownProperties = { readonly [K in `property_${number}`]?: Buffer }
export type Properties<T extends Table> = { readonly [K in keyof T]?: ValueOf<T[K][1]> } & UnknownProperties

const unknownCode = (name: string, known: ReadonlySet<number>): number => {
  const code = Number(/^property_(0|[1-9]\d{0,4})$/.exec(name)?.[1] ?? Number.NaN)
  return code <= 0xffff && !known.has(code) ? code : Number.NaN
}

/**
 * Optional properties, each a 16-bit type, a 16-bit length without padding, a body, and zeros up to 8 bytes: an
 * object with an entry for each, in wire order. A property that stands there twice is refused.
 */
export function properties<const T extends Table>(table: T): Codec<Properties<T>> {
  const byCode = new Map(Object.entries(table).map(([name, [code, body]]) => [code, { name, body }]))
  const codes = new Set(byCode.keys())
  return {
    read(c) {
      const value: Record<string, unknown> = {}
      while (c.at < c.end) {
        const start = take(c, 4)
        const code = c.view.getUint16(start)
        const { name, body } = byCode.get(code) ?? { name: `property_${code}`, body: rest }
        if (name in value) refuse(c, start, `property ${name} stands there twice`)
        const outer = c.end
        c.end = bounded(c, start, c.view.getUint16(start + 2))
        try {
          value[name] = body.read(c)
          finished(c)
        } catch (error) {
          throw located(error, name)
        }
        c.end = outer
        readPadding(c, start)
      }
      return value as Properties<T>
    },
    write(c, value) {
      for (const [name, property] of Object.entries<unknown>(value)) {
        if (name === 'type' || property === undefined) continue
        const start = take(c, 4)
        const code = table[name]?.[0] ?? unknownCode(name, codes)
        if (Number.isNaN(code)) wrong(`one of ${Object.keys(table).join(', ')}`, name)
        c.view.setUint16(start, code)
        try {
          ;(table[name]?.[1] ?? rest).write(c, property)
        } catch (error) {
          throw located(error, name)
        }
        c.view.setUint16(start + 2, check16(c.at - start))
        writePadding(c, start)
      }
    },
  }
}

/** `n` bytes of zero, then the value. */
export const spaced = <T>(zeros: Codec<void>, codec: Codec<T>): Codec<T> => ({
  read(c) {
    zeros.read(c)
    return codec.read(c)
  },
  write(c, value) {
    zeros.write(c, undefined)
    codec.write(c, value)
  },
})

/** The value, then `n` bytes of zero. Open vSwitch counts them in a short property's length (seen). */
export const filled = <T>(codec: Codec<T>, zeros: Codec<void>): Codec<T> => ({
  read(c) {
    const value = codec.read(c)
    zeros.read(c)
    return value
  },
  write(c, value) {
    codec.write(c, value)
    zeros.write(c, undefined)
  },
})

/** Nothing: that it is there says it all, and its value is `true`. */
export const present: Codec<true> = {
  read: () => true,
  write: (_, value) => {
    if (value !== true) wrong('true', value)
  },
}
