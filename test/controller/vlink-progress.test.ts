// How a vlink stands, as a running controller says it and as frames find it: programmed, pending or degraded, and why.
import t from 'tap'
import { vlinkView } from '../../controller/vlink-status.ts'
import { deleteNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { putVlink, type VlinkSpec } from '../../store/vlinks.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { plainHardware } from '../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'
import { changesSent } from './watching.ts'

t.setTimeout(120_000)

const end = (n: number, port: number) => ({ dpid: dpidOf(n), port })
const spec = (more: Partial<VlinkSpec> = {}): VlinkSpec => ({
  ...{ from: end(1, 1), to: end(3, 1), path: [1, 2, 3].map(dpidOf) },
  ...more,
})
const put = async (world: Peers, more: Partial<VlinkSpec> = {}) => {
  const { network } = await world.ask(draft => putVlink(draft, 'l', spec(more)))
  return world.controller.settled('l', network.revision, 5000)
}
/** Where a broadcast of this port comes out, and over which switches. */
const vlinkPath = (world: Peers, n: number, port: number): string[] =>
  world
    .send(n, port, ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46)))
    .arrivals.map(({ at, path }) => `${[...path.map(p => Number(p.split('/')[0])), ''].join('-')}${at.split('/')[1]}`)
const becomes = (world: Peers, state: string, reason?: RegExp) =>
  world.until(
    `l is ${state}`,
    () => {
      const now = world.controller.network('l')
      return now?.state === state && (reason === undefined || reason.test(now.reason ?? ''))
    },
    { why: () => `: ${JSON.stringify(world.controller.network('l'))}` },
  )

/** What this is once it has not changed for longer than a path version is drained. */
async function settles(world: Peers, seen: () => string): Promise<string> {
  for (let before = seen(); ; before = seen()) {
    await world.clock.pass(1500)
    if (seen() === before) return before
  }
}

/** Probes that leave switch a for switch b, or b for a, are lost from now on; frames of others are not. */
const silence = (world: Peers, a: number, b: number) => {
  const swallow = (n: number, port: number) => {
    world.peer(n).whim = message =>
      message.type === 'packet_out' && message.actions.some(action => action.type === 'output' && action.port === port)
        ? []
        : undefined
  }
  swallow(a, 100 + b)
  swallow(b, 100 + a)
  return () => {
    for (const n of [a, b]) world.peer(n).whim = () => undefined
  }
}

t.test('it is programmed when all switches of its paths have it, and gone when none has', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  t.match(await put(world, { reversePath: [3, 1].map(dpidOf) }), { state: 'programmed' })
  t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'])
  t.strictSame(vlinkPath(world, 3, 1), ['3-1-1'])
  t.match(world.controller.vlink('l'), { there: { path: [1, 2, 3].map(dpidOf) }, back: { path: [3, 1].map(dpidOf) } })
  const held = () => world.controller.switches().map(sw => sw.flows.actual)
  const before = held()
  await world.ask(draft => deleteNetwork(draft, 'l'))
  t.match(await world.controller.settled('l', world.store.state().revision, 5000), { state: 'programmed' })
  t.strictSame(
    before.map((flows, i) => flows - held()[i]!),
    [2, 1, 2],
  )
  t.strictSame(vlinkPath(world, 1, 1), [])
  t.equal(world.controller.vlink('l'), undefined)
})

t.test('its two ways may cross, and take one link in the same direction', async t => {
  const world = await makePeers(t, { switches: 4 })
  await world.live()
  const paths = { path: [1, 2, 3, 4].map(dpidOf), reversePath: [4, 2, 3, 1].map(dpidOf) }
  t.match(await put(world, { to: end(4, 1), ...paths }), { state: 'programmed' })
  t.strictSame([...vlinkPath(world, 1, 1), ...vlinkPath(world, 4, 1)], ['1-2-3-4-1', '4-2-3-1-1'])
})

t.test('with other ends it leaves the old ones, and nothing of it stays there', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  await put(world)
  const held = () => world.controller.switches().map(sw => sw.flows.actual)
  const before = held()
  t.match(await put(world, { to: end(3, 2) }), { state: 'programmed' })
  t.strictSame([...vlinkPath(world, 1, 1), ...vlinkPath(world, 3, 2)], ['1-2-3-2', '3-2-1-1'])
  t.strictSame(vlinkPath(world, 3, 1), [])
  t.strictSame(held(), before)
})

t.test('a switch, a link or a port that is not there yet makes it pending, and it comes with them', async t => {
  const world = await makePeers(t, { switches: 3 })
  for (const n of [1, 3]) await world.peer(n).connect()
  await world.until('two are there', () => world.controller.switches().length === 2)
  await world.ask(draft => putVlink(draft, 'l', spec({ from: end(1, 9) })))
  await becomes(world, 'pending', /switch 0000000000000002 is not connected/)
  t.notOk(world.controller.linked(dpidOf(1), dpidOf(2)))
  await world.live()
  t.ok(world.controller.linked(dpidOf(1), dpidOf(2)))
  await becomes(world, 'pending', /port 9 of switch 0000000000000001 does not exist/)
  world.peer(1).port(9, true)
  await becomes(world, 'programmed')
  t.strictSame(vlinkPath(world, 1, 9), ['1-2-3-1'])
})

t.test('a link that dies makes it degraded, and is named; its flows stay for when the link is back', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  t.match(await put(world), { state: 'programmed' })
  const mend = silence(world, 1, 2)
  await becomes(
    world,
    'degraded',
    /^the link between switches 0000000000000001 and 0000000000000002 is down: its frames on the way there do not get through/,
  )
  t.strictSame(world.controller.vlink('l'), { there: {}, back: {} })
  t.ok(world.controller.linked(dpidOf(1), dpidOf(2)), 'it is known all the same, so asking for it again is not refused')
  t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'])
  mend()
  await becomes(world, 'programmed')
})

t.test('asked to, it goes round a dead link meanwhile, says so, and goes back', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  t.match(await put(world, { reroute: true }), { state: 'programmed' })
  const mend = silence(world, 2, 3)
  await becomes(
    world,
    'degraded',
    /between switches 0000000000000002 and 0000000000000003 is down: its frames on the way there go over 0000000000000001, 0000000000000003 meanwhile/,
  )
  t.strictSame(vlinkPath(world, 1, 1), ['1-3-1'])
  t.strictSame(vlinkPath(world, 3, 1), ['3-1-1'])
  await world.until('it has come to rest', () => world.controller.vlink('l')?.back.path?.length === 2)
  const held = () => JSON.stringify(world.peers.map(({ sw }) => [...sw.tables.values()].map(({ size }) => size)))
  const rest = await settles(world, held)
  await world.restart()
  await world.until('all are read', () => world.controller.switches().filter(sw => sw.state === 'live').length === 3)
  await becomes(world, 'degraded', /meanwhile/)
  t.equal(changesSent(world.counts), 0, 'a controller that restarts meanwhile changes nothing')
  t.strictSame([...vlinkPath(world, 1, 1), ...vlinkPath(world, 3, 1), held()], ['1-3-1', '3-1-1', rest])
  mend()
  await becomes(world, 'programmed')
  t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'])
  t.strictSame(vlinkPath(world, 3, 1), ['3-2-1-1'])
})

t.test(
  'a controller that is ended while another path is built goes on with it, and no frame is lost meanwhile',
  async t => {
    const world = await makePeers(t, { switches: 3 })
    await world.live()
    await put(world, { bandwidth: 1e9 })
    const seen = new Set<string>()
    const watched = (n: number, tell: () => void) => {
      const whim = world.peer(n).whim
      world.peer(n).whim = message => {
        const answer = whim(message)
        if (['flow_mod', 'bundle_control', 'barrier_request'].includes(message.type)) setImmediate(tell)
        return answer
      }
    }
    const look = () => {
      for (const [n, port] of [
        [1, 1],
        [3, 1],
      ] as const)
        seen.add(`${n}: ${vlinkPath(world, n, port)}`)
    }
    for (const n of [1, 2, 3]) watched(n, look)
    // It can't be confirmed by this one, so nothing enters the other path yet.
    const { whim } = world.peer(3)
    world.peer(3).whim = message => (message.type === 'barrier_request' ? [] : whim(message))
    await world.ask(draft => putVlink(draft, 'l', spec({ path: [1, 3].map(dpidOf), bandwidth: 1e9 })))
    await world.until('it is being built', () => world.store.state().networks.get('l')?.target === 1)
    await world.until('switch 1 has it', () =>
      [...world.peer(1).sw.tables.get(0)!.shapes].some(s => s.priority === 1100 && s.size > 1),
    )
    t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'])
    world.peer(3).whim = whim
    await world.restart()
    await becomes(world, 'programmed')
    t.strictSame([...vlinkPath(world, 1, 1), ...vlinkPath(world, 3, 1)], ['1-3-1', '3-1-1'])
    t.strictSame([...seen].sort(), ['1: 1-2-3-1', '1: 1-3-1', '3: 3-1-1', '3: 3-2-1-1'])
  },
)

t.test('how many meters a switch can hold says nothing of their ids', async t => {
  const world = await makePeers(t, { switches: 3, kind: { ...plainHardware, maxMeter: 8 } })
  await world.live()
  t.match(await put(world, { bandwidth: 1e6 }), { state: 'programmed' })
  t.match(world.controller.vlink('l'), { there: { bandwidth: { limited: true } } })
})

t.test('a switch without meters forwards without a limit, and that is said', async t => {
  const world = await makePeers(t, { switches: 3, kind: { ...plainHardware, maxMeter: 0 } })
  await world.live()
  t.match(await put(world, { bandwidth: 1e6 }), {
    state: 'degraded',
    reason: 'switch 0000000000000001 has no meters, so the bandwidth is not limited there',
  })
  t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'])
  t.match(world.controller.vlink('l'), { there: { bandwidth: { limited: false } } })
  t.match(await put(world), { state: 'programmed' }, 'without the spec there is nothing to be said')
})

t.test('a bandwidth that a port of the way does not have, and a latency that is not measured yet', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  // Ports of these switches are of 10 Gbit/s.
  t.match(await put(world, { bandwidth: 11e9 }), { state: 'programmed' })
  t.match(world.controller.vlink('l'), { there: { bandwidth: { limited: true, slowest: 1e10, met: false } } })
  await put(world, { bandwidth: 9e9, latency: 1e15 })
  t.match(world.controller.vlink('l'), { there: { bandwidth: { met: true } }, back: { bandwidth: { met: true } } })
  await world.until('its links are measured', () => world.controller.vlink('l')?.there.latency?.met === true, {
    ms: 20_000,
  })
  t.match(world.controller.vlink('l'), { there: { latency: { measured: Number } } })
})

t.test('latency is half the round trips of the links, and is known when all of them are', async t => {
  const joint = (a: number, b: number) => ({ from: end(a, 100 + b), to: end(b, 100 + a) })
  const path = [1, 2, 3].map(dpidOf)
  const there = { asked: path, taken: path, links: [joint(1, 2), joint(2, 3)] }
  const back = { asked: path.toReversed(), taken: path.toReversed(), links: [joint(3, 2), joint(2, 1)] }
  const vlink = {
    from: end(1, 1),
    to: end(3, 1),
    path,
    reversePath: back.asked,
    reverseNumber: 2,
    reroute: false,
  }
  const seen = (latency: number, rttMs: (from: string) => number | undefined) =>
    vlinkView({ ...vlink, latency }, { there, back }, new Map(), link => rttMs(link.from.dpid)).there.latency
  t.strictSame(
    seen(2_000_000, () => 2),
    { measured: 2_000_000, met: true },
  )
  t.strictSame(
    seen(1_999_999, () => 2),
    { measured: 2_000_000, met: false },
  )
  t.strictSame(
    seen(1e9, from => (from === dpidOf(2) ? undefined : 2)),
    { met: 'unknown' },
  )
})

t.test(
  'beside the flows of a store that was lost, a vlink takes no port that they use, nor does a network take one of a vlink',
  async t => {
    const world = await makePeers(t, { switches: 3 })
    await world.live()
    await put(world)
    await world.join('red', [1, 2], [3, 2])
    await world.controller.settled('red', 0, 5000)
    await world.restart(openMemory())
    await world.until(
      'all are read',
      () => world.controller.switches().filter(sw => sw.state === 'unadopted').length === 3,
    )
    await world.ask(draft => putVlink(draft, 'new', spec({ from: end(1, 2), to: end(3, 3) })))
    await world.join('blue', [1, 1], [3, 4])
    await world.until('both are seen to', () =>
      ['new', 'blue'].every(id => /another store/.test(world.controller.network(id)?.reason ?? '')),
    )
    t.strictSame(vlinkPath(world, 1, 1), ['1-2-3-1'], 'the old vlink works on')
    t.strictSame(vlinkPath(world, 1, 2), ['1-3-2'], 'and the old network')
    await world.ask(draft => draft.setComplete(true))
    await world.until('the new ones are in force', () =>
      ['new', 'blue'].every(id => world.controller.network(id)?.state === 'programmed'),
    )
    t.strictSame(vlinkPath(world, 1, 2), ['1-2-3-3'])
    // The new store finds links anew: until it knows all, frames may go another way.
    t.match(vlinkPath(world, 1, 1), [/^1-(2-)?3-4$/])
  },
)
