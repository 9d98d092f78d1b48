// Agents killed in the middle of anything leave nothing half-made; and one that is told to takes all of it away.
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ipBatch } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { run } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { bridgeEndOf, bridgeOf, makeAgents, nameOf, tunnelOf } from '../ovs/agents.ts'

type Link = {
  readonly ifname: string
  readonly mtu: number
  readonly address: string
  readonly flags: readonly string[]
  readonly link_netnsid?: number
}

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 2, interfaces: 4, start: false })
  const { mesh } = agents.stage
  const { ovs, netns, address } = mesh.node(1)
  const state = ['--state', join(mesh.directory, 'state-1')]
  const links = async (): Promise<Link[]> => JSON.parse(await agents.on(1, 'ip -json -details link show'))
  const names = async () => (await links()).map(({ ifname }) => ifname)
  const addresses = async () => agents.on(1, 'ip -oneline -4 address show | tr -s " " | cut -d" " -f2-4; ip route show')
  const listed = async (table: string, columns: string): Promise<unknown[][]> =>
    JSON.parse(await ovs.vsctl('--no-wait', '--format=json', `--columns=${columns}`, 'list', table)).data

  const gate = address.replace(/\.\d+$/, '.253')
  // What is there before, and is nobody's business.
  await ovs.vsctl('add-br', 'br-theirs', '--', 'set', 'bridge', 'br-theirs', 'datapath_type=netdev')
  await ipBatch(
    [
      'link add name lsother1 type veth peer name lpother1',
      `route add default via ${gate} dev uplink`,
      'route add 203.0.113.0/24 via 198.18.255.253 onlink dev uplink metric 7',
    ],
    netns,
  )
  const before = {
    names: (await names()).sort(),
    addresses: await addresses(),
    bridges: await listed('Bridge', 'name,_uuid'),
  }

  t.test('killed at any moment, it leaves no half-made port, and does not touch what a pod has', async t => {
    await agents.start(1)
    await agents.settled(1)
    const pod = await agents.pod(1, 1)
    const index = async () => (await links()).find(({ ifname }) => ifname === bridgeEndOf(1, 1))
    const first = await index()
    const rows = async () =>
      (await listed('Interface', '_uuid,name,ofport')).find(([, name]) => name === bridgeEndOf(1, 1))
    const row = await rows()
    await agents.stop(1, 'SIGKILL')
    for (let round = 0; round < 14; round++) {
      const interfaces = 2 + ((round * 5) % 9)
      agents.change(1, plan => ({ interfaces: { ...plan.interfaces, fixed: interfaces } }))
      const doomed = bridgeEndOf(1, 2 + (round % 3))
      await agents.on(1, `ip link del ${doomed} 2>/dev/null || true`)
      await agents.start(1)
      // Node needs some 300 ms to start, on a busy machine more: this covers from before its first step to after its last.
      await sleep(250 + 60 * round)
      await agents.stop(1, 'SIGKILL')
      for (const [name, ports] of await listed('Bridge', 'name,ports'))
        if (name === bridgeOf(1))
          t.ok(JSON.stringify(ports).includes('uuid'), 'a bridge is there with its ports, or not at all')
    }
    t.same(await rows(), row, 'the port of the pod is the same row, with the same number')
    t.same(await index(), first, 'and the same device')
    agents.change(1, plan => ({ interfaces: { ...plan.interfaces, fixed: 4 } }))
    await agents.start(1)
    await agents.settled(1)
    const ours = (await listed('Interface', 'name,ofport,error')).filter(([name]) =>
      String(name).startsWith(bridgeEndOf(1, 0).slice(0, -1)),
    )
    t.same(
      ours.map(([name, port]) => [name, port]).sort(),
      [1, 2, 3, 4].map(number => [bridgeEndOf(1, number), number]),
    )
    const unfinished = (await names()).filter(name => name.endsWith('.x'))
    t.same(unfinished, [])
    for (const number of [2, 3, 4]) {
      const podEnd = bridgeEndOf(1, number).replace(/^ls/, 'lp')
      t.match(await agents.on(1, `ethtool -k ${podEnd}`), /tx-checksumming: off/, `${podEnd} fills in its checksums`)
      t.match(await agents.on(1, `cat /proc/sys/net/ipv4/conf/${bridgeEndOf(1, number)}/arp_ignore`), /8/)
    }
    await agents.stage.removePod(pod)
    await agents.settled(1)
  })

  t.test('removed, all of it is gone, and everything else is as it was', async t => {
    await agents.stop(1, 'SIGTERM')
    t.ok((await names()).includes(bridgeOf(1)), 'a stop alone leaves everything')
    const socket = join(ovs.directory, 'db.sock')
    const inside = { netns }
    const { code, stdout } = await run(
      ['agent', '--remove', '--node', 'another', '--ovs', socket, ...state],
      {},
      inside,
    )
    t.equal(code, 0, stdout)
    t.match(stdout, /removed: 0 bridges/, 'another node’s things are not ours to take')
    const removed = await run(['agent', '--remove', '--node', nameOf(1), '--ovs', socket, ...state], {}, inside)
    t.equal(removed.code, 0, removed.stdout + removed.stderr)
    t.match(removed.stdout, /removed: 1 bridge/)
    t.same((await names()).sort(), before.names)
    t.equal(await addresses(), before.addresses)
    t.same(await listed('Bridge', 'name,_uuid'), before.bridges)
    t.notOk((await listed('Interface', 'name')).flat().includes(tunnelOf(1, 2)))
    t.match(
      await agents.on(1, `ip link show uplink`),
      new RegExp(before.names.includes('uplink') ? '02:1a:b0:00:00:01' : 'never'),
    )
    t.match(await agents.on(1, `ping -c 1 -W 2 ${mesh.ctl.address}`), / 0% packet loss/)
    t.match(
      (await run(['agent', '--remove', '--node', nameOf(1), '--ovs', socket, ...state], {}, inside)).stdout,
      /removed: 0 bridges/,
    )
    await agents.start(1)
    await agents.settled(1)
    t.ok((await names()).includes('br-phy'), 'and it can all be made again')
    t.match(await agents.on(1, `ip route show`), /203\.0\.113\.0\/24 via 198\.18\.255\.253 dev br-phy metric 7 onlink/)
    t.match(await agents.on(1, `ip address show br-phy`), new RegExp(address))
  })

  t.test('a node that would be cut off by br-phy keeps its address on its device, and says why', async t => {
    await agents.stop(1, 'SIGTERM')
    await run(
      ['agent', '--remove', '--node', nameOf(1), '--ovs', join(ovs.directory, 'db.sock'), ...state],
      {},
      { netns },
    )
    // An `ip` that can not set one of the routes.
    const folder = t.testdir({
      ip: '#!/bin/sh\nsed "s/^route replace 203.0.113.0.*dev br-phy/nonsense/" | PATH=/usr/sbin:/sbin:/usr/bin:/bin exec ip "$@"\n',
    })
    chmodSync(join(folder, 'ip'), 0o755)
    await agents.start(1, { PATH: `${folder}:${process.env['PATH']}` })
    const health = async () => agents.health(1)
    await until('it says so', async () => (await health()).includes('can not be on br-phy'))
    await until('the bridge is gone again', async () => !(await names()).includes('br-phy'))
    t.equal(await addresses(), before.addresses)
    t.match(await agents.on(1, `ping -c 1 -W 2 ${mesh.ctl.address}`), / 0% packet loss/)
    t.match(await agents.on(1, 'ip link show uplink'), /02:1a:b0:00:00:01/)
    t.ok((await names()).includes(bridgeEndOf(1, 4)), 'the rest is made all the same')
  })
}
