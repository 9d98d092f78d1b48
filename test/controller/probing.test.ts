// Links die, flap and come back, on a clock that the test holds.
import t from 'tap'
import { tickMs } from '../../controller/links/discovery.ts'
import { attach, detach, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { linkKey } from '../../topology/topology.ts'
import { dpidOf } from './peers.ts'
import { type Probed, probed } from './probed.ts'

t.setTimeout(120_000)

const always = () => true
const never = () => false
const both = (world: Probed, a: number, b: number) => world.link(a, b).map(linkKey).sort()
/** Milliseconds until something is so, looked at after each tick. */
async function until(world: Probed, condition: () => boolean, mostMs: number): Promise<number> {
  for (const began = world.now(); ; await world.pass(tickMs)) {
    if (condition()) return world.now() - began
    if (world.now() - began > mostMs) throw new Error(`not within ${mostMs} ms`)
  }
}

t.test('a link that falls silent in one direction is dead in that direction within a second', async t => {
  for (let phase = 0; phase < 250; phase += 50) {
    const world = probed({ switches: 3 })
    await world.pass(2000 + phase)
    t.equal(world.store.state().discoveredLinks.size, 6)
    t.strictSame(world.dead(), [])
    world.lose(1, 2, always)
    const ms = await until(world, () => world.dead().length > 0, 1000)
    t.strictSame(world.dead(), [linkKey(world.link(1, 2)[0])], `after ${ms} ms`)
    world.lose(1, 2, never)
    await until(world, () => world.dead().length === 0, 1500)
  }
})

t.test('100 links that fall silent at once are all dead within a second', async t => {
  const world = probed({ switches: 101, links: Array.from({ length: 100 }, (_, i) => [1, i + 2] as const) })
  await world.pass(10_000)
  t.equal(world.store.state().discoveredLinks.size, 200)
  t.strictSame(world.discovery.probing(), {
    carrying: { ports: 0, intervalMs: 250 },
    idle: { ports: 200, intervalMs: 250 },
    unknown: { ports: 0, intervalMs: 5000 },
  })
  for (let n = 2; n <= 101; n++)
    for (const [a, b] of [
      [1, n],
      [n, 1],
    ] as const)
      world.lose(a, b, always)
  world.commits()
  const ms = await until(world, () => world.dead().length === 200, 1200)
  t.ok(ms <= 1000, `${ms} ms`)
  t.ok(world.commits() <= 10, 'and few commits say so')
})

t.test('a link that flaps 100 times a second is written down a few times a minute, and ends right', async t => {
  for (const ends of [true, false]) {
    const world = probed({ switches: 3 })
    await world.pass(3000)
    world.commits()
    const over = world.now() + 60_000
    const flaps = (ms: number) => (ms >= over ? !ends : Math.floor(ms / 5) % 2 === 1)
    world.lose(1, 2, flaps)
    world.lose(2, 1, ms => flaps(ms + 5))
    await world.pass(60_000)
    const commits = world.commits()
    t.ok(commits <= 20, `${commits} commits in a minute`)
    await world.pass(60_000)
    t.strictSame(world.dead(), ends ? [] : both(world, 1, 2))
  }
})

t.test(
  'a port that loses its carrier ends its link at once, and one that flaps 100 times a second keeps it so',
  async t => {
    const world = probed({ switches: 2 })
    await world.pass(3000)
    world.commits()
    for (let i = 0; i < 1000; i++) {
      world.carrier(1, 2, i % 2 === 1)
      await world.pass(i % 2 === 0 ? tickMs : 0)
      if (i === 0) t.strictSame(world.dead(), both(world, 1, 2), 'after one tick')
    }
    t.ok(world.commits() <= 4)
    await world.pass(2000)
    t.strictSame(world.dead(), [])
  },
)

t.test('BFD can say that a link is down; that it is up proves nothing', async t => {
  let says: 'up' | 'down' | undefined = 'up'
  const world = probed({ switches: 2, bfd: ({ from }) => (from.dpid.endsWith('1') ? says : undefined) })
  await world.pass(3000)
  says = 'down'
  await world.pass(2 * tickMs)
  t.strictSame(world.dead(), [linkKey(world.link(1, 2)[0])])
  says = 'up'
  await world.pass(2000)
  t.strictSame(world.dead(), [])
  world.lose(1, 2, always)
  await until(world, () => world.dead().length === 1, 1000)
})

t.test('a switch that hears us no more, or is heard no more, takes none of its links with it', async t => {
  const world = probed({ switches: 3 })
  await world.pass(3000)
  world.mute(2, true)
  await world.pass(14_000)
  t.strictSame(world.dead(), [], 'while its connection stands')
  world.connect(2, false)
  await world.pass(60_000)
  t.strictSame(world.dead(), [], 'and when it has ended')
  world.mute(2, false)
  world.connect(2, true)
  await world.pass(10_000)
  t.strictSame(world.dead(), [], 'and when it is back')
  t.equal(world.discovery.linkStatistics(world.link(1, 2)[0])?.lost, 0, 'nor are these probes lost')
  world.lose(1, 2, always)
  await until(world, () => world.dead().length === 1, 1000)
})

t.test('a controller that was held up for seconds calls nothing dead', async t => {
  const world = probed({ switches: 3 })
  await world.pass(3000)
  for (const n of [1, 2, 3]) world.mute(n, true)
  await world.pass(4000)
  for (const n of [1, 2, 3]) world.mute(n, false)
  await world.pass(3000)
  t.strictSame(world.dead(), [])
})

t.test('probes that we threw away ourselves are no proof', async t => {
  const world = probed({ switches: 2 })
  await world.pass(3000)
  world.lose(1, 2, always)
  const began = world.now()
  while (world.now() - began < 5000) {
    world.drop(2, 1)
    await world.pass(tickMs)
  }
  t.strictSame(world.dead(), [])
  await until(world, () => world.dead().length === 1, 1000)
})

t.test('probes that are sent again and again keep no dead link alive', async t => {
  const world = probed({ switches: 2 })
  await world.pass(2000)
  world.replay(1, 2)
  await world.pass(1000)
  world.lose(1, 2, always)
  await until(world, () => world.dead().length === 1, 1000)
  await world.pass(5000)
  t.strictSame(world.dead(), [linkKey(world.link(1, 2)[0])], 'nor wake it')
})

t.test('a link that died before a restart is dead after it, until probes say otherwise', async t => {
  const first = probed({ switches: 2 })
  await first.pass(3000)
  first.lose(1, 2, always)
  await first.pass(2000)
  t.equal(first.dead().length, 1)
  const { store } = first
  first.discovery.stop()
  const silent = probed({ switches: 2, store })
  silent.lose(1, 2, always)
  await silent.pass(10_000)
  t.strictSame(silent.dead(), [linkKey(silent.link(1, 2)[0])])
  silent.lose(1, 2, never)
  await until(silent, () => silent.dead().length === 0, 2000)
})

t.test('links that carry networks are probed first, and every link is told how often', async t => {
  const isFirst = (dpid: string) => Number.parseInt(dpid, 16) <= 10
  const world = probed({ switches: 24, carries: ({ from, to }) => isFirst(from.dpid) && isFirst(to.dpid) })
  await world.pass(20_000)
  t.equal(world.store.state().discoveredLinks.size, 24 * 23)
  t.strictSame(world.discovery.probing(), {
    carrying: { ports: 90, intervalMs: 250 },
    idle: { ports: 462, intervalMs: 1050 },
    unknown: { ports: 0, intervalMs: 5000 },
  })
  world.probes()
  await world.pass(10_000)
  const probes = world.probes()
  const all = [...probes.values()].reduce((sum, n) => sum + n, 0)
  t.ok(all <= 10_500, `${all} probes in 10 s`)
  const [first] = world.link(1, 2)
  const [other] = world.link(1, 24)
  t.ok(probes.get(linkKey(first))! >= 36, `${probes.get(linkKey(first))} probes over a link that carries networks`)
  t.ok(probes.get(linkKey(other))! >= 8)
  t.equal(world.discovery.linkStatistics(first)?.probeIntervalMs, 250)
  t.equal(Math.round(world.discovery.linkStatistics(other)?.probeIntervalMs ?? 0), 1050)
  world.lose(1, 24, always)
  t.ok((await until(world, () => world.dead().length === 1, 5000)) <= 1050 + 1000)
})

t.test(
  'ports of pods are not asked where they lead, nor counted among those that are, until a link is declared there',
  async t => {
    const world = probed({
      switches: 3,
      links: [
        [1, 2],
        [1, 3],
      ],
    })
    const { store } = world
    const port = { network: 'red', dpid: dpidOf(1), port: 102 }
    await store.write(draft => putNetwork(draft, 'red'))
    await store.write(draft => attach(draft, port))
    await world.pass(3000)
    world.probes()
    await world.pass(10_000)
    const counts = () => {
      const { idle, unknown } = world.discovery.probing()
      return [idle.ports, unknown.ports]
    }
    t.strictSame(counts(), [2, 1], 'but its other end is')
    t.equal(world.probes().get(linkKey(world.link(1, 2)[0])), undefined)
    await store.write(draft => detach(draft, 'red', port.dpid, port.port))
    await world.pass(10_000)
    t.strictSame(counts(), [2, 1], 'a port that was a pod’s is still not believed')
    const [link] = world.link(1, 2)
    await store.write(draft => putDeclaredLink(draft, link))
    await until(world, () => counts()[0] === 4, 10_000)
    t.strictSame(counts(), [4, 0])
  },
)

t.test('loss, round-trip time and MTU are what they are', async t => {
  const world = probed({ switches: 2 })
  world.narrow(1, 2, 1450)
  world.narrow(2, 1, 1400)
  await world.pass(20_000)
  const [there, back] = world.link(1, 2)
  // A probe takes until the next tick here, and an echo no time.
  t.strictSame(world.discovery.linkStatistics(there), {
    rttMs: 2 * tickMs,
    loss: 0,
    lost: 0,
    mtu: 1450,
    probeIntervalMs: 250,
  })
  t.equal(world.discovery.linkStatistics(back)?.mtu, 1400)
  t.strictSame(world.dead(), [], 'a probe that is too large is not a link that is dead')
  let probe = 0
  world.lose(1, 2, () => probe++ % 4 === 0)
  await world.pass(20_000)
  const lossy = world.discovery.linkStatistics(there)!
  t.ok(lossy.loss! > 0.1 && lossy.loss! < 0.4, `${lossy.loss}`)
  t.ok(lossy.lost > 10)
  t.equal(world.discovery.linkStatistics(back)?.loss, 0)
})

t.test('the MTU is measured again when a link comes up', async t => {
  const world = probed({ switches: 2 })
  const [there] = world.link(1, 2)
  await world.pass(20_000)
  t.equal(world.discovery.linkStatistics(there)?.mtu, 1500)
  world.lose(1, 2, always)
  await until(world, () => world.dead().length === 1, 1000)
  world.narrow(1, 2, 1380)
  world.lose(1, 2, never)
  await until(world, () => world.discovery.linkStatistics(there)?.mtu === 1380, 30_000)
  t.strictSame(world.dead(), [])
})
