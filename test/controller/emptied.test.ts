// A switch that lost its flows while nobody looked: since when, and how many.
import t from 'tap'
import { dpidOf, makePeers, type Peers } from './peers.ts'

const view = (world: Peers) => world.controller.switch(dpidOf(1))
const told = (world: Peers) => world.events.filter(({ kind }) => kind === 'switch-emptied')
const empty = ({ sw }: Peers['peers'][number]) => {
  sw.tables.clear()
  sw.groups.clear()
}

t.test('a switch that comes back without its flows shows since when, and has them again', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.controller.settled('red', await world.join('red', [1, 1], [1, 2]), 5000)
  t.equal(view(world)?.emptied, undefined)
  const held = view(world)!.flows.actual
  const before = new Date()
  world.peer(1).drop()
  await world.until('it is away', () => !world.controller.connected(dpidOf(1)))
  empty(world.peer(1))
  await world.peer(1).connect()
  await world.until(
    'it has all again',
    () => view(world)?.emptied !== undefined && view(world)?.state === 'live' && view(world)?.flows.actual === held,
  )
  const { emptied } = view(world)!
  t.match(emptied, { flows: held })
  t.ok(before <= emptied!.since! && emptied!.since! <= emptied!.found)
  t.equal(told(world).length, 1)
})

t.test('one that lost them while the controller was away is told as well, and one that is new is not', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  t.equal(told(world).length, 0, 'they were new')
  await world.controller.settled('red', await world.join('red', [1, 1], [2, 1]), 5000)
  await world.restart(undefined, [])
  empty(world.peer(1))
  await Promise.all(world.peers.map(peer => peer.connect()))
  await world.until('both are live', () => world.controller.switches().filter(sw => sw.state === 'live').length === 2)
  t.match(told(world), [{ dpid: dpidOf(1) }])
  t.match(view(world)?.emptied, { since: undefined, flows: undefined })
  t.equal(world.controller.switch(dpidOf(2))?.emptied, undefined)
})
