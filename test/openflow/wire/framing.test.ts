import t from 'tap'
import { encodeAll, framing, type Message, WireError } from '../../../openflow/index.ts'

const messages: readonly Message[] = [
  { type: 'hello', xid: 1, elements: [] },
  { type: 'echo_request', xid: 2, payload: Buffer.alloc(1000, 5) },
  { type: 'barrier_request', xid: 3 },
]
const stream = encodeAll(messages)

const feed = (sizes: (at: number) => number): Buffer[] => {
  const frames = framing()
  const got: Buffer[] = []
  for (let at = 0; at < stream.length; ) {
    const size = sizes(at)
    frames.push(stream.subarray(at, at + size), bytes => got.push(Buffer.from(bytes)))
    at += size
  }
  t.equal(frames.pending(), 0)
  return got
}
const whole = [stream.subarray(0, 8), stream.subarray(8, 1016), stream.subarray(1016)]

t.test('a stream in one piece', async t =>
  t.same(
    feed(() => stream.length),
    whole,
  ),
)
t.test('a stream byte by byte', async t =>
  t.same(
    feed(() => 1),
    whole,
  ),
)
t.test('a stream cut at every place', async t => {
  for (let cut = 1; cut < stream.length; cut++)
    t.same(
      feed(at => (at === 0 ? cut : stream.length)),
      whole,
    )
})

t.test('a length that no message can have ends it; what came before was delivered', async t => {
  for (const length of [0, 1, 3, 7]) {
    const bad = Buffer.from(stream)
    bad.writeUInt16BE(length, 1016 + 2)
    for (const cut of [0, 4, 1000, 1017, 1019]) {
      const frames = framing()
      const got: Buffer[] = []
      const push = () => {
        frames.push(bad.subarray(0, cut), bytes => got.push(bytes))
        frames.push(bad.subarray(cut), bytes => got.push(bytes))
      }
      t.throws(push, {
        message: `at byte 2: header says that the message is ${length} bytes long; expected at least 8`,
      })
      t.throws(push, WireError)
      t.equal(got.length >= 2, true, 'the two before it')
    }
  }
})

t.test('what a header promises is not set aside before it comes', async t => {
  const before = process.memoryUsage().arrayBuffers
  const all = Array.from({ length: 1000 }, () => framing())
  for (const frames of all) frames.push(Buffer.from('0402ffff00000001', 'hex'), () => t.fail('nothing is whole'))
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(grown < 2_000_000, `1000 connections hold ${grown} bytes, not 65 million`)
  t.same(all[0]?.pending(), 8)
})

t.test('a message of 65535 bytes that comes in small pieces', async t => {
  const [long] = [Buffer.alloc(65535, 9)]
  long.write('0402ffff00000001', 0, 'hex')
  const frames = framing()
  const got: Buffer[] = []
  for (let at = 0; at < long.length; at += 7) frames.push(long.subarray(at, at + 7), bytes => got.push(bytes))
  t.same(got, [long])
})
