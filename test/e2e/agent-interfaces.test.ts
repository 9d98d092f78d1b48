// Interfaces for pods, and the reports about them, when pods, other programs and plans are not as one would wish.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { checker, type Schema } from '../../api/contract/check.ts'
import { NodeReport } from '../../api/contract/node-schemas.ts'
import { run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { type Agents, bridgeEndOf, bridgeOf, makeAgents, nameOf } from '../ovs/agents.ts'

if (needs(t)) {
  let agents: Agents
  const reports: NodeReport[] = []
  const faults: string[] = []
  const check = checker(NodeReport as unknown as Schema)
  // The controller, as far as an agent sees it: a plan, and a check of what it reports.
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => void pieces.push(piece))
    request.on('end', async () => {
      response.setHeader('content-type', 'application/json')
      if (request.method === 'PUT') {
        const report = JSON.parse(Buffer.concat(pieces).toString())
        const fault = check(report, 'body')
        if (fault) faults.push(`${fault.where}: ${fault.expected}, got ${fault.got}`)
        else reports.push(report)
        return response.end(JSON.stringify({ plan: '', revision: 1 }))
      }
      const known = new URL(request.url!, 'http://a').searchParams.get('unless')
      for (let waited = 0; waited < 3_000 && agents.plan(1).version === known; waited += 50)
        await new Promise(resolve => setTimeout(resolve, 50))
      response.end(JSON.stringify(agents.plan(1)))
    })
  })
  let base = ''
  const source = () => ['--node', nameOf(1), '--controller', base]
  agents = await makeAgents(t, { nodes: 1, interfaces: 2, start: false, source })
  const { mesh } = agents.stage
  const { ovs, netns } = mesh.node(1)
  await new Promise<void>(resolve => server.listen(0, mesh.ctl.address, resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  base = `http://${mesh.ctl.address}:${(server.address() as AddressInfo).port}`
  await agents.start(1)
  await agents.settled(1)
  const on = (command: string) => agents.on(1, command)
  const podEnd = (number: number) => bridgeEndOf(1, number).replace(/^ls/, 'lp')
  const link = async (name: string) =>
    JSON.parse(await on(`ip -json -details link show ${name} 2>/dev/null || echo '[{}]'`))[0]
  const numberOf = async (name: string) => (await ovs.vsctl('--if-exists', 'get', 'interface', name, 'ofport')).trim()
  const last = () => reports.at(-1)!
  const reported = (what: string, is: (report: NodeReport) => boolean) =>
    until(what, () => reports.length > 0 && is(last()), {
      why: () => JSON.stringify([last()?.ports, last()?.health, faults]),
    })

  t.test('an interface that comes back from a pod is made anew, however the pod left it', async t => {
    const before = await link(podEnd(1))
    await run('ip', ['netns', 'add', `${netns}-pod-x`])
    t.teardown(() => run('ip', ['netns', 'del', `${netns}-pod-x`]))
    const travel = async (work: readonly string[], name: string) => {
      await on(`ip link set ${podEnd(1)} netns ${netns}-pod-x`)
      await reported('that it is used', ({ ports }) => ports.some(port => port.port === 1 && port.used === true))
      await run('sh', ['-ec', work.join('; ')], { netns: `${netns}-pod-x` })
      await run('ip', ['-n', `${netns}-pod-x`, 'link', 'set', name, 'netns', netns])
    }
    await travel(
      [
        `ip link set ${podEnd(1)} address 02:66:66:66:66:66 promisc on txqueuelen 7 mtu 1400 alias theirs`,
        `ethtool -K ${podEnd(1)} tx on`,
      ],
      podEnd(1),
    )
    const isNew = async () => {
      const now = await link(podEnd(1))
      return now.ifindex !== undefined && now.ifindex !== before.ifindex && (await numberOf(bridgeEndOf(1, 1))) === '1'
    }
    await agents.settled(1, isNew)
    const { address, promiscuity, txqlen, mtu, ifalias, flags } = await link(podEnd(1))
    t.same([promiscuity, txqlen, mtu, ifalias, flags.includes('UP')], [0, 1000, before.mtu, undefined, false])
    t.not(address, '02:66:66:66:66:66')
    t.match(await on(`ethtool -k ${podEnd(1)}`), /tx-checksumming: off/)
    await reported('that it is free', ({ ports }) => ports.some(port => port.port === 1 && port.used === false))

    const again = await link(podEnd(1))
    await travel([`ip link set ${podEnd(1)} name eth0`], 'eth0')
    await agents.settled(
      1,
      async () => (await link(podEnd(1))).ifindex > again.ifindex && (await numberOf(bridgeEndOf(1, 1))) === '1',
    )
    t.equal((await link('eth0')).ifname, undefined, 'one that came back under another name, too')
  })

  t.test('that none is left is said, and all is as planned', async () => {
    await run('ip', ['netns', 'add', `${netns}-pod-y`])
    t.teardown(() => run('ip', ['netns', 'del', `${netns}-pod-y`]))
    for (const number of [1, 2]) await on(`ip link set ${podEnd(number)} netns ${netns}-pod-y`)
    const said = ({ health }: NodeReport) =>
      health.state === 'ok' && /no interface is free: pods have all 2/.test(String(health.warnings))
    await reported('it', said)
    for (const number of [1, 2])
      await run('ip', ['-n', `${netns}-pod-y`, 'link', 'set', podEnd(number), 'netns', netns])
    await reported(
      'that some are free',
      ({ health, ports }) => !health.warnings && ports.filter(({ used }) => used === false).length === 2,
    )
  })

  t.test('a port of another program, whatever it is called, spoils no report', async t => {
    const name = `patch-of-another-program-${'x'.repeat(20)}`
    await ovs.vsctl('add-port', bridgeOf(1), name, '--', 'set', 'interface', name, 'type=patch', 'options:peer=none')
    await reported('it is among the ports', ({ ports }) =>
      ports.some(port => port.name === name && port.role === 'other'),
    )
    await ovs.vsctl('del-port', bridgeOf(1), name)
    await reported('it is gone again', ({ ports }) => !ports.some(port => port.name === name))
    t.same(faults, [])
    t.match(last(), { openvswitch: { failMode: 'secure', inBand: false }, agent: { machine: /^[0-9a-f]{16}$/ } })
  })

  t.test('an MTU that the underlay has not is said, and no pod is given it', async t => {
    agents.change(1, ({ underlay }) => ({ underlay: { ...underlay, mtu: 9000 } }))
    await reported(
      'it',
      ({ health }) =>
        health.state === 'failing' && /declared MTU 9000 is above that of uplink, 1600/.test(String(health.reasons)),
    )
    t.equal((await link(podEnd(1))).mtu, 1550)
    agents.change(1, ({ underlay: { address } }) => ({ underlay: { address } }))
    await agents.settled(1)
  })

  t.test('a device that can be no uplink is not taken, and an address that means no machine is said', async t => {
    await on('ip link add brx type bridge; ip addr add 10.99.0.1/24 dev brx; ip link set brx up')
    const before = await on('ip -4 -oneline address show')
    for (const [address, words] of [
      ['10.99.0.1', /10\.99\.0\.1 is on brx, a device of kind bridge.*give the address to the device that leads/],
      ['127.0.0.1', /127\.0\.0\.1 is a loopback address.*declare the node with/],
      ['fe80::1', /fe80::1 is a link-local address/],
      ['10.99.0.2', /no device of this node has the declared address 10\.99\.0\.2 \(it has /],
    ] as const) {
      agents.change(1, () => ({ underlay: { address }, links: [] }))
      await reported(
        `why not ${address}`,
        ({ health }) => health.state === 'failing' && words.test(String(health.reasons)),
      )
      t.equal(await on('ip -4 -oneline address show'), before, 'nothing moved')
    }
    agents.change(1, () => ({ underlay: { address: mesh.node(1).address } }))
    await agents.settled(1)
    await on('ip link del brx')
  })

  t.test('devices that it did not make stay as they are, whatever a plan asks for', async t => {
    await on('ip link add vhost7 type veth peer name vhost8; ip link add eth1 type veth peer name eth2')
    const before = [await link('vhost7'), await link('eth1')]
    for (const prefix of ['vhost', 'eth']) {
      agents.change(1, ({ interfaces }) => ({
        interfaces: { ...interfaces, bridgePrefix: prefix, podPrefix: prefix, fixed: 1 },
      }))
      await until('the plan is refused', () => agents.log.some(({ msg }) => msg.includes(`got "${prefix}"`)))
    }
    agents.change(1, plan => ({
      tls: { key: '/etc/shadow', cert: '/etc/shadow', ca: '/etc/shadow' },
      interfaces: {
        ...plan.interfaces,
        bridgePrefix: bridgeEndOf(1, 1).slice(0, 7),
        podPrefix: podEnd(1).slice(0, 7),
        fixed: 4,
      },
    }))
    await on(`ip link add ${bridgeEndOf(1, 5)} type veth peer name foreign5`)
    await reported('that it is not done', ({ health }) => /\/etc\/shadow lies outside/.test(String(health.reasons)))
    t.equal((await ovs.vsctl('get-ssl')).includes('shadow'), false)
    t.same([await link('vhost7'), await link('eth1')], before)
    t.equal((await link(bridgeEndOf(1, 5))).ifname, bridgeEndOf(1, 5), 'one with such a name is not taken for surplus')
    agents.change(1, plan => ({ tls: undefined as never, interfaces: { ...plan.interfaces, fixed: 5 } }))
    await reported('that it is in the way', ({ health }) =>
      /device ls\w+5 exists and was not made by this agent/.test(String(health.reasons)),
    )
    await on(`ip link del ${bridgeEndOf(1, 5)}`)
    await agents.settled(1, async () => (await numberOf(bridgeEndOf(1, 5))) === '5')
  })

  t.test(
    'a restart that died leaves nothing parked for longer than it could have taken, whatever the clock says',
    async () => {
      await agents.settled(1)
      const [uuid] = (await ovs.vsctl('--bare', '--columns=_uuid', 'list', 'controller')).trim().split('\n')
      const target = async () => (await ovs.vsctl('get', 'controller', uuid!, 'target')).replaceAll('"', '').trim()
      const planned = await target()
      // As an agent of an hour ahead would have left it.
      const hour = String(Date.now() + 3_600_000)
      await ovs.vsctl(
        'set',
        'Open_vSwitch',
        '.',
        `external_ids:l2sm-restoring=${hour}`,
        '--',
        'set',
        'controller',
        uuid!,
        'target="tcp:127.0.0.1:1"',
      )
      await until('the switch has its controller', async () =>
        (await ovs.vsctl('get-controller', bridgeOf(1)))
          .replace(/:0(\d+)/, ':$1')
          .includes(planned.replace(/:0(\d+)/, ':$1')),
      )
    },
  )
}
