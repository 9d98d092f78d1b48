import { nearest } from './nearest.ts'
import { shown } from './shown.ts'

/**
 * The keywords of JSON Schema that this API's schemas are made of. TypeBox makes the schemas, this reads them;
 * test/api/contract/check.test.ts holds it against TypeBox's own compiler, and every schema of a route against this type.
 * Why not that compiler, or Ajv: their words are for programmers, and loading them takes as long as the rest of the start.
 */
export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  readonly properties?: { readonly [name: string]: Schema }
  readonly required?: readonly string[]
  readonly additionalProperties?: false
  readonly items?: Schema
  readonly maxItems?: number
  /** Looked at only when maxLength holds. */
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  /** Of a value: what a refusal says was expected. */
  readonly description?: string
}

export type Fault = {
  /** `body/ips/0` */
  readonly where: string
  readonly expected: string
  readonly got: string
  readonly hint?: string
  /** The fault is that the field is there at all. */
  readonly unknownField?: true
}

/** The first thing wrong with a value, or undefined. Nothing is converted, filled in or dropped. */
export type Checker = (value: unknown, where: string) => Fault | undefined

/** Makes the checker of a schema. */
export const checker = (schema: Schema): Checker => {
  const expected = schema.description ?? inWords(schema)
  const wrong: Checker = (value, where) => ({ where, expected, got: shown(value) })
  if (schema.anyOf) return anyOf(schema.anyOf.map(checker), wrong)
  if (schema.enum) return (value, where) => (schema.enum!.includes(value) ? undefined : wrong(value, where))
  if ('const' in schema) return (value, where) => (value === schema.const ? undefined : wrong(value, where))
  switch (schema.type) {
    case 'object':
      return object(schema, wrong)
    case 'array':
      return array(schema, wrong)
    case 'string':
      return string(schema, wrong)
    case 'integer':
      return integer(schema, wrong)
    case 'number':
      return (value, where) => (Number.isFinite(value) ? undefined : wrong(value, where))
    case 'boolean':
      return (value, where) => (typeof value === 'boolean' ? undefined : wrong(value, where))
    case 'null':
      return (value, where) => (value === null ? undefined : wrong(value, where))
    default:
      return () => undefined
  }
}

const anyOf =
  (options: readonly Checker[], wrong: Checker): Checker =>
  (value, where) =>
    options.some(option => option(value, where) === undefined) ? undefined : wrong(value, where)

const object = (schema: Schema, wrong: Checker): Checker => {
  const fields = new Map(Object.entries(schema.properties ?? {}).map(([name, field]) => [name, checker(field)]))
  const required = schema.required ?? []
  const closed = schema.additionalProperties === false
  return (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(value, where)
    for (const [name, field] of Object.entries(value)) {
      const check = fields.get(name)
      if (!check && closed) return unknownField(name, [...fields.keys()], where)
      const fault = check?.(field, `${where}/${name}`)
      if (fault) return fault
    }
    const missing = required.find(name => !Object.hasOwn(value, name))
    return missing === undefined ? undefined : fields.get(missing)?.(undefined, `${where}/${missing}`)
  }
}

const unknownField = (name: string, known: readonly string[], where: string): Fault => {
  const near = nearest(name, known)
  return {
    where: `${where}/${name.slice(0, 80)}`,
    expected: known.length === 0 ? 'no fields' : `only ${known.join(', ')}`,
    got: shown(name),
    hint: near ? `did you mean ${near}?` : 'leave it out',
    unknownField: true,
  }
}

const array = (schema: Schema, wrong: Checker): Checker => {
  const each = checker(schema.items ?? {})
  const most = schema.maxItems ?? Number.POSITIVE_INFINITY
  return (value, where) => {
    if (!Array.isArray(value)) return wrong(value, where)
    if (value.length > most) return { where, expected: `at most ${most} items`, got: `${value.length} items` }
    for (const [i, item] of value.entries()) {
      const fault = each(item, `${where}/${i}`)
      if (fault) return fault
    }
    return undefined
  }
}

const string = (schema: Schema, wrong: Checker): Checker => {
  const pattern = schema.pattern === undefined ? undefined : new RegExp(schema.pattern, 'u')
  const least = schema.minLength ?? 0
  const most = schema.maxLength ?? Number.POSITIVE_INFINITY
  return (value, where) => {
    if (typeof value !== 'string' || value.length < least || value.length > most) return wrong(value, where)
    return pattern?.test(value) === false ? wrong(value, where) : undefined
  }
}

const integer = (schema: Schema, wrong: Checker): Checker => {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  return (value, where) =>
    Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
      ? undefined
      : wrong(value, where)
}

/** What a schema without a description expects. */
const inWords = (schema: Schema): string => {
  if (schema.anyOf) return schema.anyOf.map(s => s.description ?? inWords(s)).join(' or ')
  if (schema.enum) return schema.enum.map(shown).join(' or ')
  if ('const' in schema) return shown(schema.const)
  const { minimum, maximum } = schema
  if (minimum !== undefined && maximum !== undefined) return `an integer from ${minimum} to ${maximum}`
  return {
    object: 'an object',
    array: 'a list',
    string: 'a string',
    integer: 'an integer',
    number: 'a number',
    boolean: 'true or false',
    null: 'null',
  }[schema.type!]
}
