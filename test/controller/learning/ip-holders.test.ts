// Two machines with one IP address are told when their first frames show it.
import t from 'tap'
import { claimedIp } from '../../../controller/learning/ip-holders.ts'
import { linkLocalOf, type Machine, says } from '../machine.ts'
import { dpidOf, macOf, makePeers } from '../peers.ts'

const machine = (n: number, port: number, last = port): Machine => {
  const mac = macOf(n, port)
  return { mac, ip4: `10.0.0.${last}`, ip6: `fd00::${last}`, linkLocal: linkLocalOf(mac) }
}

t.test('what a machine says is its own is read from ARP and neighbour discovery, and from nothing else', async t => {
  const me = machine(1, 7)
  for (const frame of [says.arp(me, '10.0.0.9'), says.arp(me, me.ip4, { spa: '0.0.0.0' })])
    t.equal(claimedIp(frame), '10.0.0.7')
  for (const frame of [
    says.solicit(me, 'fd00::9'),
    says.solicit(me, me.ip6, { src: '::', sll: null }),
    says.advertise(me, me.ip6),
  ])
    t.equal(claimedIp(frame), 'fd00::7')
  for (const frame of [says.ipv4(me), says.ipv6(me), says.icmpv6(me, 133), says.arp(me, '0.0.0.0', { spa: '0.0.0.0' })])
    t.equal(claimedIp(frame), undefined, 'a router sends packets of others')
  for (const frame of [says.arp(me, me.ip4), says.solicit(me, me.ip6)])
    for (let length = 0; length < frame.length; length++) claimedIp(frame.subarray(0, length))
})

t.test(
  "an IP address that two ports show, or one that is another's by its attachment, is told with both ports",
  async t => {
    const world = await makePeers(t, { switches: 2 })
    await world.live()
    await world.join('red', [1, 1], [1, 2], [2, 1])
    await world.until('it is programmed', () => world.controller.network('red')?.state === 'programmed')
    const shown = () => world.controller.ipConflicts('red')
    world.send(1, 1, says.arp(machine(1, 1, 5), '10.0.0.9'))
    world.send(2, 1, says.arp(machine(2, 1, 5), '10.0.0.5', { spa: '0.0.0.0' }))
    await world.until('it is told', () => shown().length > 0)
    t.match(shown(), [{ ip: '10.0.0.5', holder: { dpid: dpidOf(1), port: 1 }, claimant: { dpid: dpidOf(2), port: 1 } }])
    world.send(1, 2, says.arp(machine(1, 2, 6), '10.0.0.9'))
    await world.until('the third is known', () => (world.counts.messages.get('in packet_in') ?? 0) >= 3)
    t.equal(shown().length, 1, "an address of its own is nobody's")
  },
)
