// Vlinks on real switches: four nodes in a ring and a link across, so that the two ways can differ. What pods receive counts.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { broadcast, probe } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { deleteNetwork } from '../../store/desired.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { putVlink, type VlinkSpec } from '../../store/vlinks.ts'
import { anyFrames } from '../any-frames.ts'
import { startApi } from '../api/harness.ts'
import { changesSent, until } from '../controller/watching.ts'
import {
  ages,
  apart,
  hearing,
  holdings,
  makeStage,
  type Stage,
  streamTo,
  touched,
  withoutCounts,
} from '../ovs/stage.ts'

if (needs(t)) {
  const links = [
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 1],
    [1, 3],
  ] as const
  const stage: Stage = await makeStage(t, { nodes: 4, podsPerNode: 3, links, start: false })
  const { mesh, frames } = stage
  const open = () => openSqlite(join(mesh.directory, 'l2sm.db'))
  await stage.start({ open })
  const pods = mesh.pods()
  const dpid = (node: number) => mesh.node(node).dpid
  const end = (pod: Pod) => ({ dpid: dpid(pod.node), port: pod.port })
  const [a, b] = [stage.pod(1, 1), stage.pod(4, 1)]
  const [near, beside] = [stage.pod(2, 1), stage.pod(2, 2)]
  const spec = (more: Partial<VlinkSpec> = {}): VlinkSpec => ({
    ...{ from: end(a), to: end(b), path: [1, 2, 3, 4].map(dpid), reversePath: [4, 1].map(dpid) },
    ...more,
  })
  const put = async (id: string, wished: VlinkSpec) => {
    await stage.ask(draft => putVlink(draft, id, wished))
    await stage.programmed(id)
  }
  /** Which nodes' switches count frames of this way, by a stream of a hundred. */
  const passedBy = async (from: Pod): Promise<number[]> => {
    const counted = () =>
      Promise.all(
        mesh.nodes.map(async node => {
          const flows = (await node.dumpFlows()).filter(flow => flow.includes('priority=1100'))
          return new Map(flows.map(flow => [withoutCounts(flow), Number(/n_packets=(\d+)/.exec(flow)?.[1])]))
        }),
      )
    const before = await counted()
    await (await streamTo(stage, from, undefined, 0.5, 200)).finish()
    // Open vSwitch brings its figures up to date now and then.
    await sleep(1500)
    const after = await counted()
    const isPassed = (i: number) =>
      [...after[i]!].some(([flow, packets]) => packets - (before[i]!.get(flow) ?? 0) >= 100)
    return mesh.nodes.flatMap((node, i) => (isPassed(i) ? [node.number] : []))
  }

  await stage.join('red', [stage.pod(1, 2), stage.pod(3, 2), stage.pod(4, 2)])
  const red = pods.filter(pod => pod.port === 2 && pod.node !== 2)
  await put('far', spec())

  t.test('any frame gets over three hops and back over one, byte for byte, and to nobody else', async t => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const kinds = anyFrames(from.mac)
      const received: { pod: string; frame: Buffer }[] = []
      const release = await frames.capture(pods, each => void received.push(each), { probes: true })
      for (const frame of kinds.values()) await frames.send(from, frame)
      await until('all have arrived', () => received.filter(({ pod }) => pod === to.name).length >= kinds.size, {
        why: () => `: ${received.length} of ${kinds.size}`,
      })
      await sleep(200)
      await release()
      const names = new Map([...kinds].map(([name, frame]) => [frame.toString('hex'), name]))
      t.strictSame(
        received.map(({ pod, frame }) => `${names.get(frame.toString('hex')) ?? 'something else'} at ${pod}`).sort(),
        [...kinds.keys()].map(name => `${name} at ${to.name}`).sort(),
      )
    }
    t.ok(anyFrames(a.mac).size >= 16)
  })

  t.test('each way goes over the switches that were asked for', async t => {
    t.strictSame(await passedBy(a), [1, 2, 3, 4])
    t.strictSame(await passedBy(b), [1, 4])
  })

  t.test('networks on the same links notice nothing, nor does the vlink of them', async t => {
    t.strictSame(await hearing(stage, pods), apart(pods, red, [a, b]))
    await put('short', spec({ from: end(near), to: end(beside), path: [dpid(2)], reversePath: undefined }))
    await put('cross', { from: end(stage.pod(3, 1)), to: end(stage.pod(1, 3)), path: [3, 4, 1].map(dpid) })
    const cross = [stage.pod(3, 1), stage.pod(1, 3)]
    t.strictSame(await hearing(stage, pods), apart(pods, red, [a, b], [near, beside], cross))
    t.ok(stage.controller.links().every(({ state }) => state === 'up'))
    t.equal(stage.controller.links().length, 2 * links.length, 'what passes a vlink makes no link')
    await stage.ask(draft => deleteNetwork(draft, 'cross'))
    await stage.forgotten('cross')
  })

  t.test('a controller that restarts touches no flow and loses no frame', async t => {
    const there = await streamTo(stage, a, undefined, 4)
    const back = await streamTo(stage, b, undefined, 4)
    const before = await ages(mesh)
    await stage.stop()
    await stage.start({ open })
    t.equal(changesSent(stage.counts), 0, 'nothing is sent')
    for (const id of ['far', 'short', 'red']) t.equal((await stage.settled(id)).state, 'programmed')
    t.strictSame(touched(before, await ages(mesh)), [])
    const [x, y] = [await there.finish(), await back.finish()]
    t.strictSame([x.at(b).lost, x.at(b).duplicated, y.at(a).lost, y.at(a).duplicated], [0, 0, 0, 0])
    t.equal(x.at(stage.pod(3, 2)).received + y.at(near).received, 0)
  })

  t.test('a path that is changed loses no frame, and none comes twice', async t => {
    const there = await streamTo(stage, a, undefined, 4)
    const back = await streamTo(stage, b, undefined, 4)
    await sleep(500)
    await put('far', spec({ path: [1, 3, 4].map(dpid), reversePath: [4, 3, 2, 1].map(dpid) }))
    await sleep(1500)
    const [x, y] = [await there.finish(), await back.finish()]
    t.strictSame([x.at(b).lost, x.at(b).duplicated, y.at(a).lost, y.at(a).duplicated], [0, 0, 0, 0])
    t.strictSame(await passedBy(a), [1, 3, 4])
    t.strictSame(await passedBy(b), [1, 2, 3, 4])
  })

  t.test('a bandwidth is kept to where frames enter, and given back', async t => {
    // 1,000 frames of 1,000 bytes a second are 8 Mbit/s.
    const flood = async () => {
      const large = (stream: Parameters<typeof probe>[1]) => probe({ dst: broadcast, src: a.mac }, stream, 1000)
      return (await (await frames.stream(a, large, { pps: 1000, seconds: 3 })).finish()).at(b)
    }
    await put('far', spec({ bandwidth: 2e6 }))
    const limited = await flood()
    t.ok(limited.received > 500 && limited.received < 1200, `${limited.received} of 3000 came through, 750 fit`)
    t.match(
      (await mesh.node(1).ovs.ofctl('br-l2', 'dump-meters')).replace(/\s+/g, ' '),
      /kbps burst.*rate=2000 burst_size=200/,
    )
    await put('far', spec())
    const free = await flood()
    // A machine that is busy with more than this loses one now and then.
    t.ok(free.lost < 30, `${free.lost} of 3000 are lost`)
    t.notMatch(await mesh.node(1).ovs.ofctl('br-l2', 'dump-meters'), /kbps/)
  })

  t.test(
    'over REST, a path without a link is refused by both families of calls, and one with links is made',
    async t => {
      // The stage's store outlives the API of this test.
      const { call } = await startApi(t, {
        store: { ...stage.store, close: async () => {} },
        controller: stage.controller,
      })
      const [c, d] = [stage.pod(3, 1), stage.pod(4, 3)]
      const onos = (path: number[]) =>
        call('POST', '/onos/vlinks/api', {
          ...{ linkNetworkId: 'wire', fromEndP: `of:${dpid(3)}/${c.port}`, toEndP: `of:${dpid(4)}/${d.port}` },
          path: path.map(node => `of:${dpid(node)}`),
        })
      const missing = new RegExp(`from switch ${dpid(2)} to switch ${dpid(4)}: both are connected`)
      t.match(await onos([3, 2, 4]), { status: 409, body: { detail: missing } })
      const body = { type: 'vlink', from: end(c), to: end(d), path: [3, 2, 4].map(dpid) }
      t.match(await call('PUT', '/v1/networks/wire', body), { status: 409, body: { detail: missing } })
      t.equal((await onos([3, 2, 1, 4])).status, 204)
      await stage.programmed('wire')
      t.strictSame(await hearing(stage, [c, d, a, b]), apart([c, d, a, b], [c, d], [a, b]))
      t.match((await call('GET', '/v1/networks/wire')).body, {
        state: 'programmed',
        back: { path: [4, 1, 2, 3].map(dpid) },
      })
      t.equal((await call('DELETE', '/onos/vlinks/api/wire')).status, 204)
      t.strictSame(await hearing(stage, [c, d, a, b]), apart([c, d, a, b], [a, b]), 'it is gone when that is answered')
    },
  )

  t.test('its latency is what probes measure, and a link that dies is gone round and gone back to', async t => {
    await put('far', spec({ reroute: true, latency: 1e9 }))
    const { controller } = stage
    await until('it is measured', () => controller.vlink('far')?.there.latency?.met === true, { ms: 20_000 })
    for (const { latency = {} } of Object.values(controller.vlink('far') ?? {})) {
      const { measured = -1 } = latency
      t.ok(measured >= 0 && measured < 1e9, `${measured} ns`)
    }

    const state = (wanted: string) =>
      until(`it is ${wanted}`, () => controller.network('far')?.state === wanted, {
        why: () => JSON.stringify(controller.network('far')),
      })
    await mesh.lose(2, 3, 1)
    await state('degraded')
    t.match(
      controller.network('far')?.reason,
      `between switches ${dpid(2)} and ${dpid(3)} is down: its frames on the way there go over ${dpid(1)}, ${dpid(4)} meanwhile`,
    )
    t.strictSame(await passedBy(a), [1, 4])
    t.strictSame(await hearing(stage, pods), apart(pods, red, [a, b], [near, beside]))

    const stream = await streamTo(stage, a, undefined, 6)
    await mesh.lose(2, 3, 0)
    await state('programmed')
    const counts = (await stream.finish()).at(b)
    t.strictSame([counts.lost, counts.duplicated], [0, 0], 'on its way back no frame is lost')
    t.strictSame(await passedBy(a), [1, 2, 3, 4])
  })

  t.test('when it is deleted nothing of it is left, and the ports are free', async t => {
    const reds = (await Promise.all(mesh.nodes.map(holdings))).map(lines =>
      lines.filter(line => !line.includes('priority=1100')),
    )
    for (const id of ['far', 'short']) {
      await stage.ask(draft => deleteNetwork(draft, id))
      await stage.forgotten(id)
    }
    t.strictSame(await Promise.all(mesh.nodes.map(holdings)), reds)
    t.strictSame(await hearing(stage, pods), apart(pods, red))
    await stage.join('red', [a])
    t.strictSame(await hearing(stage, pods), apart(pods, [...red, a]))
    await stage.leave('red', [a])
  })
}
