// What is learned is where frames came from, is kept by the switches, and is forgotten with them.
import t from 'tap'
import { cookie } from '../../../controller/compile/cookie.ts'
import { addressesPerPort } from '../../../controller/learning/learned-addresses.ts'
import { type Message, noBuffer } from '../../../openflow/index.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { apply, entriesOf as entries, openVSwitch, plainHardware, portDesc, putPort } from '../../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peer, type Peers } from '../peers.ts'
import { changesSent } from '../watching.ts'

t.setTimeout(120_000)

const kinds = { 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }
const frame = (dst: string, src: string) => ethernet({ dst, src }, 0x88b5, Buffer.alloc(46))
/** Where a frame from this port to this address comes out. */
const goes = (world: Peers, [n, port]: readonly [number, number], dst: string, src = macOf(n, port)) =>
  [...world.send(n, port, frame(dst, src)).counts].map(([at, times]) => (times === 1 ? at : `${at} x${times}`)).sort()
const at = (n: number, port: number) => `${dpidOf(n)}/${port}`
/** How many flows of this network carry the cookie of what was learned. */
const learnedOn = (peer: Peer) =>
  [...peer.sw.tables.values()].reduce((sum, table) => sum + [...entries(table)].filter(isLearned).length, 0)
const isLearned = ({ cookie: value }: { readonly cookie: bigint }) => value >> 40n === 0x6c3203n
/** Whether it has a way to this address. */
const knows = ({ sw }: Peer, mac: string) => [...entries(sw.tables.get(2)!)].some(({ match }) => match.eth_dst === mac)
const isReady = (world: Peers) => world.controller.ready().ready

for (const [name, kind] of Object.entries(kinds)) {
  t.test(`an address is learned by its first frame, and forgotten when it is silent (${name})`, async t => {
    const world = await makePeers(t, { kind, switches: 2 })
    await world.live()
    await world.join('red', [1, 1], [1, 2], [2, 1])
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1), at(1, 2)], 'nobody knows it yet')
    t.strictSame(goes(world, [1, 1], broadcast), [at(1, 2), at(2, 1)], 'its first frame arrives')
    await world.until('it is known', () => world.peers.every(peer => learnedOn(peer) >= 2))
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1)])
    world.peer(1).wait(59)
    t.strictSame(goes(world, [1, 1], broadcast), [at(1, 2), at(2, 1)])
    world.peer(1).wait(59)
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1)], 'whoever speaks once a minute stays known')
    world.peer(1).wait(60)
    await world.until('it is forgotten', () => world.peers.every(peer => learnedOn(peer) <= 2))
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1), at(1, 2)])
  })

  t.test(`an entry that times out while its sender speaks again is put back (${name})`, async t => {
    const world = await makePeers(t, { kind, switches: 2 })
    await world.live()
    await world.join('red', [1, 1], [1, 2], [2, 1])
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    goes(world, [1, 1], broadcast)
    await world.until('it is known', () => world.peers.every(peer => knows(peer, macOf(1, 1))))
    const count = (what: string) => world.counts.messages.get(what) ?? 0
    await world.until('and confirmed', () => count('out barrier_request') === count('in barrier_reply'))
    const before = count('in flow_removed')
    world.peer(1).wait(60)
    goes(world, [1, 1], broadcast)
    await world.until('its switch has told', () => count('in flow_removed') > before)
    const isKnown = () => world.send(1, 1, frame(broadcast, macOf(1, 1))).packetIns.length === 0
    await world.until('its frames are copied no more', isKnown)
    t.equal(world.counts.repaired, 0, 'and no audit had to find it')
  })

  t.test(`what was learned comes back with its switch, and stays meanwhile (${name})`, async t => {
    const world = await makePeers(t, { kind, switches: 2 })
    await world.live()
    await world.join('red', [1, 1], [1, 2], [2, 1])
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    for (const [n, port] of [
      [1, 1],
      [1, 2],
      [2, 1],
    ] as const) {
      goes(world, [n, port], broadcast)
      await world.until('it is known', () => world.peers.every(peer => knows(peer, macOf(n, port))))
    }
    await world.restart(undefined, [world.peer(2)])
    await world.until('the other one is live', () => world.controller.switches()[0]?.state === 'live')
    t.equal(changesSent(world.counts), 0)
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1)], 'its own switch is not there yet')
    await world.peer(1).connect()
    await world.until('both are', () => world.controller.switches().length === 2 && isReady(world))
    t.equal(changesSent(world.counts), 0)
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1)])
    await world.restart(undefined, [world.peer(2)])
    await world.until('the other one is live', () => world.controller.switches()[0]?.state === 'live')
    world.peer(1).sw.tables.clear()
    world.peer(1).sw.groups.clear()
    await world.peer(1).connect()
    await world.until('it is forgotten', () => !knows(world.peer(2), macOf(1, 1)))
    await world.until('both are', () => isReady(world))
    t.strictSame(goes(world, [2, 1], macOf(1, 1)), [at(1, 1), at(1, 2)], 'for its own switch knows it no more')
  })

  t.test(
    `a port may show ${addressesPerPort} addresses, and is then not listened to for a while (${name})`,
    async t => {
      const world = await makePeers(t, { kind, switches: 2 })
      await world.live()
      await world.join('red', [1, 1], [1, 2], [2, 1])
      t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
      const mac = (i: number) => `02:bb:00:00:00:${i.toString(16).padStart(2, '0')}`
      for (let i = 0; i < addressesPerPort + 20; i++) {
        t.strictSame(goes(world, [1, 1], broadcast, mac(i)).length, 2)
        await world.clock.pass(2)
      }
      // The guard's entry and the way to it.
      await world.until('as many as may be are known', () => learnedOn(world.peer(1)) === 2 * addressesPerPort)
      const isHushed = () => world.send(1, 1, frame(broadcast, '02:bb:00:00:ff:ff')).packetIns.length === 0
      await world.until('it is suppressed', isHushed)
      t.strictSame(goes(world, [1, 1], broadcast, '02:bb:00:00:ff:ff'), [at(1, 2), at(2, 1)], 'and still speaks')
      t.strictSame(goes(world, [1, 2], broadcast), [at(1, 1), at(2, 1)])
      await world.until('its neighbour is learned', () => learnedOn(world.peer(1)) === 2 * addressesPerPort + 2)
      await world.restart()
      await world.until('all is read', () => isReady(world))
      t.equal(changesSent(world.counts), 0)
      world.peer(1).wait(5)
      await world.until('it is listened to again', () => !isHushed())
      await world.until('and suppressed again', isHushed)
      t.equal(learnedOn(world.peer(1)), 2 * addressesPerPort + 2, 'it has as many as before')
    },
  )
}

t.test('an address that is pinned is never learned elsewhere, and one that was learned gives way', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  goes(world, [2, 1], broadcast, macOf(1, 1))
  goes(world, [2, 1], broadcast, macOf(1, 2))
  await world.until('the other one is learned', () => learnedOn(world.peer(2)) >= 2)
  t.strictSame(goes(world, [1, 2], macOf(1, 1)), [at(1, 1)])
  t.strictSame(goes(world, [1, 1], macOf(1, 2)), [at(2, 1)])
  await world.join('red', [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  t.strictSame(goes(world, [1, 1], macOf(1, 2)), [at(1, 2)], 'a given address counts more')
})

t.test('what a port taught is forgotten when it leaves its network', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1], [1, 2])
  await world.join('blue', [1, 3])
  for (const id of ['red', 'blue']) t.equal((await world.controller.settled(id, 0, 5000)).state, 'programmed')
  goes(world, [1, 1], broadcast)
  await world.until('it is known', () => learnedOn(world.peer(1)) === 2)
  await world.ask(draft => draft.putAttachment({ network: 'blue', dpid: dpidOf(1), port: 1, guard: 'learn' }))
  for (const id of ['red', 'blue']) t.equal((await world.controller.settled(id, 0, 5000)).state, 'programmed')
  t.equal(learnedOn(world.peer(1)), 0)
  t.strictSame(goes(world, [1, 2], macOf(1, 1)), [])
  t.strictSame(goes(world, [1, 3], macOf(1, 1)), [at(1, 1)])
})

t.test('a copy that no entry of ours can have made teaches nothing', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [1, 2, macOf(1, 2)], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const { number } = world.store.state().networks.get('red')!
  const copy = (given: { cookie?: bigint; in_port?: number; payload?: Buffer }): Message => {
    const payload = given.payload ?? frame(broadcast, '02:77:00:00:00:01')
    const { cookie: value = cookie('network', number), in_port = 1 } = given
    const head = { type: 'packet_in', xid: 0, bufferId: noBuffer, reason: 'action', tableId: 1 } as const
    return { ...head, totalLen: payload.length, cookie: value, match: { in_port }, payload }
  }
  world
    .peer(1)
    .say(
      copy({ cookie: 0n }),
      copy({ cookie: cookie('network', number + 1) }),
      copy({ cookie: cookie('learned', number) }),
      copy({ in_port: 2 }),
      copy({ in_port: 3 }),
      copy({ in_port: 102 }),
      copy({ payload: Buffer.alloc(13) }),
      copy({ payload: frame(broadcast, '03:77:00:00:00:01') }),
      copy({ payload: frame(broadcast, '00:00:00:00:00:00') }),
    )
  await world.until('all are dropped', () => world.counts.packetInsDropped === 9)
  t.equal(learnedOn(world.peer(1)), 0)
  world.peer(1).say(copy({}))
  await world.until('one that can be is believed', () => learnedOn(world.peer(1)) === 2)
})

t.test('a copy whose cookie is all ones teaches where its sender is: by its metadata, or by its port', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [1, 2, macOf(1, 2)], [2, 1])
  await world.join('blue', [1, 3])
  for (const id of ['red', 'blue']) t.equal((await world.controller.settled(id, 0, 5000)).state, 'programmed')
  const { number } = world.store.state().networks.get('red')!
  const copy = (mac: number, given: { in_port?: number; metadata?: bigint; tableId?: number } = {}): Message => {
    const payload = frame(broadcast, `02:77:00:00:00:0${mac}`)
    const { in_port = 1, metadata, tableId = 1 } = given
    const match = { in_port, ...(metadata !== undefined && { metadata }) }
    const head = { type: 'packet_in', xid: 0, bufferId: noBuffer, reason: 'action', tableId } as const
    return { ...head, totalLen: payload.length, cookie: 0xffff_ffff_ffff_ffffn, match, payload }
  }
  world.peer(1).say(
    copy(1, { in_port: 2 }), // It is pinned there.
    copy(2, { in_port: 4 }), // Nobody's.
    copy(3, { metadata: BigInt(number + 1), in_port: 1 }), // Another network's.
    copy(4, { tableId: 0 }),
  )
  await world.until('these are dropped', () => world.counts.packetInsDropped === 4)
  world.peer(1).say(copy(5), copy(6, { metadata: BigInt(number) | (1n << 33n) }))
  await world.until('these are believed', () => learnedOn(world.peer(1)) === 4)
  t.ok(knows(world.peer(2), '02:77:00:00:00:05') && knows(world.peer(2), '02:77:00:00:00:06'))
})

t.test('a holder whose switch does not count is heard all the same when its address is claimed', async t => {
  const world = await makePeers(t, { switches: 2, kind: openVSwitch })
  const one = world.peer(1)
  const notCounted = 0xffff_ffff_ffff_ffffn
  one.whim = message => {
    if (message.type !== 'multipart_request' || message.body.type !== 'flow') return undefined
    return apply(one.sw, message).map(reply => {
      if (reply.type !== 'multipart_reply' || reply.body.type !== 'flow') return reply
      const flows = reply.body.flows.map(flow => ({ ...flow, packetCount: notCounted, byteCount: notCounted }))
      return { ...reply, body: { ...reply.body, flows } }
    })
  }
  await world.live()
  await world.join('red', [1, 1], [1, 2], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const copies = (n: number, port: number) => world.send(n, port, frame(broadcast, macOf(1, 1))).packetIns.length
  copies(1, 1)
  await world.until('it is known', () => world.peers.every(peer => knows(peer, macOf(1, 1))))
  t.equal(copies(1, 1), 0, 'and is copied no more')
  copies(2, 1)
  await world.until('its frames are copied while it is asked', () => copies(1, 1) === 1)
  t.ok(
    one.received.some(({ type }) => type === 'packet_out'),
    'and it is',
  )
  t.strictSame(goes(world, [1, 2], macOf(1, 1)), [at(1, 1)])
})

t.test('a port without carrier holds no address that another one claims', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [1, 2], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  goes(world, [1, 1], broadcast)
  await world.until('it is known', () => world.peers.every(peer => knows(peer, macOf(1, 1))))
  const desc = { ...portDesc(1), state: 1 }
  world.peer(1).say(...putPort(world.peer(1).sw, 1, { desc }))
  await world.until(
    'its port is down',
    () => world.controller.switch(dpidOf(1))?.ports.find(p => p.number === 1)?.up === false,
  )
  goes(world, [2, 1], broadcast, macOf(1, 1))
  await world.until('it has moved', () => goes(world, [1, 2], macOf(1, 1)).join() === at(2, 1))
})

t.test('a switch that went away gives an address back to the machine that had it before, when that speaks', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [1, 2], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  goes(world, [1, 1], broadcast)
  await world.until('it is known', () => world.peers.every(peer => knows(peer, macOf(1, 1))))
  world.peer(1).drop()
  await world.until('it is away', () => world.controller.switch(dpidOf(1))?.connected === false)
  await world.until('its address is where it is claimed', () => {
    goes(world, [2, 1], broadcast, macOf(1, 1))
    return world.peer(2).sw.tables.get(2) !== undefined && goes(world, [2, 1], macOf(1, 1), macOf(2, 1)).length === 0
  })
  await world.peer(1).connect()
  await world.until('it is back', () => isReady(world))
  await world.until('and follows', () => goes(world, [1, 2], macOf(1, 1)).join() === at(2, 1))
  goes(world, [1, 1], broadcast)
  await world.until('the first one has it again', () => goes(world, [1, 2], macOf(1, 1)).join() === at(1, 1))
})
