// A mesh declared in one call, over HTTP: agents make it of nothing but Open vSwitch that runs, and the controller uses it
// without having to find it.
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import { tokenCredential } from '../../api/http/credentials.ts'
import { createMetrics } from '../../api/metrics.ts'
import { createApi } from '../../api/server.ts'
import { inNamespace } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { bridgeName, datapathOf } from '../../topology/names.ts'
import { recordOf } from '../api/harness.ts'
import { l2sm } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, makeStage } from '../ovs/stage.ts'

if (needs(t)) {
  const nameOf = (node: number) => `node-${node}`
  const bare = (node: number) => {
    const bridge = bridgeName(nameOf(node))
    return { bridge, dpid: datapathOf(bridge) }
  }
  const stage = await makeStage(t, { nodes: 3, bare, start: false })
  const { mesh } = stage
  await stage.launch()
  const token = 'a'.repeat(32)
  const tokenFile = join(mesh.directory, 'token')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const auth = { token: { is: 'credentials', credentials: [tokenCredential(token)] }, login: { is: 'nobody' } } as const
  const log = pino({ level: 'silent' })
  const api = await createApi({
    ...(await recordOf(stage.store, log)),
    ...{ store: stage.store, controller: stage.controller, metrics: createMetrics({ version: '0.0.0' }) },
    ...{ auth, log, version: '0.0.0' },
  })
  t.teardown(() => api.close())
  const { host, port } = await api.listen({ host: mesh.ctl.address, port: 0 })
  const base = `http://${host}:${port}`
  const call = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
    const answer = await fetch(`${base}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`)
    return answer.json() as Promise<any>
  }

  const agents = new Map<number, ChildProcess>()
  const said: string[] = []
  const start = (node: number) => {
    const { netns, ovs } = mesh.node(node)
    const own = ['--node', nameOf(node), '--controller', base, '--token-file', tokenFile]
    const { NODE_OPTIONS: _, ...env } = process.env
    const local = [
      '--ovs',
      join(ovs.directory, 'db.sock'),
      '--http',
      '127.0.0.1:0',
      '--state',
      join(mesh.directory, 'state'),
    ]
    const child = spawn(...inNamespace(netns, process.execPath, [l2sm, 'agent', ...own, ...local]), { env })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (piece: Buffer) => void said.push(`${nameOf(node)}: ${piece}`))
    agents.set(node, child)
    return child
  }
  t.teardown(() => {
    for (const child of agents.values()) child.kill('SIGKILL')
  })
  const phase = async () =>
    (await call('GET', '/v1/nodes')).nodes as { name: string; state: string; missing: string[] }[]
  const ready = () => {
    let last: unknown
    const all = async () => {
      last = await phase()
      return (last as { state: string }[]).every(({ state }) => state === 'ready')
    }
    return until('every node is ready', all, {
      ms: 30_000,
      why: () => `${JSON.stringify(last)}\n${said.slice(-10).join('')}`,
    })
  }
  const nodes = mesh.nodes.map(({ number, address }) => ({ name: nameOf(number), address }))
  const links = async () =>
    (await call('GET', '/v1/links')).links as { origin: string; state: string; reason?: string; rttMs?: number }[]

  t.test('a mesh that is declared makes itself', async t => {
    for (const { number } of mesh.nodes) start(number)
    await call('PUT', '/v1/mesh', { full: true, interfaceNumber: 3, nodes })
    await ready()
    // They need not be found; but on a busy machine one may be out of use until its far end has been made.
    let last: unknown
    const allUp = async () => {
      last = (await links()).map(({ origin, state }) => `${origin} ${state}`)
      return JSON.stringify(last) === JSON.stringify(Array.from({ length: 6 }, () => 'mesh up'))
    }
    await until('all links are up', allUp, { ms: 30_000, why: () => JSON.stringify(last) })
    for (const { name } of nodes) {
      const { plan, report } = await call('GET', `/v1/nodes/${name}`)
      t.equal(report.plan, plan.version)
    }
  })

  t.test('pods on its interfaces hear their own network', async t => {
    const planOf = async (node: number): Promise<NodePlan> => call('GET', `/v1/nodes/${nameOf(node)}/plan`)
    const adopt = async (node: number, number: number) => {
      const pod = await mesh.adopt(node, `${(await planOf(node)).interfaces.podPrefix}${number}`, { port: number })
      await stage.frames.open(pod)
      return pod
    }
    const red = await Promise.all([1, 2, 3].map(node => adopt(node, 1)))
    const blue = await Promise.all([1, 2].map(node => adopt(node, 2)))
    await stage.join('red', red)
    await stage.join('blue', blue, 'learn')
    const pods = [...red, ...blue]
    // A first frame over a tunnel is lost to the underlay's ARP: the probes warm it.
    await until('probes have come over all links', async () =>
      (await links()).every(({ rttMs }) => rttMs !== undefined),
    )
    // Pods' ports come up while their network is programmed: frames of the first moment may be lost, none may cross.
    const heard = async () => JSON.stringify(await hearing(stage, pods))
    await until('they hear each other', async () => (await heard()) === JSON.stringify(apart(pods, red, blue)))
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('a link that is taken out of the mesh goes, and frames go round it', async t => {
    const pair = (a: number, b: number) => ({ endpointA: nameOf(a), endpointB: nameOf(b) })
    await call('PUT', '/v1/mesh', { interfaceNumber: 3, nodes, links: [pair(1, 2), pair(2, 3)] })
    await ready()
    await stage.programmed('red')
    t.equal((await links()).length, 4)
    const pods = mesh.pods()
    const red = pods.filter(pod => pod.port === 1)
    const blue = pods.filter(pod => pod.port === 2)
    await until('every red pod hears every other one', async () => {
      const heard = await hearing(stage, pods)
      return JSON.stringify(heard) === JSON.stringify(apart(pods, red, blue))
    })
    await call('PUT', '/v1/mesh', { full: true, interfaceNumber: 3, nodes })
    await ready()
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('a tunnel that Open vSwitch gives another number is followed', async t => {
    const { links: planned, bridge } = (await call('GET', `/v1/nodes/${nameOf(1)}/plan`)) as NodePlan
    const { name, port: before } = planned.find(({ peer }) => peer === nameOf(2))!
    agents.get(1)!.kill('SIGKILL')
    const { ovs, dpid } = mesh.node(1)
    await ovs.vsctl('set', 'interface', name, `ofport_request=${before + 50}`)
    const isAt = async (number: number) =>
      (await call('GET', `/v1/links`)).links.some((link: any) => link.from.dpid === dpid && link.from.port === number)
    await until('the link begins at its new number', () => isAt(before + 50), { why: () => bridge })
    await stage.programmed('red')
    const pods = mesh.pods()
    const red = pods.filter(pod => pod.port === 1)
    const blue = pods.filter(pod => pod.port === 2)
    await stage.ping(red[0]!, red[1]!)
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    start(1)
    await until('its agent puts it right', () => isAt(before))
    await ready()
  })

  t.test('a pod whose port gets another number stays in its network, and who gets the old one does not', async t => {
    const { interfaces, dpid } = (await call('GET', `/v1/nodes/${nameOf(1)}/plan`)) as NodePlan
    const bridgeEnd = (number: number) => `${interfaces.bridgePrefix}${number}`
    await call('PUT', `/v1/networks/red/attachments/${dpid}/${bridgeEnd(1)}?wait=5s`, {})
    agents.get(1)!.kill('SIGKILL')
    const { ovs } = mesh.node(1)
    const at = async (port: string) => (await ovs.vsctl('get', 'interface', port, 'ofport')).trim()
    await ovs.vsctl('set', 'interface', bridgeEnd(1), 'ofport_request=77')
    await until('it has its new number', async () => (await at(bridgeEnd(1))) === '77')
    // The stock's third interface has the number now, and the namespace of the node has its other end.
    await ovs.vsctl('set', 'interface', bridgeEnd(3), 'ofport_request=1')
    await until('another has the old one', async () => (await at(bridgeEnd(3))) === '1')
    const stranger = await mesh.adopt(1, `${interfaces.podPrefix}3`, { port: 3, name: 'stranger' })
    await stage.frames.open(stranger)
    const port = async () => (await call('GET', `/v1/networks/red/attachments/${dpid}/${bridgeEnd(1)}`)).port
    await until('the controller follows', async () => (await port()) === 77)
    await stage.programmed('red')
    const pods = mesh.pods()
    const red = pods.filter(pod => pod.port === 1)
    const blue = pods.filter(pod => pod.port === 2)
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    start(1)
    await until('its agent puts the numbers back', async () => (await port()) === 1)
    await ready()
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('BFD says within a report that a link is dead, and its node says so too', async t => {
    await call('PUT', '/v1/mesh', { full: true, bfd: true, interfaceNumber: 3, nodes })
    await ready()
    const isUp = async () =>
      (await call('GET', '/v1/nodes/node-1')).report.ports.filter((p: any) => p.bfd === 'up').length === 2
    await until('BFD is up', isUp)
    await mesh.lose(1, 2, 1)
    await until('the node says that its link is down', async () =>
      (await phase()).some(({ missing }) => missing.some(words => /link to node-2 is down: BFD/.test(words))),
    )
    await until('the link is down', async () => (await links()).some(({ state }) => state === 'down'))
    await stage.programmed('red')
    const red = mesh.pods().filter(pod => pod.port === 1)
    await stage.ping(red[0]!, red[1]!)
    t.pass('frames go round it')
    await mesh.lose(1, 2, 0)
    await ready()
  })

  t.test('an agent that ends is noticed by nobody but the list of nodes', async t => {
    const before = await call('GET', '/v1/nodes/node-3')
    const ended = new Promise(resolve => agents.get(3)!.once('exit', resolve))
    agents.get(3)!.kill('SIGTERM')
    await ended
    const pods = mesh.pods()
    const [red, blue] = [1, 2].map(port => pods.filter(pod => pod.port === port))
    t.strictSame(await hearing(stage, pods), apart(pods, red!, blue!))
    t.equal((await call('GET', '/v1/nodes/node-3')).state, before.state)
  })
}
