// What makes the controller unready, and for how long it is borne: asked of a controller with real connections.
import t from 'tap'
import { borne, waited } from '../../controller/readiness.ts'
import { macOf, makePeers, type Peer } from './peers.ts'

/** It answers everything but what flows it holds. */
const silent = (peer: Peer) => {
  peer.whim = message =>
    message.type === 'multipart_request' && ['flow', 'table'].includes(message.body.type) ? [] : undefined
}

t.test('once it was ready, a switch that comes back has time, and then it says for how long it lacks it', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)])
  await world.until('it is ready', () => world.controller.ready().ready)
  const peer = world.peer(1)
  silent(peer)
  await peer.connect()
  await world.until('it is being read', () => world.controller.switch(peer.dpid)?.state === 'comparing')
  const soon = world.controller.ready()
  t.match(soon, { ready: true, reasons: [], concerns: [{ what: /0001: its flows are being read/ }] })
  t.ok(soon.concerns[0]!.borneForSeconds > 20)
  await world.clock.pass(borne + 2_000)
  const late = world.controller.ready()
  t.match(late, { ready: false, reasons: [/0001: its flows are being read/], concerns: [{ borneForSeconds: 0 }] })
  t.ok(Date.now() - late.concerns[0]!.since.getTime() >= borne)
})

t.test(
  'a switch that no network concerns, and that answers nothing, keeps it from being ready for a while only',
  async t => {
    const world = await makePeers(t, { switches: 1 })
    const peer = world.peer(1)
    silent(peer)
    await peer.connect()
    await world.until('it is being read', () => world.controller.switch(peer.dpid)?.state === 'comparing')
    t.match(
      world.controller.ready(),
      { ready: false, concerns: [{ borneForSeconds: 0 }] },
      'at the start nothing is borne',
    )
    await world.clock.pass(waited + 2_000)
    t.match(world.controller.ready(), { ready: true, reasons: [], concerns: [] })
  },
)
