import fc from 'fast-check'
import t from 'tap'
import { JsonStreamError, jsonStream } from '../../../agent/ovsdb/json-stream.ts'

t.test('messages come out whole, wherever the stream was cut', async () => {
  const message = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()))
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat(200)), fc.boolean(), (messages, cuts, spaced) => {
      const text = messages.map(m => JSON.stringify(m, null, spaced ? 1 : 0)).join(spaced ? '\n' : '')
      const places = [0, ...cuts.map(cut => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
      const stream = jsonStream(1 << 20)
      const got = places.slice(1).flatMap((place, i) => stream.push(text.slice(places[i], place)))
      return JSON.stringify(got) === JSON.stringify(messages)
    }),
    { numRuns: 500 },
  )
})

t.test('what is no object or array, is no JSON or is too long ends the stream', async t => {
  const refuses = (text: string, why: RegExp) =>
    t.throws(() => jsonStream(20).push(text), new JsonStreamError(), text) &&
    t.throws(() => jsonStream(20).push(text), why)
  refuses('7', /expected a JSON object/)
  refuses('"a"', /expected a JSON object/)
  refuses('{} x', /expected a JSON object/)
  refuses(']', /expected a JSON object/)
  refuses('{"a":}', /not JSON/)
  refuses('[}', /not JSON/)
  refuses(`{"a":"${'x'.repeat(30)}`, /most that is taken/)
})
