// Ways that change under traffic, on real switches: nothing is lost, but what a dead link itself has eaten; nothing comes twice.
import t, { type Test } from 'tap'
import { probePayload, udp } from '../../lab/frame.ts'
import type { Stream } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { macOfGroup } from '../controller/hosts.ts'
import { until } from '../controller/watching.ts'
import { ages, apart, hearing, makeStage, streamTo, touched } from '../ovs/stage.ts'

if (needs(t)) {
  const ring = [1, 2, 3, 4, 5].map(n => [n, (n % 5) + 1] as const)
  const stage = await makeStage(t, { nodes: 5, podsPerNode: 2, links: ring })
  const { mesh } = stage
  const red = mesh.pods().filter(pod => pod.port === 1)
  const green = mesh.pods().filter(pod => pod.port === 2 && pod.node <= 3)
  const [one, two, three] = red as [Pod, Pod, Pod]

  const cost = (a: number, b: number, cost: number) =>
    stage.ask(draft => {
      const [from, to] = [mesh.node(a), mesh.node(b)]
      return putDeclaredLink(draft, {
        from: { dpid: from.dpid, port: from.links.get(b)! },
        to: { dpid: to.dpid, port: to.links.get(a)! },
        cost,
      })
    })
  /** The link by which frames from one node to a pod leave. */
  const wayTo = async (node: number, pod: Pod) => {
    const flows = (await mesh.node(node).dumpFlows()).filter(
      f => f.includes('table=2') && f.includes(`dl_dst=${pod.mac} `),
    )
    const ports = flows.map(flow => Number(/output:(\d+)/.exec(flow)?.[1]))
    return [...mesh.node(node).links].find(([, port]) => ports.includes(port))?.[0]
  }
  /** A way is there, and no entry of another beside it. */
  const goesBy = (node: number, pod: Pod, next: number) =>
    until(`frames from node ${node} to ${pod.name} go by node ${next}`, async () => {
      const flows = await mesh.node(node).dumpFlows()
      const ways = flows.filter(f => f.includes('table=2') && f.includes(`dl_dst=${pod.mac} `))
      return ways.length === 1 && (await wayTo(node, pod)) === next
    })
  const received = async (stream: Stream, at: Pod) => {
    const { lost, duplicated, received } = (await stream.finish()).at(at)
    return { lost, duplicated, some: received > 0 }
  }
  const group = '239.1.2.3'
  /** Datagrams to a group that the third has joined. */
  const toGroup = (seconds: number) => {
    const ip = { src: one.ips[0]!.split('/')[0]!, dst: group, sourcePort: 5000, targetPort: 5000 }
    const header = { dst: macOfGroup(group), src: one.mac }
    return stage.frames.stream(one, counted => udp(header, { ...ip, payload: probePayload(counted) }), {
      pps: 500,
      seconds,
    })
  }
  const all = { lost: 0, duplicated: 0, some: true }

  t.before(async () => {
    await stage.join('red', red)
    await stage.join('green', green, 'learn')
    await stage.frames.join(three, group)
    await stage.ask(draft => putNetwork(draft, 'red', { multicast: 'snoop' }))
    await until('who joined is known', () => {
      const ports = stage.controller.multicast('red')?.ports
      return ports?.length === 1 && ports[0]?.groups.includes(group) === true
    })
  })

  t.test('a path and a tree that change because a link became dear lose nothing and double nothing', async t => {
    await goesBy(1, three, 2)
    const streams = [
      await streamTo(stage, one, three, 12),
      await streamTo(stage, three, one, 12, 500),
      await streamTo(stage, two, undefined, 12, 1000),
    ] as const
    const datagrams = await toGroup(12)
    await cost(1, 2, 100)
    await goesBy(1, three, 5)
    await cost(4, 5, 500)
    await goesBy(1, three, 2)
    await cost(4, 5, 10)
    await cost(1, 2, 10)
    t.strictSame(await received(streams[0], three), all)
    t.strictSame(await received(streams[1], one), all)
    const counts = await streams[2].finish()
    for (const pod of red)
      if (pod !== two) t.match(counts.at(pod), { lost: 0, duplicated: 0 }, `the broadcast came to ${pod.name}`)
    for (const pod of green) t.equal(counts.at(pod).received, 0)
    const grouped = await datagrams.finish()
    for (const pod of red)
      t.match(
        grouped.at(pod),
        pod === three ? { lost: 0, duplicated: 0 } : { received: 0 },
        `the group's to ${pod.name}`,
      )
    t.strictSame(await hearing(stage, mesh.pods()), apart(mesh.pods(), red, green))
  })

  /** Of two streams over a link that died on the way nothing came twice, and of the one to `two` most came. */
  const cameOnce = async (t: Test, unicast: Stream, broadcast: Stream, sent: number) => {
    const { lost, duplicated } = (await unicast.finish()).at(two)
    t.comment(`at 1,000 frames a second ${lost} were lost on the dead link`)
    t.equal(duplicated, 0)
    t.ok(lost < sent / 2, 'and most came')
    const counts = await broadcast.finish()
    for (const pod of red.slice(1)) t.equal(counts.at(pod).duplicated, 0)
    t.strictSame(await hearing(stage, mesh.pods()), apart(mesh.pods(), red, green))
  }

  t.test(
    'a link that dies without a word is left within about a second, and taken again later; nothing comes twice',
    async t => {
      await goesBy(1, two, 2)
      const unicast = await streamTo(stage, one, two, 14)
      const broadcast = await streamTo(stage, one, undefined, 14, 200)
      await mesh.lose(1, 2, 1)
      await goesBy(1, two, 5)
      await mesh.lose(1, 2, 0)
      await goesBy(1, two, 2)
      await cameOnce(t, unicast, broadcast, 14_000)
    },
  )

  t.test('a link whose port goes while another change is drained is gone round before that is over', async t => {
    await goesBy(1, two, 2)
    const unicast = await streamTo(stage, one, two, 20)
    const broadcast = await streamTo(stage, one, undefined, 20, 200)
    const epoch = () => stage.store.state().networks.get('red')?.epoch
    const before = epoch()
    const four = mesh.node(4)
    const options = (await four.ovs.vsctl('get', 'interface', 'vx5', 'options')).trim()
    await cost(1, 2, 100)
    await until('frames enter the way round', () => epoch() !== before)
    const entered = epoch()
    await four.ovs.vsctl('del-port', four.bridge, 'vx5')
    // The way that is drained is there until then; the one in use leads over the dear link again.
    await until('the dear link is taken', async () => {
      const flows = await mesh.node(1).dumpFlows()
      const ways = flows.filter(f => f.includes('table=2') && f.includes(`dl_dst=${two.mac} `))
      return ways.every(flow => flow.includes(`output:${mesh.node(1).links.get(2)}`))
    })
    t.equal(epoch(), entered, 'frames enter the same path version as before')
    const again = ['type=vxlan', `options=${options}`, `ofport_request=${four.links.get(5)}`]
    await four.ovs.vsctl('add-port', four.bridge, 'vx5', '--', 'set', 'interface', 'vx5', ...again)
    await cost(1, 2, 10)
    await goesBy(1, two, 2)
    await cameOnce(t, unicast, broadcast, 20_000)
  })

  t.test('a restart of the controller changes no way, and touches no flow', async t => {
    await stage.programmed('green')
    const before = await ages(mesh)
    const talk = await streamTo(stage, one, three, 5)
    await stage.stop()
    await stage.start()
    t.strictSame(await received(talk, three), all)
    t.strictSame(touched(before, await ages(mesh)), [])
  })

  t.test(
    'a controller that ends while ways change goes on with it when it is back: nothing is lost or doubled',
    async t => {
      await goesBy(1, three, 2)
      const unicast = await streamTo(stage, one, three, 25, 500)
      const broadcast = await streamTo(stage, two, undefined, 25, 500)
      // A millisecond more or less decides how far it had come.
      for (const [i, pause] of [105, 120, 140, 180, 400, 900].entries()) {
        await cost(1, 2, i % 2 === 0 ? 100 : 10)
        await new Promise(resolve => setTimeout(resolve, pause))
        await stage.stop()
        await stage.start()
      }
      await goesBy(1, three, 2)
      t.strictSame(await received(unicast, three), all)
      const counts = await broadcast.finish()
      for (const pod of red)
        if (pod !== two) t.match(counts.at(pod), { lost: 0, duplicated: 0 }, `the broadcast came to ${pod.name}`)
      t.strictSame(await hearing(stage, mesh.pods()), apart(mesh.pods(), red, green))
    },
  )

  t.test('a network that is cut in two says who reaches whom, and heals', async t => {
    await mesh.lose(1, 2, 1)
    await mesh.lose(3, 4, 1)
    await until('it is in two parts', () => stage.controller.partitions('red').length === 2)
    const numbers = (dpids: Iterable<string>) => [...dpids].map(d => mesh.nodes.find(n => n.dpid === d)!.number).sort()
    const parts = stage.controller.partitions('red').map(numbers).sort()
    t.strictSame(parts, [
      [1, 4, 5],
      [2, 3],
    ])
    await until('it is degraded', () => stage.controller.network('red')?.state === 'degraded')
    t.match(stage.controller.network('red')?.reason, /no way between switches/)
    await until('each part is whole in itself', async () => {
      const heard = await hearing(stage, red)
      return JSON.stringify(heard) === JSON.stringify(apart(red, [red[0]!, red[3]!, red[4]!], [two, three]))
    })
    await mesh.lose(1, 2, 0)
    await mesh.lose(3, 4, 0)
    const state = (id: string) => stage.controller.network(id)?.state
    await until('both are whole', () => ['red', 'green'].every(id => state(id) === 'programmed'))
    t.strictSame(await hearing(stage, mesh.pods()), apart(mesh.pods(), red, green))
  })
}
