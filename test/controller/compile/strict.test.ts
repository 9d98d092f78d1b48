// A strict port on reference switches, Open vSwitch and plain ones: what of its frames gets through, and what the switch answers.
import t from 'tap'
import { arp, ipv6, neighbour } from '../../reference/frames.ts'
import { desired, type Guarded, heardBy, keyOf, machineAt, sent } from '../guarded.ts'
import { forged, legitimate, says } from '../machine.ts'
import { fabricOf } from '../reference-fabric.ts'

const [a, b, c] = [machineAt({ s: 0, port: 1 }), machineAt({ s: 0, port: 2 }), machineAt({ s: 1, port: 1 })] as const
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

const passing = legitimate(a, b)
const lies = forged(a, b)

for (const nicira of [true, false])
  for (const [where, guarded] of Object.entries({ 'a strict network': strictNetwork, 'strict ports': strictPorts }))
    t.test(`${where} on ${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'}`, async t => {
      const fabric = fabricOf({ switches: 2 }, desired({ ...guarded, datapath: { answers: nicira } }), nicira)
      for (const [what, frame] of Object.entries(passing))
        t.same(heardBy(fabric, a, frame), others, `${what} is heard by all, once`)
      for (const [what, frame] of Object.entries(lies))
        t.same(heardBy(fabric, a, frame), [], `${what}: nobody hears it`)
      t.same(heardBy(fabric, a, says.ipv4(a, { to: c.mac, dst: c.ip4 })), [keyOf(c)], 'unicast arrives')
    })

t.test('a trusted port may be a DHCP server, or a router', async t => {
  const ports: Guarded['ports'] = [
    [a, { ...red, trusted: ['dhcp', 'router'] }],
    [b, { ...red, trusted: ['dhcp'] }],
    [c, red],
  ]
  const fabric = fabricOf({ switches: 2 }, desired({ ...strictNetwork, ports }))
  for (const frame of [says.icmpv6(a, 134), says.icmpv6(a, 137), says.icmpv6(a, 130)])
    t.same(heardBy(fabric, a, frame), others)
  for (const me of [a, b]) {
    t.equal(heardBy(fabric, me, says.ipv4(me, { from: 67, port: 68 })).length, 2)
    t.equal(heardBy(fabric, me, says.ipv6(me, { src: me.linkLocal, from: 547, port: 546 })).length, 2)
  }
  t.same(heardBy(fabric, b, says.icmpv6(b, 134)), [])
  t.same(heardBy(fabric, a, says.icmpv6(a, 134, { src: b.linkLocal })), [], 'as itself only')
})

t.test('allowed addresses: a virtual MAC, an address of its own, and what lies behind', async t => {
  const allowed = { ...red, allowedAddresses: [virtual, { ip: '10.9.0.0/16' }, { ip: 'fd09::5' }] }
  const ports: Guarded['ports'] = [
    [a, allowed],
    [b, red],
    [c, allowed],
  ]
  const fabric = fabricOf({ switches: 2 }, desired({ ...strictNetwork, ports }))
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
    'ARP of the own address at the virtual MAC': says.arp(a, a.ip4, { src: via, sha: via }),
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
  t.same(heardBy(fabricOf({ switches: 2 }, desired(strictNetwork)), a, nobody), [])
  t.same(heardBy(fabricOf({ switches: 2 }, desired(strictPorts)), a, nobody), others)
  const learns: Guarded['ports'] = [
    [a, red],
    [b, { network: 'red', guard: 'learn' }],
    [c, red],
  ]
  t.same(heardBy(fabricOf({ switches: 2 }, desired({ ...strictNetwork, ports: learns })), a, nobody), others)
})

t.test(
  'the switch answers ARP and solicitations for known addresses, wherever they are, and nobody else hears them',
  async t => {
    const fabric = fabricOf({ switches: 2 }, desired(strictNetwork))
    for (const owner of [b, c]) {
      const [reply, ...more] = sent(fabric, a, says.arp(a, owner.ip4))
      t.same([reply?.at, more.length], [keyOf(a), 0])
      const said = { op: 2 as const, sha: owner.mac, spa: owner.ip4, tha: a.mac, tpa: a.ip4 }
      t.same(reply?.frame, arp({ dst: a.mac, src: owner.mac }, said), 'as the machine itself would')
      const [advert, ...others] = sent(fabric, a, says.solicit(a, owner.ip6))
      t.same([advert?.at, others.length], [keyOf(a), 0])
      const told = neighbour('advert', owner.ip6, [2, owner.mac])
      const l2 = { dst: a.mac, src: owner.mac }
      t.same(advert?.frame, ipv6(l2, { src: owner.ip6, dst: a.ip6 }, told), 'the same for IPv6, its checksum too')
    }
    t.same(
      heardBy(fabric, a, says.arp(a, b.ip4, { dst: b.mac })),
      [keyOf(b)],
      'a request to one machine is for that machine',
    )
    t.same(heardBy(fabric, a, says.solicit(a, b.ip6, { to: b.mac })), [keyOf(b)])
  },
)

t.test('an address that may be at two MACs is not answered for', async t => {
  const { ip } = virtual
  const ports: Guarded['ports'] = [
    [a, red],
    [b, { ...red, allowedAddresses: [{ ip }] }],
    [c, { ...red, allowedAddresses: [{ ip }] }],
  ]
  t.same(heardBy(fabricOf({ switches: 2 }, desired({ ...strictNetwork, ports })), a, says.arp(a, ip)), others)
  const at: Guarded['ports'] = [
    [a, red],
    [b, { ...red, allowedAddresses: [virtual] }],
    [c, { ...red, allowedAddresses: [virtual] }],
  ]
  t.same(
    heardBy(fabricOf({ switches: 2 }, desired({ ...strictNetwork, ports: at })), a, says.arp(a, ip)),
    [keyOf(a)],
    'one MAC on two ports is',
  )
})

t.test('a switch that can not tell who sends ARP drops it, and lets the rest through', async t => {
  const missing = new Set(['arp_spa', 'ipv6_nd_target'])
  const fabric = fabricOf({ switches: 2 }, desired({ ...strictNetwork, datapath: { missing, answers: false } }), false)
  for (const frame of [passing['an ARP request']!, passing['IPv6 multicast']!, lies["an ARP sender's MAC"]!])
    t.same(heardBy(fabric, a, frame), [])
  t.same(heardBy(fabric, a, passing['an IPv4 broadcast']!), others)
})
