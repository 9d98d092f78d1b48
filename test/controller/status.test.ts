// What is said of a write: which switch or port is missing, who refused, and since when it is done.
import t from 'tap'
import type { Progress } from '../../controller/view/view.ts'
import { deleteNetwork, detach, setMirror } from '../../store/desired.ts'
import { forgetSwitch } from '../../store/switches.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'

const heardBy = (world: Peers, n: number, port: number) =>
  [...world.send(n, port, ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))).counts].map(
    ([at]) => at,
  )
const at = (n: number, port: number) => `${dpidOf(n)}/${port}`
const unreachable = async (world: Peers, n: number) => {
  world.peer(n).drop()
  await world.until('it is gone', () => world.controller.switch(dpidOf(n))?.state === 'disconnected')
}

t.test('a network is pending while a switch of its members is away, and names it', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.peer(1).connect()
  await world.until('it is live', () => world.controller.ready().ready)
  const revision = await world.join('red', [1, 1], [2, 1])
  const reason = `switch ${dpidOf(2)} is not connected`
  t.strictSame(await lacks(world, revision, reason), { state: 'pending', reason, revision })
  t.match(
    world.controller.attachment(at(1, 1)),
    {
      state: 'programmed',
      unconfirmed: [dpidOf(2)],
      reason: `not connected, so it is not known there yet: ${dpidOf(2)}`,
    },
    'what is there is done all the same, and who does not know of it is named',
  )
  t.match(world.controller.attachment(at(2, 1)), { state: 'pending', reason: `switch ${dpidOf(2)} is not connected` })
  t.strictSame(await world.controller.attachmentCounts(), { pending: 1, programmed: 1, degraded: 0 })
  await world.live()
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed', revision })
  await unreachable(world, 2)
  t.match(world.controller.network('red')?.reason, /0002 is not connected: (closed by the switch|connection lost)/)
})

t.test('an attachment to a port that is not there says which ones are', async t => {
  const world = await makePeers(t, { ports: 3 })
  await world.live()
  const revision = await world.join('red', [1, 1], [1, 7])
  t.match(await lacks(world, revision, 'port 7'), {
    state: 'pending',
    reason: `port 7 of switch ${dpidOf(1)} does not exist: the switch has 1, 2, 3`,
  })
  world.peer(1).port(7, true)
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  t.strictSame(heardBy(world, 1, 7), [at(1, 1)])
  world.peer(1).port(7, false)
  await world.until('it is pending', () => world.controller.network('red')?.state === 'pending')
})

t.test('members that no link joins make a network degraded, not programmed', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.ask(draft => {
    for (const key of [...draft.discoveredLinks.keys()]) draft.deleteDiscoveredLink(key)
    for (const n of [1, 2])
      draft.putAttachment({ network: other(draft), dpid: dpidOf(n), port: n === 1 ? 102 : 101, guard: 'learn' })
    return undefined
  })
  const revision = await world.join('red', [1, 1], [2, 1])
  t.match(await lacks(world, revision, 'no way'), {
    state: 'degraded',
    reason: `no way between switches ${dpidOf(1)} and ${dpidOf(2)} is known, so their members do not reach each other`,
  })
  const told = [...world.store.state().attachments.keys()].map(key => world.controller.attachment(key)?.state)
  const { degraded } = await world.controller.attachmentCounts()
  t.equal(degraded, told.filter(state => state === 'degraded').length, 'what is counted is what is told of each')
})

t.test('a network is not gone while a switch that held it is away, though we have never seen that switch', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  await world.controller.settled('red', 0, 5000)
  const { number } = world.store.state().networks.get('red')!
  await world.restart(undefined, [world.peer(1)])
  const revision = await world.ask(draft => {
    deleteNetwork(draft, 'red')
    return draft.revision
  })
  const reason = `switch ${dpidOf(2)} is not connected, and may hold its flows: if it does not come back, DELETE /v1/switches/${dpidOf(2)}`
  t.strictSame(await lacks(world, revision, 'may hold its flows'), { state: 'pending', reason, revision })
  t.strictSame([...(world.store.state().heldBy.get(number)?.keys() ?? [])], [dpidOf(2)], 'it stands in the store')
  await world.peer(2).connect()
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed', revision })
  await world.until('nobody holds anything', () => world.store.state().holdings.size === 0)
})

t.test('a switch that is forgotten by name is not waited for', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  await world.controller.settled('red', 0, 5000)
  await world.restart(undefined, [world.peer(1)])
  const revision = await world.ask(draft => {
    deleteNetwork(draft, 'red')
    return draft.revision
  })
  await lacks(world, revision, 'may hold its flows')
  t.strictSame(await world.ask(draft => forgetSwitch(draft, dpidOf(2))), { forgotten: true })
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed', revision })
})

t.test('a network that was deleted is gone when no switch holds anything of it', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  await world.controller.settled('red', 0, 5000)
  await unreachable(world, 2)
  const revision = await world.ask(draft => {
    deleteNetwork(draft, 'red')
    return draft.revision
  })
  t.match(await lacks(world, revision, 'held its flows'), {
    state: 'pending',
    reason: `switch ${dpidOf(2)} is not connected, and held its flows when it was`,
  })
  await world.peer(2).connect()
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed', revision })
  t.strictSame(
    world.peers.map(({ sw }) => sw.groups.size),
    [0, 0],
  )
  t.equal(world.controller.network('red'), undefined)
})

t.test('a port has left when its own switch knows it, and all the others that are there', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)], [3, 1])
  await world.controller.settled('red', 0, 5000)
  await unreachable(world, 1)
  const leave = (n: number) =>
    world.ask(draft => {
      detach(draft, 'red', dpidOf(n), 1)
      return draft.revision
    })
  t.match(await world.controller.settled('red', await leave(2), 5000, at(2, 1)), { state: 'programmed' })
  t.match(await lacks(world, await leave(1), `switch ${dpidOf(1)} is not connected`, at(1, 1)), {
    state: 'pending',
  })
  await world.peer(1).connect()
  t.match(await world.controller.settled('red', 0, 5000, at(1, 1)), { state: 'programmed' })
  t.strictSame([heardBy(world, 1, 1), heardBy(world, 2, 1), heardBy(world, 3, 1)], [[], [], []])
})

t.test('a mirror that is away holds up its network, and one that moves leaves nothing behind', async t => {
  const world = await makePeers(t, { switches: 3 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  const mirror = (n: number) =>
    world.ask(draft => {
      setMirror(draft, 'red', { dpid: dpidOf(n), port: 4 })
      return draft.revision
    })
  t.match(await world.controller.settled('red', await mirror(2), 5000), { state: 'programmed' })
  t.strictSame(heardBy(world, 1, 1).sort(), [at(1, 2), at(2, 4)])
  await unreachable(world, 3)
  t.match(await lacks(world, await mirror(3), `switch ${dpidOf(3)} is not connected`), { state: 'pending' })
  await world.peer(3).connect()
  await world.until('it is programmed', () => world.controller.network('red')?.state === 'programmed')
  t.strictSame(heardBy(world, 1, 1).sort(), [at(1, 2), at(3, 4)])
  t.equal(world.peer(2).sw.groups.size, 0)
})

t.test('nothing is said of networks and ports that are not there', async t => {
  const world = await makePeers(t)
  await world.live()
  t.equal(world.controller.network('red'), undefined)
  t.equal(world.controller.attachment(at(1, 1)), undefined)
  t.equal(world.controller.switch(dpidOf(9)), undefined)
  t.equal(world.controller.connected(dpidOf(9)), false)
  t.match(await world.controller.takeover(dpidOf(9), 'test'), { refused: `switch ${dpidOf(9)} is not connected` })
  t.match(await world.controller.settled('red', 0, 100), { state: 'programmed' }, 'what never was is gone')
})

t.test('a switch shows its ports, and how many flows it should hold and does', async t => {
  const world = await makePeers(t, { ports: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2])
  await world.controller.settled('red', 0, 5000)
  const view = world.controller.switch(dpidOf(1))!
  const held = [...world.peer(1).sw.tables.values()].reduce((sum, { size }) => sum + size, 0)
  t.match(view, {
    connected: true,
    state: 'live',
    manufacturer: 'Nicira, Inc.',
    software: '3.1.0',
    flows: { desired: held, actual: held, foreign: 0, drift: 0 },
    programmedRevision: world.store.state().revision,
  })
  t.strictSame(
    view.ports.map(({ number, up }) => [number, up]),
    [
      [1, true],
      [2, true],
    ],
  )
  t.equal(view.reason, undefined)
})

/** Where `red` stands, once what is missing is said in these words. */
async function lacks(world: Peers, revision: number, words: string, about?: string): Promise<Progress> {
  let progress: Progress | undefined
  await world.until(`it says ${words}`, async () => {
    progress = await world.controller.settled('red', revision, 50, about)
    return progress.reason?.includes(words) === true
  })
  return progress!
}

/** A network that takes the ports of links away from discovery. */
function other(draft: Parameters<Parameters<Peers['ask']>[0]>[0]): string {
  if (!draft.networks.has('other')) draft.putNetwork({ id: 'other', number: draft.nextNumber()! })
  return 'other'
}
