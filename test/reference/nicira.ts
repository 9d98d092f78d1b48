// Open vSwitch's actions on fields (ovs-actions(7)): move and load.
import type { Action } from '../../openflow/index.ts'
import { type Field, fieldOf, toWords } from './field.ts'

export type Transfer = Extract<Action, { type: 'move' | 'load' }>

/** Bits of one field, or of a constant, that go into another. */
type Bits = { readonly nBits: number; readonly offset: number; readonly dst: Field; readonly from: Source }
type Source = { readonly value: bigint } | { readonly src: Field; readonly offset: number }

/** undefined: a field that this switch does not have or must not write, or bits beyond a field's end. */
export function bitsOf(action: Transfer): Bits | undefined {
  const dst = fieldOf(action.dst)
  if (!dst || (!dst.settable && dst.name !== 'metadata')) return undefined
  if (action.type === 'load') {
    const { nBits, offset } = action.range
    return offset + nBits <= dst.bits ? { nBits, offset, dst, from: { value: action.value } } : undefined
  }
  const { nBits, srcOffset, dstOffset } = action
  const src = fieldOf(action.src)
  if (!src || srcOffset + nBits > src.bits || dstOffset + nBits > dst.bits) return undefined
  return { nBits, offset: dstOffset, dst, from: { src, offset: srcOffset } }
}

/** A field's words as one number, and back. */
export const wordsToNumber = (words: Iterable<number>): bigint => {
  let value = 0n
  for (const word of words) value = (value << 32n) | BigInt(word >>> 0)
  return value
}
export const numberToWords = (field: Field, value: bigint): number[] => toWords({ ...field, form: 'number' }, value)
