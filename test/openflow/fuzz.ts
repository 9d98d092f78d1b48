// Decodes vectors with random damage: `node test/openflow/fuzz.ts [seconds] [seed]`. Each must be refused by a WireError
// that says where, or give a message that encodes to exactly those bytes; and neither may take 10 ms of CPU time.
// What it finds it prints as hex, to become a vector; then it exits with 1.
import { decode, encode, formatMessage, WireError } from '../../openflow/index.ts'
import { allVectors } from './vectors.ts'

const seconds = Number(process.argv[2] ?? 30)
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31)
Error.stackTraceLimit = 0

let state = seed
/** Numerical Recipes' generator: a run is told again by its seed. */
const below = (n: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * n)
}
const vectors = allVectors()
  .map(vector => vector.bytes)
  .filter(bytes => bytes.length < 3000)
const anyVector = (): Buffer => vectors[below(vectors.length)]!
const numbers = [0, 1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 32, 0xff, 0x2320, 0x8000, 0xffff]

/** A piece of another message. */
function piece(): Buffer {
  const other = anyVector()
  const at = below(other.length)
  return other.subarray(at, at + below(64))
}

const damages: readonly ((bytes: Buffer, at: number) => Buffer)[] = [
  (bytes, at) => bytes.fill(below(256), at, at + 1),
  (bytes, at) => bytes.fill(bytes[at]! ^ (1 << below(8)), at, at + 1),
  (bytes, at) => {
    if (at + 2 <= bytes.length) bytes.writeUInt16BE(numbers[below(numbers.length)]!, at)
    return bytes
  },
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), piece(), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(24))]),
  (bytes, at) => {
    piece().copy(bytes, at)
    return bytes
  },
]

function damaged(): Buffer {
  let bytes: Buffer = Buffer.from(anyVector())
  for (let i = below(6); i >= 0 && bytes.length > 8; i--)
    bytes = damages[below(damages.length)]!(bytes, below(bytes.length))
  if (bytes.length < 8) return Buffer.from(anyVector())
  // Mostly with a header that is right, so that what is behind it gets its turn.
  if (below(8) > 0) bytes.writeUInt16BE(bytes.length & 0xffff, 2)
  if (below(8) > 0) bytes[0] = 4
  return bytes
}

/** undefined if all is well; `read` if it was a message. */
function fault(bytes: Buffer): { readonly read: boolean; readonly what?: string } {
  try {
    const message = decode(bytes)
    formatMessage(message)
    return encode(message).equals(bytes) ? { read: true } : { read: true, what: 'encodes otherwise' }
  } catch (error) {
    return error instanceof WireError && error.offset !== undefined
      ? { read: false }
      : { read: false, what: String(error) }
  }
}

const took = (bytes: Buffer): number => {
  const start = process.cpuUsage()
  fault(bytes)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

let inputs = 0
let read = 0
let findings = 0
const end = performance.now() + seconds * 1000
while (performance.now() < end) {
  const bytes = damaged()
  const start = performance.now()
  const found = fault(bytes)
  // The machine may have been busy elsewhere: slow is what is slow each time.
  const slow = performance.now() - start > 10 && [1, 2, 3].every(() => took(bytes) > 10)
  inputs++
  if (found.read) read++
  if (found.what !== undefined || slow) {
    findings++
    console.log(`${found.what ?? 'takes more than 10 ms'}: ${bytes.toString('hex')}`)
  }
}
console.log(`seed ${seed}: ${inputs} inputs, of which ${read} were messages; ${findings} findings`)
process.exitCode = findings === 0 ? 0 : 1
