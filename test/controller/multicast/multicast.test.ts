// A network that snoops, with a real controller and reference switches: who gets a datagram to a group?
import t, { type Test } from 'tap'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { openVSwitch, plainHardware } from '../../reference/index.ts'
import { at, control, datagram, type Hosts, makeHosts, v2Leave, v2Query, v2Report } from '../hosts.ts'
import { macOf, makePeers, type Peers } from '../peers.ts'
import { changesSent } from '../watching.ts'

t.setTimeout(120_000)

const six = 'ff1e::42'
const four = '239.1.2.3'
type End = readonly [n: number, port: number]
const gets = (world: Peers, [n, port]: End, group: string): string[] =>
  delivered(world, [n, port], datagram(n, port, group))
const delivered = (world: Peers, [n, port]: End, frame: Buffer): string[] => {
  const { counts, loops, ambiguous } = world.send(n, port, frame)
  if (loops.length + ambiguous.size > 0) throw new Error(`loops ${loops}, ambiguous on ${[...ambiguous]}`)
  return [...counts].map(([where, times]) => (times === 1 ? where : `${where} x${times}`)).sort()
}

async function snooping(
  t: Test,
  kind = openVSwitch,
): Promise<{ world: Peers; hosts: Hosts; settled: () => Promise<void> }> {
  const world = await makePeers(t, { switches: 2, kind })
  const hosts = makeHosts(world)
  await world.live()
  await world.ask(draft => void draft.putNetwork({ id: 'red', number: 7, multicast: 'snoop' }))
  const settled = async () => {
    await world.until('what every port wants is known', () => {
      const ports = world.controller.multicast('red')?.ports
      return ports?.every(({ gets }) => gets !== 'unsettled') ?? false
    })
    // What is known is compiled and confirmed a moment later.
    await world.clock.pass(200)
  }
  return { world, hosts, settled }
}
const known = (world: Peers, [n, port]: End, group: string): boolean =>
  world.controller.multicast('red')!.ports.some(p => `${p.dpid}/${p.port}` === at(n, port) && p.groups.includes(group))

for (const [name, kind] of Object.entries({ 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }))
  t.test(`until ports were asked, all get everything; then those who joined, and nobody else (${name})`, async t => {
    const { world, hosts, settled } = await snooping(t, kind)
    hosts.join(1, 1, four)
    await world.join('red', [1, 1], [1, 2, macOf(1, 2)], [2, 1], [2, 2, macOf(2, 2)])
    // Joined before its port was in the network: only asking can tell.
    hosts.join(2, 1, six)
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    const others = [at(1, 1), at(2, 1), at(2, 2)]
    t.strictSame(gets(world, [1, 2], four), others)
    t.strictSame(gets(world, [1, 2], six), others)
    await settled()
    for (const from of [
      [1, 2],
      [2, 2],
    ] as const) {
      t.strictSame(gets(world, from, four), [at(1, 1)])
      t.strictSame(gets(world, from, six), [at(2, 1)])
      t.strictSame(gets(world, from, '239.9.9.9'), [], 'nobody joined this one')
      t.strictSame(
        gets(world, from, '224.0.0.251'),
        [at(1, 1), at(1, 2), at(2, 1), at(2, 2)].filter(p => p !== at(from[0], from[1])),
      )
      t.strictSame(
        gets(world, from, 'ff02::fb'),
        [at(1, 1), at(1, 2), at(2, 1), at(2, 2)].filter(p => p !== at(from[0], from[1])),
      )
    }
    t.strictSame(gets(world, [1, 1], four), [], 'a sender does not get its own')
    const all = ethernet({ dst: broadcast, src: macOf(1, 2) }, 0x88b5, Buffer.alloc(46))
    t.strictSame(delivered(world, [1, 2], all), others, 'a broadcast is no multicast')
    t.match(world.controller.multicast('red'), { groups: 2, querier: 'controller' })

    hosts.join(2, 1, four)
    await world.until('it is known', () => known(world, [2, 1], four) && gets(world, [1, 2], four).length === 2)
    t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 1)])
    hosts.leave(1, 1, four)
    t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 1)], 'it is asked before it is believed')
    await world.until('it has left', () => gets(world, [1, 2], four).length === 1)
    t.strictSame(gets(world, [1, 2], four), [at(2, 1)])
    t.ok(hosts.asked.some(({ n, port, group }) => n === 1 && port === 1 && group === four))
  })

t.test('whoever says that it leaves, but answers when asked, stays', async t => {
  const { world, hosts, settled } = await snooping(t)
  await world.join('red', [1, 1], [1, 2], [2, 1])
  await settled()
  hosts.join(1, 1, four)
  await world.until('it is known', () => gets(world, [2, 1], four).length === 1)
  // Another host behind the same port has left.
  world.send(1, 1, v2Leave(1, 1, four))
  await world.until('it was asked', () => hosts.asked.some(({ group }) => group === four))
  await world.clock.pass(2500)
  t.strictSame(gets(world, [2, 1], four), [at(1, 1)])
})

t.test('a router gets everything, reports too, and nobody else gets these', async t => {
  const { world, settled } = await snooping(t)
  await world.join('red', [1, 1], [1, 2], [2, 1], [2, 2])
  await settled()
  const router: End = [2, 2]
  t.strictSame(delivered(world, [1, 1], v2Report(1, 1, four)), [], 'there is none yet')
  t.strictSame(delivered(world, router, v2Query(...router)), [at(1, 1), at(1, 2), at(2, 1)], 'a query is everybody’s')
  await world.until('it is known', () => gets(world, [1, 2], '239.7.7.7').length === 1)
  t.strictSame(gets(world, [1, 2], '239.7.7.7'), [at(2, 2)])
  await world.until('reports go there', () => delivered(world, [1, 1], v2Report(1, 1, four)).length === 1)
  t.strictSame(delivered(world, [1, 1], v2Report(1, 1, four)), [at(2, 2)])
  t.strictSame(delivered(world, [1, 1], v2Leave(1, 1, '239.4.4.4')), [at(2, 2)])
  t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 2)])
  t.strictSame(gets(world, [1, 2], six), [at(2, 2)])
  await world.until('it asks instead of us', () => world.controller.multicast('red')?.querier === '10.0.2.2')
  t.strictSame(delivered(world, router, v2Query(...router, four)), [at(1, 1), at(1, 2), at(2, 1)], 'also about a group')
  const unknown = await world.join('red', [1, 3])
  await world.controller.settled('red', unknown, 5000)
  const hello = control(1, 3, '224.0.0.106', [0x30, 20, 0, 0, 0, 125, 0, 2])
  t.strictSame(delivered(world, [1, 3], hello), [at(1, 1), at(1, 2), at(2, 1), at(2, 2)])
  await world.until('another router is known', () =>
    world.controller.multicast('red')!.ports.some(p => p.port === 3 && p.gets === 'router'),
  )
})

t.test('a restarted controller knows who joined from the switches, and sends nothing', async t => {
  const { world, hosts, settled } = await snooping(t)
  await world.join('red', [1, 1], [1, 2], [2, 1], [2, 2])
  await settled()
  hosts.join(1, 1, four)
  hosts.join(2, 1, four)
  hosts.join(2, 2, six)
  await world.until(
    'all is known',
    () => gets(world, [1, 2], four).length === 2 && gets(world, [1, 2], six).length === 1,
  )
  const isRight = () => {
    t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 1)])
    t.strictSame(gets(world, [2, 2], four), [at(1, 1), at(2, 1)])
    t.strictSame(gets(world, [1, 2], six), [at(2, 2)])
    t.strictSame(gets(world, [1, 2], '239.9.9.9'), [])
  }
  await world.restart(undefined, [world.peer(1)])
  await world.until('the first is live', () => world.controller.switches()[0]?.state === 'live')
  isRight()
  t.equal(changesSent(world.counts), 0, 'what led to the second switch stays')
  await world.peer(2).connect()
  await world.until('both are', () => world.controller.switches().length === 2 && world.controller.ready().ready)
  isRight()
  t.equal(changesSent(world.counts), 0)
  hosts.die(2, 1)
  await world.until('all were asked', () => hosts.asked.length > 20)
  await settled()
  isRight()
  hosts.join(1, 2, six)
  await world.until('a new member is known', () => gets(world, [2, 1], six).length === 2)
  t.strictSame(gets(world, [2, 1], six), [at(1, 2), at(2, 2)])
})

t.test('switched on and off, whoever joined misses nothing', async t => {
  const world = await makePeers(t, { switches: 2 })
  const hosts = makeHosts(world)
  await world.live()
  await world.join('red', [1, 1], [1, 2], [2, 1], [2, 2])
  hosts.join(1, 1, four)
  hosts.join(2, 1, four)
  const { number } = world.store.state().networks.get('red')!
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 1), at(2, 2)])
  let missed = 0
  const look = () => {
    for (const from of [
      [1, 2],
      [2, 2],
    ] as const)
      for (const member of [at(1, 1), at(2, 1)]) if (!gets(world, from, four).includes(member)) missed++
  }
  t.teardown(world.clock.every(5, look))
  await world.ask(draft => void draft.putNetwork({ id: 'red', number, multicast: 'snoop' }))
  await world.until('the others get nothing more', () => gets(world, [1, 2], four).length === 2)
  t.strictSame(gets(world, [1, 2], four), [at(1, 1), at(2, 1)])
  await world.ask(draft => void draft.putNetwork({ id: 'red', number }))
  await world.until('the others do again', () => gets(world, [1, 2], four).length === 3)
  t.equal(missed, 0)
  t.equal(world.controller.multicast('red'), undefined)
})
