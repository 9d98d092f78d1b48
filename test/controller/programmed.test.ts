// What is said to be programmed, or gone, is so, whoever restarts or comes back in that moment.
import t, { type Test } from 'tap'
import { newCompileQueue } from '../../controller/compile-queue.ts'
import type { Message } from '../../openflow/index.ts'
import { deleteNetwork, detach, putDeclaredLink } from '../../store/desired.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { apply } from '../reference/index.ts'
import { testClock } from './clock.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'

const at = (n: number, port: number) => `${dpidOf(n)}/${port}`
const remove = (world: Peers, id: string) =>
  world.ask(draft => {
    deleteNetwork(draft, id)
    return draft.revision
  })

t.test('a network is not programmed while it is being compiled, even when its compile is cut into slices', async t => {
  const clock = testClock()
  const halfway = Promise.withResolvers<void>()
  let compiles = 0
  const queue = newCompileQueue({
    clock,
    held: () => false,
    remesh: async () => [],
    async compile() {
      compiles++
      await halfway.promise
    },
    compiled() {},
  })
  queue.mark(['red'])
  await clock.until('it is being compiled', () => compiles === 1)
  t.ok(queue.ids.has('red'), 'what was asked for is not yet what is compiled')
  queue.mark(['red'])
  halfway.resolve()
  await clock.until('all is compiled', () => queue.idle())
  t.equal(compiles, 2, 'what is asked for meanwhile is compiled after it')
  t.notOk(queue.ids.has('red'))
})

t.test(
  'while nothing may be compiled all that is marked waits, and is compiled by the first mark after it',
  async t => {
    const clock = testClock()
    const compiled: string[] = []
    let isHeld = true
    const queue = newCompileQueue({
      clock,
      held: () => isHeld,
      remesh: async () => {
        compiled.push('mesh')
        return []
      },
      compile: async id => void compiled.push(id),
      compiled() {},
    })
    queue.mark(['red'])
    queue.markMesh()
    for (let i = 0; i < 5; i++) await clock.pass(200)
    queue.mark(['blue'])
    for (let i = 0; i < 5; i++) await clock.pass(200)
    t.same(compiled, [])
    t.notOk(queue.idle(), 'who waits for it waits')
    isHeld = false
    queue.markMesh()
    await clock.until('all is compiled', () => queue.idle())
    t.same(compiled, ['mesh', 'red', 'blue'])
  },
)

t.test('who asks again after a restart for a network that is gone hears of every switch that may hold it', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  await world.controller.settled('red', 0, 5000)
  world.peer(2).drop()
  await world.until('it is away', () => !world.controller.connected(dpidOf(2)))
  await remove(world, 'red')
  // Another one of its name never was on that switch.
  await world.controller.settled('red', await world.join('red', [1, 2]), 5000)
  await remove(world, 'red')
  const holds = { state: 'pending', reason: new RegExp(`${dpidOf(2)} is not connected`) }
  t.match(await world.controller.settled('red', world.store.state().revision, 100), holds)
  await world.restart(undefined, [world.peer(1)])
  t.match(await world.controller.settled('red', world.store.state().revision, 100), holds, 'after a restart, too')
  await world.peer(2).connect()
  const { revision } = world.store.state()
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  t.equal(world.peer(2).sw.groups.size, 0)
})

t.test('a network that came and went while a switch was read leaves nothing that is waited for', async t => {
  const world = await makePeers(t, { switches: 1 })
  await world.live()
  const held: Message[] = []
  world.peer(1).whim = message => {
    if (message.type !== 'multipart_request' || message.body.type !== 'flow') return undefined
    held.push(message)
    return []
  }
  await world.peer(1).connect()
  await world.until('it is being read', () => held.length > 0)
  await world.join('red', [1, 1])
  await world.clock.pass(200)
  const revision = await remove(world, 'red')
  await world.clock.pass(200)
  world.peer(1).whim = () => undefined
  world.peer(1).say(...held.flatMap(message => apply(world.peer(1).sw, message)))
  t.match(await world.controller.settled('red', revision, 20_000), { state: 'programmed' })
  await world.until('nobody holds it', () => world.store.state().holdings.size === 0)
  await world.until(
    'the switch has all',
    () => world.controller.switch(dpidOf(1))?.programmedRevision === world.store.state().revision,
  )
})

/** Four switches in a ring, 1-2-3-4-1, with network `red` on port 1 of each, and on port 3 of the last. */
async function ring(t: Test): Promise<Peers> {
  const world = await makePeers(t, { switches: 4 })
  for (const n of [1, 2, 3, 4]) world.peer(n).port(100 + ((n + 1) % 4) + 1, false)
  await Promise.all(world.peers.map(peer => peer.connect()))
  await world.until('the ring is known', () => world.store.state().discoveredLinks.size === 8)
  const members = [1, 2, 3, 4].map(n => [n, 1, macOf(n, 1)] as const)
  await world.controller.settled('red', await world.join('red', ...members, [4, 3, macOf(4, 3)]), 60_000)
  return world
}

for (const order of [
  [4, 1, 2, 3],
  [1, 2, 3, 4],
  [3, 4, 2, 1],
] as const)
  t.test(`a port that left just after a restart hears nothing once that is programmed (${order})`, async t => {
    const world = await ring(t)
    await world.restart(undefined, [])
    await world.ask(draft =>
      putDeclaredLink(draft, { from: { dpid: dpidOf(1), port: 102 }, to: { dpid: dpidOf(2), port: 101 }, cost: 100 }),
    )
    const revision = await world.ask(draft => {
      detach(draft, 'red', dpidOf(4), 3)
      return draft.revision
    })
    let said = 0
    const look = async () => {
      await world.clock.pass(10)
      const { state } = await world.controller.settled('red', revision, 0, at(4, 3))
      if (state !== 'programmed') return
      said++
      for (const n of [1, 2, 3, 4]) {
        const frame = ethernet({ dst: broadcast, src: macOf(n, 1) }, 0x88b5, Buffer.alloc(46))
        if (world.send(n, 1, frame).counts.has(at(4, 3))) t.fail(`a frame of ${n} came to it`)
      }
    }
    await look()
    t.equal(said, 0, 'no switch has been told')
    for (const n of order) {
      await world.peer(n).connect()
      for (let i = 0; i < 30; i++) await look()
      // It dies without a word, and is back with what it had.
      world.peer(n).drop()
      await look()
      await world.peer(n).connect()
      for (let i = 0; i < 30; i++) await look()
    }
    t.ok(said > 0, 'it is said in the end')
  })

t.test('a network is not programmed before something has come over each link that it uses', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.controller.settled('red', await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)]), 5000)
  await world.restart(undefined, [])
  // What leaves for the other switch is lost; nobody knows that yet.
  for (const peer of world.peers) peer.whim = message => (message.type === 'packet_out' ? [] : undefined)
  await Promise.all(world.peers.map(peer => peer.connect()))
  const said = new Set<string>()
  await world.until('the links are dead', async () => {
    const { state, reason } = world.controller.network('red')!
    said.add(`${state} ${reason}`)
    return state === 'degraded'
  })
  t.notOk(
    [...said].some(words => words.startsWith('programmed')),
    [...said].join('; '),
  )
  t.ok(
    [...said].some(words => /nothing has come yet over the link from port 10[12]/.test(words)),
    [...said].join('; '),
  )
  for (const peer of world.peers) peer.whim = () => undefined
  await world.until('it is programmed', () => world.controller.network('red')?.state === 'programmed')
})
