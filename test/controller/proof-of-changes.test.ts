// `--prove`: a controller with a defect sends nothing that lets a frame cross, and one without is held up by nothing.
import t from 'tap'
import { cookie } from '../../controller/compile/cookie.ts'
import { flowItem, type Item } from '../../controller/compile/item.ts'
import type { LocalNetwork } from '../../controller/compile/local-network.ts'
import * as rules from '../../controller/compile/rules.ts'
import type { createController } from '../../controller/controller.ts'
import { flowMod, parseFlow } from '../../openflow/index.ts'
import { attach, deleteNetwork } from '../../store/desired.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { apply, openVSwitch, plainHardware } from '../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers, type PeersOptions } from './peers.ts'

t.setTimeout(300_000)
const kinds = { 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }
const call = (n: number, port: number) => ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))

/** Ports of red, and of blue. */
const red = [
  [1, 1],
  [2, 1],
] as const
const blue = [
  [1, 2],
  [2, 2],
] as const

/** Who hears a broadcast of whom, of all ports that were ever meant to be in a network, and of one that was not. */
function heard(world: Peers): Record<string, string[]> {
  const ports = [...red, ...blue, [1, 3] as const]
  const by = (n: number, port: number) => [...world.send(n, port, call(n, port)).counts].map(([at]) => at).sort()
  return Object.fromEntries(ports.map(([n, port]) => [`${n}/${port}`, by(n, port)]))
}
const apart = (...networks: readonly (readonly (readonly [number, number])[])[]) =>
  Object.fromEntries(
    [...red, ...blue, [1, 3] as const].map(([n, port]) => [
      `${n}/${port}`,
      networks
        .filter(members => members.some(([m, p]) => m === n && p === port))
        .flatMap(members => members.filter(([m, p]) => m !== n || p !== port))
        .map(([m, p]) => `${dpidOf(m)}/${p}`)
        .sort(),
    ]),
  )

/** What a defect adds to what red has on switch 1: as many entries as it likes. */
const defects: Readonly<Record<string, (number: number) => readonly string[]>> = {
  'broadcasts of red come out at a port of blue': number => [
    `table=2,priority=40,metadata=${number}/0xffffffff,dl_dst=${broadcast},actions=output:2`,
  ],
  'a port of red is led out at a port of blue': () => ['table=0,priority=2000,in_port=1,actions=output:2'],
  'frames that come for red over the link come out at a port of nobody': number => [
    `table=0,priority=2000,in_port=102,tun_id=${number},actions=output:3`,
  ],
}

/** A controller whose compiler adds these to red's flood. */
async function defective(t: Tap, add: (number: number) => readonly string[]): Promise<typeof createController> {
  const flood = (items: Item[], local: LocalNetwork, ...rest: [never]) => {
    rules.flood(items, local, ...rest)
    if (local.network.id !== 'red' || local.dpid !== dpidOf(1)) return
    const { number } = local.network
    for (const text of add(number)) {
      const { tableId = 0, priority = 0, match, instructions = [] } = parseFlow(text)
      items.push(flowItem(number, { tableId, priority, match, instructions, cookie: cookie('network', number) }))
    }
  }
  const mocks = { '../../controller/compile/rules.ts': { ...rules, flood } }
  return (
    (await t.mockImport('../../controller/controller.ts', mocks)) as { createController: typeof createController }
  ).createController
}
type Tap = typeof t

async function redAndBlue(t: Tap, options: PeersOptions): Promise<Peers> {
  const world = await makePeers(t, { switches: 2, ...options })
  await world.live()
  await world.join('blue', ...blue.map(([n, port]) => [n, port, macOf(n, port)] as const))
  await world.join('red', ...red.map(([n, port]) => [n, port, macOf(n, port)] as const))
  await world.until('blue is there', () => world.controller.network('blue')?.state === 'programmed')
  await world.until('red is settled', () => world.controller.network('red')?.state !== 'pending')
  return world
}
const failed = ({ events }: Peers, tables: string) =>
  events.flatMap(event => (event.kind === 'proof-failed' && event.tables === tables ? [event] : []))

for (const [name, add] of Object.entries(defects))
  for (const [kindName, kind] of Object.entries(kinds)) {
    t.test(`${name}: not with --prove enforce (${kindName})`, async t => {
      const create = await defective(t as Tap, add)
      const world = await redAndBlue(t as Tap, { kind, create, prove: 'enforce' })
      t.strictSame(heard(world), apart(blue), 'blue works, and red is not there')
      t.match(world.controller.network('red'), {
        state: 'degraded',
        reason: /flows are not sent to switch 0+1: with them/,
      })
      const [first] = failed(world, 'batch')
      t.match(first, { fault: /crosses|stray/, network: 'red', frame: /^[0-9a-f]{28,}$/, entry: /.+/ })
    })
  }

t.test('with --prove warn it is told, and sent', async t => {
  const create = await defective(t as Tap, Object.values(defects)[0]!)
  const world = await redAndBlue(t as Tap, { kind: openVSwitch, create, prove: 'warn' })
  t.match(world.controller.network('red'), { state: 'programmed' })
  t.not(failed(world, 'batch').length, 0)
  t.ok(heard(world)['1/1']!.includes(`${dpidOf(1)}/2`), 'so the defect is one')
})

for (const [kindName, kind] of Object.entries(kinds))
  t.test(`whatever is asked for is done with --prove enforce, and nothing is held back (${kindName})`, async t => {
    const world = await redAndBlue(t as Tap, { kind, prove: 'enforce' })
    t.strictSame(heard(world), apart(red, blue))
    await world.ask(draft => attach(draft, { network: 'blue', dpid: dpidOf(1), port: 3, mac: macOf(1, 3) }))
    await world.until('it is there', () => world.controller.network('blue')?.state === 'programmed')
    t.strictSame(heard(world), apart(red, [...blue, [1, 3]]))
    await world.ask(draft =>
      attach(draft, { network: 'red', dpid: dpidOf(1), port: 3, mac: macOf(1, 3) }, { move: true }),
    )
    await world.until(
      'it has moved',
      () => heard(world)['1/3']!.length === 2 && world.controller.network('red')?.state === 'programmed',
    )
    t.strictSame(heard(world), apart([...red, [1, 3]], blue))
    world.peer(2).drop()
    await world.ask(draft => deleteNetwork(draft, 'blue'))
    await world.peer(2).connect()
    await world.until('it is gone everywhere', () => heard(world)['2/2']!.length === 0)
    await world.restart()
    await world.until('red is there', () => world.controller.network('red')?.state === 'programmed')
    t.strictSame(heard(world), apart([...red, [1, 3]]))
    t.strictSame(failed(world, 'batch'), [])
  })

t.test('what an audit finds is judged: which frame crossed, by which entry, and since when at most', async t => {
  const world = await redAndBlue(t as Tap, { kind: openVSwitch, prove: 'warn' })
  const flow = 'table=0,priority=2000,in_port=1,actions=output:2'
  const { tableId = 0, priority = 0, match, instructions = [] } = parseFlow(flow)
  apply(world.peer(1).sw, flowMod({ command: 'add', tableId, priority, match, instructions, cookie: 0n }))
  t.ok(heard(world)['1/1']!.includes(`${dpidOf(1)}/2`), 'a frame crosses')
  await world.until('it is found', () => failed(world, 'found').length > 0, { ms: 120_000 })
  const [found] = failed(world, 'found')
  t.match(found, { fault: 'crosses', network: 'red', dpid: dpidOf(1), port: 1, at: dpidOf(1), entry: /output:2/ })
  t.match(found?.since, /^\d{4}-\d\d-\d\dT/)
  await world.until('it is gone', () => !heard(world)['1/1']!.includes(`${dpidOf(1)}/2`))
  t.strictSame(failed(world, 'batch'), [], 'what puts it right is not held back')
})
