// Sets of frames as reduced ordered binary decision diagrams (Bryant 1986): a set is a number, two sets are the same exactly when
// their numbers are. Pure; the tables in here only remember what was worked out before.
//
// A frame is a row of bits; a diagram asks them in their order, the highest of a field first. A set that names one address is a chain
// of 48 nodes, and what is left of all frames without a thousand addresses is little more than the tree of these addresses.

/** A set of frames of one space. The same number is another set in another space, or after `clear`. */
export type FrameSet = number

export const none: FrameSet = 0
export const all: FrameSet = 1

/** Bits that a frame of a set must have: by bit, 0 or 1. Bits that are not there may be either. */
export type Bits = ReadonlyMap<number, 0 | 1>

export type FrameSpace = {
  and(a: FrameSet, b: FrameSet): FrameSet
  or(a: FrameSet, b: FrameSet): FrameSet
  /** What is in `a` and not in `b`. */
  minus(a: FrameSet, b: FrameSet): FrameSet
  /** Frames whose bit is set. */
  bit(bit: number): FrameSet
  /** Frames with this value in the field of `width` bits from bit `at` on, where the mask has ones. */
  field(at: number, width: number, value: bigint, mask: bigint): FrameSet
  /** Frames of `yes` that are in `test`, and those of `no` that are not. */
  choose(test: FrameSet, yes: FrameSet, no: FrameSet): FrameSet
  /** Frames that are in the set when some of their bits, `from` to `to - 1`, may be changed. */
  whatever(set: FrameSet, from: number, to: number): FrameSet
  /** A frame of the set; undefined when it is empty. Where it may, each bit is as `liked` says, or 0. */
  one(set: FrameSet, liked?: (bit: number) => 0 | 1): Bits | undefined
  /** How many nodes there are, of all sets together. */
  size(): number
  /** Forgets all sets but `none` and `all`. */
  clear(): void
}

const lastBit = 0x7fff_ffff
const ops = { and: 1, or: 2, minus: 3 } as const

/** @param bits Log2 of the nodes that there is room for at first; it grows. */
export function frameSpace(bits = 12): FrameSpace {
  let room = 1 << bits
  let bitOf = new Int32Array(room)
  let low = new Int32Array(room)
  let high = new Int32Array(room)
  let count = 2
  // Open addressing; 0 is an empty slot, for the node 0 is never looked up.
  let slots = new Int32Array(room * 2)
  // What two sets came to: what falls on the same place is forgotten, and worked out again.
  let known = new Int32Array(room * 4)
  let projected = new Map<number, FrameSet>()
  let fields = new Map<string, FrameSet>()
  bitOf[0] = lastBit
  bitOf[1] = lastBit

  const hash = (a: number, b: number, c: number): number => {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35)
    h ^= h >>> 15
    h = Math.imul(h, 0x2c1b3c6d)
    return (h ^ (h >>> 13)) >>> 0
  }

  function grow(): void {
    const wider = (from: Int32Array<ArrayBuffer>) => {
      const to = new Int32Array(room * 2)
      to.set(from)
      return to
    }
    bitOf = wider(bitOf)
    low = wider(low)
    high = wider(high)
    room *= 2
    slots = new Int32Array(room * 2)
    known = new Int32Array(room * 4)
    for (let id = 2; id < count; id++) slots[slotOf(bitOf[id]!, low[id]!, high[id]!)] = id
  }
  /** Where such a node stands, or would. */
  function slotOf(bit: number, lo: number, hi: number): number {
    const mask = slots.length - 1
    let at = hash(bit, lo, hi) & mask
    for (let id = slots[at]!; id !== 0; id = slots[at]!) {
      if (bitOf[id] === bit && low[id] === lo && high[id] === hi) return at
      at = (at + 1) & mask
    }
    return at
  }
  function node(bit: number, lo: number, hi: number): FrameSet {
    if (lo === hi) return lo
    const at = slotOf(bit, lo, hi)
    if (slots[at] !== 0) return slots[at]!
    if (count === room) {
      grow()
      return node(bit, lo, hi)
    }
    bitOf[count] = bit
    low[count] = lo
    high[count] = hi
    slots[at] = count
    return count++
  }

  function apply(op: number, a: FrameSet, b: FrameSet): FrameSet {
    if (op === ops.and) {
      if (a === 0 || b === 0) return 0
      if (a === 1 || a === b) return b
      if (b === 1) return a
      if (a > b) return remembered(op, b, a)
    } else if (op === ops.or) {
      if (a === 1 || b === 1) return 1
      if (a === 0 || a === b) return b
      if (b === 0) return a
      if (a > b) return remembered(op, b, a)
    } else {
      if (a === 0 || b === 1 || a === b) return 0
      if (b === 0) return a
    }
    return remembered(op, a, b)
  }
  function remembered(op: number, a: FrameSet, b: FrameSet): FrameSet {
    let at = (hash(op, a, b) & ((known.length >> 2) - 1)) << 2
    if (known[at] === op && known[at + 1] === a && known[at + 2] === b) return known[at + 3]!
    const bitA = bitOf[a]!
    const bitB = bitOf[b]!
    const bit = bitA < bitB ? bitA : bitB
    const lo = apply(op, bitA === bit ? low[a]! : a, bitB === bit ? low[b]! : b)
    const hi = apply(op, bitA === bit ? high[a]! : a, bitB === bit ? high[b]! : b)
    const result = node(bit, lo, hi)
    at = (hash(op, a, b) & ((known.length >> 2) - 1)) << 2
    known[at] = op
    known[at + 1] = a
    known[at + 2] = b
    known[at + 3] = result
    return result
  }

  function fieldOf(at: number, width: number, value: bigint, mask: bigint): FrameSet {
    const key = `${at} ${value} ${mask}`
    const found = fields.get(key)
    if (found !== undefined) return found
    const values = value.toString(2).padStart(width, '0')
    const masks = mask.toString(2).padStart(width, '0')
    let set: FrameSet = all
    for (let i = width - 1; i >= 0; i--)
      if (masks.charCodeAt(i) === one_)
        set = values.charCodeAt(i) === one_ ? node(at + i, 0, set) : node(at + i, set, 0)
    fields.set(key, set)
    return set
  }

  function whatever(set: FrameSet, from: number, to: number): FrameSet {
    if (bitOf[set]! >= to) return set
    const key = (set * 0x1000 + from) * 0x1000 + to - from
    const found = projected.get(key)
    if (found !== undefined) return found
    const bit = bitOf[set]!
    const lo = whatever(low[set]!, from, to)
    const hi = whatever(high[set]!, from, to)
    const result = bit < from ? node(bit, lo, hi) : apply(ops.or, lo, hi)
    projected.set(key, result)
    return result
  }

  const space: FrameSpace = {
    and: (a, b) => apply(ops.and, a, b),
    or: (a, b) => apply(ops.or, a, b),
    minus: (a, b) => apply(ops.minus, a, b),
    bit: bit => node(bit, 0, 1),
    field: fieldOf,
    choose: (test, yes, no) => apply(ops.or, apply(ops.and, test, yes), apply(ops.minus, no, test)),
    whatever,
    one(set, liked = () => 0) {
      if (set === none) return undefined
      const bits = new Map<number, 0 | 1>()
      for (let at = set; at !== all; ) {
        const wish = liked(bitOf[at]!)
        const way = (wish === 1 ? high[at] : low[at]) === none ? ((1 - wish) as 0 | 1) : wish
        bits.set(bitOf[at]!, way)
        at = way === 1 ? high[at]! : low[at]!
      }
      return bits
    },
    size: () => count,
    clear() {
      count = 2
      slots.fill(0)
      known.fill(0)
      projected = new Map()
      fields = new Map()
    },
  }
  return space
}
const one_ = 0x31
