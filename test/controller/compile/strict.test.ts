// A strict port on reference switches, Open vSwitch and plain ones: what of its frames gets through, and what the switch answers.
import t from 'tap'
import { arp, broadcast, ethernet, ipv6, neighbour } from '../../reference/frames.ts'
import {
  desired,
  fabricOf,
  type Guarded,
  heardBy,
  ip4Of,
  ip6Of,
  keyOf,
  linkLocalOf,
  macOf,
  type Place,
  says,
  sent,
} from '../guarded.ts'

const [a, b, c]: [Place, Place, Place] = [
  { s: 0, port: 1 },
  { s: 0, port: 2 },
  { s: 1, port: 1 },
]
const red = { network: 'red' }
const strictNetwork: Guarded = {
  switches: 2,
  networks: [{ id: 'red', number: 7, guard: 'strict' }],
  ports: [
    [a, red],
    [b, red],
    [c, red],
  ],
}
/** Strict ports in a network that says nothing: nobody answers for them, and unknown unicast is flooded. */
const strictPorts: Guarded = { ...strictNetwork, networks: [{ id: 'red', number: 7 }] }
const others = [keyOf(b), keyOf(c)].sort()
const virtual = { mac: '00:00:5e:00:01:07', ip: '10.0.9.9' }

const legitimate: Readonly<Record<string, Buffer>> = {
  'an ARP request': says.arp(a, '10.0.7.7'),
  'an ARP reply to all': says.arp(a, ip4Of(b), { op: 2 }),
  'gratuitous ARP': says.arp(a, ip4Of(a)),
  'an ARP announcement as a reply': says.arp(a, ip4Of(a), { op: 2 }),
  'an ARP probe': says.arp(a, ip4Of(a), { spa: '0.0.0.0' }),
  'an IPv4 broadcast': says.ipv4(a),
  'a DHCP request': says.ipv4(a, { src: '0.0.0.0', from: 68, port: 67 }),
  'a DHCP renewal': says.ipv4(a, { from: 68, port: 67 }),
  'IPv6 multicast': says.ipv6(a),
  'IPv6 multicast from the link-local address': says.ipv6(a, { src: linkLocalOf(a) }),
  'a DHCPv6 request': says.ipv6(a, { src: linkLocalOf(a), from: 546, port: 547 }),
  'a solicitation': says.solicit(a, 'fd00::7:7'),
  'a solicitation from the link-local address': says.solicit(a, 'fd00::7:7', { src: linkLocalOf(a) }),
  'a solicitation without its own MAC': says.solicit(a, 'fd00::7:7', { sll: undefined }),
  'duplicate address detection': says.solicit(a, ip6Of(a), { src: '::', sll: undefined }),
  'duplicate address detection of the link-local address': says.solicit(a, linkLocalOf(a), {
    src: '::',
    sll: undefined,
  }),
  'an advertisement': says.advertise(a, ip6Of(a)),
  'an advertisement from the link-local address': says.advertise(a, ip6Of(a), { src: linkLocalOf(a) }),
  'an advertisement without its MAC': says.advertise(a, ip6Of(a), { tll: undefined }),
  'an advertisement of the link-local address': says.advertise(a, linkLocalOf(a)),
  'a router solicitation': says.icmpv6(a, 133),
  'a router solicitation from ::': says.icmpv6(a, 133, { src: '::' }),
  'an MLD report': says.icmpv6(a, 143, { dst: 'ff02::16' }),
  'an MLD report from ::': says.icmpv6(a, 143, { src: '::', dst: 'ff02::16' }),
}

const forged: Readonly<Record<string, Buffer>> = {
  'another MAC': says.ipv4(a, { as: macOf(b) }),
  'another MAC that nobody has': says.arp(a, '10.0.7.7', { src: '02:66:66:66:66:66' }),
  "an ARP sender's MAC": says.arp(a, '10.0.7.7', { sha: macOf(b) }),
  "an ARP sender's address": says.arp(a, '10.0.7.7', { spa: ip4Of(b) }),
  "gratuitous ARP of another's address": says.arp(a, ip4Of(b), { spa: ip4Of(b) }),
  "an ARP reply of another's address": says.arp(a, ip4Of(c), { op: 2, spa: ip4Of(b) }),
  "an ARP probe for another's address": says.arp(a, ip4Of(b), { spa: '0.0.0.0' }),
  'an ARP reply from 0.0.0.0': says.arp(a, ip4Of(a), { op: 2, spa: '0.0.0.0' }),
  "another's IPv4 address": says.ipv4(a, { src: ip4Of(b) }),
  '0.0.0.0': says.ipv4(a, { src: '0.0.0.0' }),
  "another's IPv6 address": says.ipv6(a, { src: ip6Of(b) }),
  "another's link-local address": says.ipv6(a, { src: linkLocalOf(b) }),
  '::': says.ipv6(a, { src: '::' }),
  "a solicitation from another's address": says.solicit(a, 'fd00::7:7', { src: ip6Of(b) }),
  "a solicitation with another's MAC": says.solicit(a, 'fd00::7:7', { sll: macOf(b) }),
  "duplicate address detection of another's address": says.solicit(a, ip6Of(b), { src: '::', sll: undefined }),
  "an advertisement of another's address": says.advertise(a, ip6Of(b), { src: ip6Of(a) }),
  "an advertisement with another's MAC": says.advertise(a, ip6Of(a), { tll: macOf(b) }),
  "an advertisement from another's address": says.advertise(a, ip6Of(a), { src: ip6Of(b) }),
  'a router advertisement': says.icmpv6(a, 134),
  'a redirect': says.icmpv6(a, 137),
  'an MLD query': says.icmpv6(a, 130),
  'an answer of a DHCP server': says.ipv4(a, { from: 67, port: 68 }),
  'an answer of a DHCPv6 server': says.ipv6(a, { src: linkLocalOf(a), from: 547, port: 546 }),
  'a frame that is neither ARP nor IP': ethernet({ dst: broadcast, src: macOf(a) }, 0x88b5, Buffer.alloc(46)),
  'a frame with a tag': ethernet({ dst: broadcast, src: macOf(a), tags: [{ vid: 7 }] }, 0x88b5, Buffer.alloc(46)),
}

for (const nicira of [true, false])
  for (const [where, guarded] of Object.entries({ 'a strict network': strictNetwork, 'strict ports': strictPorts }))
    t.test(`${where} on ${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'}`, async t => {
      const fabric = fabricOf(2, desired({ ...guarded, datapath: { answers: nicira } }), nicira)
      for (const [what, frame] of Object.entries(legitimate))
        t.same(heardBy(fabric, a, frame), others, `${what} is heard by all, once`)
      for (const [what, frame] of Object.entries(forged))
        t.same(heardBy(fabric, a, frame), [], `${what}: nobody hears it`)
      t.same(heardBy(fabric, a, says.ipv4(a, { to: macOf(c), dst: ip4Of(c) })), [keyOf(c)], 'unicast arrives')
    })

t.test('a trusted port may be a DHCP server, or a router', async t => {
  const ports: Guarded['ports'] = [
    [a, { ...red, trusted: ['dhcp', 'router'] }],
    [b, { ...red, trusted: ['dhcp'] }],
    [c, red],
  ]
  const fabric = fabricOf(2, desired({ ...strictNetwork, ports }))
  for (const frame of [says.icmpv6(a, 134), says.icmpv6(a, 137), says.icmpv6(a, 130)])
    t.same(heardBy(fabric, a, frame), others)
  for (const me of [a, b]) {
    t.equal(heardBy(fabric, me, says.ipv4(me, { from: 67, port: 68 })).length, 2)
    t.equal(heardBy(fabric, me, says.ipv6(me, { src: linkLocalOf(me), from: 547, port: 546 })).length, 2)
  }
  t.same(heardBy(fabric, b, says.icmpv6(b, 134)), [])
  t.same(heardBy(fabric, a, says.icmpv6(a, 134, { src: linkLocalOf(b) })), [], 'as itself only')
})

t.test('allowed addresses: a virtual MAC, an address of its own, and what lies behind', async t => {
  const allowed = { ...red, allowedAddresses: [virtual, { ip: '10.9.0.0/16' }, { ip: 'fd09::5' }] }
  const ports: Guarded['ports'] = [
    [a, allowed],
    [b, red],
    [c, allowed],
  ]
  const fabric = fabricOf(2, desired({ ...strictNetwork, ports }))
  const via = virtual.mac
  for (const [what, frame] of Object.entries({
    'VRRP from the own address and the virtual MAC': says.ipv4(a, { as: via }),
    'ARP of the virtual address': says.arp(a, virtual.ip, { src: via, sha: via, spa: virtual.ip }),
    'from the virtual address': says.ipv4(a, { as: via, src: virtual.ip }),
    'from behind it': says.ipv4(a, { src: '10.9.3.4' }),
    'ARP from behind it': says.arp(a, '10.0.7.7', { spa: '10.9.3.4' }),
    'from the other address': says.ipv6(a, { src: 'fd09::5' }),
    'an advertisement of the other address': says.advertise(a, 'fd09::5'),
  }))
    t.same(heardBy(fabric, a, frame), others, what)
  for (const [what, frame] of Object.entries({
    'the virtual address from the own MAC': says.ipv4(a, { src: virtual.ip }),
    'ARP of the virtual address at the own MAC': says.arp(a, virtual.ip, { spa: virtual.ip }),
    'ARP of the own address at the virtual MAC': says.arp(a, ip4Of(a), { src: via, sha: via }),
    'from beside it': says.ipv4(a, { src: '10.10.3.4' }),
    'from another address yet': says.ipv6(a, { src: 'fd09::6' }),
  }))
    t.same(heardBy(fabric, a, frame), [], what)
  t.same(heardBy(fabric, b, says.ipv4(b, { as: via, src: virtual.ip })), [], 'nobody else may')
  t.same(
    heardBy(fabric, b, says.ipv4(b, { to: via })),
    [keyOf(a), keyOf(c)].sort(),
    'frames to it go to all that may have it',
  )
  t.same(heardBy(fabric, a, says.ipv4(a, { to: via })), [keyOf(c)], 'and never back')
})

t.test('a frame for nobody is dropped in a strict network, unless a port of it learns', async t => {
  const nobody = says.ipv4(a, { to: '02:99:00:00:00:01' })
  t.same(heardBy(fabricOf(2, desired(strictNetwork)), a, nobody), [])
  t.same(heardBy(fabricOf(2, desired(strictPorts)), a, nobody), others)
  const learns: Guarded['ports'] = [
    [a, red],
    [b, { network: 'red', guard: 'learn' }],
    [c, red],
  ]
  t.same(heardBy(fabricOf(2, desired({ ...strictNetwork, ports: learns })), a, nobody), others)
})

t.test(
  'the switch answers ARP and solicitations for known addresses, wherever they are, and nobody else hears them',
  async t => {
    const fabric = fabricOf(2, desired(strictNetwork))
    for (const owner of [b, c]) {
      const [reply, ...more] = sent(fabric, a, says.arp(a, ip4Of(owner)))
      t.same([reply?.at, more.length], [keyOf(a), 0])
      const said = { op: 2 as const, sha: macOf(owner), spa: ip4Of(owner), tha: macOf(a), tpa: ip4Of(a) }
      t.same(reply?.frame, arp({ dst: macOf(a), src: macOf(owner) }, said), 'as the machine itself would')
      const [advert, ...others] = sent(fabric, a, says.solicit(a, ip6Of(owner)))
      t.same([advert?.at, others.length], [keyOf(a), 0])
      const told = neighbour('advert', ip6Of(owner), [2, macOf(owner)])
      const l2 = { dst: macOf(a), src: macOf(owner) }
      t.same(advert?.frame, ipv6(l2, { src: ip6Of(owner), dst: ip6Of(a) }, told), 'the same for IPv6, its checksum too')
    }
    t.same(
      heardBy(fabric, a, says.arp(a, ip4Of(b), { dst: macOf(b) })),
      [keyOf(b)],
      'a request to one machine is for that machine',
    )
    t.same(heardBy(fabric, a, says.solicit(a, ip6Of(b), { to: macOf(b) })), [keyOf(b)])
  },
)

t.test('an address that may be at two MACs is not answered for', async t => {
  const { ip } = virtual
  const ports: Guarded['ports'] = [
    [a, red],
    [b, { ...red, allowedAddresses: [{ ip }] }],
    [c, { ...red, allowedAddresses: [{ ip }] }],
  ]
  t.same(heardBy(fabricOf(2, desired({ ...strictNetwork, ports })), a, says.arp(a, ip)), others)
  const at: Guarded['ports'] = [
    [a, red],
    [b, { ...red, allowedAddresses: [virtual] }],
    [c, { ...red, allowedAddresses: [virtual] }],
  ]
  t.same(
    heardBy(fabricOf(2, desired({ ...strictNetwork, ports: at })), a, says.arp(a, ip)),
    [keyOf(a)],
    'one MAC on two ports is',
  )
})

t.test('a switch that can not tell who sends ARP drops it, and lets the rest through', async t => {
  const missing = new Set(['arp_spa', 'ipv6_nd_target'])
  const fabric = fabricOf(2, desired({ ...strictNetwork, datapath: { missing, answers: false } }), false)
  for (const frame of [legitimate['an ARP request']!, legitimate['IPv6 multicast']!, forged["an ARP sender's MAC"]!])
    t.same(heardBy(fabric, a, frame), [])
  t.same(heardBy(fabric, a, legitimate['an IPv4 broadcast']!), others)
})
