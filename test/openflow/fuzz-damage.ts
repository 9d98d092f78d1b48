// Random damage to bytes that were a message, and to texts that were a flow.
export type Dice = {
  /** A whole number from 0 to n - 1. */
  below(n: number): number
  one<T>(of: readonly T[]): T
}

/** Numerical Recipes' generator: a run is told again by its seed. */
export function dice(seed: number): Dice {
  let state = seed
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  return { below, one: of => of[below(of.length)]! }
}

const numbers = [0, 1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 32, 0xff, 0x2320, 0x8000, 0xffff]

/** A piece of another. */
function piece({ below }: Dice, other: Buffer): Buffer {
  const at = below(other.length)
  return other.subarray(at, at + below(64))
}

type Damage = (dice: Dice, bytes: Buffer, at: number, other: Buffer) => Buffer

const damages: readonly Damage[] = [
  ({ below }, bytes, at) => bytes.fill(below(256), at, at + 1),
  ({ below }, bytes, at) => bytes.fill(bytes[at]! ^ (1 << below(8)), at, at + 1),
  ({ one }, bytes, at) => {
    if (at + 2 <= bytes.length) bytes.writeUInt16BE(one(numbers), at)
    return bytes
  },
  (dice, bytes, at, other) => Buffer.concat([bytes.subarray(0, at), piece(dice, other), bytes.subarray(at)]),
  ({ below }, bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(24))]),
  (dice, bytes, at, other) => {
    piece(dice, other).copy(bytes, at)
    return bytes
  },
]

const headerLength = 8

/** One to six kinds of damage to a copy; `other` is a message that pieces are taken from. */
export function damaged(dice: Dice, message: Buffer, other: Buffer): Buffer {
  const { below, one } = dice
  let bytes: Buffer = Buffer.from(message)
  for (let i = below(6); i >= 0 && bytes.length > headerLength; i--)
    bytes = one(damages)(dice, bytes, below(bytes.length), other)
  if (bytes.length < headerLength) return Buffer.from(message)
  // Mostly with a header that is right, so that what is behind it gets its turn.
  if (below(8) > 0) bytes.writeUInt16BE(bytes.length & 0xffff, 2)
  if (below(8) > 0) bytes[0] = 4
  return bytes
}

const signs = [...',=:/()[].->+x0123456789abcdef \t', '0x', '::', '->', '[]', 'ff', '65536', '4294967296', '-1']

export function damagedText({ below, one }: Dice, text: string, other: string): string {
  let now = text
  for (let i = below(5); i >= 0; i--) {
    const at = below(now.length + 1)
    const from = below(other.length + 1)
    const put = one([one(signs), '', other.slice(from, from + below(24))])
    now = now.slice(0, at) + put + now.slice(at + below(8))
  }
  return now
}
