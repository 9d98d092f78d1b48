// Flow monitoring of the ONF for 1.3 (EXT-187): a multipart experimenter message, and notices later.

import { length, struct } from '../wire/struct.ts'
import {
  bounded,
  type Codec,
  type Cursor,
  finished,
  list,
  oneOf,
  pad,
  readPadding,
  refuse,
  take,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
  writePadding,
} from '../wire/wire.ts'
import type { Match } from './fields.ts'
import { Instruction } from './instruction.ts'
import { match, oxmFields } from './match.ts'

export const flowMonitorFlags = { initial: 1, add: 2, delete: 4, modify: 8, actions: 16, own: 32 } as const

/**
 * A match of `length` bytes, which stand apart from it. Open vSwitch sends a whole ofp_match, others only its fields
 * (as the Nicira message before it does): `bareMatch` says so.
 */
type CountedMatch = { readonly match: Match; readonly bareMatch?: true }

function readCounted(c: Cursor, size: number): CountedMatch {
  const start = c.at
  const outer = c.end
  const whole = size >= 4 && outer - start >= 4 && c.view.getUint32(start) === 0x10000 + size
  if (whole) return { match: match.read(c) }
  c.end = bounded(c, start, size)
  const fields = oxmFields.read(c)
  c.end = outer
  readPadding(c, start)
  return { match: fields, bareMatch: true }
}

/** Returns the length to be written where it stands apart. */
function writeCounted(c: Cursor, value: CountedMatch): number {
  const start = c.at
  if (!value.bareMatch) {
    match.write(c, value.match)
    return c.view.getUint16(start + 2)
  }
  oxmFields.write(c, value.match)
  const size = c.at - start
  writePadding(c, start)
  return size
}

export type FlowMonitor = {
  readonly id: number
  /** flowMonitorFlags */
  readonly flags: number
  readonly outPort: number
  readonly tableId: number
} & CountedMatch

const zeros = pad(3)
export const FlowMonitor: Codec<FlowMonitor> = {
  read(c) {
    const id = u32.read(c)
    const flags = u16.read(c)
    const size = u16.read(c)
    const value = { id, flags, outPort: u32.read(c), tableId: u8.read(c) }
    zeros.read(c)
    return { ...value, ...readCounted(c, size) }
  },
  write(c, value) {
    u32.write(c, value.id)
    u16.write(c, value.flags)
    const sizeAt = take(c, 2)
    u32.write(c, value.outPort)
    u8.write(c, value.tableId)
    zeros.write(c, undefined)
    u16.set(c, sizeAt, writeCounted(c, value))
  },
}

/** `abbrev` stands for a change that the reader of this itself asked for, with that request's xid. */
const Abbrev = struct({ _length: length, event: oneOf(u16, { abbrev: 3 }), xid: u32 })
const event = oneOf(u16, { added: 0, deleted: 1, modified: 2 })
export type FlowUpdate =
  | ValueOf<typeof Abbrev>
  | ({
      readonly event: ValueOf<typeof event>
      /** Why it was deleted, as in flow_removed; else 0. */
      readonly reason: number
      readonly priority: number
      readonly idleTimeout: number
      readonly hardTimeout: number
      readonly tableId: number
      readonly cookie: bigint
      readonly instructions: readonly Instruction[]
    } & CountedMatch)

const instructions = list(Instruction)
const zero = pad(1)
export const FlowUpdate: Codec<FlowUpdate> = {
  read(c) {
    const start = c.at
    if (c.end - start >= 4 && c.view.getUint16(start + 2) === 3) return Abbrev.read(c)
    const size = u16.read(c)
    if (size < 24) refuse(c, start, `a flow update takes at least 24 bytes, length says ${size}`)
    const outer = c.end
    c.end = bounded(c, start, size)
    const head = {
      event: event.read(c),
      reason: u16.read(c),
      priority: u16.read(c),
      idleTimeout: u16.read(c),
      hardTimeout: u16.read(c),
    }
    const matchSize = u16.read(c)
    const tableId = u8.read(c)
    zero.read(c)
    const cookie = u64.read(c)
    const value = { ...head, tableId, cookie, ...readCounted(c, matchSize), instructions: instructions.read(c) }
    finished(c)
    c.end = outer
    return value
  },
  write(c, value) {
    if (value.event === 'abbrev') {
      Abbrev.write(c, value)
      return
    }
    const start = take(c, 2)
    event.write(c, value.event)
    u16.write(c, value.reason)
    u16.write(c, value.priority)
    u16.write(c, value.idleTimeout)
    u16.write(c, value.hardTimeout)
    const sizeAt = take(c, 2)
    u8.write(c, value.tableId)
    zero.write(c, undefined)
    u64.write(c, value.cookie)
    u16.set(c, sizeAt, writeCounted(c, value))
    instructions.write(c, value.instructions)
    u16.set(c, start, c.at - start)
  },
}
