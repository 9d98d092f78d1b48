import {
  bounded,
  type Codec,
  type Cursor,
  check8,
  check16,
  check32,
  check64,
  type Fixed,
  finished,
  located,
  take,
  type ValueOf,
  wrong,
} from './wire.ts'

/** Stands for the length of the whole struct, 16 bits, wherever it is among the fields. */
export const length: unique symbol = Symbol('length')
/** Stands for the length of one later field, 16 bits; or for how many items of `size` bytes that field has. */
export const lengthOf = (field: string, size = 1): LengthOf => ({ lengthOf: field, itemSize: size })

type LengthOf = { readonly lengthOf: string; readonly itemSize: number }
type Field = Codec<any> | typeof length | LengthOf
export type Fields = Record<string, Field>
export type Struct<F extends Fields> = {
  readonly [K in keyof F as K extends `_${string}` ? never : K]: ValueOf<F[K]>
}
export type StructCodec<T> = Codec<T> & { readonly fields: Fields }

/** What stands before the fields in a value, but not on the wire at that place: `type`, and `xid` for messages. */
type Lead = { readonly type?: string; readonly xid?: true }

/** Fields in wire order. A name that starts with `_` is on the wire but not in the value. */
export function struct<const F extends Fields>(fields: F): StructCodec<Struct<F>> {
  return Object.assign(compile(fields, {}), { fields })
}

export type Compiled = { read(c: Cursor, xid?: number): any; write(c: Cursor, value: any): void }

const scope = { take, bounded, finished, located, wrong, check8, check16, check32, check64 }

const isFixed = (field: Field): field is Fixed<unknown> => typeof field === 'object' && 'size' in field
const sizeOf = (field: Field): number | undefined =>
  isFixed(field) ? field.size : typeof field === 'symbol' || 'lengthOf' in field ? 2 : undefined

/** Consecutive fields of fixed size, whose bounds are checked at once; or one field of any size. */
type Run = { readonly first: number; readonly names: readonly string[]; readonly size: number | undefined }

function runsOf(fields: Fields): Run[] {
  const runs: Run[] = []
  Object.entries(fields).forEach(([name, field], i) => {
    const size = sizeOf(field)
    const last = runs.at(-1)
    if (size !== undefined && last?.size !== undefined)
      runs[runs.length - 1] = { ...last, names: [...last.names, name], size: last.size + size }
    else runs.push({ first: i, names: [name], size })
  })
  return runs
}

/** Compiles when it is first used, since few programs use every message; then it is called without a detour. */
function compile(fields: Fields, lead: Lead): Compiled {
  for (const name of Object.keys(fields))
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new Error(`'${name}' cannot be the name of a field`)
  const codec: Compiled = {
    read: (c, xid) => Object.assign(codec, generate(fields, lead)).read(c, xid),
    write: (c, value) => Object.assign(codec, generate(fields, lead)).write(c, value),
  }
  return codec
}

function generate(fields: Fields, lead: Lead): Compiled {
  const source = `'use strict'; const {${Object.keys(scope)}} = scope
${Object.keys(fields)
  .map((_, i) => `const f${i} = codecs[${i}]`)
  .join('\n')}
return { read: function (c, xid) {\n${reader(fields, lead)}\n}, write: function (c, v) {\n${writer(fields)}\n} }`
  return new Function('scope', 'codecs', 'names', source)(
    scope,
    Object.values(fields),
    Object.keys(fields).map(shownName),
  )
}

const hidden = (name: string): boolean => name.startsWith('_')
/** What an error calls a field: nothing, where it has no name in the value. */
const shownName = (name: string): string => (hidden(name) ? '' : name)

function reader(fields: Fields, lead: Lead): string {
  const names = Object.keys(fields)
  const lines: string[] = ['let i = 0, k, n; const start = c.at, view = c.view']
  const own = Object.values(fields).includes(length)
  if (own) lines.push('const outer = c.end')
  lines.push('try {')
  for (const run of runsOf(fields)) {
    if (run.size === undefined) lines.push(readVariable(fields, run.first))
    else lines.push(readRun(fields, run))
  }
  if (own) lines.push('finished(c); c.end = outer')
  const type = lead.type === undefined ? [] : [`type: ${JSON.stringify(lead.type)}`]
  const members = [...type, ...(lead.xid ? ['xid'] : []), ...names.filter(n => !hidden(n)).map(n => `${n}: v_${n}`)]
  lines.push(`return { ${members.join(', ')} }`)
  lines.push('} catch (error) { throw located(error, names[i] ?? "") }')
  return lines.join('\n')
}

function readRun(fields: Fields, run: Run): string {
  const lines: string[] = [`i = ${run.first}; const at${run.first} = take(c, ${run.size})`]
  let offset = 0
  run.names.forEach((name, k) => {
    const i = run.first + k
    const field = fields[name]!
    const at = `at${run.first} + ${offset}`
    offset += sizeOf(field)!
    if (field === length) {
      lines.push(`i = ${i}; c.end = bounded(c, start, view.getUint16(${at}))`)
    } else if (!isFixed(field)) {
      const { lengthOf: counted, itemSize } = field as LengthOf
      lines.push(`const n_${counted} = view.getUint16(${at}) * ${itemSize}`)
    } else {
      const get = field.inline?.get(at, `f${i}`) ?? `f${i}.get(c, ${at})`
      lines.push(hidden(name) ? `i = ${i}; ${get}` : `i = ${i}; const v_${name} = ${get}`)
    }
  })
  return lines.join('\n')
}

function readVariable(fields: Fields, i: number): string {
  const name = Object.keys(fields)[i]!
  const get = hidden(name) ? `i = ${i}; f${i}.read(c)` : `i = ${i}; const v_${name} = f${i}.read(c)`
  if (!counted(fields, name)) return get
  return `const e_${name} = c.end; i = ${i}; c.end = bounded(c, c.at, n_${name}); ${get}; finished(c); c.end = e_${name}`
}

const counted = (fields: Fields, name: string): boolean =>
  Object.values(fields).some(f => typeof f === 'object' && 'lengthOf' in f && f.lengthOf === name)

function writer(fields: Fields): string {
  const names = Object.keys(fields)
  const lines: string[] = ['let i = 0, k, n; const start = c.at, view = c.view', 'try {']
  const patches: string[] = []
  for (const run of runsOf(fields)) {
    const i = run.first
    if (run.size === undefined) {
      const name = names[i]!
      const put = `i = ${i}; f${i}.write(c, ${hidden(name) ? 'undefined' : `v.${name}`})`
      lines.push(
        counted(fields, name) ? `const s_${name} = c.at; ${put}; const n_${name} = check16(c.at - s_${name})` : put,
      )
    } else lines.push(writeRun(fields, run, patches))
  }
  lines.push(...patches)
  lines.push('} catch (error) { throw located(error, names[i] ?? "") }')
  return lines.join('\n')
}

function writeRun(fields: Fields, run: Run, patches: string[]): string {
  const lines: string[] = [`i = ${run.first}; const at${run.first} = take(c, ${run.size})`]
  let offset = 0
  run.names.forEach((name, k) => {
    const i = run.first + k
    const field = fields[name]!
    const at = `at${run.first} + ${offset}`
    offset += sizeOf(field)!
    if (field === length) patches.push(`i = ${i}; view.setUint16(${at}, check16(c.at - start))`)
    else if (!isFixed(field)) {
      const { lengthOf: counted, itemSize } = field as LengthOf
      patches.push(`view.setUint16(${at}, n_${counted} / ${itemSize})`)
    } else {
      const value = hidden(name) ? 'undefined' : `v.${name}`
      lines.push(`i = ${i}; ${field.inline?.set(at, value, `f${i}`) ?? `f${i}.set(c, ${at}, ${value})`}`)
    }
  })
  return lines.join('\n')
}

/**
 * A format whose value is told apart by its `type`. A struct is compiled anew, so that the type is a constant in it;
 * another format gives an object, to which the type is added, unless that object has its own already.
 */
export function typed(type: string, body: Codec<any>, xid?: true): Compiled {
  if ('ownType' in body) return body
  if ('fields' in body) return compile((body as StructCodec<any>).fields, { type, ...(xid && { xid }) })
  return {
    read: (c, id) => (xid ? { type, xid: id, ...body.read(c) } : { type, ...body.read(c) }),
    write: (c, value) => body.write(c, value),
  }
}
