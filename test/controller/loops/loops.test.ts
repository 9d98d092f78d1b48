// Ports that lead frames of their network back into it, on reference switches.
import t, { type Test } from 'tap'
import { portLimitMeterId } from '../../../controller/compile/cookie.ts'
import { loopProbeMac } from '../../../controller/compile/default-flows.ts'
import { attachmentKey } from '../../../store/attachments.ts'
import { attach, detach } from '../../../store/desired.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { plainHardware } from '../../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers, type PeersOptions } from '../peers.ts'

const frame = (dst: string, src: string) => ethernet({ dst, src }, 0x88b5, Buffer.alloc(46))
const shout = (world: Peers, n: number, port: number) => world.send(n, port, frame(broadcast, macOf(n, port)))
const stateOf = (world: Peers, n: number, port: number) =>
  world.controller.attachment(attachmentKey({ dpid: dpidOf(n), port }))
const told = (world: Peers, kind: string) => world.events.filter(event => event.kind === kind)
const isCut = (world: Peers, n: number, port: number) => /is cut off/.test(stateOf(world, n, port)?.reason ?? '')
const cutOnes = (world: Peers) =>
  [1, 2, 3, 4].flatMap(port => [1, 2].flatMap(n => (isCut(world, n, port) ? [`${n}/${port}`] : [])))

async function red(t: Test, options: PeersOptions = {}): Promise<Peers> {
  const world = await makePeers(t, { switches: 2, ...options })
  await world.live()
  const revision = await world.join('red', [1, 1], [1, 2], [1, 3], [2, 1])
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  for (const [n, port] of [
    [1, 3],
    [2, 1],
  ] as const)
    shout(world, n, port)
  return world
}
/** Both ports shout until one is cut off. */
const looped = async (world: Peers) => {
  await world.until('a port is cut off', () => {
    shout(world, 2, 1)
    return cutOnes(world).length > 0
  })
  await world.until('its switch has it', () => shout(world, 2, 1).loops.length === 0)
}

for (const [name, kind] of [
  ['Open vSwitch', {}],
  ['plain OpenFlow 1.3', plainHardware],
] as const)
  t.test(`a cable between two ports of a network: one of them is cut off, and nobody else (${name})`, async t => {
    const world = await red(t, { kind })
    const uncable = world.cable([1, 1], [1, 2])
    const before = world.clock.now()
    await looped(world)
    t.ok(world.clock.now() - before < 1000, `${world.clock.now() - before} ms of the controller's clock`)
    t.match(cutOnes(world), [/^1\/[12]$/])
    t.equal(cutOnes(world).length, 1)
    const [event] = told(world, 'port-cut-off')
    t.match(event, { network: 'red', dpid: dpidOf(1), other: { dpid: dpidOf(1) }, reason: /came back in at port/ })
    // The others still hear each other, once.
    t.match([...shout(world, 2, 1).counts], [[`${dpidOf(1)}/3`, 1]])
    uncable()
    await world.until('it is let in again', () => cutOnes(world).length === 0, { ms: 20_000 })
    await world.until('and hears the others', () => shout(world, 2, 1).counts.size === 3)
    t.equal(told(world, 'port-let-in').length, 1)
    t.equal(told(world, 'port-cut-off').length, 1)
  })

t.test('as long as the loop is there the port stays out, and it is let in later each time', async t => {
  const world = await red(t)
  let uncable = world.cable([1, 1], [1, 2])
  await looped(world)
  const cut = cutOnes(world)
  for (let second = 0; second < 30; second++)
    await world.clock.during(new Promise<void>(resolve => void world.clock.after(1000, resolve)))
  t.strictSame(cutOnes(world), cut)
  const out = async () => {
    uncable()
    const since = world.clock.now()
    await world.until('it is let in again', () => cutOnes(world).length === 0, { ms: 60_000 })
    return world.clock.now() - since
  }
  const first = await out()
  uncable = world.cable([1, 1], [1, 2])
  await looped(world)
  const again = cutOnes(world)
  const second = await out()
  if (again[0] === cut[0]) t.ok(second > first * 1.5, `${first} ms, then ${second} ms`)
})

t.test(
  'a port that is cut off stays so over a restart of the controller, and is let in when the loop is gone',
  async t => {
    const world = await red(t)
    const uncable = world.cable([1, 1], [1, 2])
    await looped(world)
    const cut = cutOnes(world)
    await world.restart()
    await world.until('it is cut off', () => cutOnes(world).length > 0)
    t.strictSame(cutOnes(world), cut)
    t.equal(shout(world, 2, 1).loops.length, 0)
    t.strictSame(told(world, 'port-cut-off'), [], 'that is no news')
    uncable()
    await world.until('it is let in again', () => cutOnes(world).length === 0, { ms: 30_000 })
  },
)

t.test('a loop between ports of which no address is learned shows by the limit that drops', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  const revision = await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)], [2, 1, macOf(2, 1)])
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  world.cable([1, 1], [1, 2])
  await world.controller.readLimits(dpidOf(1))
  world.peer(1).sw.metered.set(portLimitMeterId('broadcast', 1), { packets: 9000n, dropped: 7000n })
  await world.until('a port is cut off', () => cutOnes(world).length > 0)
  t.match(cutOnes(world), [/^1\/[12]$/])
})

t.test('a pod that joins two networks is let be', async t => {
  const world = await red(t)
  const revision = await world.join('blue', [1, 4], [2, 2])
  await world.controller.settled('blue', revision, 5000)
  world.cable([1, 1], [1, 4])
  for (let round = 0; round < 20; round++) {
    for (const [n, port] of [
      [2, 1],
      [2, 2],
      [1, 3],
    ] as const)
      shout(world, n, port)
    await world.clock.during(new Promise<void>(resolve => void world.clock.after(100, resolve)))
  }
  t.strictSame(cutOnes(world), [])
  t.ok(shout(world, 2, 1).counts.has(`${dpidOf(2)}/2`), 'frames do cross it')
})

t.test('an address that moves, and one that two ports use, are no loop', async t => {
  const world = await red(t)
  for (let round = 0; round < 20; round++) {
    for (const port of [1, 2, 3]) world.send(1, port, frame(broadcast, macOf(2, 1)))
    shout(world, 2, 1)
    await world.clock.during(new Promise<void>(resolve => void world.clock.after(100, resolve)))
  }
  t.strictSame(cutOnes(world), [])
})

t.test('probes can not be made by a pod, and who floods their address is cut off itself', async t => {
  const world = await red(t)
  const port = { network: 'red', dpid: dpidOf(1), port: 3 }
  for (let i = 0; i < 10; i++) world.send(1, 3, frame(loopProbeMac, macOf(1, 3)))
  await world.clock.during(new Promise<void>(resolve => void world.clock.after(1500, resolve)))
  t.strictSame(cutOnes(world), [], 'a few are ignored')
  t.equal(world.send(1, 3, frame(loopProbeMac, macOf(1, 3))).arrivals.length, 0, 'and reach nobody')
  for (let i = 0; i < 60; i++) world.send(1, 3, frame(loopProbeMac, macOf(1, 3)))
  await world.until('it is cut off', () => isCut(world, 1, 3))
  // Whoever takes the port away and attaches it anew begins anew.
  await world.ask(draft => detach(draft, 'red', port.dpid, port.port))
  await world.clock.during(new Promise<void>(resolve => void world.clock.after(2000, resolve)))
  await world.ask(draft => attach(draft, port))
  await world.until('it is in', () => stateOf(world, 1, 3)?.state === 'programmed')
})
