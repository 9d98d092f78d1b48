// The program as it is run: started, asked by REST, killed and started again, with real switches and frames.
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { ages, apart, hearing, makeStage, openflowPort, type Stage, streamTo, touched } from '../ovs/stage.ts'

if (needs(t)) {
  const stage: Stage = await makeStage(t, { nodes: 3, podsPerNode: 2, start: false })
  const { mesh } = stage
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port) as Pod[] as [Pod, Pod, Pod]
  const [red, blue] = [on(1), on(2)]
  const openflow = `tcp:${mesh.ctl.address}:${openflowPort}`
  const options = [
    '--openflow',
    openflow,
    '--http',
    '127.0.0.1:0',
    '--store',
    `sqlite:${join(mesh.directory, 'l2sm.db')}`,
  ]
  let running: Awaited<ReturnType<typeof startController>> | undefined

  const start = async () => {
    running = await startController(t, options)
    await Promise.all(mesh.nodes.map(node => node.reconnect()))
    await until('it is ready', async () => (await ask('GET', '/readyz')).status === 200 && (await connected()) === 3)
  }
  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const ended = running
    running = undefined
    return ended?.stop(signal)
  }
  const ask = async (method: string, path: string, body?: object) => {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await fetch(`${running!.base}${path}`, { method, ...(body ? json : {}) })
    const text = await answer.text()
    return { status: answer.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined }
  }
  const connected = async () => {
    const { switches } = (await ask('GET', '/v1/switches')).body
    return switches.filter((sw: { connected: boolean }) => sw.connected).length
  }
  const placeOf = (pod: Pod) => `${mesh.node(pod.node).dpid}/${pod.port}`
  const changesSent = async () => {
    const { text } = await ask('GET', '/metrics')
    const lines = text
      .split('\n')
      .filter(line => /direction="out"/.test(line) && /"(flow_mod|group_mod|meter_mod|bundle_add)"/.test(line))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  t.test('a few REST calls make networks whose pods reach each other', async t => {
    await start()
    await until('the links are known', async () => (await ask('GET', '/v1/links')).body.links.length === 6)
    for (const [id, members] of [
      ['red', red],
      ['blue', blue],
    ] as const) {
      t.match(await ask('PUT', `/v1/networks/${id}`, {}), { status: 201 })
      for (const pod of members) {
        const put = await ask('PUT', `/v1/networks/${id}/attachments/${placeOf(pod)}?wait=5s`, { mac: pod.mac })
        t.match(put, { status: 201, body: { state: 'programmed' } })
      }
    }
    await Promise.all(red.flatMap(a => red.map(b => (a === b ? undefined : stage.ping(a, b)))))
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    t.match(await ask('GET', '/v1/networks/red'), { status: 200, body: { state: 'programmed' } })
    t.ok((await changesSent()) > 0, 'which the metrics count')
  })

  t.test('killed at once after its answer, it does what it answered when it is back', async t => {
    const [a, , c] = red
    for (const round of [1, 2]) {
      t.match(await ask('DELETE', `/v1/networks/red/attachments/${placeOf(c)}`), { status: 200 })
      t.equal(await stop('SIGKILL'), 'SIGKILL')
      await start()
      await until('the port has left', async () => (await ask('GET', '/v1/networks/red')).body.state === 'programmed')
      t.strictSame(await hearing(stage, red), apart(red, red.slice(0, 2)), `round ${round}`)
      const endpoints = { networkId: 'red', networkEndpoints: [`of:${placeOf(c)}`] }
      t.match(await ask('POST', '/onos/vnets/api/port', endpoints), { status: 204 })
      await stop('SIGKILL')
      await start()
      await until('it is back', async () => (await ask('GET', '/v1/networks/red')).body.state === 'programmed')
      await stage.ping(a, c)
    }
  })

  t.test('killed again and again under traffic: no frame lost, no flow touched, nothing sent', async t => {
    const talk = await streamTo(stage, blue[0], blue[2], 8)
    const call = await streamTo(stage, blue[1], undefined, 8, 200)
    const before = await ages(mesh)
    for (const round of [1, 2, 3]) {
      await stop('SIGKILL')
      await start()
      t.equal(await changesSent(), 0, `nothing is sent after kill ${round}`)
    }
    t.strictSame(touched(before, await ages(mesh)), [])
    const [talked, called] = [await talk.finish(), await call.finish()]
    t.strictSame([talked.at(blue[2]).lost, talked.at(blue[2]).duplicated], [0, 0])
    for (const at of [blue[0], blue[2]]) t.strictSame([called.at(at).lost, called.at(at).duplicated], [0, 0])
    for (const at of red) t.equal(called.at(at).received, 0)
  })

  t.test('told to stop, it ends in good order and the switches go on', async t => {
    const talk = await streamTo(stage, blue[0], blue[2], 2)
    const before = await ages(mesh)
    t.equal(await stop('SIGTERM'), 0)
    t.strictSame(await hearing(stage, blue), apart(blue, blue))
    t.equal((await talk.finish()).at(blue[2]).lost, 0)
    t.strictSame(touched(before, await ages(mesh)), [])
    for (const node of mesh.nodes) t.notMatch(await node.ovs.appctl('bridge/dump-flows', 'br-l2'), 'NORMAL')
  })
}
