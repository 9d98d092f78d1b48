// Multicast on real switches: kernels join and leave by IGMP and MLD, and what counts is who gets which datagram, how often.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { probePayload, udp } from '../../lab/frame.ts'
import type { Stream } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { putNetwork } from '../../store/desired.ts'
import { macOfGroup, report as reportOf, v2Query } from '../controller/hosts.ts'
import { changesSent, until } from '../controller/watching.ts'
import { ages, makeStage, type Stage, touched } from '../ovs/stage.ts'

const four = '239.1.2.3'
const six = 'ff1e::42'
const meshes = {
  'a full mesh': { nodes: 2, links: 'full' },
  'a line': {
    nodes: 3,
    links: [
      [1, 2],
      [2, 3],
    ],
  },
} as const

type World = {
  readonly stage: Stage
  readonly pods: readonly Pod[]
  /** Datagrams to a group, numbered. */
  stream(from: Pod, group: string, how: { pps: number; seconds: number }): Promise<Stream>
  /** Who gets a datagram to this group, how often, of those that get any. */
  gets(from: Pod, group: string): Promise<Record<string, number>>
  snoop(multicast: 'snoop' | 'flood'): Promise<void>
  /** Every port was asked, and what it said is in the switches. */
  settled(): Promise<void>
  known(pod: Pod, group: string): Promise<void>
}

/** Two pods on the first and on the last node, one that is in no network, and on a line a node between that has no member. */
async function makeWorld(t: Test, { nodes, links }: (typeof meshes)[keyof typeof meshes]): Promise<World> {
  const stage = await makeStage(t, { nodes, links })
  const pods: Pod[] = []
  for (const node of [1, nodes])
    for (const port of [1, 2, 3])
      pods.push(await stage.addPod(node, { port, ips: [`10.0.${node}.${port}/8`, `fd00::${node}:${port}/64`] }))
  const members = pods.filter(({ port }) => port !== 3)
  await stage.join('red', [members[0]!, members[2]!])
  await stage.join('red', [members[1]!, members[3]!], 'learn')
  const datagram = (from: Pod, group: string, counted: { stream: number; sequence: number }) => {
    const src = from.ips.find(ip => ip.includes(':') === group.includes(':'))!.split('/')[0]!
    const ports = { sourcePort: 5000, targetPort: 5000 }
    return udp({ dst: macOfGroup(group), src: from.mac }, { src, dst: group, ...ports, payload: probePayload(counted) })
  }
  const view = () => stage.controller.multicast('red')?.ports ?? []
  return {
    stage,
    pods,
    stream: (from, group, how) => stage.frames.stream(from, counted => datagram(from, group, counted), how),
    async gets(from, group) {
      const { times } = await stage.frames.reach([from, ...pods.filter(pod => pod !== from)], {
        frame: (sender, _, counted) =>
          sender === from ? datagram(from, group, counted) : datagram(sender as Pod, '224.0.0.9', counted),
      })
      return Object.fromEntries(pods.flatMap(at => (times(from, at) > 0 ? [[at.name, times(from, at)]] : [])))
    },
    async snoop(multicast) {
      await stage.ask(draft => putNetwork(draft, 'red', { multicast }))
      await stage.programmed('red')
    },
    async settled() {
      await until('every port was asked', () => {
        const snoops = stage.controller.multicast('red') !== undefined
        return snoops && view().every(({ gets }) => gets !== 'unsettled')
      })
      await sleep(300)
    },
    async known(pod, group) {
      const { dpid } = stage.mesh.node(pod.node)
      await until('it is known', () =>
        view().some(at => at.dpid === dpid && at.port === pod.port && at.groups.includes(group)),
      )
      await sleep(300)
    },
  }
}

if (needs(t))
  for (const [name, mesh] of Object.entries(meshes))
    t.test(name, async t => {
      const world = await makeWorld(t, mesh)
      const { stage, pods, gets, stream } = world
      const { frames } = stage
      const [a, b, outsider, c, d] = pods as Pod[] as [Pod, Pod, Pod, Pod, Pod]
      const all = (...of: Pod[]) => Object.fromEntries(of.map(pod => [pod.name, 1]))
      const finish = async (t: Test, running: Stream, members: readonly Pod[], others: readonly Pod[]) => {
        const counts = await running.finish()
        for (const at of members) {
          const { lost, duplicated, overflow } = counts.at(at)
          t.strictSame({ lost: lost - overflow, duplicated }, { lost: 0, duplicated: 0 }, `${at.name} gets each once`)
        }
        for (const at of others) t.equal(counts.at(at).received, 0, `nothing reaches ${at.name}`)
      }

      t.test('without being told otherwise, every member gets all multicast, once', async t => {
        for (const group of [four, six]) {
          t.strictSame(await gets(a, group), all(b, c, d))
          t.strictSame(await gets(d, group), all(a, b, c))
        }
      })

      t.test('switched on under a stream, members lose nothing, and others get nothing more', async t => {
        await frames.join(b, four)
        await frames.join(c, four)
        await frames.join(c, six)
        const running = await stream(a, four, { pps: 200, seconds: 8 })
        const other = await stream(d, six, { pps: 200, seconds: 8 })
        await world.snoop('snoop')
        await world.settled()
        for (const from of [a, d]) {
          t.strictSame(await gets(from, four), all(b, c))
          t.strictSame(await gets(from, six), all(c))
          t.strictSame(await gets(from, '239.9.9.9'), {}, 'nobody joined this one')
          t.strictSame(await gets(from, 'ff3e::9'), {})
          const rest = [a, b, c, d].filter(pod => pod !== from)
          t.strictSame(await gets(from, '224.0.0.251'), all(...rest), 'a group of the link is everybody’s')
          t.strictSame(await gets(from, 'ff02::fb'), all(...rest))
        }
        await finish(t, running, [b, c], [outsider])
        await finish(t, other, [c], [outsider])
      })

      t.test('who joins gets it, who leaves gets it no more, and others notice nothing', async t => {
        const running = await stream(a, four, { pps: 200, seconds: 7 })
        await frames.join(d, four)
        await world.known(d, four)
        t.strictSame(await gets(a, four), all(b, c, d))
        await frames.leave(b, four)
        const left = performance.now()
        await until('it is gone', async () => !(b.name in (await gets(a, four))), { ms: 6000 })
        t.comment(`left after ${Math.round(performance.now() - left)} ms`)
        t.strictSame(await gets(a, four), all(c, d))
        await finish(t, running, [c], [outsider])
      })

      t.test('hosts of IGMPv1, IGMPv2 and MLDv1 are understood too', async t => {
        for (const version of [1, 2]) {
          const group = `239.2.2.${version}`
          const force = `echo ${version} >/proc/sys/net/ipv4/conf/eth0/force_igmp_version; echo 1 >/proc/sys/net/ipv6/conf/eth0/force_mld_version`
          await stage.mesh.exec(b, 'sh', '-c', force)
          await frames.join(b, group)
          await frames.join(b, `ff1e::${version}`)
          await world.known(b, group)
          await world.known(b, `ff1e::${version}`)
          t.strictSame(await gets(d, group), all(b))
          t.strictSame(await gets(d, `ff1e::${version}`), all(b))
          await frames.leave(b, `ff1e::${version}`)
          await until('it is gone', async () => Object.keys(await gets(d, `ff1e::${version}`)).length === 0)
        }
      })

      t.test('controllers come and go under a stream: no frame lost, no flow touched, nothing sent', async t => {
        const running = await stream(a, four, { pps: 200, seconds: 9 })
        const other = await stream(b, six, { pps: 200, seconds: 9 })
        const before = await ages(stage.mesh)
        for (let round = 0; round < 2; round++) {
          await stage.stop()
          await sleep(300)
          await stage.start()
          t.equal(changesSent(stage.counts), 0)
          await sleep(1000)
          t.strictSame(await gets(b, four), all(c, d))
        }
        t.strictSame(touched(before, await ages(stage.mesh)), [])
        await finish(t, running, [c, d], [b, outsider])
        await finish(t, other, [c], [a, d, outsider])
      })

      t.test('whoever joined while no controller ran gets it soon after the next one started', async t => {
        await stage.stop()
        await frames.join(a, '239.5.5.5')
        await sleep(500)
        t.strictSame(await gets(d, '239.5.5.5'), {})
        await stage.start()
        await world.known(a, '239.5.5.5')
        t.strictSame(await gets(d, '239.5.5.5'), all(a))
      })

      t.test('a switch that lost its flows has them again, and who joined gets it again', async t => {
        await stage.mesh.node(mesh.nodes).restart({ kill: true })
        await until('who joined gets it', async () => (await gets(a, four))[d.name] === 1, { ms: 10_000 })
        t.strictSame(await gets(a, four), all(c, d))
        t.strictSame(await gets(a, six), all(c))
      })

      t.test('a port where a router asks gets everything', async t => {
        await frames.send(
          d,
          Buffer.from(
            v2Query(1, 1).map((byte, i) => (i >= 6 && i < 12 ? Number.parseInt(d.mac.split(':')[i - 6]!, 16) : byte)),
          ),
        )
        await until('it is known', () => stage.controller.multicast('red')!.ports.some(({ gets }) => gets === 'router'))
        await sleep(300)
        t.strictSame(await gets(a, '239.9.9.9'), all(d))
        t.strictSame(await gets(a, four), all(c, d))
      })

      t.test('switched off under a stream, members lose nothing, and all get all again', async t => {
        const running = await stream(a, four, { pps: 200, seconds: 3 })
        await sleep(500)
        await world.snoop('flood')
        t.strictSame(await gets(a, '239.9.9.9'), all(b, c, d))
        await finish(t, running, [c, d], [outsider])
      })
    })

/** Pods of one switch that speak with a tag, and one that floods. */
async function ofOneSwitch(t: Test): Promise<void> {
  const stage = await makeStage(t, { nodes: 1 })
  const { frames, mesh } = stage
  const pods: Pod[] = []
  for (const port of [1, 2, 3, 4]) pods.push(await stage.addPod(1, { port, ips: [`10.0.1.${port}/8`] }))
  const [loud, quiet, tagged, tester] = pods as [Pod, Pod, Pod, Pod]
  const { dpid } = mesh.node(1)
  await stage.ask(draft => putNetwork(draft, 'red', { multicast: 'snoop' }))
  await stage.join('red', [loud, quiet])
  await stage.join('red', [tester], 'learn')
  for (const [name, vlan] of Object.entries({ red: 7, green: 8 })) {
    await stage.ask(draft => putNetwork(draft, name))
    await stage.attach({ network: name, dpid, port: tagged.port, vlan })
    await stage.programmed(name)
  }
  // Not every kernel has VLAN devices: this host is made of frames, and answers what it is asked by its tag.
  const joined = new Set<string>()
  const say = (kind: number, groups: Iterable<string>) => {
    const frame = reportOf(
      1,
      tagged.port,
      [...groups].map(group => ({ kind, group })),
    )
    Buffer.from(tagged.mac.replaceAll(':', ''), 'hex').copy(frame, 6)
    const tag = Buffer.from([0x81, 0, 0, 7])
    return frames.send(tagged, Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]))
  }
  const stop = await frames.capture([tagged], async ({ frame }) => {
    const isQuery = frame.readUInt32BE(12) === 0x81000007 && frame.readUInt16BE(16) === 0x0800 && frame[42] === 0x11
    if (isQuery && joined.size > 0) await say(2, joined)
  })
  t.teardown(stop)
  const gets = async (group: string) => {
    const { times } = await frames.reach([tester, quiet, tagged], {
      frame: (from, _, counted) => {
        const header = { dst: macOfGroup(from === tester ? group : '224.0.0.9'), src: from.mac }
        const ip = { src: '10.0.1.4', dst: from === tester ? group : '224.0.0.9' }
        return udp(header, { ...ip, sourcePort: 5000, targetPort: 5000, payload: probePayload(counted) })
      },
    })
    return [times(tester, quiet), times(tester, tagged)]
  }
  const settled = () =>
    until('every port was asked', () =>
      stage.controller.multicast('red')!.ports.every(({ gets }) => gets !== 'unsettled'),
    )

  await t.test('a port that is in a network by its tag joins, is asked and leaves by that tag', async t => {
    await settled()
    await sleep(300)
    t.strictSame(await gets(four), [0, 0])
    joined.add(four)
    await say(4, [four])
    await until('it gets it', async () => (await gets(four))[1] === 1)
    t.strictSame(await gets(four), [0, 1])
    // It says nothing by itself this time: only the answer to our query tells.
    await stage.stop()
    joined.add('239.5.5.5')
    await stage.start()
    await until('it was asked', async () => (await gets('239.5.5.5'))[1] === 1)
    joined.delete(four)
    await say(3, [four])
    await until('it is gone', async () => (await gets(four))[1] === 0)
  })

  await t.test('a pod that floods us with reports harms nobody else, and gets what it asked for', async t => {
    const records = Array.from({ length: 150 }, (_, i) => ({ kind: 4, group: `239.8.${i >> 8}.${i & 255}` }))
    const report = (from: Pod) => {
      const frame = Buffer.from(reportOf(1, 1, records))
      Buffer.from(from.mac.replaceAll(':', ''), 'hex').copy(frame, 6)
      return frame
    }
    const before = stage.counts.packetIns
    const began = performance.now()
    const flooding = frames.send(loud, report(loud), { count: 20_000, pps: 4000 })
    await frames.join(quiet, '239.6.6.6')
    await until('the quiet one gets what it joined', async () => (await gets('239.6.6.6'))[0] === 1)
    await flooding
    const seconds = (performance.now() - began) / 1000
    const copies = stage.counts.packetIns - before
    t.ok(copies < 200 + 150 * seconds, `${copies} copies in ${seconds.toFixed(1)} s`)
    const port = stage.controller.multicast('red')!.ports.find(({ port }) => port === loud.port)
    t.match(port, { gets: 'crowded' })
    t.equal(port?.groups.length, 128)
    t.strictSame(await gets('239.9.9.9'), [0, 0])
  })
}
if (needs(t)) t.test('tags, and a flood of reports', ofOneSwitch)
