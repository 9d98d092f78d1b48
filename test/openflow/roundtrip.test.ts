import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { decode, encode, encodeAll, framing } from '../../openflow/index.ts'
import { message, messageOf, messageTypes } from './arbitrary.ts'

for (const type of messageTypes) {
  t.test(`a ${type} reads as it was written`, async t => {
    fc.assert(
      fc.property(messageOf(type), value => {
        const bytes = encode(value)
        if (!isDeepStrictEqual(decode(bytes), value))
          throw new Error(`reads as ${inspect(decode(bytes), { depth: 9 })}`)
        if (!encode(decode(bytes)).equals(bytes)) throw new Error('writes otherwise')
      }),
      { numRuns: 100 },
    )
    t.pass('a hundred of them')
  })
}

t.test('a stream cut anywhere gives the same messages', async t => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.infiniteStream(fc.nat(80)), (values, sizes) => {
      const stream = encodeAll(values)
      const frames = framing()
      const got: Buffer[] = []
      for (let at = 0; at < stream.length; ) {
        const size = sizes.next().value
        frames.push(stream.subarray(at, at + size), bytes => got.push(Buffer.from(bytes)))
        at += size
      }
      if (!Buffer.concat(got).equals(stream) || got.length !== values.length) throw new Error('other messages')
      if (frames.pending() !== 0) throw new Error(`${frames.pending()} bytes are left`)
    }),
    { numRuns: 200 },
  )
  t.pass('at random places')
})
