// NXAST_LEARN and NXAST_LEARN2 of Open vSwitch: an action that adds a flow.

import {
  align8,
  type Codec,
  type Cursor,
  checkZero,
  pad,
  refuse,
  rest,
  take,
  u8,
  u16,
  u32,
  u64,
  wrong,
} from '../wire/wire.ts'
import { type FieldRef, fieldRef } from './field-ref.ts'

type Bits = { readonly field: FieldRef; readonly offset: number }
/** Where a value comes from: bits of a field of the frame, or bytes: as many as `nBits` need, in units of two. */
type Source = Bits | { readonly value: Buffer }
/** One part of the flow that is learned: a field to match, a field to load, or the port to output to. */
export type LearnSpec =
  | { readonly type: 'match' | 'load'; readonly nBits: number; readonly src: Source; readonly dst: Bits }
  | { readonly type: 'output'; readonly nBits: number; readonly src: Source }

export type Learn = {
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly priority: number
  readonly cookie: bigint
  /** learnFlags */
  readonly flags: number
  readonly tableId: number
  readonly finIdleTimeout: number
  readonly finHardTimeout: number
  readonly specs: readonly LearnSpec[]
}
export type Learn2 = Learn & {
  /** How many flows it may add; 0: any number. */
  readonly limit: number
  /** A bit that says whether the limit was kept; there if and only if `flags` say writeResult. */
  readonly result?: Bits
}
export const learnFlags = { sendFlowRem: 1, deleteLearned: 2, writeResult: 4 } as const

const bits: Codec<Bits> = {
  read: c => ({ field: fieldRef.read(c), offset: u16.read(c) }),
  write(c, { field, offset }) {
    fieldRef.write(c, field)
    u16.write(c, offset)
  },
}

const destinations = ['match', 'load', 'output'] as const
const immediate = 0x2000

function readSpec(c: Cursor, header: number, at: number): LearnSpec {
  const type = destinations[(header >>> 11) & 3] ?? refuse(c, at, `learn has no destination 3`)
  if (header & 0xc000) refuse(c, at, `learn spec has unknown bits in 0x${header.toString(16)}`)
  const nBits = header & 0x7ff
  const size = ((nBits + 15) >> 4) * 2
  const src = header & immediate ? { value: c.bytes.subarray(take(c, size), c.at) } : bits.read(c)
  return type === 'output' ? { type, nBits, src } : { type, nBits, src, dst: bits.read(c) }
}

function writeSpec(c: Cursor, spec: LearnSpec): void {
  const type = destinations.indexOf(spec.type)
  if (type < 0) wrong(`one of ${destinations.join(', ')}`, spec.type)
  if (spec.nBits < 1 || (spec.nBits & 0x7ff) !== spec.nBits) wrong('1 to 2047 bits', spec.nBits)
  u16.write(c, (type << 11) | ('value' in spec.src ? immediate : 0) | spec.nBits)
  if ('field' in spec.src) bits.write(c, spec.src)
  else {
    const size = ((spec.nBits + 15) >> 4) * 2
    if (spec.src.value.length !== size) wrong(`${size} bytes for ${spec.nBits} bits`, spec.src.value.length)
    rest.write(c, spec.src.value)
  }
  if (spec.type !== 'output') bits.write(c, spec.dst)
}

/** Specs up to the end of the action; a header of zero ends them early, with less than 8 bytes of zeros behind. */
const specs: Codec<readonly LearnSpec[]> = {
  read(c) {
    const found: LearnSpec[] = []
    while (c.at < c.end) {
      const at = c.at
      const header = c.end - at < 2 ? 0 : u16.read(c)
      if (header !== 0) {
        if ((header & 0x7ff) === 0) refuse(c, at, 'a learn spec of no bits')
        found.push(readSpec(c, header, at))
        continue
      }
      if (c.end - at > 7) refuse(c, at, `${c.end - at} bytes behind the last learn spec, expected at most 7`)
      checkZero(c, at, c.end - at)
      c.at = c.end
    }
    return found
  },
  write(c, all) {
    for (const spec of all) writeSpec(c, spec)
  },
}

const zero = pad(1)
const readHead = (c: Cursor): Omit<Learn, 'specs'> => {
  const head = {
    idleTimeout: u16.read(c),
    hardTimeout: u16.read(c),
    priority: u16.read(c),
    cookie: u64.read(c),
    flags: u16.read(c),
    tableId: u8.read(c),
  }
  zero.read(c)
  return { ...head, finIdleTimeout: u16.read(c), finHardTimeout: u16.read(c) }
}
const writeHead = (c: Cursor, v: Learn): void => {
  u16.write(c, v.idleTimeout)
  u16.write(c, v.hardTimeout)
  u16.write(c, v.priority)
  u64.write(c, v.cookie)
  u16.write(c, v.flags)
  u8.write(c, v.tableId)
  zero.write(c, undefined)
  u16.write(c, v.finIdleTimeout)
  u16.write(c, v.finHardTimeout)
}

export const learn: Codec<Learn> = {
  read: c => ({ ...readHead(c), specs: specs.read(c) }),
  write(c, value) {
    writeHead(c, value)
    specs.write(c, value.specs)
    align8.write(c, undefined)
  },
}

const zeros = pad(2)
export const learn2: Codec<Learn2> = {
  read(c) {
    const head = readHead(c)
    const limit = u32.read(c)
    const at = c.at
    const offset = u16.read(c)
    zeros.read(c)
    if (head.flags & learnFlags.writeResult) {
      const field = fieldRef.read(c)
      return { ...head, limit, result: { field, offset }, specs: specs.read(c) }
    }
    if (offset !== 0) refuse(c, at, `an offset of ${offset} for a result that the flags do not ask for`)
    return { ...head, limit, specs: specs.read(c) }
  },
  write(c, value) {
    writeHead(c, value)
    u32.write(c, value.limit)
    const asked = (value.flags & learnFlags.writeResult) !== 0
    if (asked !== (value.result !== undefined)) wrong('a result if and only if the flags ask for it', value.result)
    u16.write(c, value.result?.offset ?? 0)
    zeros.write(c, undefined)
    if (value.result) fieldRef.write(c, value.result.field)
    specs.write(c, value.specs)
    align8.write(c, undefined)
  },
}
