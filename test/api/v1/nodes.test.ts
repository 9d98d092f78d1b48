import { createHash } from 'node:crypto'
import t from 'tap'
import type { NodePlan, NodeReport, ReportedPort } from '../../../api/contract/node-schemas.ts'
import { nodeReports, statusOf } from '../../../api/v1/node-reports.ts'
import type { SwitchView } from '../../../controller/view/view.ts'
import { startApi, stillController, switchView } from '../harness.ts'

const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
const bridgeOf = (name: string): string => `br-${sha(`${name}l2sm-controller`).slice(0, 8)}`
const dpidOf = (name: string): string => sha(bridgeOf(name)).slice(0, 16)
const nodes = (...names: string[]) => names.map((name, i) => ({ name, address: `192.0.2.${i + 1}` }))

/** What an agent that has done all of its plan reports. */
const reportOf = (plan: NodePlan, more: Partial<NodeReport> = {}): NodeReport => ({
  node: plan.node,
  time: '2030-01-31T12:00:00.000Z',
  agent: { version: '0.0.0' },
  plan: plan.version,
  bridge: plan.bridge,
  dpid: plan.dpid,
  underlay: { address: plan.underlay.address, mtu: 1500, device: 'eth0' },
  openvswitch: { version: '3.1.0', datapath: 'userspace', connected: true },
  ports: plan.links.map(({ name, port, peer }): ReportedPort => ({ name, port, peer, role: 'link' })),
  health: { state: 'ok', reasons: [] },
  ...more,
})
/** The switch of that node, as the controller would see it. */
const switchOf = ({ dpid, links, interfaces }: NodePlan, without: readonly string[] = []): SwitchView =>
  switchView({
    dpid,
    ports: [
      ...links.map(({ name, port: number }) => ({ name, number })),
      ...Array.from({ length: interfaces.fixed }, (_, i) => ({
        name: `${interfaces.bridgePrefix}${i + 1}`,
        number: i + 1,
      })),
    ]
      .filter(({ name }) => !without.includes(name))
      .map(port => ({ ...port, mac: '02:00:00:00:00:01', up: true })),
  })

t.test('a node is declared, found, listed and deleted', async t => {
  const { call } = await startApi(t)
  const created = await call('PUT', '/v1/nodes/worker-1', { address: '192.0.2.1' })
  t.equal(created.status, 201)
  const bridge = bridgeOf('worker-1')
  t.match(created.body, {
    ...{
      name: 'worker-1',
      bridge,
      dpid: dpidOf('worker-1'),
      address: '192.0.2.1',
      state: 'unseen',
      links: 0,
      revision: 1,
    },
    plan: {
      ...{
        node: 'worker-1',
        provider: 'l2sm-controller',
        bridge,
        dpid: dpidOf('worker-1'),
        links: [],
        controllers: [],
      },
      underlay: { address: '192.0.2.1' },
      interfaces: {
        fixed: 10,
        bridgePrefix: `ls${sha(bridge).slice(0, 5)}`,
        podPrefix: `lp${sha(bridge).slice(0, 5)}`,
      },
    },
  })
  t.match(created.body.missing, [/l2sm agent --node worker-1/, /is not connected/])
  t.same((await call('GET', '/v1/nodes/worker-1')).body, created.body)
  const { plan: _, ...brief } = created.body
  const { revision, ...listed } = brief
  t.same((await call('GET', '/v1/nodes')).body, { revision, nodes: [listed] })
  t.equal((await call('PUT', '/v1/nodes/worker-1', { address: '192.0.2.1' })).status, 200)
  t.same((await call('DELETE', '/v1/nodes/worker-1')).body, { deleted: true, remains: [], revision: 2 })
  t.same((await call('DELETE', '/v1/nodes/worker-1')).body, { deleted: false, remains: [], revision: 2 })
  const gone = await call('GET', '/v1/nodes/worker-1')
  t.equal(gone.status, 404)
  t.match(gone.body, { type: 'urn:problem-type:l2sm:unknown-node', hint: /declare it first/ })
})

t.test('100 nodes are declared in one call, and each has the plan of its side', async t => {
  const { call, store } = await startApi(t)
  const mesh = {
    ...{ full: true, bfd: true, controllers: ['tcp:192.0.2.99:6653'] },
    nodes: Array.from({ length: 100 }, (_, i) => ({ name: `node-${i}`, address: `10.1.0.${i + 1}` })),
  }
  t.equal((await call('PUT', '/v1/mesh', mesh)).status, 200)
  t.equal(store.state().revision, 1)
  t.equal((await call('PUT', '/v1/mesh', mesh)).body.revision, 1, 'the second time nothing changes')
  const plans = new Map<string, NodePlan>()
  for (const { name } of mesh.nodes) plans.set(name, (await call('GET', `/v1/nodes/${name}/plan`)).body)
  for (const [name, plan] of plans) {
    t.equal(plan.dpid, dpidOf(name))
    t.equal(plan.links.length, 99)
    t.equal(new Set(plan.links.map(link => link.port)).size, 99)
    t.equal(new Set(plan.links.map(link => link.name)).size, 99)
    t.same(plan.controllers, mesh.controllers)
    const unlike = plan.links.filter(({ peer, local, remote, udpPort, bfd }) => {
      const back = plans.get(peer)!.links.find(link => link.peer === name)!
      return !(back.local === remote && back.remote === local && back.udpPort === udpPort && udpPort === 7000 && bfd)
    })
    t.same(unlike, [], `both ends of the links of ${name} say the same`)
  }
  const { body } = await call('GET', '/v1/mesh')
  t.match(body, { full: true, bfd: true })
  t.equal(body.nodes.length, 100)
  t.notOk('links' in body)
  t.equal((await call('GET', '/v1/nodes')).body.nodes.length, 100)
})

t.test('a mesh of listed links is answered as it was declared, and its plans follow it', async t => {
  const { call } = await startApi(t)
  const links = [
    { endpointA: 'a', endpointB: 'b' },
    { endpointA: 'b', endpointB: 'c', udpPort: 4789, bfd: true },
  ]
  const put = await call('PUT', '/v1/mesh', { nodes: nodes('a', 'b', 'c'), links, mtu: 9000 })
  t.match(put.body, { full: false, mtu: 9000, links, nodes: nodes('a', 'b', 'c') })
  const { body } = await call('GET', '/v1/nodes/b/plan')
  t.match(body, { underlay: { address: '192.0.2.2', mtu: 9000 } })
  t.match(body.links, [
    { peer: 'a', port: 11, local: '192.0.2.2', remote: '192.0.2.1', udpPort: 7000, bfd: false },
    { peer: 'c', port: 13, local: '192.0.2.2', remote: '192.0.2.3', udpPort: 4789, bfd: true },
  ])
})

t.test('the version of a plan changes with the plan, and with nothing else', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/mesh', { nodes: nodes('a', 'b', 'c'), links: [{ endpointA: 'a', endpointB: 'b' }] })
  const version = async (): Promise<string> => (await call('GET', '/v1/nodes/a/plan')).body.version
  const first = await version()
  await call('PUT', '/v1/networks/red', {})
  await call('PUT', '/v1/nodes/c', { address: '192.0.2.77', links: [{ peer: 'b' }] })
  t.equal(await version(), first)
  await call('PUT', '/v1/nodes/b', { address: '192.0.2.78' })
  t.not(await version(), first, 'the address of a peer is in it')
})

t.test('an agent waits for another plan than it has', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/mesh', { full: true, nodes: nodes('a', 'b') })
  const { version } = (await call('GET', '/v1/nodes/a/plan?wait=30s')).body
  t.ok(version, 'at once when it has none')
  t.equal(
    (await call('GET', `/v1/nodes/a/plan?unless=${version}&wait=50ms`)).body.version,
    version,
    'the same in the end',
  )
  const began = performance.now()
  const next = call('GET', `/v1/nodes/a/plan?unless=${version}&wait=30s`)
  const unknown = call('GET', '/v1/nodes/z/plan?wait=30s')
  const never = call('GET', '/v1/nodes/y/plan?wait=100ms')
  await call('PUT', '/v1/networks/red', {})
  await call('PUT', '/v1/nodes/z', { address: '192.0.2.9' })
  t.match((await next).body.links, [{ peer: 'b' }, { peer: 'z' }])
  t.match((await unknown).body, { node: 'z' }, 'one that is not declared yet is waited for')
  t.equal((await never).status, 404)
  t.ok(performance.now() - began < 10_000)
  t.equal((await call('GET', '/v1/nodes/a/plan?unless=0000&wait=1s')).status, 400)
})

t.test('100 agents that wait hear of one change, each once', async t => {
  const { call } = await startApi(t)
  const wish = Array.from({ length: 100 }, (_, i) => ({ name: `n${i}`, address: `10.1.0.${i + 1}` }))
  await call('PUT', '/v1/mesh', { full: true, nodes: wish })
  const plans = await Promise.all(wish.map(({ name }) => call('GET', `/v1/nodes/${name}/plan`)))
  const waiting = plans.map(({ body }) => call('GET', `/v1/nodes/${body.node}/plan?unless=${body.version}&wait=60s`))
  await call('PUT', '/v1/nodes/late', { address: '10.2.0.1' })
  for (const { body } of await Promise.all(waiting)) t.equal(body.links.length, 100)
})

t.test('those who wait are let go when the program stops', async t => {
  const { call, api } = await startApi(t)
  await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })
  const { version } = (await call('GET', '/v1/nodes/a/plan')).body
  const waiting = call('GET', `/v1/nodes/a/plan?unless=${version}&wait=60s`)
  await call('GET', '/livez')
  await api.close()
  t.equal((await waiting).body.version, version)
})

t.test('a node is ready when its agent and its switch say so; else it is said what is missing', async t => {
  let there: SwitchView[] = []
  const { call } = await startApi(t, { controller: stillController({ switches: () => there }).controller })
  await call('PUT', '/v1/mesh', { full: true, bfd: true, nodes: nodes('a', 'b', 'c') })
  const plan: NodePlan = (await call('GET', '/v1/nodes/a/plan')).body
  const node = async () => (await call('GET', '/v1/nodes/a')).body
  const tell = async (more?: Partial<NodeReport>) => {
    const { status, body } = await call('PUT', '/v1/nodes/a/report', reportOf(plan, more))
    t.equal(status, 200)
    t.equal(body.plan, plan.version)
  }
  await tell()
  t.match(await node(), { state: 'working', missing: [/switch [0-9a-f]{16} is not connected/] })
  there = [switchOf(plan)]
  const ready = await node()
  t.match(ready, { state: 'ready', missing: [], report: reportOf(plan) })
  t.ok(Math.abs(Date.parse(ready.reported) - Date.now()) < 60_000, 'by the clock of the controller, not of the node')

  const [link] = plan.links
  there = [switchOf(plan, [link!.name, `${plan.interfaces.bridgePrefix}7`])]
  t.match(await node(), {
    state: 'working',
    missing: [/its link to b is not there: no port vx.* \(planned is number 12\)/, /interface 7 is not there/],
  })
  there = [switchOf(plan)]
  await tell({ ports: [{ ...reportOf(plan).ports[0]!, bfd: 'down' }] })
  t.match(await node(), { state: 'working', missing: [/its link to b is down: BFD is in state down/] })
  await tell({ plan: '0'.repeat(16) })
  t.match(await node(), { state: 'working', missing: [/has not taken over the newest plan/] })
  await tell({ underlay: { address: '192.0.2.66' } })
  t.match(await node(), { state: 'working', missing: [/has address 192.0.2.66, declared is 192.0.2.1/] })
  await tell({ health: { state: 'failing', reasons: ['ovsdb-server does not answer'] } })
  t.match(await node(), { state: 'failing', missing: [/its agent says: ovsdb-server does not answer/] })
})

t.test('a node whose agent does not speak any more is silent, whatever it said last', async t => {
  let now = 0
  const reports = nodeReports(() => now)
  const { call } = await startApi(t)
  const { plan } = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
  const sw = switchOf(plan)
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'unseen' })
  reports.put(reportOf(plan))
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'ready', missing: [] })
  now += 94_000
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'ready' })
  now += 2_000
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'silent', missing: [/silent for 96 s: see whether it runs/] })
  reports.put(reportOf(plan))
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'ready' })
})

t.test('a name that two machines report from is said; a machine that takes over from another is none', async t => {
  let now = 0
  const reports = nodeReports(() => now)
  const { call } = await startApi(t)
  const { plan } = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
  const from = (digit: string) => {
    reports.put(reportOf(plan, { agent: { version: '0.0.0', machine: digit.repeat(16), host: `host-${digit}` } }))
    now += 10_000
  }
  const sw = switchOf(plan)
  for (const digit of ['1', '1', '2', '2']) from(digit)
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'ready' }, 'reinstalled')
  from('1')
  const missing = [/^2 machines report as node a: host-1 .*, host-2 .*: give each agent its own --node/]
  t.match(statusOf(plan, reports.of('a'), sw), { state: 'failing', missing })
  now += 60_000
  from('1')
  now += 40_000
  from('1')
  t.match(
    statusOf(plan, reports.of('a'), sw),
    { state: 'ready', missing: [] },
    'the other one has been silent for long',
  )
})

t.test(
  'an address that means no machine is said before any agent says so; warnings are shown, and nothing is missing',
  async t => {
    const { call } = await startApi(t)
    const { plan } = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
    const declared = (address: string) => statusOf({ ...plan, underlay: { address } }, undefined, undefined).missing
    t.match(declared('127.0.0.1').join(), /loopback/)
    t.match(declared('fe80::1').join(), /link-local/)
    const reports = nodeReports(() => 0)
    reports.put(reportOf(plan, { health: { state: 'ok', reasons: [], warnings: ['no interface is free'] } }))
    t.match(statusOf(plan, reports.of('a'), switchOf(plan)), {
      state: 'ready',
      missing: [],
      warnings: ['no interface is free'],
    })
  },
)

t.test('of a hundred links that are not there, the first are named and the others counted', async t => {
  const { call } = await startApi(t)
  const wish = Array.from({ length: 101 }, (_, i) => ({ name: `n${i}`, address: `10.1.0.${i + 1}` }))
  await call('PUT', '/v1/mesh', { full: true, interfaceNumber: 0, nodes: wish })
  const plan: NodePlan = (await call('GET', '/v1/nodes/n0/plan')).body
  const { missing } = statusOf(plan, undefined, switchView({ dpid: plan.dpid, ports: [] }))
  t.equal(missing.length, 12)
  t.match(missing.at(-1), /90 more links and interfaces/)
})

t.test('a report is kept for as long as its node is declared, and is of that node', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/mesh', { full: true, nodes: nodes('a', 'b') })
  const plan: NodePlan = (await call('GET', '/v1/nodes/a/plan')).body
  t.equal((await call('PUT', '/v1/nodes/b/report', reportOf(plan))).status, 400)
  t.equal((await call('PUT', '/v1/nodes/c/report', { ...reportOf(plan), node: 'c' })).status, 404)
  t.match((await call('PUT', '/v1/nodes/a/report', { ...reportOf(plan), colour: 'red' })).body, {
    status: 400,
    detail: /colour/,
  })
  const { revision } = (await call('PUT', '/v1/nodes/a/report', reportOf(plan))).body
  t.equal(revision, 1, 'it is not desired state')
  await call('DELETE', '/v1/nodes/a')
  const again = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
  t.match(again, { state: 'unseen' })
})

t.test('a node that is deleted says what is still on its switch', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/mesh', { full: true, nodes: nodes('a', 'b') })
  const [a, b] = [dpidOf('a'), dpidOf('b')]
  await call('PUT', '/v1/networks/red', {})
  await call('PUT', `/v1/networks/red/attachments/${a}/3`, {})
  await call('PUT', `/v1/networks/red/attachments/${a}/4`, { vlan: 7 })
  await call('PUT', '/v1/networks/red', { mirror: { dpid: a, port: 9 } })
  await call('PUT', '/v1/networks/l', {
    type: 'vlink',
    from: { dpid: a, port: 5 },
    to: { dpid: b, port: 5 },
    path: [a, b],
  })
  await call('PUT', `/v1/links/${a}/8/${b}/8`, {})
  t.match((await call('DELETE', '/v1/nodes/a')).body, {
    deleted: true,
    remains: [
      `port ${a}/3 is in network red`,
      `port ${a}/4 is in network red by VLAN 7`,
      /port .*\/(5|9) is /,
      /port .*\/(5|9) is /,
      `link ${a}/8/${b}/8 is declared`,
    ],
  })
})

t.test('a port is attached by its name, found by it, and taken out by it', async t => {
  const there = [switchView({ dpid: dpidOf('a') })]
  const { call, store } = await startApi(t, { controller: stillController({ switches: () => there }).controller })
  const path = `/v1/networks/red/attachments/${dpidOf('a')}`
  await call('PUT', '/v1/networks/red', {})
  const put = await call('PUT', `${path}/ls2`, { mac: '02:00:00:00:00:05' })
  t.equal(put.status, 201)
  t.match(put.body, { port: 2, portName: 'ls2', mac: '02:00:00:00:00:05' })
  t.same((await call('GET', `${path}/ls2`)).body, put.body)
  t.same((await call('GET', `${path}/2`)).body, put.body)
  t.equal((await call('PUT', `${path}/ls2`, { mac: '02:00:00:00:00:05' })).status, 200)

  there[0] = switchView({ dpid: dpidOf('a'), ports: [{ number: 9, name: 'ls2', mac: '02:00:00:00:00:02', up: true }] })
  t.match((await call('GET', `${path}/ls2`)).body, { port: 2 }, 'it is the controller that follows')
  t.match((await call('PUT', `${path}/ls2`, {})).body, { port: 9, portName: 'ls2' }, 'or who asks again')
  t.equal(store.state().attachments.size, 1)

  t.match((await call('PUT', `${path}/eth7`, {})).body, { status: 404, detail: /has no port eth7: it has ls2/ })
  t.match((await call('PUT', `${path}/0`, {})).body, { status: 400, detail: /port number/ })
  t.match((await call('PUT', `${path}/9`, {})).body, { port: 9 })
  t.notOk(store.state().attachments.get(`${dpidOf('a')}/9`)?.portName, 'by number it is not followed any more')
  await call('PUT', `${path}/ls2`, {})
  t.match((await call('DELETE', `${path}/ls2`)).body, { deleted: true })
  t.equal(store.state().attachments.size, 0)
})

t.test('a name that two ports have means neither, and long names with a slash are names', async t => {
  const cut = 'uplinkGigabitEt'
  const ports = [
    { number: 1, name: cut, mac: '02:00:00:00:00:01', up: true },
    { number: 2, name: cut, mac: '02:00:00:00:00:02', up: true },
    { number: 3, name: 'HundredGigE0/0/1', mac: '02:00:00:00:00:03', up: true },
  ]
  const { call, store } = await startApi(t, {
    controller: stillController({ switches: () => [switchView({ dpid: dpidOf('a'), ports })] }).controller,
  })
  await call('PUT', '/v1/networks/red', {})
  const path = `/v1/networks/red/attachments/${dpidOf('a')}`
  t.match((await call('PUT', `${path}/${cut}`, {})).body, { status: 409, detail: /port 1, port 2$/ })
  t.equal(store.state().attachments.size, 0)
  t.match((await call('PUT', `${path}/HundredGigE0%2F0%2F1`, {})).body, { port: 3 })
  t.match((await call('DELETE', `${path}/HundredGigE0%2F0%2F1`)).body, { deleted: true })
})

t.test('an interface of a node is known by its name before its switch has ever connected', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/networks/red', {})
  const { plan } = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
  const path = `/v1/networks/red/attachments/${plan.dpid}/${plan.interfaces.bridgePrefix}`
  t.match((await call('PUT', `${path}7`, {})).body, {
    port: 7,
    portName: `${plan.interfaces.bridgePrefix}7`,
    state: 'pending',
  })
  t.match((await call('PUT', `${path}4100`, {})).body, { port: 4100 })
  t.match((await call('PUT', `${path}11`, {})).body, {
    status: 404,
    detail: /is not known: the switch is not connected/,
  })
})

t.test('/metrics tells how many nodes stand how, how old reports are, and how many interfaces are left', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/mesh', { full: true, nodes: nodes('a', 'b') })
  const plan: NodePlan = (await call('GET', '/v1/nodes/a/plan')).body
  const ports = [1, 2, 3].map(n => ({ name: `ls${n}`, port: n, role: 'interface', used: n === 1 }) as const)
  await call('PUT', '/v1/nodes/a/report', reportOf(plan, { ports }))
  const lines = async () => (await call('GET', '/metrics')).text.split('\n')
  for (const line of [
    'l2sm_nodes{state="working"} 1',
    'l2sm_nodes{state="unseen"} 1',
    'l2sm_nodes{state="ready"} 0',
    'l2sm_node_interfaces{node="a",state="used"} 1',
    'l2sm_node_interfaces{node="a",state="free"} 2',
  ])
    t.ok((await lines()).includes(line), line)
  const ages = async () => (await lines()).filter(line => line.startsWith('l2sm_node_report_age_seconds{'))
  t.match(await ages(), [/^l2sm_node_report_age_seconds{node="a"} [0-9.e-]+$/])
  await call('DELETE', '/v1/nodes/a')
  t.same(await ages(), [])
})

t.test('what can not be is refused in words, whole', async t => {
  const { call, store } = await startApi(t)
  const refused = async (method: string, path: string, body: unknown, status: number, detail: RegExp) =>
    t.match((await call(method, path, body)).body, { status, detail })
  await refused('PUT', '/v1/mesh', { nodes: [] }, 400, /either full, or has a list of links/)
  await refused('PUT', '/v1/mesh', { full: true }, 400, /nodes/)
  await refused('PUT', '/v1/mesh', { full: true, nodes: [{ name: 'a' }] }, 400, /address/)
  await refused('PUT', '/v1/mesh', { full: true, nodes: nodes('a'), controllers: ['pssl:6653'] }, 400, /controllers/)
  await refused('PUT', '/v1/nodes/a', { address: '192.0.2.1/24' }, 400, /address/)
  await refused('PUT', '/v1/nodes/a', { address: '192.0.2.1', tls: { key: 'k' } }, 400, /tls/)
  await refused('PUT', '/v1/nodes/a', { address: '224.0.0.1' }, 400, /neither multicast nor unspecified/)
  await refused('PUT', `/v1/nodes/${'x'.repeat(254)}`, { address: '192.0.2.1' }, 400, /253/)
  t.equal(store.state().revision, 0)
})
