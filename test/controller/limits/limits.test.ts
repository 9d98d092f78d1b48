// Limits from the API to the meters of reference switches, and what is told of them.
import t from 'tap'
import { loopProbeMeterId, portLimitMeterId } from '../../../controller/compile/cookie.ts'
import { attach, putNetwork } from '../../../store/desired.ts'
import { plainHardware } from '../../reference/index.ts'
import { dpidOf, makePeers } from '../peers.ts'

const port = (n: number, port: number) => ({ network: 'red', dpid: dpidOf(n), port })
const meterOf = (world: Awaited<ReturnType<typeof makePeers>>, kind: 'broadcast' | 'send' | 'receive', port: number) =>
  world.peer(1).sw.meters.get(portLimitMeterId(kind, port))

t.test(
  'a port has a broadcast limit by default; another, for all or for one, takes its place, and off takes it away',
  async t => {
    const world = await makePeers(t)
    await world.live()
    const settled = async () => {
      const { revision } = world.store.state().networks.get('red')!
      t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
    }
    const rateOf = (port: number) => meterOf(world, 'broadcast', port)?.bands[0]
    await world.join('red', [1, 1], [1, 2])
    await settled()
    t.match(rateOf(1), { rate: 2000, burstSize: 2000 })
    await world.ask(draft => putNetwork(draft, 'red', { broadcastLimit: 300 }))
    await settled()
    t.match(rateOf(2), { rate: 300 })
    await world.ask(draft => attach(draft, { ...port(1, 2), broadcastLimit: 40, rateLimit: { send: { kbps: 5000 } } }))
    await settled()
    t.match([rateOf(1), rateOf(2)], [{ rate: 300 }, { rate: 40 }])
    t.match(meterOf(world, 'send', 2)?.bands, [{ rate: 5000, burstSize: 500 }])
    t.equal(meterOf(world, 'receive', 2), undefined)
    await world.ask(draft => attach(draft, { ...port(1, 2), broadcastLimit: 'off' }))
    await settled()
    t.equal(meterOf(world, 'broadcast', 2), undefined)
    t.equal(meterOf(world, 'send', 2), undefined)
    await world.ask(draft => putNetwork(draft, 'red', { broadcastLimit: null }))
    await settled()
    t.match(rateOf(1), { rate: 2000 })
  },
)

t.test('a limit that changes is changed where it stands: no flow is touched', async t => {
  const world = await makePeers(t)
  await world.live()
  const revision = await world.join('red', [1, 1], [1, 2])
  await world.controller.settled('red', revision, 5000)
  const before = world.peer(1).received.length
  const { network } = await world.ask(draft => putNetwork(draft, 'red', { broadcastLimit: 77 }))
  t.match(await world.controller.settled('red', network.revision, 5000), { state: 'programmed' })
  const changes = world
    .peer(1)
    .received.slice(before)
    .filter(m => /_mod$|bundle/.test(m.type))
  t.strictSame([...new Set(changes.map(m => m.type))], ['meter_mod'])
})

t.test('what a limit drops is told: once as an event, and in figures whenever it is asked for', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1], [1, 2])
  const key = `${dpidOf(1)}/1`
  const id = portLimitMeterId('broadcast', 1)
  const drop = (count: bigint) => world.peer(1).sw.metered.set(id, { packets: 9n, dropped: count })
  const dropped = () => world.controller.limits(key)[0]?.dropped
  await world.until('it has the limit', () => world.peer(1).sw.meters.has(id))
  await world.controller.readLimits(dpidOf(1))
  drop(120n)
  await world.until('it is known', () => dropped() === 120)
  drop(150n)
  await world.until('more is known', () => dropped() === 150)
  t.strictSame(
    [...world.controller.eachDrop()],
    [{ network: 'red', dpid: dpidOf(1), port: 1, limit: 'broadcast', dropped: 150 }],
  )
  const told = world.events.filter(({ kind }) => kind === 'limit-exceeded')
  t.equal(told.length, 1)
  t.match(told[0], { network: 'red', port: 1 })
  // A meter that is made anew begins at 0.
  drop(5n)
  await world.until('it goes on counting', () => dropped() === 155)
})

t.test('on a switch without meters the default is missing, and what was asked for by name is degraded', async t => {
  const world = await makePeers(t, { kind: { ...plainHardware, maxMeter: 0 } })
  await world.live()
  const revision = await world.join('red', [1, 1], [1, 2])
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  t.strictSame(world.controller.switch(dpidOf(1))?.limitsMissing, ['broadcast and rate limits: it has no meters'])
  t.match(world.controller.limits(`${dpidOf(1)}/1`), [{ limit: 'broadcast', missing: 'it has no meters' }])
  await world.ask(draft => attach(draft, { ...port(1, 1), rateLimit: { receive: { kbps: 9000 } } }))
  const reason = `switch ${dpidOf(1)} does not hold port 1 to the limit of 9000 kbit/s on what it gets: it has no meters`
  t.match(await world.controller.settled('red', world.store.state().revision, 100), { state: 'degraded', reason })
  t.match(world.controller.attachment(`${dpidOf(1)}/1`), { state: 'degraded', reason })
  t.match(world.controller.attachment(`${dpidOf(1)}/2`), { state: 'programmed' })
})

for (const [name, kind, refuses] of [
  // Its meters are numbered from 1 to as many as it has (OpenFlow 1.3.5 §5.7.1 may be read so).
  ['plain OpenFlow 1.3', plainHardware, (id: number) => id > 256 && id < 0xffff_0000],
  // It has those for copies, and no others.
  ['Open vSwitch', {}, (id: number) => id === loopProbeMeterId || id > 0x2_0000],
] as const)
  t.test(`a switch that refuses such a meter forwards without limits, and that is said (${name})`, async t => {
    const world = await makePeers(t, { kind })
    world.peer(1).whim = m =>
      m.type === 'meter_mod' && m.command !== 'delete' && refuses(m.meterId)
        ? [{ type: 'error', xid: m.xid, errorType: 12, errorCode: 2, payload: Buffer.alloc(0) }]
        : undefined
    await world.live()
    const revision = await world.join('red', [1, 1], [1, 2])
    t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
    t.match(world.controller.switch(dpidOf(1))?.limitsMissing, [/it refused a meter: METER_MOD_FAILED/])
  })
