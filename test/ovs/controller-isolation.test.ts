// Three nodes, two networks: what is inside gets through, once; nothing else does, whatever a pod sends.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { broadcast, ethernet, ethertypes, type Probe, probe, type Tag } from '../../lab/frame.ts'
import type { Received } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { setMirror } from '../../store/desired.ts'
import { probeFrame } from '../../topology/lldp.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, makeStage } from './stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 3, podsPerNode: 3 })
  const { mesh, frames } = stage
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port)
  const [red, blue, nobody] = [on(1), on(2), on(3)]
  const [r1, r2] = [red[0]!, red[1]!]
  await stage.join('red', red)
  await stage.join('blue', blue, 'learn')

  /** Sends frames from a pod; answers who received which of them, and its own untagged probe at the end as proof that it could. */
  const sends = async (t: Test, from: Pod, sent: readonly Buffer[]): Promise<Received[]> => {
    const received: Received[] = []
    const release = await frames.capture(pods, each => void received.push(each), { probes: true })
    const before = await looked(from)
    // No faster than a switch in user space reads them.
    for (let i = 0; i < sent.length; i += 64) {
      await Promise.all(sent.slice(i, i + 64).map(frame => frames.send(from, frame)))
      await sleep(10)
    }
    await until('its switch has looked at each', async () => (await looked(from)) >= before + sent.length)
    t.strictSame((await hearing(stage, pods))[from.name], apart(pods, red, blue, nobody.slice(0, 1))[from.name])
    await release()
    return received.filter(({ frame }) => frame.includes(mark))
  }
  /** Frames that the pod's switch has looked at. Open vSwitch brings the figure up to date now and then. */
  const looked = async (pod: Pod) => {
    const flows = (await mesh.node(pod.node).dumpFlows()).filter(flow => flow.includes('table=0'))
    return flows.reduce((sum, flow) => sum + Number(/n_packets=(\d+)/.exec(flow)?.[1]), 0)
  }
  const mark = Buffer.from('not a plain probe')
  const tagged = (from: Pod, tags: readonly (number | Tag)[]): Buffer =>
    ethernet({ dst: broadcast, src: from.mac, tags }, ethertypes.experimental, mark)

  t.test('every pair inside a network pings, over every node', async () => {
    const pairs = [red, blue].flatMap(group => group.flatMap(a => group.map(b => [a, b] as const)))
    await Promise.all(pairs.filter(([a, b]) => a !== b).map(([a, b]) => stage.ping(a, b)))
  })

  t.test('a broadcast reaches each member of its network once, and nobody else', async t => {
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('what is addressed to one reaches that one, and no other', async t => {
    const { times, strays } = await frames.reach(red, { kind: 'unicast' })
    for (const a of red) for (const b of red) if (a !== b) t.equal(times(a, b), 1)
    t.strictSame(strays, [], 'from the first frame on, as the addresses were given')
    const all = await frames.reach(pods, { kind: 'unicast' })
    const crossed = pods.flatMap(a => pods.filter(b => all.times(a, b) > 0 && a.port !== b.port))
    t.strictSame(crossed, [], 'also for who knows the address of a pod in another network')
    t.strictSame(
      all.strays.filter(({ from, at }) => from.slice(-2) !== at.slice(-2)),
      [],
    )
  })

  t.test('whoever has a pinned address speaks with no other', async t => {
    const spoofed = (mac: string) => (_from: unknown, _to: unknown, counted: Probe) =>
      probe({ dst: broadcast, src: mac }, counted)
    for (const mac of [r2.mac, blue[0]!.mac, '02:99:99:99:99:99', '00:00:00:00:00:00', '03:00:00:00:00:01']) {
      const { times } = await frames.reach([r1, ...pods.filter(pod => pod !== r1)], { frame: spoofed(mac) })
      for (const at of pods) t.equal(times(r1, at), 0, `${mac} does not reach ${at.name}`)
    }
    const { times } = await frames.reach(red, { kind: 'unicast' })
    t.equal(times(red[2]!, r2), 1, 'whose address it was still has its frames')
  })

  t.test('a frame with a VLAN tag goes nowhere, whatever the tag', async t => {
    const tags = Array.from({ length: 4095 }, (_, index) => index + 1)
    t.strictSame(
      await sends(
        t,
        r1,
        tags.map(tag => tagged(r1, [tag])),
      ),
      [],
      '802.1Q, 1 to 4095',
    )
    const numbers = [...stage.store.state().networks.values()].map(({ number }) => number & 0xfff)
    const outer = [...numbers, 1, 4094].map(vid => ({ vid, tpid: 0x88a8 }))
    const double = [
      ...outer.flatMap(tag => [[tag], [tag, 0], [tag, 1], [tag, ...numbers]]),
      ...[0, 1, ...numbers].flatMap(vid => [
        [0, vid],
        [vid, vid],
        [0, 0, vid],
        [0, { vid, tpid: 0x88a8 }],
        [{ vid: 0, tpid: 0x88a8 }, vid],
      ]),
    ]
    const nested = double.map(all => tagged(r1, all))
    t.strictSame(await sends(t, r1, nested), [], 'and two or three, also behind a priority tag')
    t.strictSame(
      await sends(
        t,
        nobody[0]!,
        tags.slice(0, 100).map(tag => tagged(nobody[0]!, [tag])),
      ),
      [],
    )
  })

  t.test('a priority tag counts as none: the frame arrives without it', async t => {
    const received = await sends(t, r1, [tagged(r1, [{ vid: 0, priority: 5 }])])
    t.strictSame(received.map(({ pod }) => pod).sort(), [red[1]!.name, red[2]!.name])
    for (const { frame } of received) t.equal(frame.readUInt16BE(12), ethertypes.experimental)
  })

  t.test('what pods send to bridges and neighbours reaches nobody and makes no link', async t => {
    const linksNow = () => stage.controller.links().map(({ from, to, origin, state }) => ({ from, to, origin, state }))
    const links = linksNow()
    const reserved = Array.from({ length: 16 }, (_, i) => `01:80:c2:00:00:${i.toString(16).padStart(2, '0')}`)
    for (const from of [r1, blue[0]!, nobody[0]!]) {
      const bridges = reserved.flatMap(dst => [
        ethernet({ dst, src: from.mac }, ethertypes.lldp, mark),
        ethernet({ dst, src: from.mac }, mark.length, mark),
        ethernet({ dst, src: from.mac }, 0x8809, mark),
        ethernet({ dst, src: from.mac }, 0x8808, mark),
      ])
      const claimed = { dpid: mesh.node(2).dpid, port: 1 }
      const forged = probeFrame(
        Buffer.alloc(32),
        { from: claimed, sequence: 2 ** 40, sentAt: 2 ** 40, mtu: 0 },
        from.mac,
      )
      t.strictSame(await sends(t, from, [...bridges, forged]), [])
    }
    t.strictSame(linksNow(), links)
    t.equal(stage.controller.links().length, 6)
    t.ok(stage.controller.links().every(({ state }) => state === 'up'))
  })

  t.test('a mirror on another node gets one copy of what each member sends, and members notice nothing', async t => {
    const tap = nobody[2]!
    await stage.ask(draft => setMirror(draft, 'red', { dpid: mesh.node(3).dpid, port: tap.port }))
    await stage.programmed('red')
    const heard = await hearing(stage, pods)
    const plain = apart(pods, red, blue)
    for (const from of red) t.strictSame(heard[from.name], { ...plain[from.name], [tap.name]: 1 })
    for (const from of [...blue, ...nobody]) t.strictSame(heard[from.name], plain[from.name])
    const { times, strays } = await frames.reach([...red, tap], { kind: 'unicast' })
    for (const a of red) for (const b of red) if (a !== b) t.equal(times(a, b), 1)
    const packetIns = strays.filter(({ to, at }) => to !== tap.name && at === tap.name)
    t.equal(packetIns.length, 6, 'and what is addressed to one')
    t.ok(packetIns.every(copy => copy.times === 1))
    await stage.ask(draft => setMirror(draft, 'red', null))
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), plain)
  })
}
