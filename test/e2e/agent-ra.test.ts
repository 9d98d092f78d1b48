// A node that has its IPv6 from a router: br-phy listens to it as the device did, and the device does not.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { inNamespace, run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { makeAgents } from '../ovs/agents.ts'

/** Advertises 2001:db8:77::/64 and a default route, every half second. */
const router = `
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('br0'))
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'br0')
advertisement = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0)
prefix = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 3600, 1800, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:77::')
while True:
    try: s.sendto(advertisement + prefix, ('ff02::1', 0))
    except OSError: pass
    time.sleep(0.5)`

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 1, start: false })
  const { mesh } = agents.stage
  const { ovs } = mesh.node(1)
  const on = (command: string) => agents.on(1, command)
  const underlay = `${mesh.prefix}-und`
  const setting = (device: string, name: string) =>
    on(`cat /proc/sys/net/ipv6/conf/${device}/${name}`).then(text => text.trim())
  const routes = () => on('ip -6 route show default')
  const slaac = (device: string) => on(`ip -6 -oneline address show dev ${device} scope global`)
  await on(
    'for s in all default uplink; do echo 0 >/proc/sys/net/ipv6/conf/$s/disable_ipv6; done; ' +
      'cd /proc/sys/net/ipv6/conf/uplink; echo 1 >forwarding; echo 2 >accept_ra; ip link set uplink down; ip link set uplink up',
  )
  await run(
    'sh',
    [
      '-ec',
      'echo 0 >/proc/sys/net/ipv6/conf/br0/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/br0/accept_dad; ip -6 addr add fe80::99/64 dev br0 nodad',
    ],
    {
      netns: underlay,
    },
  )
  const child: ChildProcess = spawn(...inNamespace(underlay, 'python3', ['-c', router]), { stdio: 'ignore' })
  t.teardown(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  await until('the router is heard', async () => (await routes()).includes('dev uplink'))
  await until('the device has an address of it', async () => (await slaac('uplink')).includes('2001:db8:77:'))
  const before = {
    address: /2001:db8:77:\S+/.exec(await slaac('uplink'))![0],
    link: await on('ip -6 address show dev uplink scope link'),
  }
  t.match(before.link, /fe80::1a:b0ff:fe00:1\/64/)

  t.test('the default route and the address of a router are on br-phy alone', async t => {
    await agents.start(1)
    await agents.settled(1)
    await until('the route is there', async () => /dev br-phy proto ra/.test(await routes()))
    t.notMatch(await routes(), /uplink/)
    await until('so is the address', async () => (await slaac('br-phy')).includes(before.address))
    t.equal(await slaac('uplink'), '')
    t.match(await on('ip -6 address show dev br-phy scope link'), /fe80::1a:b0ff:fe00:1\/64/)
    t.same([await setting('br-phy', 'accept_ra'), await setting('br-phy', 'forwarding')], ['2', '1'])
    await on('ping -6 -c 1 -W 3 fe80::99%br-phy')
    await agents.looked(1)
    t.notMatch(await routes(), /uplink/, 'and stay there')
    t.equal(await slaac('uplink'), '')
  })

  t.test('when ovs-vswitchd dies, and after --remove, the device listens again as before', async t => {
    await ovs.stop({ kill: true })
    const back = async () =>
      /dev uplink proto ra/.test(await routes()) && (await slaac('uplink')).includes(before.address)
    await until('the device has all of it', back)
    t.notMatch(await routes(), /br-phy/)
    await ovs.start()
    await agents.settled(1, async () => /dev br-phy proto ra/.test(await routes()))
    await agents.stop(1, 'SIGTERM')
    t.equal((await agents.remove(1)).code, 0)
    await until('the device has all of it', back)
    t.same(
      [
        await setting('uplink', 'accept_ra'),
        await setting('uplink', 'autoconf'),
        await setting('uplink', 'forwarding'),
      ],
      ['2', '1', '1'],
    )
  })
}
