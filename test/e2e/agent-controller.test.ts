// The whole system, as it is run: a controller, told of a mesh in one call; agents that ask it for their plans and report.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { type Agents, bridgeEndOf, bridgeOf, makeAgents, nameOf, tunnelOf } from '../ovs/agents.ts'
import { ages, apart, hearing, openflowPort, streamTo, touched } from '../ovs/stage.ts'

if (needs(t)) {
  const whole = t
  const token = 'a-token-of-this-test'
  let place = { directory: '', address: '' }
  const source = (node: number) => {
    const file = join(place.directory, 'token')
    return ['--node', nameOf(node), '--controller', `http://${place.address}:8181`, '--token-file', file]
  }
  const agents: Agents = await makeAgents(t, { nodes: 3, start: false, source })
  const { stage } = agents
  const { mesh } = stage
  place = { directory: mesh.directory, address: mesh.ctl.address }
  writeFileSync(join(place.directory, 'token'), `${token}\n`, { mode: 0o600 })
  const options = [
    ...['--openflow', `tcp:${mesh.ctl.address}:${openflowPort}`, '--http', `${mesh.ctl.address}:8181`],
    ...['--token-file', join(place.directory, 'token'), '--store', `sqlite:${join(mesh.directory, 'l2sm.db')}`],
  ]
  let controller = await startController(t, options)
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`http://${mesh.ctl.address}:8181${path}`, {
      ...{ method, headers, body: body ? JSON.stringify(body) : null },
    })
    return { status: answer.status, body: JSON.parse(await answer.text()) }
  }
  const nodes = async (): Promise<{ name: string; state: string; missing: string[] }[]> =>
    (await ask('GET', '/v1/nodes')).body.nodes
  const allReady = async () => {
    const all = await nodes().catch(() => [])
    return all.length === 3 && all.every(({ state }) => state === 'ready')
  }
  const why = () =>
    `\n${agents.log
      .slice(-20)
      .map(line => JSON.stringify(line))
      .join('\n')}`
  const declared = {
    ...{ full: true, interfaceNumber: 3, spare: 0 },
    nodes: mesh.nodes.map(({ number, address }) => ({ name: nameOf(number), address })),
  }

  t.test('agents wait for a plan; a mesh declared in one call is made', async t => {
    await Promise.all([1, 2, 3].map(node => agents.start(node)))
    await until(
      'they say that they have none',
      () => agents.log.filter(({ msg }) => /has no node/.test(msg)).length === 3,
      { ms: 60_000 },
    )
    t.match(await ask('PUT', '/v1/mesh', declared), { status: 200 })
    await until('all nodes are ready', allReady, { ms: 60_000, why })
    // A first frame over a tunnel is lost to the underlay's ARP: the probes warm it.
    await until('probes have come over all links', async () => {
      const { links } = (await ask('GET', '/v1/links')).body
      return links.length === 6 && links.every((link: { rttMs?: number }) => link.rttMs !== undefined)
    })
    const first = async () => (await ask('GET', '/v1/nodes/n1')).body
    await until('it reports that all is well', async () => (await first()).report.health.state === 'ok')
    t.match(await first(), { bridge: bridgeOf(1), report: { underlay: { device: 'uplink', mtu: 1600 } } })
  })

  let red: Pod[] = []
  const attach = async (pod: Pod) => {
    const where = `${mesh.node(pod.node).dpid}/${pod.port}`
    return ask('PUT', `/v1/networks/red/attachments/${where}?wait=10s`, { mac: pod.mac })
  }

  t.test('pods reach each other; reports say which interfaces they have', async t => {
    red = await Promise.all([1, 2, 3].map(node => agents.pod(node, 1)))
    await ask('PUT', '/v1/networks/red', {})
    for (const pod of red) t.match(await attach(pod), { body: { state: 'programmed' } })
    t.strictSame(await hearing(stage, red), apart(red, red))
    const used = async () =>
      (await ask('GET', '/v1/nodes/n2')).body.report.ports.filter((port: { used?: boolean }) => port.used)
    await until('the report tells', async () => (await used()).length === 1)
    t.match(await used(), [{ name: bridgeEndOf(2, 1), port: 1, role: 'interface' }])
  })

  t.test('a controller that is killed and comes back: nothing is lost, nothing touched, all are ready', async t => {
    await until('all nodes are ready', allReady, { ms: 60_000, why })
    // Its ways may still be changing, as one link after the other was found alive.
    await until('flows are still', async () => {
      const known = await ages(mesh)
      await new Promise(resolve => setTimeout(resolve, 1_500))
      return touched(known, await ages(mesh)).length === 0
    })
    const config = () =>
      Promise.all(mesh.nodes.map(async ({ ovs }) => (await ovs.vsctl('get', 'Open_vSwitch', '.', 'next_cfg')).trim()))
    const [before, flows] = [await config(), await ages(mesh)]
    const stream = await streamTo(stage, red[0]!, red[1]!, 8)
    await controller.stop('SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 3_000))
    controller = await startController(whole, options)
    const began = performance.now()
    await until('all nodes are ready', allReady, { ms: 60_000, why })
    t.comment(`all ready ${Math.round(performance.now() - began)} ms after its return`)
    t.equal((await stream.finish()).at(red[1]!).lost, 0)
    t.same(touched(flows, await ages(mesh)), [])
    t.same(await config(), before)
  })

  t.test('BFD watches links, and a report tells when one is dead', async t => {
    const bfd = async () =>
      (await ask('GET', '/v1/nodes/n1')).body.report?.ports.find(
        ({ name }: { name: string }) => name === tunnelOf(1, 2),
      )?.bfd
    t.equal(await bfd(), undefined)
    t.match(await ask('PUT', '/v1/mesh', { ...declared, bfd: true }), { status: 200 })
    await until('it is up', async () => (await bfd()) === 'up')
    await mesh.lose(1, 2, 1)
    const began = performance.now()
    await until('it is down', async () => (await bfd()) === 'down')
    t.comment(`told after ${Math.round(performance.now() - began)} ms`)
    await mesh.lose(1, 2, 0)
    await until('it is up again', async () => (await bfd()) === 'up')
  })

  t.test('nodes that should have more to spare get it; one that is not declared any more stays as it is', async t => {
    t.match(await ask('PUT', '/v1/mesh', { ...declared, bfd: true, spare: 4 }), { status: 200 })
    const has = async (number: number) => (await agents.on(1, `ip link show ${bridgeEndOf(1, number)} || true`)) !== ''
    await until('they are there', () => has(4097))
    await until('all nodes are ready', allReady, { ms: 60_000, why })
    await ask('DELETE', '/v1/nodes/n3')
    await until('its agent says so', () => agents.log.some(({ msg }) => /n3.*stays as it is/s.test(msg)))
    t.match(await agents.on(3, `ip link show ${bridgeEndOf(3, 4097)}`), /mtu 1550/)
  })
}
