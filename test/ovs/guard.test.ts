// Strict ports on real switches: each frame that lies is dropped and counted, each that does not gets through once; and switches answer
// ARP and neighbour solicitations for machines that are silent.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Probe, probePayload, udp } from '../../lab/frame.ts'
import type { Received } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { putNetwork } from '../../store/desired.ts'
import { forged, legitimate, linkLocalOf, type Machine, says } from '../controller/machine.ts'
import { until } from '../controller/watching.ts'
import { arp, ipv6, neighbour } from '../reference/frames.ts'
import { makeStage } from './stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 2, podsPerNode: 2 })
  const { mesh, frames } = stage
  // These have IPv6 of their own; those of the mesh say nothing by themselves.
  const speaking: Pod[] = []
  for (const node of [1, 2])
    speaking.push(await stage.addPod(node, { port: 5, ips: [`10.205.${node}.5/8`, `fd00::${node}:5/64`] }))
  const silent = mesh.pods().filter(pod => pod.port <= 2)
  const [a, b, c] = silent as [Pod, Pod, Pod]
  const all = [...silent, ...speaking]

  const machineOf = ({ mac, node, port, ips }: Pod): Machine => ({
    ...{ mac, ip4: ips[0]!.split('/')[0]!, ip6: `fd00::${node}:${port}`, linkLocal: linkLocalOf(mac) },
  })
  const wish = (pod: Pod) => {
    const { ip4, ip6 } = machineOf(pod)
    const at = { network: 'red', dpid: mesh.node(pod.node).dpid, port: pod.port }
    return { ...at, mac: pod.mac, ips: [`${ip4}/8`, `${ip6}/64`] }
  }
  const level = async (guard: 'learn' | 'mac' | 'strict') => {
    await stage.ask(draft => putNetwork(draft, 'red', { guard, broadcastLimit: 'off' }))
    await stage.programmed('red')
  }
  await stage.ask(draft => putNetwork(draft, 'red', { guard: 'strict', broadcastLimit: 'off' }))
  for (const pod of all) await stage.attach(wish(pod))
  await stage.programmed('red')

  /** Who gets these frames of a pod, as they are. */
  const heard = async (from: Pod, sent: readonly Buffer[]): Promise<string[][]> => {
    const received: Received[] = []
    const release = await frames.capture(all, each => void received.push(each))
    for (const frame of sent) await frames.send(from, frame)
    await sleep(300)
    await release()
    return sent.map(frame =>
      received.flatMap(({ pod, frame: got }) => (got.subarray(0, frame.length).equals(frame) ? [pod] : [])).sort(),
    )
  }
  const others = (from: Pod) => all.flatMap(pod => (pod === from ? [] : [pod.name])).sort()
  /** Frames that the entries of its guard have dropped. */
  const dropped = async ({ node, port }: Pod): Promise<number> => {
    const flows = (await mesh.node(node).dumpFlows()).filter(
      flow => flow.includes('table=1,') && flow.includes(`in_port=${port},`) && flow.includes('actions=drop'),
    )
    const spoofed = (await mesh.node(node).dumpFlows()).filter(
      flow => flow.includes('table=1,') && / priority=5,.*in_port=\d+ /.test(flow) && flow.includes(`in_port=${port} `),
    )
    return [...new Set([...flows, ...spoofed])].reduce(
      (sum, flow) => sum + Number(/n_packets=(\d+)/.exec(flow)?.[1]),
      0,
    )
  }
  const strip = (frames: readonly (readonly string[])[]) =>
    frames.map(names => names.filter(name => !speaking.some(pod => pod.name === name)))

  t.test('what a machine says as itself is heard by all, once', async t => {
    const passing = legitimate(machineOf(a), machineOf(b))
    const heardBy = await heard(a, Object.values(passing))
    for (const [i, what] of Object.keys(passing).entries()) t.same(heardBy[i], others(a), what)
  })

  t.test('what it says as somebody else is heard by nobody, and counted', async t => {
    const before = await dropped(a)
    const lies = forged(machineOf(a), machineOf(b))
    const heardBy = await heard(a, Object.values(lies))
    for (const [i, what] of Object.keys(lies).entries()) t.same(heardBy[i], [], what)
    // One with a tag is dropped by the switch's own entry.
    const expected = before + Object.keys(lies).length - 1
    await until('each is counted', async () => (await dropped(a)) === expected, { why: () => `, expected ${expected}` })
  })

  t.test('machines reach each other by IPv4 and IPv6, over ARP and neighbour discovery', async () => {
    const [x, y] = speaking as [Pod, Pod]
    for (const [from, to] of [
      [x, y],
      [y, x],
    ] as const)
      for (const address of [machineOf(to).ip4, machineOf(to).ip6])
        await mesh.exec(from, 'ping', '-q', '-c', '3', '-i', '0.05', '-w', '10', address)
  })

  t.test('a kernel that looks for duplicates of its address finds none', async t => {
    const [x] = speaking as [Pod]
    const { ip6 } = machineOf(x)
    await mesh.exec(
      x,
      'sh',
      '-c',
      `ip addr del ${ip6}/64 dev eth0; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip addr add ${ip6}/64 dev eth0`,
    )
    const shown = async () => await mesh.exec(x, 'ip', '-6', 'addr', 'show', 'dev', 'eth0')
    await until('it is settled', async () => !(await shown()).includes('tentative'))
    t.notMatch(await shown(), 'dadfailed')
  })

  t.test('the switch answers for a machine that says nothing, with its MAC, and asks nobody', async t => {
    const [me, near, far] = [a, b, c].map(machineOf) as [Machine, Machine, Machine]
    for (const owner of [near, far]) {
      const received: Received[] = []
      const release = await frames.capture(all, each => void received.push(each))
      await frames.send(a, says.arp(me, owner.ip4))
      await frames.send(a, says.solicit(me, owner.ip6))
      const mine = () => received.filter(({ pod }) => pod === a.name).map(({ frame }) => frame)
      await until('both are answered', () => mine().length >= 2)
      await sleep(100)
      await release()
      const reply = { op: 2, sha: owner.mac, spa: owner.ip4, tha: me.mac, tpa: me.ip4 } as const
      const l2 = { dst: me.mac, src: owner.mac }
      const expected = [
        arp(l2, reply),
        ipv6(l2, { src: owner.ip6, dst: me.ip6 }, neighbour('advert', owner.ip6, [2, owner.mac])),
      ]
      for (const frame of expected) t.equal(mine().filter(got => got.subarray(0, frame.length).equals(frame)).length, 1)
      t.same(
        strip([received.flatMap(({ pod }) => (pod === a.name ? [] : [pod]))]),
        [[]],
        'nobody else hears the question',
      )
    }
  })

  t.test('what asks one machine is for that machine', async t => {
    const [me, near] = [a, b].map(machineOf) as [Machine, Machine]
    const asks = [says.arp(me, near.ip4, { dst: near.mac }), says.solicit(me, near.ip6, { to: near.mac })]
    t.same(await heard(a, asks), [[b.name], [b.name]])
  })

  t.test('a frame for nobody is dropped', async t => {
    t.same(await heard(a, [says.ipv4(machineOf(a), { to: '02:99:00:00:00:01' })]), [[]])
  })

  t.test('from level to level no frame is lost', async t => {
    // IPv4, so that every level lets it through.
    const [me, far] = [a, c].map(machineOf) as [Machine, Machine]
    const numbered = (counted: Probe) =>
      udp(
        { dst: far.mac, src: me.mac },
        { src: me.ip4, dst: far.ip4, sourcePort: 5000, targetPort: 5000, payload: probePayload(counted) },
      )
    const stream = await frames.stream(a, numbered, { pps: 1000, seconds: 30 })
    for (const guard of ['mac', 'learn', 'strict', 'learn', 'mac', 'strict'] as const) {
      await level(guard)
      await sleep(200)
    }
    await stream.stop()
    t.match((await stream.finish()).at(c), { lost: 0, duplicated: 0 })
  })
}
