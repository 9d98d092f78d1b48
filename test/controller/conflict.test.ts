import t from 'tap'
import { fakeSwitch } from '../openflow/fake-switch.ts'
import { dpidOf, makePeers } from './peers.ts'

t.test('a second switch that claims a live dpid is seen where the switch is, and in an event', async t => {
  const world = await makePeers(t)
  const dpid = dpidOf(1)
  await world.peer(1).connect()
  await world.until('the switch is up', () => world.controller.switch(dpid)?.connected === true)
  t.equal(world.controller.switch(dpid)?.conflict, undefined)
  const rogue = await fakeSwitch(world.controller.addresses[0]!, { dpid: 1n })
  await rogue.closed
  await world.until('the conflict is seen', () => world.controller.switch(dpid)?.conflict !== undefined)
  t.match(world.controller.switch(dpid)?.conflict, { decidedBy: 'first', claims: 1, claimant: /^127\.0\.0\.1:\d+$/ })
  t.not(world.controller.switch(dpid)?.conflict?.claimant, world.controller.switch(dpid)?.remote)
  t.ok(world.log.some(line => JSON.stringify(line).includes('claims to be switch')))
})
