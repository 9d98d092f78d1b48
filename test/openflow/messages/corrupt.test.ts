// Whatever the bytes, decoding them is refused with a reason and a place, or gives a message that encodes to exactly them.
import t from 'tap'
import { decode, encode, WireError } from '../../../openflow/index.ts'
import { allVectors } from '../vectors.ts'

// Most of these messages are refused, and what an error costs is nearly all its stack.
Error.stackTraceLimit = 0

/** undefined if all is well, else what went wrong. */
function fault(bytes: Buffer): string | undefined {
  const copy = Buffer.from(bytes)
  try {
    const again = encode(decode(bytes))
    if (!again.equals(copy)) return `encodes to ${again.toString('hex')}`
  } catch (error) {
    if (!(error instanceof WireError)) return `throws ${String(error)}`
    if (error.offset === undefined || !/at byte \d+: ./.test(error.message))
      return `does not say where: ${error.message}`
  }
  return bytes.equals(copy) ? undefined : 'decoding has changed the bytes'
}

const withLength = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  if (copy.length >= 4) copy.writeUInt16BE(copy.length, 2)
  return copy
}

/** All offsets of a message of usual size; of a long one about so many, that the test takes no longer. */
const offsets = (length: number, most: number): number[] => {
  const step = Math.max(1, Math.floor(length / most))
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step)
}

const vectors = allVectors()

t.test('a message cut short', async t => {
  for (const { name, bytes } of vectors) {
    const faults: string[] = []
    for (const n of offsets(bytes.length, 1000))
      for (const cut of [bytes.subarray(0, n), withLength(bytes.subarray(0, n))]) {
        const found = fault(cut)
        if (found) faults.push(`cut to ${n}, length ${cut.length < 4 ? '' : cut.readUInt16BE(2)}: ${found}`)
      }
    t.same(faults, [], name)
    t.throws(() => decode(bytes.subarray(0, -1)), WireError, `${name} without its last byte`)
  }
})

t.test('a message with more behind it', async t => {
  for (const { name, bytes } of vectors) {
    const longer = Buffer.concat([bytes, Buffer.alloc(8)])
    t.throws(() => decode(longer), WireError, name)
    t.equal(fault(withLength(longer)), undefined, `${name}, with that length`)
  }
})

t.test('two bytes anywhere set to a length that lies', async t => {
  for (const { name, bytes } of vectors) {
    const faults: string[] = []
    for (const at of offsets(bytes.length - 1, 200))
      for (const length of [0, 1, 3, 7, 8, 0xffff]) {
        const copy = Buffer.from(bytes)
        copy.writeUInt16BE(length, at)
        const found = fault(copy)
        if (found) faults.push(`${length} at ${at}: ${found}`)
      }
    t.same(faults, [], name)
  }
})

t.test('one byte anywhere with all its bits, or one of them, the other way', async t => {
  for (const { name, bytes } of vectors) {
    const faults: string[] = []
    for (const at of offsets(bytes.length, 400))
      for (const bits of [0xff, 1 << (at & 7)]) {
        const copy = Buffer.from(bytes)
        copy[at]! ^= bits
        const found = fault(copy)
        if (found) faults.push(`byte ${at}: ${found}`)
      }
    t.same(faults, [], name)
  }
})
