// A switch that does not tell all of its flows: what it tells is put right, and of the rest nothing is claimed.
import t from 'tap'
import type { Message } from '../../../openflow/index.ts'
import { deleteNetwork } from '../../../store/desired.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { apply, entriesOf } from '../../reference/index.ts'
import { newTable } from '../../reference/table.ts'
import { dpidOf, macOf, makePeers, type Peers, type Whim } from '../peers.ts'
import { changesSent } from '../watching.ts'

t.setTimeout(120_000)

const deliverTable = 2
/** Answers all but the flows of one table: for those it is silent. */
const hides: Whim = message => {
  if (message.type !== 'multipart_request' || message.body.type !== 'flow') return undefined
  const { tableId } = message.body
  return tableId === deliverTable || tableId === 0xff ? [] : undefined
}
const audited = async (world: Peers) => {
  await world.clock.pass(130_000)
  await world.until('it is read', () => world.controller.switches()[0]?.state !== 'comparing')
}
const hears = (world: Peers) =>
  [...world.send(1, 1, ethernet({ dst: broadcast, src: macOf(1, 1) }, 0x88b5, Buffer.alloc(46))).counts].map(
    ([at]) => at,
  )

t.test(
  'what it tells is put right, deletes are carried out, and its networks are degraded until it tells all',
  async t => {
    const world = await makePeers(t, { limits: { request: 200, collation: 2000, parts: 1000, tick: 20 } })
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
    await world.join('blue', [1, 3, macOf(1, 3)])
    await world.until('it has both', () => world.controller.network('blue')?.state === 'programmed')
    const { sw } = world.peer(1)
    world.peer(1).whim = hides
    // Somebody takes away what keeps a sender from speaking as another: it is of a table that can be read.
    sw.tables.set(1, newTable())
    await audited(world)
    await world.until('it is put back', () => sw.tables.get(1)!.size > 0)
    t.match(world.controller.network('red'), {
      state: 'degraded',
      reason: /0001 does not tell all of its flows.*table 2/,
    })
    t.match(world.controller.switch(dpidOf(1)), { state: 'failing', reason: /does not tell all/ })
    t.strictSame(hears(world), [`${dpidOf(1)}/2`], 'what works goes on')
    const sent = changesSent(world.counts)
    await audited(world)
    t.equal(changesSent(world.counts), sent, 'what it does not tell is not sent again and again')
    const told = world.events.filter(event => event.kind === 'switch-limit').length
    await audited(world)
    t.equal(world.events.filter(event => event.kind === 'switch-limit').length, told, 'nor told at each look')
    const revision = await world.ask(draft => {
      deleteNetwork(draft, 'blue')
      return draft.revision
    })
    await world.until('its flows are gone', () =>
      [...sw.tables.values()].every(table => [...entriesOf(table)].every(({ match }) => match.in_port !== 3)),
    )
    t.match(await world.controller.settled('blue', revision, 3000), { state: 'degraded', reason: /does not tell all/ })
    world.peer(1).whim = () => undefined
    await audited(world)
    t.match(await world.controller.settled('blue', revision, 5000), { state: 'programmed' })
    t.match(world.controller.network('red'), { state: 'programmed' })
    t.equal(world.controller.switch(dpidOf(1))?.state, 'live')
  },
)

t.test('a switch that comes back and does not tell all is sent what it should hold, once', async t => {
  const world = await makePeers(t, { limits: { request: 200, collation: 2000, parts: 1000, tick: 20 } })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it has it', () => world.controller.network('red')?.state === 'programmed')
  const { sw } = world.peer(1)
  sw.tables.set(deliverTable, newTable())
  world.peer(1).whim = hides
  await world.peer(1).connect()
  await world.until('it hears', () => hears(world).length === 1, { ms: 60_000 })
  await world.until('it is degraded', () => world.controller.network('red')?.state === 'degraded', { ms: 60_000 })
})

t.test('nothing is sent to a switch of which it is not known whose it is', async t => {
  const world = await makePeers(t, { limits: { request: 200, collation: 2000, parts: 1000, tick: 20 } })
  world.peer(1).whim = message =>
    message.type === 'multipart_request' && message.body.type === 'flow' ? [] : undefined
  // Somebody else's, in our first table, and counted.
  const foreign = { type: 'flow_mod', xid: 1, cookie: 7n, cookieMask: 0n, tableId: 0, command: 'add' } as const
  apply(world.peer(1).sw, {
    ...foreign,
    ...{ idleTimeout: 0, hardTimeout: 0, priority: 5, bufferId: 0xffffffff, outPort: 0, outGroup: 0, flags: 0 },
    ...{ match: { in_port: 1 }, instructions: [] },
  } as unknown as Message)
  await world.peer(1).connect()
  await world.until(
    'it is known to be unreadable',
    () => world.events.some(({ kind }) => kind === 'switch-unreadable'),
    {
      ms: 60_000,
    },
  )
  t.equal(changesSent(world.counts), 0)
})
