// A defect of ours costs the network that it is about: the others, and the process, go on.
import t from 'tap'
import { deleteNetwork } from '../../store/desired.ts'
import { makePeers } from './peers.ts'

t.test(
  'a network that cannot be compiled is degraded, and says why; the others work, and it works when it can be',
  async t => {
    const world = await makePeers(t, { ports: 3 })
    await world.live()
    // A number that no entry can carry: nothing that the API takes leads to it, as nothing should lead to a defect.
    const mac = 'no address at all'
    await world.ask(draft => {
      draft.putNetwork({ id: 'broken', number: draft.nextNumber()! })
      draft.putAttachment({ network: 'broken', dpid: world.peer(1).dpid, port: 1, guard: 'mac', mac })
      return undefined
    })
    await world.until('it is degraded', () => world.controller.network('broken')?.state === 'degraded')
    t.match(world.controller.network('broken')?.reason, /^it could not be compiled, which is a defect of l2sm: .*eth_/)
    const revision = await world.join('red', [1, 2], [1, 3])
    t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
    await world.ask(draft =>
      draft.putAttachment({ network: 'broken', dpid: world.peer(1).dpid, port: 1, guard: 'learn' }),
    )
    await world.until('it is programmed', () => world.controller.network('broken')?.state === 'programmed')
    await world.ask(draft => deleteNetwork(draft, 'broken'))
    t.match(await world.controller.settled('broken', world.store.state().revision, 5000), { state: 'programmed' })
  },
)
