// Three nodes on devices that leave checksums to hardware that there is not, an Open vSwitch and an agent on each, the
// controller on one of them: as on a laptop, or in virtual machines. TCP between them goes on, and all become ready. Then the
// network between an agent and the controller loses everything, without a word to either.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { inNamespace, run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { l2sm } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { type Agents, makeAgents, nameOf } from '../ovs/agents.ts'
import { openflowPort } from '../ovs/stage.ts'

if (needs(t)) {
  t.setTimeout(180_000)
  const token = 'a-token-of-this-test'
  let place = { directory: '', address: '' }
  const source = (node: number) => {
    const file = join(place.directory, 'token')
    return ['--node', nameOf(node), '--controller', `http://${place.address}:8181`, '--token-file', file]
  }
  const agents: Agents = await makeAgents(t, { nodes: 3, start: false, offload: true, source })
  const { mesh } = agents.stage
  const first = mesh.node(1)
  place = { directory: mesh.directory, address: first.address }
  writeFileSync(join(place.directory, 'token'), `${token}\n`, { mode: 0o600 })
  // We ask from outside: what this machine sends has its checksums.
  await run('ethtool', ['-K', mesh.ctl.device, 'tx', 'off'])
  const words = [
    ...['controller', '--openflow', `tcp:${first.address}:${openflowPort}`, '--http', `${first.address}:8181`],
    ...['--token-file', join(place.directory, 'token'), '--store', 'memory'],
  ]
  const { NODE_OPTIONS: _, ...env } = process.env
  const controller = spawn(...inNamespace(first.netns, process.execPath, [l2sm, ...words]), { env })
  t.teardown(async () => {
    const ended = once(controller, 'exit')
    controller.kill('SIGKILL')
    await ended
  })
  createInterface(controller.stdout).on('line', text => process.env['SHOW'] && console.error(text))
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
    const answer = await fetch(`http://${first.address}:8181${path}`, {
      ...{ method, headers, body: body ? JSON.stringify(body) : null, signal: AbortSignal.timeout(3_000) },
    })
    return JSON.parse(await answer.text())
  }
  const states = async (): Promise<string[]> =>
    (await ask('GET', '/v1/nodes').catch(() => ({ nodes: [] }))).nodes.map(
      ({ name, state, missing }: { name: string; state: string; missing: string[] }) => `${name} ${state} ${missing}`,
    )
  const why = () => JSON.stringify(agents.log.slice(-15))
  const ready = (count: number) => async () => (await states()).filter(text => / ready $/.test(text)).length === count
  await until('the controller answers', async () => (await ask('GET', '/v1/mesh').catch(() => ({}))).full !== undefined)

  t.test('all nodes become ready, and TCP passes between any two', async t => {
    await ask('PUT', '/v1/mesh', {
      ...{ full: true, interfaceNumber: 2, spare: 0 },
      nodes: mesh.nodes.map(({ number, address }) => ({ name: nameOf(number), address })),
    })
    // The controller's node is first: it has its address on br-phy before the others have their plan.
    await agents.start(1)
    await until('it has its address on br-phy', async () =>
      (await agents.on(1, 'ip -4 address show dev br-phy 2>/dev/null || true')).includes(first.address),
    )
    await Promise.all([agents.start(2), agents.start(3)])
    await until('all are ready', ready(3), { ms: 40_000, why })
    for (const node of [2, 3])
      t.match(await agents.on(node, `curl -s -m 3 http://${first.address}:8181/livez`), /./, `node ${node} to node 1`)
    t.match(await agents.on(1, 'ip -4 address show dev br-phy'), new RegExp(first.address))
    t.notOk(agents.log.some(({ msg }) => /can not be on br-phy/.test(msg)))
  })

  t.test(
    'an agent misses a controller that is gone without a word within 15 s, and follows it when it is back',
    async t => {
      const missed = () => agents.log.some(({ msg }) => /no answer in|ETIMEDOUT|EHOSTUNREACH/.test(msg))
      t.notOk(missed())
      await mesh.lose(1, 3, 1)
      const began = performance.now()
      await until('its agent says so', missed, { ms: 20_000 })
      t.comment(`after ${Math.round(performance.now() - began)} ms`)
      await until('it is not ready', async () => /"ready":false.*8181/.test(await agents.health(3)))
      await ask('PUT', '/v1/mesh', {
        ...{ full: true, interfaceNumber: 3, spare: 0 },
        nodes: mesh.nodes.map(({ number, address }) => ({ name: nameOf(number), address })),
      })
      await mesh.lose(1, 3, 0)
      await until('all are ready again, with the new plan', ready(3), { ms: 40_000, why })
    },
  )
}
