// Addresses: texts and numbers, pools, which is given out next, and the MAC that goes with it.
import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { parseHost, parseIp, parseSubnet, spellIp } from '../../operator/address/ip.ts'
import { macOf } from '../../operator/address/mac.ts'
import { candidates, capacity, firstFree, type Pools, poolsOf } from '../../operator/address/pool.ts'

t.test('what is an address, the system and we agree', async t => {
  const texts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/))
  fc.assert(
    fc.property(texts, text => (parseIp(text) !== undefined) === isIP(text) > 0),
    { numRuns: 3000 },
  )
  for (const text of [
    '01.2.3.4',
    '1.2.3',
    '::1::',
    '1:2:3:4:5:6:7:8::',
    ':::',
    '1::2:',
    'fe80::1%eth0',
    '::1.2.3.256',
    '',
  ])
    t.equal(parseIp(text), undefined, text)
})

t.test('an address is spelled as RFC 5952 says, and read back', async t => {
  for (const [text, spelled] of [
    ['10.0.0.1', '10.0.0.1'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1::', '1::'],
  ] as const)
    t.equal(spellIp(parseIp(text)!), spelled)
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      text => parseIp(spellIp(parseIp(text)!))!.value === parseIp(text)!.value,
    ),
  )
})

const pools = (networkCIDR?: string, podAddressRange?: string): Pools => {
  const found = poolsOf({ networkCIDR, podAddressRange })
  if ('fault' in found) throw new Error(found.fault)
  return found
}
const all = (networkCIDR: string, range?: string) => [...candidates(pools(networkCIDR, range)[0]!)].map(spellIp)

t.test('pods get .1, .2, ... of a subnet, neither its own address nor its broadcast address', async t => {
  t.strictSame(all('10.0.0.0/29'), ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
  t.strictSame(all('10.0.0.0/31').sort(), ['10.0.0.0', '10.0.0.1'])
  t.strictSame(all('10.0.0.7/32'), ['10.0.0.7'])
  t.strictSame(all('fd00::/126'), ['fd00::1', 'fd00::2', 'fd00::3'])
})

t.test('a range within a subnet is used whole, its first address last', async t => {
  t.strictSame(all('10.0.0.0/16', '10.0.2.0/30'), ['10.0.2.1', '10.0.2.2', '10.0.2.3', '10.0.2.0'])
  t.strictSame(all('10.0.0.0/16', '10.0.0.0/30'), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  t.strictSame(all('10.0.0.0/16', '10.0.0.9-10.0.0.11'), ['10.0.0.10', '10.0.0.11', '10.0.0.9'])
})

t.test('a /16 is given out to its last address', async t => {
  const [pool] = pools('10.101.0.0/16')
  const taken = new Set<string>()
  for (const ip of candidates(pool!)) taken.add(spellIp(ip))
  t.equal(taken.size, 65_534)
  t.equal(capacity(pool!), '65534')
  t.equal(
    firstFree(pool!, one => taken.has(one)),
    undefined,
  )
  taken.delete('10.101.200.7')
  t.equal(
    firstFree(pool!, one => taken.has(one)),
    '10.101.200.7',
  )
})

t.test('both families in one network, each with its range', async t => {
  const both = pools('10.0.0.0/24, fd00::/64', 'fd00::100-fd00::1ff')
  t.strictSame(
    both.map(pool => firstFree(pool, () => false)),
    ['10.0.0.1', 'fd00::101'],
  )
  t.same(pools(), [])
})

t.test('what is wrong with a network is said', async t => {
  for (const [cidr, range, why] of [
    ['10.0.0.0', undefined, /networkCIDR "10.0.0.0" is no subnet/],
    ['10.0.0.0/33', undefined, /no subnet/],
    ['10.0.0.0/24,10.1.0.0/24', undefined, /two IPv4 subnets/],
    ['10.0.0.0/24', '10.0.1.0/28', /podAddressRange 10.0.1.0\/28 is not within networkCIDR 10.0.0.0\/24/],
    ['10.0.0.0/24', 'some', /"some" is no range/],
    ['10.0.0.0/24', '10.0.0.9-10.0.0.1', /is no range/],
  ] as const)
    t.match(poolsOf({ networkCIDR: cidr, podAddressRange: range }), { fault: why })
})

t.test('hosts with and without a prefix length', async t => {
  t.match(parseHost('10.0.0.7/24'), { length: 24 })
  t.match(parseHost('fd00::7'), { length: undefined })
  for (const text of ['10.0.0.7/33', '10.0.0.7/', '10.0.0.7/24/1', 'x']) t.equal(parseHost(text), undefined)
  t.equal(parseSubnet('10.0.0.7/24')!.first, parseIp('10.0.0.0')!.value)
})

t.test('a MAC address is the same for the same network and address, local, and of one host', async t => {
  t.equal(macOf('default.lan', '10.0.0.1'), macOf('default.lan', '10.0.0.1'))
  t.not(macOf('default.lan', '10.0.0.1'), macOf('other.lan', '10.0.0.1'))
  fc.assert(fc.property(fc.string(), own => (Number.parseInt(macOf('n', own).slice(0, 2), 16) & 3) === 2))
})
