import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { decode, encode, encodeAll, flowMod, framing } from '../../../openflow/index.ts'
import { match, message, messageOf, messageTypes } from '../arbitrary.ts'

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

t.test('a match that is seen often reads and writes as it did the first time', async t => {
  // Then it is compiled: of each match more than enough uses for that, and still the same.
  fc.assert(
    fc.property(match, value => {
      const bytes = encode(flowMod({ match: value }))
      const first = decode(bytes)
      for (let i = 0; i < 200; i++) {
        if (!encode(flowMod({ match: value })).equals(bytes)) throw new Error(`use ${i} writes otherwise`)
        if (!isDeepStrictEqual(decode(bytes), first)) throw new Error(`use ${i} reads otherwise`)
      }
    }),
    { numRuns: 200 },
  )
  t.pass('two hundred of them')
})

t.test('what is wrong in a match that is seen often is said as before', async t => {
  const good = flowMod({ match: { in_port: 1, eth_dst: { value: '02:00:00:00:00:01', mask: '03:00:00:00:00:00' } } })
  for (let i = 0; i < 200; i++) encode(good)
  t.throws(() => encode({ ...good, match: { in_port: -1, eth_dst: good.match.eth_dst! } }), {
    message: 'flow_mod.match.in_port: expected a whole number from 0 to 4294967295, got -1',
  })
  t.throws(() => encode({ ...good, match: { in_port: 1, eth_dst: { value: '02:00:00:00:00:01', mask: 'no' } } }), {
    message: "flow_mod.match.eth_dst: expected a MAC address such as 02:00:00:00:00:01, got 'no'",
  })
  const cut = Buffer.from(encode(good))
  cut.writeUInt8(11, 63)
  t.throws(
    () => decode(cut),
    /^flow_mod\.match.* at byte 60: field eth_dst takes 6 bytes, or 12 with a mask; header says 11$/,
  )
})

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
