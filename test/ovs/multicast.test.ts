// Multicast on real switches: kernels join and leave by IGMP and MLD, and what counts is who gets which datagram, how often.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { probePayload, udp } from '../../lab/frame.ts'
import type { Stream } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { putNetwork } from '../../store/desired.ts'
import { macOfGroup, v2Query } from '../controller/hosts.ts'
import { changesSent, until } from '../controller/watching.ts'
import { ages, makeStage, type Stage, touched } from './stage.ts'

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
