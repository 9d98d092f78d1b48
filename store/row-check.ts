/** What a row on disk may hold, field by field: a file that somebody wrote to is refused, and not believed. */

export type Loose = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean

export const isObject = (v: unknown): v is Loose => typeof v === 'object' && v !== null
export const isNumber: Check = v => typeof v === 'number'
export const isText: Check = v => typeof v === 'string'
export const isBoolean: Check = v => typeof v === 'boolean'
export const isTrue: Check = v => v === true
export const isOneOf =
  (...allowed: readonly unknown[]): Check =>
  v =>
    allowed.includes(v)
export const isList =
  (each: Check, length?: number): Check =>
  v =>
    Array.isArray(v) && v.every(each) && (length === undefined || v.length === length)

/** These fields as they must be. Others are let through: an older l2sm leaves what it does not know. */
export const hasFields = (
  v: unknown,
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): boolean => {
  if (!isObject(v)) return false
  for (const name in required) if (!required[name]!(v[name])) return false
  for (const name in optional) if (v[name] !== undefined && !optional[name]!(v[name])) return false
  return true
}

const endpoint = { dpid: isText, port: isNumber }
export const isEndpoint: Check = v => hasFields(v, endpoint)
