import fc from 'fast-check'
import t from 'tap'
import { parseDpid, parseEndpoint, parseMac, parsePort } from '../../topology/parse.ts'

t.test('a datapath id is 16 hex digits, in any case, with or without of:', async t => {
  for (const text of ['00000000000000ab', 'of:00000000000000ab', '00000000000000AB', 'OF:00000000000000Ab'])
    t.equal(parseDpid(text), '00000000000000ab', text)
  for (const text of [
    '',
    'of:',
    'ab',
    '0x000000000000ab',
    '00000000000000abc',
    'of:of:00000000000000ab',
    ' 00000000000000ab',
  ])
    t.equal(parseDpid(text), undefined, text)
  t.equal(parseDpid('00000000000000ab\n'), undefined, 'a line break at the end')
})

t.test('a port is 1 to 0xffffff00', async t => {
  for (const [text, port] of [
    ['1', 1],
    [1, 1],
    ['4294967040', 0xffffff00],
    [0xffffff00, 0xffffff00],
  ] as const)
    t.equal(parsePort(text), port, String(text))
  for (const text of [
    '',
    '0',
    0,
    -1,
    '-1',
    '+1',
    '01',
    '1.0',
    1.5,
    '1e3',
    '0x1',
    ' 1',
    '1\n',
    '4294967041',
    0xfffffffe,
    Number.NaN,
  ])
    t.equal(parsePort(text), undefined, JSON.stringify(text))
})

t.test('an endpoint is a datapath id, a slash and a port', async t => {
  t.strictSame(parseEndpoint('of:00000000000000AB/7'), { dpid: '00000000000000ab', port: 7 })
  for (const text of [
    '',
    'of:00000000000000ab',
    'of:00000000000000ab/',
    '/7',
    'of:00000000000000ab/7/8',
    'of:00000000000000ab 7',
  ])
    t.equal(parseEndpoint(text), undefined, text)
})

t.test('a MAC is that of one interface, in lower case with colons', async t => {
  t.equal(parseMac('02:AB:00:00:00:01'), '02:ab:00:00:00:01')
  t.equal(parseMac('02-ab-00-00-00-01'), '02:ab:00:00:00:01')
  for (const text of [
    '',
    '02:ab:00:00:00',
    '02:ab:00:00:00:01:02',
    '02:ab-00:00:00:01',
    '2:ab:0:0:0:1',
    '02:ab:00:00:00:0g',
    '02ab.0000.0001',
    '02:ab:00:00:00:01\n',
  ])
    t.equal(parseMac(text), undefined, text)
  for (const text of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01', '00:00:00:00:00:00'])
    t.equal(parseMac(text), undefined, `${text} is never a source`)
})

t.test('what was parsed parses to itself, and anything else never throws', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fA-F:/of-]{0,24}$/)), text => {
      for (const parse of [parseDpid, parseMac]) {
        const parsed = parse(text)
        if (parsed !== undefined && parse(parsed) !== parsed) return false
      }
      const end = parseEndpoint(text)
      return end === undefined || parseEndpoint(`of:${end.dpid}/${end.port}`)?.port === end.port
    }),
  )
})
