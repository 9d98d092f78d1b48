// The patterns of the contract tell clients early; what a text means, the parsers decide. Both must judge the same.
import fc from 'fast-check'
import t from 'tap'
import type { Schema } from '../../../api/contract/check.ts'
import * as schemas from '../../../api/contract/schemas.ts'
import { parseNetworkId } from '../../../store/parse.ts'
import { parseDpid, parsePort } from '../../../topology/parse.ts'

const patternOf = (schema: unknown): RegExp => new RegExp((schema as Schema).pattern!, 'u')

const same = (name: string, schema: unknown, parse: (text: string) => unknown, letters: string, atMost: number) =>
  t.test(`${name}: the contract and its parser judge alike`, async t => {
    const pattern = patternOf(schema)
    const text = fc.string({ unit: fc.constantFrom(...letters), maxLength: atMost })
    await fc.assert(
      fc.property(text, word => {
        if (pattern.test(word) !== (parse(word) !== undefined)) t.fail(JSON.stringify(word))
      }),
      { numRuns: 3000 },
    )
    t.pass()
  })

const network = schemas.NetworkPath.properties.network
same('a network id', network, parseNetworkId, 'aZ09._:-/ é', 12)
same('a datapath id', schemas.dpidText, parseDpid, '0af:gA', 20)
t.test('a datapath id of the right length is taken, with of: or without', async t => {
  for (const text of [
    '00000000000000a1',
    'of:00000000000000a1',
    '00000000000000AB',
    'OF:00000000000000a1',
    'x'.repeat(16),
  ])
    t.equal(patternOf(schemas.dpidText).test(text), parseDpid(text) !== undefined, text)
})

t.test('a network id is as long as it may be', async t => {
  for (const length of [0, 1, 317, 318]) {
    const text = 'a'.repeat(length)
    t.equal(patternOf(network).test(text), parseNetworkId(text) !== undefined, `${length}`)
  }
})

t.test('a port number that the pattern takes is refused by the parser only when it is too large', async t => {
  const pattern = patternOf(schemas.LinkPath.properties.fromPort)
  for (const text of [
    '0',
    '1',
    '01',
    '-1',
    '+1',
    '1e3',
    '4294967040',
    '4294967041',
    '9999999999',
    '99999999999',
    '1 ',
    '',
  ]) {
    const parsed = parsePort(text)
    if (parsed !== undefined) t.ok(pattern.test(text), text)
    else t.ok(!pattern.test(text) || Number(text) > 4_294_967_040, text)
  }
})
