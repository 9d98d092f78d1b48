// Why one port does not reach another, on reference switches that a test breaks as it likes: each kind of breakage has its answer, and
// of two at once the first that matters comes first.
import t, { type Test } from 'tap'
import { flowMod, parseFlow, ports } from '../../openflow/index.ts'
import { attach, detach, putNetwork } from '../../store/desired.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { apply, portDesc, putPort } from '../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'

const at = (n: number, port: number) => `${dpidOf(n)}/${port}`
const ask = (world: Peers, from = at(1, 1), to = at(2, 1), size?: number) =>
  world.clock.during(world.controller.explain({ from, to, ...(size !== undefined && { size }) }))
const checks = async (world: Peers) => (await ask(world)).findings.map(({ check }) => check)

/** Two switches with a port each in one network, which reach each other. */
async function whole(t: Test): Promise<Peers> {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  const revision = await world.join('red', [1, 1, macOf(1, 1)], [2, 1, macOf(2, 1)])
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  return world
}
const programmed = async (world: Peers, network = 'red') =>
  world.until(`${network} is programmed`, () => world.controller.network(network)?.state === 'programmed')

t.test('two ports that reach each other do so over a link that is named', async t => {
  const world = await whole(t)
  t.match(await ask(world), {
    reaches: 'yes',
    findings: [],
    from: { network: 'red', mac: macOf(1, 1) },
    way: [{ from: { dpid: dpidOf(1), port: 102 }, to: { dpid: dpidOf(2), port: 101 } }],
  })
  t.equal((await ask(world, macOf(1, 1), macOf(2, 1))).reaches, 'yes', 'by their addresses')
  await world.join('red', [1, 2, macOf(1, 2)])
  await programmed(world)
  t.match(await ask(world, at(1, 1), at(1, 2)), { reaches: 'yes', way: [] }, 'on one switch there is no link')
})

t.test('detached, in another network, and moved', async t => {
  const world = await whole(t)
  await world.join('jail', [2, 2])
  t.match(await ask(world, at(1, 1), at(2, 2)), {
    reaches: 'no',
    findings: [{ check: 'wrong-network', sentence: /network red.*network jail/ }],
  })
  const wish = { dpid: dpidOf(2), port: 1, mac: macOf(2, 1) }
  await world.ask(draft => attach(draft, { ...wish, network: 'jail' }, { move: true }))
  t.match(await ask(world), {
    reaches: 'no',
    findings: [
      { check: 'moved', sentence: /moved from network red to jail in revision/, remedy: /back to network red/ },
    ],
  })
  await world.ask(draft => detach(draft, 'jail', dpidOf(2), 1))
  t.match(await ask(world), { reaches: 'no', findings: [{ check: 'detached', sentence: /it left network jail/ }] })
  t.match(await ask(world, at(1, 1), at(1, 1)), { findings: [{ check: 'one-port' }] })
})

t.test('a guard that has let nothing of a port pass', async t => {
  const world = await whole(t)
  const wrong = ethernet({ dst: broadcast, src: '02:00:00:00:99:99' }, 0x88b5, Buffer.alloc(46))
  for (let i = 0; i < 3; i++) world.send(1, 1, wrong)
  t.match(await ask(world), {
    reaches: 'no',
    findings: [{ check: 'guard', dpid: dpidOf(1), sentence: /none of the 3 frames/ }],
  })
  world.send(1, 1, ethernet({ dst: broadcast, src: macOf(1, 1) }, 0x88b5, Buffer.alloc(46)))
  t.equal((await ask(world)).reaches, 'yes', 'once it has spoken with its own address')
})

t.test('a flow that is not ours, and an entry of ours that is gone', async t => {
  const world = await whole(t)
  const { sw } = world.peer(2)
  const foreign = { ...parseFlow('priority=2000,in_port=101,actions=drop'), tableId: 0 }
  apply(sw, flowMod({ ...foreign, command: 'add' }))
  t.match(await ask(world), {
    reaches: 'no',
    findings: [{ check: 'foreign', dpid: dpidOf(2), entry: /priority=2000/, sentence: /not ours, in table 0/ }],
  })
  t.equal((await ask(world)).findings.length, 1, 'one cause is told once')
  apply(sw, flowMod({ ...foreign, command: 'delete_strict', outPort: ports.any }))
  t.equal((await ask(world)).reaches, 'yes')
  apply(
    sw,
    flowMod({
      command: 'delete',
      tableId: 0,
      match: { in_port: 101, tunnel_id: BigInt(world.store.state().networks.get('red')!.number) },
    }),
  )
  t.match(await ask(world), {
    reaches: 'no',
    findings: [{ check: 'drift', dpid: dpidOf(2), sentence: /does not hold what it should/ }],
  })
})

t.test('a port without carrier, or not there; with a dead link too, the port comes first', async t => {
  const world = await whole(t)
  const { sw, say } = world.peer(2)
  say(...putPort(sw, 1, { desc: portDesc(1, { state: 1 }) }))
  await world.until('it is told', async () => (await checks(world))[0] === 'port-down')
  t.match(await ask(world), {
    reaches: 'no',
    findings: [{ check: 'port-down', dpid: dpidOf(2), sentence: /no carrier/, remedy: /ip link set/ }],
  })
  for (const peer of world.peers) peer.whim = message => (message.type === 'packet_out' ? [] : undefined)
  await world.until('the link is dead', async () => (await checks(world)).includes('link-down'))
  t.strictSame((await checks(world)).slice(0, 2), ['port-down', 'link-down'])
  say(...putPort(sw, 1, { desc: portDesc(1) }))
  await world.until('the link is left', async () => (await checks(world))[0] === 'link-down')
  t.match(await ask(world), {
    reaches: 'no',
    findings: [{ check: 'link-down', sentence: /the link from .* is down .*no other way/ }],
  })
  world.peer(2).port(1, false)
  await world.until('the port is gone', async () => (await checks(world))[0] === 'port-missing')
})

t.test('a switch that is away, and one that has not confirmed yet: nobody knows', async t => {
  const world = await whole(t)
  world.peer(2).whim = message => (message.type === 'barrier_request' ? [] : undefined)
  await world.ask(draft => attach(draft, { network: 'red', dpid: dpidOf(2), port: 2 }))
  await world.until('it waits', async () => /has not confirmed/.test((await ask(world, at(1, 1), at(2, 2))).summary))
  t.match(await ask(world, at(1, 1), at(2, 2)), {
    reaches: 'unknown',
    findings: [{ check: 'not-programmed', dpid: dpidOf(2) }],
  })
  world.peer(2).drop()
  await world.until('it is away', async () => (await checks(world))[0] === 'switch-away')
  t.match(await ask(world), {
    reaches: 'unknown',
    findings: [{ check: 'switch-away', dpid: dpidOf(2), remedy: /is its machine up/ }],
  })
})

t.test('a link that carries less than is wanted', async t => {
  const world = await whole(t)
  const measured = () => world.controller.links().every(({ mtu }) => mtu !== undefined)
  await world.until('links are measured', measured)
  const { mtu } = world.controller.links()[0]!
  t.match(await ask(world, at(1, 1), at(2, 1), mtu), { reaches: 'yes', mtu })
  t.match(await ask(world, at(1, 1), at(2, 1), mtu! + 1), {
    reaches: 'no',
    findings: [{ check: 'mtu', sentence: new RegExp(`${mtu} bytes at most, and ${mtu! + 1} are wanted`) }],
  })
})

t.test('a network without a way between its switches', async t => {
  const world = await makePeers(t, { switches: 1 })
  await world.live()
  await world.ask(draft => putNetwork(draft, 'red'))
  await world.join('red', [1, 1, macOf(1, 1)])
  t.match(await ask(world, at(1, 1), at(2, 1)), { reaches: 'no', findings: [{ check: 'detached' }] })
})
