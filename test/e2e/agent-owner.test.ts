// A node's own network belongs to its owner: the agent moves it, follows what its owner does, and gives it back.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inNamespace, run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { makeAgents } from '../ovs/agents.ts'

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 2, start: false })
  const { mesh } = agents.stage
  const { ovs, address } = mesh.node(1)
  const subnet = address.replace(/\.\d+$/, '')
  const at = (last: number) => `${subnet}.${last}`
  const on = (command: string) => agents.on(1, command)
  const addresses = async (device: string): Promise<string[]> =>
    (await on(`ip -oneline -4 address show dev ${device} 2>/dev/null || true`)).match(/(?<=inet )\S+/g) ?? []
  const has = async (device: string, last: number, length = 24) =>
    (await addresses(device)).includes(`${at(last)}/${length}`)
  // As distributions set it: an address does not take the others of its subnet with it when it goes.
  await on('echo 1 >/proc/sys/net/ipv4/conf/all/promote_secondaries')
  // Asked until it is answered: who had another address or MAC before is asked for it anew by its neighbours.
  const reaches = () => on(`ping -c 1 -w 20 ${mesh.ctl.address}`)
  const settled = (also?: () => Promise<boolean>) => agents.settled(1, also)

  t.test('an address that the owner takes away stays away; one that is added or changed is followed', async t => {
    await on(`ip addr add ${at(61)}/24 dev uplink; ip addr add ${at(62)}/32 dev uplink label uplink:vip scope link`)
    await on(`ip route add 203.0.113.0/24 via ${at(253)} metric 7 mtu 1300`)
    await on('ip rule add priority 777 iif uplink to 203.0.113.0/24 lookup 77')
    await on('ip -6 rule add priority 778 oif uplink prohibit')
    await on(`ip neighbour add ${at(99)} lladdr 02:00:00:00:00:99 dev uplink nud permanent`)
    const named = async (device: string) =>
      [
        ...(await on('ip rule show; ip -6 rule show')).matchAll(new RegExp(`^(77\\d):.*[io]if ${device}\\b`, 'gm')),
        ...(await on(`ip neighbour show nud permanent`)).matchAll(new RegExp(`^\\S+\\.(99) dev ${device} `, 'gm')),
      ].map(([, found]) => found)
    await agents.start(1)
    await settled(() => has('br-phy', 61))
    t.match(await on('ip -oneline address show br-phy'), /\.62\/32 scope link br-phy:vip/)
    t.match(await on('ip route show'), /203\.0\.113\.0\/24 via \S+ dev br-phy metric 7 mtu 1300/)
    t.same(await addresses('uplink'), [])
    t.same([await named('uplink'), await named('br-phy')], [[], ['777', '778', '99']])
    t.same(
      agents.log.filter(({ level, msg }) => level >= 50 && msg.startsWith('ip ')).map(({ msg }) => msg),
      [],
    )

    await on('ip rule del priority 777')
    await on(`ip addr del ${at(61)}/24 dev br-phy; ip route del 203.0.113.0/24`)
    await agents.looked(1)
    t.notOk(await has('br-phy', 61), 'it does not come back')
    t.notMatch(await on('ip route show'), /203\.0\.113/)

    await on(`ip addr add ${at(63)}/32 dev br-phy valid_lft 900 preferred_lft 800; ip addr del ${at(62)}/32 dev br-phy`)
    await on(`ip route add 198.51.100.0/24 via ${at(253)} src ${at(1)} proto static`)
    await on('echo 1 >/proc/sys/net/ipv4/conf/br-phy/proxy_arp')
    await agents.looked(1)
    await ovs.stop({ kill: true })
    await until('the device has its addresses', () => has('uplink', 1))
    t.same(await addresses('uplink'), [`${address}/24`, `${at(63)}/32`])
    t.match(
      await on('ip address show uplink'),
      /\.63\/32 scope global dynamic uplink\s+valid_lft (8[89]\d|900)sec preferred_lft [78]/,
    )
    t.match(await on('ip route show'), new RegExp(`198.51.100.0/24 via \\S+ dev uplink proto static src ${address}`))
    t.equal((await on('cat /proc/sys/net/ipv4/conf/uplink/proxy_arp')).trim(), '1')
    t.same([await named('uplink'), await named('br-phy')], [['778', '99'], []])
    await on(`ip -6 rule del priority 778; ip neighbour del ${at(99)} dev uplink`)
    await reaches()

    await on(`ip addr add ${at(64)}/32 dev uplink; ip addr del ${at(63)}/32 dev uplink`)
    await ovs.start()
    await settled(() => has('br-phy', 64, 32))
    t.same(await addresses('br-phy'), [`${address}/24`, `${at(64)}/32`])
    await on(`ip addr del ${at(64)}/32 dev br-phy; ip route del 198.51.100.0/24`)
  })

  t.test('what the owner puts on the device itself stays there', async t => {
    await on(`ip addr add ${at(65)}/32 dev uplink`)
    await agents.looked(1)
    t.same(await addresses('uplink'), [`${at(65)}/32`])
    const outside = (last: number) => run('ping', ['-c', '1', '-W', '2', at(last)])
    await outside(65)
    await on(`ip addr del ${at(65)}/32 dev uplink`)
    await on(`ip addr add ${address}/24 dev uplink`)
    await until('an address is in one place', async () => !(await has('uplink', 1)), { ms: 60_000 })
    await outside(1)
  })

  t.test('a node that was given another address keeps the new one', async t => {
    await on(`ip addr add ${at(51)}/24 dev br-phy`)
    agents.change(1, ({ links }) => ({
      underlay: { address: at(51) },
      links: links.map(link => ({ ...link, local: at(51) })),
    }))
    await on(`ip addr del ${address}/24 dev br-phy`)
    await agents.stop(1, 'SIGTERM')
    t.ok(await has('br-phy', 51))
    await ovs.stop({ kill: true })
    const { code, stdout } = await agents.remove(1)
    t.equal(code, 0, stdout)
    t.same(await addresses('uplink'), [`${at(51)}/24`])
    await reaches()
    await ovs.start()
    t.equal((await agents.remove(1)).code, 0)
    await on(`ip addr add ${address}/24 dev uplink; ip addr del ${at(51)}/24 dev uplink`)
    agents.change(1, ({ links }) => ({
      underlay: { address },
      links: links.map(link => ({ ...link, local: address })),
    }))
  })

  t.test('a database that is lost while everything is down leaves the node reachable', async () => {
    await agents.start(1)
    await settled(() => has('br-phy', 1))
    await agents.stop(1, 'SIGKILL')
    await ovs.stop({ kill: true })
    await ovs.restartDatabase({ empty: true })
    await agents.start(1)
    await until('the device has its address', () => has('uplink', 1), { ms: 60_000 })
    await reaches()
    await ovs.start()
    await settled(() => has('br-phy', 1))
    await reaches()
  })

  t.test('the node gets its address back without a database, and without the file', async t => {
    const lose = async () => {
      await agents.stop(1, 'SIGKILL')
      await ovs.stop({ kill: true })
      await ovs.restartDatabase({ empty: true })
    }
    await lose()
    const { code, stdout } = await agents.remove(1)
    t.equal(code, 0, stdout)
    t.same(await addresses('uplink'), [`${address}/24`])
    t.match(await on('ip link show uplink'), /02:1a:b0:00:00:01/)
    t.equal(await on('ip link show br-phy 2>/dev/null || true'), '', 'what ovs-vswitchd left is gone')
    await reaches()

    await ovs.start()
    await agents.start(1)
    await settled(() => has('br-phy', 1))
    rmSync(join(mesh.directory, 'state-1'), { recursive: true })
    await lose()
    await agents.start(1)
    await until('the device has its address', () => has('uplink', 1), { ms: 60_000 })
    await reaches()
    await ovs.start()
    await settled(() => has('br-phy', 1))
  })

  t.test('a device that was replaced gives br-phy its own MAC address', async t => {
    await agents.stop(1, 'SIGTERM')
    await ovs.stop()
    const [command, args] = inNamespace(`${mesh.prefix}-und`, 'sh', ['-ec', 'ip link del u1'])
    await run(command, args)
    await run('ip', [
      'link',
      'add',
      'name',
      'u1',
      'mtu',
      '1600',
      'netns',
      `${mesh.prefix}-und`,
      'type',
      'veth',
      'peer',
      'name',
      'uplink',
      'mtu',
      '1600',
      'address',
      '02:1a:b0:99:99:99',
      'netns',
      mesh.node(1).netns,
    ])
    await run('sh', ['-ec', 'ip link set u1 master br0 up; ethtool -K u1 tx off >/dev/null'], {
      netns: `${mesh.prefix}-und`,
    })
    await on(`ip addr add ${address}/24 dev uplink; ip link set uplink up`)
    await ovs.start()
    await agents.start(1)
    const mac = async () => (await on('ip link show br-phy')).includes('02:1a:b0:99:99:99')
    await settled(async () => (await has('br-phy', 1)) && (await mac()))
    t.same(await addresses('uplink'), [])
    await reaches()
    t.equal((await agents.remove(1)).code, 0)
    t.match(await on('ip link show uplink'), /02:1a:b0:99:99:99/)
    t.same(await addresses('uplink'), [`${address}/24`])
  })
}
