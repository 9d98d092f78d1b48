import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openFrames } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import { makeMesh } from '../../lab/mesh.ts'
import type { Node } from '../../lab/node.ts'
import { until } from '../controller/watching.ts'
import { broadcastOf, flood, flooding } from '../ovs/flooding.ts'

if (needs(t)) {
  t.setTimeout(90_000)
  const mesh = await makeMesh({ nodes: 3, podsPerNode: 2 })
  t.teardown(mesh.close)
  const pods = mesh.pods()
  const [a, c] = [pods[0]!, pods[2]!]
  const frames = await openFrames(pods)
  t.teardown(frames.close)
  const matrix = async () => {
    const seen = await frames.reach(pods)
    return pods.map(from => pods.map(at => seen.times(from, at)).join('')).join(' ')
  }
  /** A device that goes down or comes up does so a moment after it was told to: asked until it is so. */
  const becomes = async (expected: string, what: string) => {
    let seen = ''
    const isSo = async () => {
      seen = await matrix()
      return seen === expected
    }
    await until(what, isSo, { ms: 10_000, why: () => `: who hears whom is ${seen}, expected ${expected}` })
  }
  await flood(mesh)

  t.test('an underlay that loses frames loses them only where it was told to', async t => {
    await mesh.lose(1, 2, 1)
    t.equal(await matrix(), '010011 100011 000111 001011 111101 111110')
    await mesh.lose(1, 2, 0.5)
    const counts = await (await frames.stream(a, broadcastOf(a), { pps: 1000, seconds: 1 })).finish()
    const { lost } = counts.at(c)
    // Of 1,000 with even chances: outside of this once in 10^9 runs.
    t.ok(lost > 400 && lost < 600, `${lost} of 1,000 lost`)
    t.equal(counts.at(pods[5]!).lost, 0)
    await mesh.lose(1, 2, 0)
    await mesh.cut(3)
    await becomes('011100 101100 110100 111000 000001 000010', 'node 3 is cut off')
    await mesh.mend(3)
    await becomes('011111 101111 110111 111011 111101 111110', 'node 3 is back')
    t.rejects(mesh.lose(1, 9, 1), /place 9/)
  })

  t.test('a pod that comes and goes keeps its port number', async t => {
    const first = await mesh.addPod(2, { port: 5, mac: '02:00:00:00:00:55', ips: ['10.9.9.5/24'], vlan: 12 })
    await mesh.node(2).addFlows(['in_port=5,dl_vlan=12,actions=output:1'])
    await frames.open(first)
    t.equal((await frames.reach([first, c])).times(first, c), 1, 'it speaks in its VLAN')
    await frames.shut(first)
    const ports = async () => (await mesh.node(2).ovs.ofctl('br-l2', 'show')).match(/^ \d+\(p\d+\)/gm)
    await mesh.removePod(first, { keepPort: true })
    // The kernel's datapath takes the port off until its device is back.
    const without = mesh.datapath === 'userspace' ? /5\(p5\):.*\n.*\n +state: +LINK_DOWN/ : /^(?!.*\(p5\))/s
    t.match(await mesh.node(2).ovs.ofctl('br-l2', 'show'), without)
    const second = await mesh.addPod(2, { port: 5 })
    t.same((await ports())?.sort(), [' 1(p1)', ' 2(p2)', ' 5(p5)'])
    await frames.open(second)
    await mesh.node(2).addFlows(['in_port=5,actions=output:1'])
    t.equal((await frames.reach([second, c])).times(second, c), 1, 'frames pass through the port that was kept')
    await frames.shut(second)
    t.rejects(mesh.addPod(2, { port: 5 }), /pod n2p5: there is one of that name/)
    t.rejects(mesh.addPod(2, { port: 6, mac: '02:00' }), /mac 02:00, expected six pairs/)
    await mesh.removePod(second)
    await mesh.node(2).deleteFlows('in_port=5')
  })

  t.test('every switch dials the controller: first, after reconnect, and after each kind of restart', async t => {
    const callers = new Set<string | undefined>()
    const server = createServer(socket => {
      callers.add(socket.remoteAddress)
      socket.on('error', () => {}).resume()
    })
    t.teardown(() => server.close())
    const called = async (nodes: readonly Node[]) => {
      for (let waited = 0; waited < 9000 && nodes.some(node => !callers.has(node.address)); waited += 10)
        await sleep(10)
      t.ok(nodes.every(node => callers.has(node.address)))
      callers.clear()
    }
    await new Promise<void>(resolve => server.listen(6653, mesh.ctl.address, resolve))
    const before = await mesh.node(3).dumpFlows()
    await Promise.all(mesh.nodes.map(node => node.reconnect()))
    await called(mesh.nodes)
    t.equal((await mesh.node(3).dumpFlows()).length, before.length, 'reconnecting keeps the flows')
    for (const how of [{ kill: true }, { kill: false }]) {
      const pid = await mesh.node(2).ovs.pid()
      callers.clear()
      await mesh.node(2).restart(how)
      t.not(await mesh.node(2).ovs.pid(), pid)
      await called([mesh.node(2)])
      t.same(await mesh.node(2).dumpFlows(), [])
      await mesh.node(2).addFlows(flooding(mesh.node(2), [1, 2]))
      await becomes('011111 101111 110111 111011 111101 111110', 'ports and tunnels are as they were')
    }
  })

  t.test('a second mesh beside it shares nothing, and can be a ring', async t => {
    const ring = await makeMesh({
      ...{ nodes: 4, podsPerNode: 1, controllerPorts: [] },
      links: [1, 2, 3, 4].map(n => [n, (n % 4) + 1] as const),
    })
    t.teardown(ring.close)
    t.not(ring.ctl.address, mesh.ctl.address)
    t.same(
      [...ring.node(1).links],
      [
        [2, 10_002],
        [4, 10_004],
      ],
    )
    for (const node of ring.nodes) await node.addFlows(flooding(node, [1]))
    const both = await openFrames([...ring.pods().map(pod => ({ ...pod, name: `ring ${pod.name}` })), a])
    t.teardown(both.close)
    const stations = [...ring.pods().map(pod => ({ ...pod, name: `ring ${pod.name}` })), a]
    const seen = await both.reach(stations)
    const rows = stations.map(from => stations.map(at => seen.times(from, at)).join(''))
    t.same(rows, ['01010', '10100', '01010', '10100', '00000'])
  })

  t.test('a mesh of ten nodes is one as well', async t => {
    const ten = await makeMesh({ nodes: 10, podsPerNode: 1, controllerPorts: [] })
    t.teardown(ten.close)
    await Promise.all(ten.nodes.map(node => node.addFlows(flooding(node, [1]))))
    const all = await openFrames(ten.pods())
    t.teardown(all.close)
    const seen = await all.reach(ten.pods())
    const cells = ten.pods().flatMap(from => ten.pods().map(at => seen.times(from, at) === (from === at ? 0 : 1)))
    t.same([cells.length, cells.every(Boolean)], [100, true])
  })
}
