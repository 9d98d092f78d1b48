// Changes that come while switches are not connected: frames of who is there go on, and of who is not there too.
import t, { type Test } from 'tap'
import { attach, putDeclaredLink } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import type { Store } from '../../store/store.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { dpidOf, macOf, makePeers, type Peers, type Whim } from './peers.ts'

const numbers = [1, 2, 3, 4]

/** Four switches in a ring, 1-2-3-4-1, with network `red` on port 1 of each. */
async function ring(t: Test, store: Store = openMemory()): Promise<Peers> {
  const world = await makePeers(t, { switches: 4, store })
  for (const n of numbers) world.peer(n).port(100 + ((n + 1) % 4) + 1, false)
  await Promise.all(world.peers.map(peer => peer.connect()))
  await world.until('the ring is known', () => world.store.state().discoveredLinks.size === 8)
  await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)], [3, 1, macOf(3, 1)], [4, 1, macOf(4, 1)])
  await settled(world)
  return world
}
const settled = (world: Peers) =>
  world.until('red is programmed', () => world.controller.network('red')?.state === 'programmed', {
    ms: 60_000,
    why: () => JSON.stringify(world.controller.network('red')),
  })

/** What a broadcast of each member reaches: every other one, once. */
function everybodyHears(t: Test, world: Peers, when: string): void {
  for (const n of numbers) {
    const frame = ethernet({ dst: broadcast, src: macOf(n, 1) }, 0x88b5, Buffer.alloc(46))
    const others = numbers.filter(other => other !== n).map(other => [`${dpidOf(other)}/1`, 1])
    t.strictSame([...world.send(n, 1, frame).counts].sort(), others, `a broadcast of ${n}, ${when}`)
  }
  for (const [from, to] of [
    [1, 2],
    [2, 4],
    [4, 1],
    [3, 1],
  ] as const) {
    const frame = ethernet({ dst: macOf(to, 1), src: macOf(from, 1) }, 0x88b5, Buffer.alloc(46))
    t.strictSame([...world.send(from, 1, frame).counts], [[`${dpidOf(to)}/1`, 1]], `${from} to ${to}, ${when}`)
  }
}
const cost = (world: Peers, a: number, b: number, cost: number) =>
  world.ask(draft =>
    putDeclaredLink(draft, {
      from: { dpid: dpidOf(a), port: 100 + b },
      to: { dpid: dpidOf(b), port: 100 + a },
      cost,
    }),
  )
t.test('a link costs more while switches are away: all goes on as it was, and changes when they are back', async t => {
  const world = await ring(t)
  await world.restart(undefined, [world.peer(1)])
  await world.until('one is live', () => world.controller.switch(dpidOf(1))?.state === 'live')
  await cost(world, 1, 2, 100)
  for (const seconds of [0, 1, 5, 40]) {
    await world.clock.pass(seconds * 1000)
    everybodyHears(t, world, `${seconds} s after a link of absent switches has another cost`)
  }
  t.match(world.controller.network('red')?.state, 'pending')
  for (const n of [2, 3]) {
    await world.peer(n).connect()
    await world.clock.pass(3000)
    everybodyHears(t, world, `${n} is back`)
  }
  await world.peer(4).connect()
  await settled(world)
  everybodyHears(t, world, 'all are back')
})

t.test('a port is attached while others come back late: members hear each other all the time', async t => {
  const world = await ring(t)
  await world.restart(undefined, [world.peer(1)])
  await world.until('one is live', () => world.controller.switch(dpidOf(1))?.state === 'live')
  await world.ask(draft => attach(draft, { network: 'red', dpid: dpidOf(1), port: 2, mac: macOf(1, 2) }))
  for (let i = 0; i < 5; i++) {
    await world.clock.pass(1000)
    for (const n of numbers) {
      const frame = ethernet({ dst: broadcast, src: macOf(n, 1) }, 0x88b5, Buffer.alloc(46))
      const heard = world.send(n, 1, frame).counts
      for (const other of numbers)
        if (other !== n) t.equal(heard.get(`${dpidOf(other)}/1`), 1, `${other} hears ${n} after ${i + 1} s`)
    }
  }
  await Promise.all([2, 3, 4].map(n => world.peer(n).connect()))
  await settled(world)
})

t.test('a switch goes in the middle of a change: nothing is lost, and the change ends when it is back', async t => {
  const world = await ring(t)
  await cost(world, 1, 2, 100)
  await world.clock.pass(20)
  world.peer(3).drop()
  for (const seconds of [1, 4, 10]) {
    await world.clock.pass(seconds * 1000)
    everybodyHears(t, world, `${seconds} s later`)
  }
  await world.peer(3).connect()
  await settled(world)
  everybodyHears(t, world, 'at the end')
})

/** Hears no changes and answers no questions; its frames and probes go on. */
const mute: Whim = ({ type }) =>
  ['flow_mod', 'group_mod', 'bundle_control', 'bundle_add', 'barrier_request', 'multipart_request'].includes(type)
    ? []
    : undefined

/** A link costs more; the third switch is mute from when frames are to enter the new path on, before it is told so. */
async function enteredBut3(world: Peers): Promise<void> {
  const epoch = () => world.store.state().networks.get('red')?.epoch ?? 0
  const before = epoch()
  const stop = world.store.watch(() => {
    if (epoch() !== before) world.peer(3).whim = mute
  })
  await cost(world, 1, 2, 100)
  await world.until('frames enter the new path', () => epoch() !== before)
  stop()
}

t.test('a switch that is not told in time that frames enter another path goes on by the old one', async t => {
  const world = await ring(t)
  await enteredBut3(world)
  for (let second = 1; second <= 12; second++) {
    await world.clock.pass(1000)
    everybodyHears(t, world, `after ${second} s`)
  }
  t.match(world.controller.network('red')?.state, 'pending')
  world.peer(3).whim = () => undefined
  await settled(world)
  everybodyHears(t, world, 'at the end')
})

t.test('so does one that is slow to tell what it holds, when the controller is started in between', async t => {
  const world = await ring(t)
  await enteredBut3(world)
  await world.restart(undefined, [])
  world.peer(3).whim = message =>
    message.type === 'multipart_request' && message.body.type === 'group_desc' ? [] : undefined
  await Promise.all(world.peers.map(peer => peer.connect()))
  for (let second = 1; second <= 15; second++) {
    await world.clock.pass(1000)
    everybodyHears(t, world, `${second} s after all are back`)
  }
  world.peer(3).whim = () => undefined
  await settled(world)
  everybodyHears(t, world, 'at the end')
})

t.test('a link breaks while a switch is away: the others go round it, and the absent one comes in again', async t => {
  const world = await ring(t)
  world.peer(3).drop()
  await world.clock.pass(100)
  world.peer(1).port(102, false)
  await world.clock.pass(5000)
  const frame = ethernet({ dst: broadcast, src: macOf(1, 1) }, 0x88b5, Buffer.alloc(46))
  t.equal(world.send(1, 1, frame).counts.get(`${dpidOf(4)}/1`), 1)
  await world.peer(3).connect()
  await settled(world)
  everybodyHears(t, world, 'at the end')
})

/** Everybody hears everybody, and gets what is sent to its address. */
function isWhole(world: Peers): boolean {
  return numbers.every(n =>
    numbers.every(other => {
      const to = (dst: string) => world.send(n, 1, ethernet({ dst, src: macOf(n, 1) }, 0x88b5, Buffer.alloc(46))).counts
      return other === n || [broadcast, macOf(other, 1)].every(dst => to(dst).get(`${dpidOf(other)}/1`) === 1)
    }),
  )
}
/** A link costs more: frames between these ports enter a path by switch 4. Until the one before is drained, for a second, no third one can be built. */
async function goBy4(world: Peers, one: number, other: number, port: number): Promise<void> {
  await cost(world, 1, 2, 100)
  const passes = (from: number, to: number) => {
    const frame = ethernet({ dst: macOf(to, port), src: macOf(from, port) }, 0x88b5, Buffer.alloc(46))
    const [arrival] = world.send(from, port, frame).arrivals
    return arrival?.path.some(at => at.startsWith(dpidOf(4))) === true
  }
  await world.until('they go by switch 4', () => passes(one, other) && passes(other, one))
}

t.test('a link dies while the path before is drained: it is mended where it stands, and better later', async t => {
  const world = await ring(t)
  await goBy4(world, 1, 2, 1)
  const { epoch } = world.store.state().networks.get('red')!
  world.peer(3).port(104, false)
  await world.until('all hear each other by the dear link', () => isWhole(world))
  t.equal(world.store.state().networks.get('red')?.epoch, epoch, 'frames enter the same path version')
  for (let ms = 0; ms < 4000; ms += 100) {
    await world.clock.pass(100)
    everybodyHears(t, world, `${ms} ms later`)
  }
  await settled(world)
})

t.test('a link dies while a path is drained that leads where frames should go now: they go back to it', async t => {
  const world = await ring(t)
  await world.join('blue', [1, 2, macOf(1, 2)], [3, 2, macOf(3, 2)])
  const hears = (from: number, to: number, dst: string) => {
    const frame = ethernet({ dst, src: macOf(from, 2) }, 0x88b5, Buffer.alloc(46))
    return world.send(from, 2, frame).counts.get(`${dpidOf(to)}/2`) === 1
  }
  const isWhole = () =>
    [broadcast, macOf(3, 2)].every(dst => hears(1, 3, dst)) && [broadcast, macOf(1, 2)].every(dst => hears(3, 1, dst))
  await world.until('blue is whole', isWhole)
  await goBy4(world, 1, 3, 2)
  const before = world.peer(2).received.length
  world.peer(3).port(104, false)
  await world.until('it is whole again', isWhole)
  const removed = world
    .peer(2)
    .received.slice(before)
    .map(message => (message.type === 'bundle_add' ? message.message : message))
    .filter(message => message.type === 'flow_mod' && message.command.startsWith('delete'))
  t.strictSame(removed, [], 'what was drained has stayed')
  for (let ms = 0; ms < 4000; ms += 100) {
    await world.clock.pass(100)
    t.ok(isWhole(), `${ms} ms later`)
  }
  await world.until('blue is programmed', () => world.controller.network('blue')?.state === 'programmed')
})

for (const ms of [0, 20, 100, 500, 1100])
  t.test(
    `started anew ${ms} ms after a change: what was drained is gone from switches, and no audit is waited for`,
    async t => {
      const world = await ring(t)
      await cost(world, 1, 2, 100)
      await world.clock.pass(ms)
      await world.restart()
      const began = world.clock.now()
      await settled(world)
      const isRight = () => world.controller.switches().every(({ flows }) => flows.actual === flows.desired)
      await world.until('all hold what they should, and nothing else', isRight)
      t.ok(world.clock.now() - began < 50_000, 'all is read once a minute')
      everybodyHears(t, world, 'at the end')
    },
  )

t.test('a node dies without a word: its neighbours go round it at once, and it comes in again', async t => {
  const world = await ring(t)
  await world.clock.pass(3000)
  const { sw } = world.peer(3)
  const held = new Map(sw.tables)
  // Its connection stands, and nothing is heard of it; frames that it is sent are lost.
  world.peer(3).whim = () => []
  sw.tables.clear()
  const hears = (from: number) => {
    const frame = ethernet({ dst: broadcast, src: macOf(from, 1) }, 0x88b5, Buffer.alloc(46))
    const counts = world.send(from, 1, frame).counts
    return [1, 2, 4].filter(n => n !== from && counts.get(`${dpidOf(n)}/1`) === 1).length
  }
  await world.until('the others hear each other', () => [1, 2, 4].every(n => hears(n) === 2), { ms: 1500 })
  await world.clock.pass(5000)
  t.ok(
    [1, 2, 4].every(n => hears(n) === 2),
    'and it stays so',
  )
  for (const [id, table] of held) sw.tables.set(id, table)
  world.peer(3).whim = () => undefined
  await world.peer(3).connect()
  await settled(world)
  everybodyHears(t, world, 'at the end')
})
