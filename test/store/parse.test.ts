import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { parseIp, parseNetworkId } from '../../store/parse.ts'

t.test('addresses have a prefix length that fits, or none', async t => {
  for (const text of [
    '10.0.0.1',
    '10.0.0.1/24',
    '0.0.0.0/0',
    '10.0.0.1/32',
    'fd00::1',
    'FD00::1/64',
    '::/0',
    '::1/128',
    '::ffff:10.0.0.1',
  ])
    t.equal(parseIp(text), text)
  for (const text of [
    '',
    '/24',
    '10.0.0.1/',
    '10.0.0.1/33',
    '10.0.0.1/024',
    '10.0.0.1/-1',
    '::1/129',
    'fe80::1%eth0',
    '10.0.0.1/24/24',
    '10.0.0.1\n',
    'host',
  ])
    t.equal(parseIp(text), undefined, text)
})

t.test('an address is one exactly when Node says so', async () => {
  const group = fc.oneof(
    fc.stringMatching(/^[0-9a-fA-F]{1,4}$/),
    fc.constantFrom('', '', '0', '10.0.0.1', '1.2.3', '12345'),
  )
  const almostIpv6 = fc.array(group, { minLength: 1, maxLength: 9 }).map(groups => groups.join(':'))
  const almostIpv4 = fc
    .array(fc.oneof(fc.nat(300).map(String), fc.constantFrom('', '01', 'a')), { maxLength: 5 })
    .map(b => b.join('.'))
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), almostIpv4, almostIpv6, fc.stringMatching(/^[0-9a-f:.]{0,20}$/)),
      text => {
        if (text.includes('/')) return true
        return (parseIp(text) !== undefined) === (isIP(text) !== 0)
      },
    ),
    { numRuns: 5000 },
  )
})

t.test('an id is 1 to 317 of its characters, but no path step', async t => {
  for (const id of ['a', '-', '_:.', '...', 'a'.repeat(317)]) t.equal(parseNetworkId(id), id)
  for (const id of ['', '.', '..', 'a'.repeat(318), 'a/b', 'a b', 'é', 'a\n', '\u0000'])
    t.equal(parseNetworkId(id), undefined)
})
