// Wrong flows on a real bridge: GET /v1/proof finds the frame that crosses, and that frame, sent by a pod, crosses.
import t from 'tap'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, makeStage } from '../ovs/stage.ts'

if (needs(t))
  t.test('a frame that the proof names crosses on real bridges, and none is named where none does', async t => {
    t.setTimeout(120_000)
    const stage = await makeStage(t, { nodes: 2, podsPerNode: 2 })
    const { mesh, frames } = stage
    const [a, b, c, d] = [stage.pod(1, 1), stage.pod(1, 2), stage.pod(2, 1), stage.pod(2, 2)]
    await stage.join('red', [a, c])
    await stage.join('blue', [b, d])
    for (const tables of ['desired', 'held'] as const) {
      const { result, counterexamples } = await stage.controller.proof(tables)
      t.equal(result, 'proved', JSON.stringify(counterexamples))
    }
    const number = (id: string) => stage.store.state().networks.get(id)!.number
    const pods = new Map([a, b, c, d].map(pod => [`${mesh.node(pod.node).dpid}/${pod.port}`, pod]))
    const sabotage = (flow: string) => mesh.node(1).addFlows([`cookie=0x77,${flow}`])
    /** The frame that this flow lets cross, as the proof finds it. The controller may have repaired it meanwhile: then again. */
    const crossing = async (flow: string) => {
      for (let tries = 0; tries < 10; tries++) {
        await sabotage(flow)
        const { counterexamples } = await stage.controller.proof('held')
        const found = counterexamples.find(
          it => it.fault === 'crosses' && it.from?.dpid === mesh.node(1).dpid && it.vni === undefined,
        )
        if (found) return found
      }
      return undefined
    }
    for (const flow of [
      `priority=2000,in_port=${a.port} actions=output:${b.port}`,
      `priority=120,in_port=${a.port} actions=write_metadata:${number('blue')}/0x3ffffffff,goto_table:2`,
      `table=2,priority=40,metadata=${number('red')}/0xffffffff,dl_dst=ff:ff:ff:ff:ff:ff actions=output:${b.port}`,
      `priority=2000,in_port=${a.port},dl_type=0x9999 actions=output:${b.port}`,
    ]) {
      const found = await crossing(flow)
      t.ok(found, flow)
      if (!found) continue
      const to = pods.get(`${found.at!.dpid}/${found.at!.port}`)!
      const heard: string[] = []
      const stop = await frames.capture([to], ({ frame }) => void heard.push(frame.toString('hex')))
      for (let tries = 0; tries < 20 && !heard.includes(found.frame!); tries++) {
        await sabotage(flow)
        await frames.send(pods.get(`${found.from!.dpid}/${found.from!.port}`)!, Buffer.from(found.frame!, 'hex'))
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      await stop()
      t.ok(heard.includes(found.frame!), `${flow}: ${found.frame} arrives at ${to.name}`)
      await mesh.node(1).deleteFlows('cookie=0x77/-1')
    }
    await mesh.node(1).addFlows(['priority=2000,in_port=777 actions=drop'])
    const { counterexamples } = await stage.controller.proof('held')
    t.same(
      counterexamples.filter(it => it.breaksIsolation),
      [],
    )
  })

if (needs(t))
  t.test('what an audit finds on a real bridge is judged, and what puts it right is not held back', async t => {
    t.setTimeout(120_000)
    const stage = await makeStage(t, { nodes: 2, podsPerNode: 2, prove: 'enforce' })
    const [a, b, c, d] = [stage.pod(1, 1), stage.pod(1, 2), stage.pod(2, 1), stage.pod(2, 2)]
    await stage.join('red', [a, c])
    await stage.join('blue', [b, d])
    await stage.mesh.node(1).addFlows([`cookie=0x77,priority=2000,in_port=${a.port} actions=output:${b.port}`])
    const found = () =>
      stage.events.find(event => event.kind === 'proof-failed' && event.tables === 'found' && event.fault === 'crosses')
    await until('it is judged', () => found() !== undefined, { ms: 90_000 })
    t.match(found(), { network: 'red', dpid: stage.mesh.node(1).dpid, port: a.port, entry: /output:/ })
    await until('it is gone', async () => !(await stage.mesh.node(1).dumpFlows()).some(flow => flow.includes('0x77')))
    t.strictSame(await hearing(stage, [a, b, c, d]), apart([a, b, c, d], [a, c], [b, d]))
    t.notOk(stage.events.some(event => event.kind === 'proof-failed' && event.tables === 'batch'))
  })
