// A switch that does not come back is forgotten by name; one that comes back after all is new.
import t from 'tap'
import { deleteNetwork } from '../../store/desired.ts'
import { forgetSwitch } from '../../store/switches.ts'
import { dpidOf, makePeers } from './peers.ts'

t.test('what waits for a switch that is gone is done when it is forgotten', async t => {
  const { controller, until, peer, join, live, ask, store } = await makePeers(t, { switches: 2 })
  await live()
  await controller.settled('red', await join('red', [1, 1], [2, 1]), 10_000)
  t.equal(controller.forget(dpidOf(2)), false, 'a switch that is connected stays')
  peer(2).drop()
  await until('it is away', () => !controller.connected(dpidOf(2)))
  await ask(draft => deleteNetwork(draft, 'red'))
  const { revision } = store.state()
  t.match(await controller.settled('red', revision, 3_000), { state: 'pending', reason: /switch 0{15}2/ })
  const done = controller.settled('red', revision, 60_000)
  await ask(draft => forgetSwitch(draft, dpidOf(2)))
  t.equal(controller.forget(dpidOf(2)), true)
  t.match(await done, { state: 'programmed' })
  t.same(
    controller.switches().map(({ dpid }) => dpid),
    [dpidOf(1)],
  )
  await peer(2).connect()
  await until('it is live as a new one', () => controller.switch(dpidOf(2))?.state === 'live')
  await join('blue', [1, 2], [2, 2])
  await until('it is in a network', () => controller.network('blue')?.state === 'programmed')
})
