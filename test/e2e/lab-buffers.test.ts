import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { enlargeBuffers } from '../../lab/buffers.ts'
import { broadcast, probe } from '../../lab/frame.ts'
import { openFrames } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import { makeMesh } from '../../lab/mesh.ts'

if (needs(t)) {
  t.setTimeout(60_000)

  t.test('a switch that gets no processor for a while loses no frame', async t => {
    const mesh = await makeMesh({ nodes: 1, podsPerNode: 2, controllerPorts: [] })
    t.teardown(mesh.close)
    const [from, to] = [mesh.pods()[0]!, mesh.pods()[1]!]
    const node = mesh.node(1)
    await node.addFlows(['in_port=1,actions=output:2'])
    const frames = await openFrames([from, to])
    t.teardown(frames.close)
    const pid = await node.ovs.pid()
    const lostWhileStopped = async () => {
      const frame = (counted: { stream: number; sequence: number }) => probe({ dst: broadcast, src: from.mac }, counted)
      const stream = await frames.stream(from, frame, { pps: 1000, seconds: 2 })
      await sleep(200)
      process.kill(pid, 'SIGSTOP')
      await sleep(1000)
      process.kill(pid, 'SIGCONT')
      return (await stream.finish()).at(to).lost
    }
    if (mesh.datapath === 'userspace') t.not(await lostWhileStopped(), 0, 'with the buffers that it has')
    await enlargeBuffers(mesh.nodes)
    t.equal(await lostWhileStopped(), 0, 'with larger ones')
  })
}
