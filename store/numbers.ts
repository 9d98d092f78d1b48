import { hash } from 'node:crypto'
import { maxNetworkNumber } from './limits.ts'

/**
 * In which order network numbers are handed out: a permutation of 1 to maxNetworkNumber that only who knows the key can follow,
 * for a number is seen on the underlay, as the VNI, and must not tell which comes next.
 *
 * A Feistel network over 24 bits, walked until it lands in the range (on average twice): each index has one number, and
 * each number one index.
 */
export const numberAt = (key: string, index: number): number => 1 + permuted(key, index, maxNetworkNumber)

const halfBits = 12
const half = (1 << halfBits) - 1
const rounds = 6

/** `index` and what comes back are 0 to size - 1; size is at most 2^24. */
export const permuted = (key: string, index: number, size: number): number => {
  let at = index
  do at = feistel(key, at)
  while (at >= size)
  return at
}

const feistel = (key: string, value: number): number => {
  let [left, right] = [value >>> halfBits, value & half]
  for (let round = 0; round < rounds; round++) {
    const mixed = Number.parseInt(hash('sha256', `${key} ${round} ${right}`, 'hex').slice(0, 8), 16)
    ;[left, right] = [right, left ^ (mixed & half)]
  }
  return (left << halfBits) | right
}

/**
 * How an instance hands out numbers. Before there was a key they went up one by one from `firstNumber`: the first `sequential` of
 * them did, and are never given out again.
 */
export type Numbering = {
  /** 1 to maxNetworkNumber. */
  readonly firstNumber: number
  /** Absent: they go up one by one. */
  readonly numberKey?: string
  readonly sequential?: number
}

/** The number at this index, or undefined when that one was handed out before there was a key. */
export const numberOf = ({ firstNumber, numberKey, sequential = 0 }: Numbering, index: number): number | undefined => {
  if (numberKey === undefined) return 1 + ((firstNumber - 1 + index) % maxNetworkNumber)
  const number = numberAt(numberKey, index)
  const stepsFromFirst = (number - firstNumber + maxNetworkNumber) % maxNetworkNumber
  return stepsFromFirst < sequential ? undefined : number
}
