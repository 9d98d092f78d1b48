// Reads the learn action in ovs-ofctl's syntax.
import type { Action } from '../messages/action.ts'
import { fieldByName } from '../messages/fields.ts'
import type { LearnSpec } from '../messages/learn.ts'
import { learnFlags } from '../messages/learn.ts'
import { cursorOf } from '../wire/wire.ts'
import {
  type Bits,
  findField,
  parseBigInt,
  parseBits,
  parseNumber,
  parseValue,
  splitList,
  splitPair,
  unexpected,
} from './value.ts'

const immediate = (text: string, nBits: number): Buffer => {
  const size = ((nBits + 15) >> 4) * 2
  return Buffer.from(
    parseBigInt(text, nBits, 'a value')
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  )
}

/** The bytes of a field's value, in units of two. */
function whole(name: string, text: string): Buffer {
  const field = fieldByName.get(name)
  if (field?.value === undefined) return unexpected('a field of known length', name)
  const size = field.value.size
  const bytes = Buffer.alloc(size + (size & 1))
  const value = parseValue(name, text)
  if (value === undefined || (typeof value === 'object' && 'mask' in value))
    return unexpected(`a value for ${name}, without a mask`, text)
  field.value.set(cursorOf(bytes), size & 1, value)
  return bytes
}

const place = ({ field, offset }: Bits): { field: Bits['field']; offset: number } => ({ field, offset })

function loadSpec(text: string): LearnSpec {
  const [from, to] = text.split('->') as [string, string?]
  const dst = parseBits(to ?? unexpected('a value, -> and a field', text))
  const src = /^\d/.test(from) ? { value: immediate(from, dst.nBits) } : place(parseBits(from))
  return { type: 'load', nBits: dst.nBits, src, dst: place(dst) }
}

function matchSpec(key: string, value: string | undefined): LearnSpec {
  const dst = parseBits(key)
  if (value === undefined) return { type: 'match', nBits: dst.nBits, src: place(dst), dst: place(dst) }
  // A name without brackets has a value as in a match; with brackets, another field or a number.
  const src =
    key.endsWith(']') || findField(value.replace(/\[.*$/, '')) !== undefined
      ? /^\d/.test(value)
        ? { value: immediate(value, dst.nBits) }
        : place(parseBits(value))
      : { value: whole(dst.field, value) }
  return { type: 'match', nBits: dst.nBits, src, dst: place(dst) }
}

function outputSpec(text: string): LearnSpec {
  const src = parseBits(text)
  return { type: 'output', nBits: src.nBits, src: place(src) }
}

const numbers: Readonly<Record<string, string>> = {
  idle_timeout: 'idleTimeout',
  hard_timeout: 'hardTimeout',
  fin_idle_timeout: 'finIdleTimeout',
  fin_hard_timeout: 'finHardTimeout',
  priority: 'priority',
}

/** What stands in the brackets of `learn(...)`. */
export function parseLearn(text: string): Action {
  const times: Record<string, number> = { idleTimeout: 0, hardTimeout: 0, finIdleTimeout: 0, finHardTimeout: 0 }
  const specs: LearnSpec[] = []
  let flags = 0
  let tableId = 1
  let cookie = 0n
  let limit: number | undefined
  let result: ReturnType<typeof place> | undefined
  for (const given of splitList(text)) {
    // load(a->b) is load:a->b.
    const part = given.replace(/^(load|output)\((.*)\)$/s, '$1:$2')
    const [key, value] = splitPair(part)
    if (numbers[key]) times[numbers[key]] = parseNumber(value ?? '', 0xffff, key)
    else if (key === 'table') tableId = parseNumber(value ?? '', 0xff, key)
    else if (key === 'cookie') cookie = parseBigInt(value ?? '', 64, key)
    else if (key === 'limit') limit = parseNumber(value ?? '', 0xffffffff, key)
    else if (key === 'send_flow_rem') flags |= learnFlags.sendFlowRem
    else if (key === 'delete_learned') flags |= learnFlags.deleteLearned
    else if (key === 'result_dst') {
      result = place(parseBits(value ?? ''))
      flags |= learnFlags.writeResult
    } else if (key === 'load') specs.push(loadSpec(value ?? ''))
    else if (key === 'output') specs.push(outputSpec(value ?? ''))
    else specs.push(matchSpec(key, value))
  }
  const { priority = 0x8000, idleTimeout = 0, hardTimeout = 0, finIdleTimeout = 0, finHardTimeout = 0 } = times
  const head = { idleTimeout, hardTimeout, priority, cookie, flags, tableId, finIdleTimeout, finHardTimeout }
  if (limit === undefined && result === undefined) return { type: 'learn', ...head, specs }
  return { type: 'learn2', ...head, limit: limit ?? 0, ...(result && { result }), specs }
}
