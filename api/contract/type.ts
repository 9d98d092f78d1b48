import type { Type as TypeBox } from 'typebox'

/**
 * The makers of schemas that this API uses, of TypeBox's types and making what TypeBox makes (test/api/contract/type.test.ts holds
 * them against it). Why not TypeBox itself: it comes in 370 files, and loading these takes a quarter of our start.
 * To use another of its makers: a line here.
 */
type Makers = Pick<
  typeof TypeBox,
  'Array' | 'Boolean' | 'Enum' | 'Integer' | 'Literal' | 'Null' | 'Number' | 'Object' | 'Optional' | 'String' | 'Union'
>

type Made = Readonly<Record<string, unknown>>
type Options = Readonly<Record<string, unknown>>

const simple = (type: string) => (options?: Options) => ({ type, ...options })

const makers = {
  Array: (items: Made, options?: Options) => ({ type: 'array', items, ...options }),
  Boolean: simple('boolean'),
  Enum: (values: readonly string[], options?: Options) => ({ enum: [...values], ...options }),
  Integer: simple('integer'),
  Literal: (value: string | number | boolean, options?: Options) => ({ type: typeof value, const: value, ...options }),
  Null: simple('null'),
  Number: simple('number'),
  Object(properties: Readonly<Record<string, Made>>, options?: Options) {
    const required = Object.keys(properties).filter(name => !properties[name]!['~optional'])
    return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
  },
  /** A property that may be absent. The mark is for Object alone: nobody else sees it. */
  Optional: (schema: Made) => Object.defineProperty({ ...schema }, '~optional', { value: true }),
  String: simple('string'),
  Union: (options: readonly Made[], more?: Options) => ({ anyOf: [...options], ...more }),
}

export const Type = makers as unknown as Makers
