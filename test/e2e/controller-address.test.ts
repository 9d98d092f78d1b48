// Where an address lives when two ports send from it, one of them is silent, or its node is gone: real switches and machines.
import t from 'tap'
import { broadcast, type Probe, probe } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { until } from '../controller/watching.ts'
import { makeStage, streamTo } from '../ovs/stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 3, podsPerNode: 2 })
  const { mesh, frames } = stage
  const [a, , b, e, c, d] = mesh.pods() as [Pod, Pod, Pod, Pod, Pod, Pod]
  const says = (from: Pod, src: string, how: { count?: number; pps?: number } = {}) =>
    frames.send(from, probe({ dst: broadcast, src }), how)
  /** Where the switch of node 3 sends frames to it: to which node, or undefined. */
  const leadsTo = async (mac: string) => {
    const flows = await mesh.node(3).dumpFlows()
    const entry = flows.find(flow => flow.includes('table=2') && flow.includes(`dl_dst=${mac} `))
    return [...mesh.node(3).links].find(([, port]) => entry?.includes(`output:${port}`))?.[0]
  }
  const isAt = (mac: string, node: number) => async () => (await leadsTo(mac)) === node
  const reaches = async (mac: string, at: Pod) => {
    const { times } = await frames.reach([c, at], {
      frame: (from, _to, counted: Probe) => probe({ dst: from === c ? mac : broadcast, src: from.mac }, counted),
    })
    return times(c, at)
  }
  const later = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

  t.test('a machine that moves, says so for 0.8 s and is silent, is followed', async t => {
    const mac = '02:aa:00:00:00:01'
    await stage.join('red', mesh.pods(), 'learn')
    await says(a, mac)
    await until('it is known at the first node', isAt(mac, 1))
    await later(3000)
    await says(b, mac, { count: 5, pps: 6 })
    await until('it is where it spoke last', isAt(mac, 2), { ms: 5000 })
    t.equal(await reaches(mac, b), 1)
  })

  t.test(
    'a machine that is silent, but there, keeps its address and its frames; who claims it is told, and suppressed',
    async t => {
      await stage.ping(c, a)
      await until('it is known', isAt(a.mac, 1))
      await later(3500)
      const frames = await streamTo(stage, c, a, 4, 250)
      await says(b, a.mac, { count: 80, pps: 20 })
      const counts = await frames.finish()
      t.equal(counts.at(a).lost, 0)
      t.equal(counts.at(b).received, 0)
      const [conflict] = stage.controller.conflicts('red')
      t.match(conflict, {
        mac: a.mac,
        holder: { dpid: mesh.node(1).dpid, port: a.port },
        claimant: { dpid: mesh.node(2).dpid, port: b.port },
      })
      const suppressed = stage.log.find(({ words }) => words.includes('no addresses are learned'))
      t.match(suppressed?.fields, { dpid: mesh.node(2).dpid, port: b.port })
      await stage.ping(c, a)
    },
  )

  t.test('a machine that no probe wakes gets its address back when it speaks', async () => {
    const mac = '02:aa:00:00:00:02'
    await says(a, mac)
    await until('it is known', isAt(mac, 1))
    await later(2000)
    await until('another port has it', async () => {
      await says(d, mac, { count: 5, pps: 20 })
      return !(await isAt(mac, 1)())
    })
    await says(a, mac)
    await until('it has it again', isAt(mac, 1), { ms: 5000 })
  })

  t.test('the address of a node that is gone goes to who claims it, and its frames with it', async t => {
    const mac = '02:aa:00:00:00:03'
    await says(a, mac)
    await until('it is known', isAt(mac, 1))
    await mesh.cut(1)
    await mesh.node(1).ovs.stop({ kill: true })
    const began = performance.now()
    await until('it is where it is claimed', async () => {
      await says(e, mac)
      await later(1000)
      return (await leadsTo(mac)) === 2
    })
    t.equal(await reaches(mac, e), 1)
    t.comment(`after ${Math.round(performance.now() - began)} ms`)
  })
}
