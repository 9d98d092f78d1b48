// Bits of a frame as numbers.

/** Where a field stands: its first bit, counted from the frame's first, and how many. */
export type Place = { readonly at: number; readonly bits: number }

/** The number that stands there. */
export function readBits(bytes: Buffer, { at, bits }: Place): bigint {
  const from = at >> 3
  const to = (at + bits + 7) >> 3
  const whole = BigInt(`0x${bytes.toString('hex', from, to) || '0'}`)
  return (whole >> BigInt(to * 8 - at - bits)) & ones(bits)
}

/** A copy of the frame with this number there. */
export function withBits(bytes: Buffer, place: Place, value: bigint): Buffer {
  const { at, bits } = place
  const from = at >> 3
  const to = (at + bits + 7) >> 3
  const shift = BigInt(to * 8 - at - bits)
  const before = readBits(bytes, { at: from * 8, bits: (to - from) * 8 })
  const after = (before & ~(ones(bits) << shift)) | ((value & ones(bits)) << shift)
  const copy = Buffer.from(bytes)
  copy.write(after.toString(16).padStart((to - from) * 2, '0'), from, 'hex')
  return copy
}

/** So many bits, all set. */
export const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n
