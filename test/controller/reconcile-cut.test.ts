// What is cut off in the middle, or answered by nobody, is found out and finished; and a switch stays ours meanwhile.
import t from 'tap'
import { owner } from '../../controller/compile/cookie.ts'
import type { Message } from '../../openflow/index.ts'
import { openMemory } from '../../store/memory.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { entriesOf, openVSwitch, plainHardware } from '../reference/index.ts'
import { macOf, makePeers, type Peer, type Peers } from './peers.ts'
import { changesSent } from './watching.ts'

t.setTimeout(120_000)

const kinds = { 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }
const call = (n: number, port: number) => ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))
const heardBy = (world: Peers, n: number, port: number) =>
  [...world.send(n, port, call(n, port)).counts].map(([at]) => at)
const isChange = ({ type }: Message) => ['flow_mod', 'group_mod', 'meter_mod', 'bundle_add'].includes(type)
const flowsOf = ({ sw }: Peer) => [...sw.tables.values()].flatMap(table => [...entriesOf(table)])
const error = (message: Message, errorType: number, errorCode: number): readonly Message[] => [
  { type: 'error', xid: message.xid, errorType, errorCode, payload: Buffer.alloc(0) },
]

for (const [name, kind] of Object.entries(kinds)) {
  t.test(`a switch whose first load is cut off anywhere is finished when it is back (${name})`, async t => {
    for (const after of [1, 2, 3, 4, 8, 12]) {
      const world = await makePeers(t, { kind })
      await world.join('red', [1, 1], [1, 2])
      const peer = world.peer(1)
      let taken = 0
      peer.whim = message => {
        if (!isChange(message) || ++taken !== after) return undefined
        peer.drop()
        return []
      }
      await peer.connect()
      await world.until('it is gone', () => world.controller.switches()[0]?.state === 'disconnected')
      peer.whim = () => undefined
      peer.sw.bundles.clear()
      await peer.connect()
      t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed', `cut off after ${after} changes`)
      t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
    }
  })

  t.test(`a switch that was emptied by hand while it is connected stays ours (${name})`, async t => {
    const world = await makePeers(t, { kind })
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    const { sw } = world.peer(1)
    const before = flowsOf(world.peer(1)).length
    sw.tables.clear()
    t.ok(sw.groups.size > 0, 'its groups are left, and nothing says whose they are')
    await world.until('it is put right', () => flowsOf(world.peer(1)).length === before)
    await world.until('it is live', () => world.controller.switches()[0]?.state === 'live')
    t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
  })
}

t.test('a switch that another store has marked while it is connected is left to that one', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const entries = flowsOf(world.peer(1))
  const marker = entries.find(({ cookie }) => owner(cookie).is === 'marker')!
  Object.assign(marker, { cookie: 0x6c32_0000_0000_00aan })
  world.peer(1).sw.tables.delete(1)
  await world.until('it is unadopted', () => world.controller.switches()[0]?.state === 'unadopted')
  t.match(world.controller.switches()[0]?.reason, 'of another store (00000000aa)')
  t.match(world.controller.network('red'), { state: 'pending', reason: /another store/ })
})

t.test('a switch that does not answer what it holds is asked again, and is not guessed at', async t => {
  const world = await makePeers(t)
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  const peer = world.peer(1)
  let asked = 0
  peer.whim = message => {
    if (message.type !== 'multipart_request' || message.body.type !== 'flow') return undefined
    return asked++ === 0 ? error(message, 1, 6) : undefined
  }
  await peer.connect()
  await world.until('it has been asked', () => asked > 0)
  t.equal(changesSent(world.counts), 0, 'nothing is sent to a switch that was not read')
  t.equal(world.controller.ready().ready, false)
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  t.ok(world.log.some(({ words }) => words.includes('did not answer as it should')))
  t.equal(world.controller.switches()[0]?.state, 'live')
})

t.test("a meter that a switch has no room for is its network's trouble, and nobody else's", async t => {
  const world = await makePeers(t)
  await world.live()
  const peer = world.peer(1)
  peer.whim = message =>
    message.type === 'meter_mod' && message.command === 'add' ? error(message, 12, 10) : undefined
  await world.join('blue', [1, 3, macOf(1, 3)], [1, 4, macOf(1, 4)])
  await world.join('red', [1, 1], [1, 2])
  await world.until('it is degraded', () => world.controller.network('red')?.state === 'degraded')
  t.match(world.controller.network('red')?.reason, 'refused its flows: METER_MOD_FAILED/OUT_OF_METERS')
  t.equal((await world.controller.settled('blue', 0, 5000)).state, 'programmed')
  peer.whim = () => undefined
  await world.until('it heals', () => world.controller.network('red')?.state === 'programmed')
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
})

t.test('a network that a switch refused is sent whole when it changes, not only what has changed', async t => {
  const world = await makePeers(t)
  await world.live()
  const peer = world.peer(1)
  peer.whim = message =>
    message.type === 'bundle_add' && message.message.type === 'group_mod' ? error(message, 6, 3) : undefined
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it is degraded', () => world.controller.network('red')?.state === 'degraded')
  peer.whim = () => undefined
  await world.join('red', [1, 3, macOf(1, 3)])
  await world.until('it heals', () => world.controller.network('red')?.state === 'programmed')
  t.strictSame(heardBy(world, 1, 1).sort(), ['0000000000000001/2', '0000000000000001/3'])
})

t.test('a switch that takes our mark and nothing else is asked ever less often, in few lines', async t => {
  const world = await makePeers(t, { ports: 50 })
  const peer = world.peer(1)
  peer.whim = message => {
    const inner = message.type === 'bundle_add' ? message.message : message
    if (inner.type === 'flow_mod' && owner(inner.cookie).is === 'marker') return undefined
    return isChange(message) ? error(message, 5, 1) : undefined
  }
  await world.ask(draft => {
    for (let port = 1; port <= 50; port++) {
      draft.putNetwork({ id: `n${port}`, number: draft.nextNumber()! })
      draft.putAttachment({ network: `n${port}`, dpid: peer.dpid, port, guard: 'learn' })
    }
    return undefined
  })
  await peer.connect()
  await world.until('all are refused', () => world.controller.network('n50')?.state === 'degraded')
  await world.clock.pass(4000)
  const rounds = peer.received.filter(m => m.type === 'bundle_control' && m.ctrlType === 'open_request').length / 51
  t.ok(rounds <= 4, `${rounds} rounds in 4 s`)
  const lines = world.log.filter(({ level }) => level === 'error')
  t.ok(lines.length <= 10, `${lines.length} lines`)
  t.match(lines[0]?.fields, { kind: 'network-refused', words: /TABLE_FULL/ })
  t.equal(world.controller.network('n1')?.state, 'degraded')
})

t.test('a store that was lost takes nothing from switches, until it is declared complete', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  await world.restart(openMemory())
  await world.until(
    'both are unadopted',
    () => world.controller.switches().filter(sw => sw.state === 'unadopted').length === 2,
  )
  t.equal(changesSent(world.counts), 0)
  t.strictSame(heardBy(world, 1, 1), ['0000000000000002/1'])
  t.match(world.controller.ready(), { ready: false, reasons: [/adopt/, /adopt/] })
  await world.ask(draft => draft.setComplete(true))
  await world.until('it is ready', () => world.controller.ready().ready)
  t.strictSame(heardBy(world, 1, 1), [])
  t.strictSame(
    world.peers.map(({ sw }) => sw.groups.size),
    [0, 0],
  )
})

t.test('a network that is declared anew after its store was lost stops for no moment', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  await world.restart(openMemory())
  await world.until('it is unadopted', () => world.controller.switches()[0]?.state === 'unadopted')
  const heard = new Set<string>()
  world.peer(1).whim = () => {
    heard.add(heardBy(world, 1, 1).join())
    return undefined
  }
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.ask(draft => draft.setComplete(true))
  await world.until('it is programmed', () => world.controller.network('red')?.state === 'programmed')
  await world.clock.pass(2000)
  t.strictSame([...heard], ['0000000000000001/2'])
})
