// How a change gets to a switch: what leaves goes first, and what a switch refuses leaves nothing between two networks.
import t, { type Test } from 'tap'
import type { Message } from '../../../openflow/index.ts'
import { deleteNetwork } from '../../../store/desired.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { openVSwitch, plainHardware } from '../../reference/index.ts'
import { entriesOf } from '../../reference/table.ts'
import { dpidOf, macOf, makePeers, type Peers } from '../peers.ts'

const heardBy = (world: Peers, n: number, port: number) =>
  [...world.send(n, port, ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))).counts]
    .map(([at]) => at)
    .sort()
const at = (port: number) => `${dpidOf(1)}/${port}`
const move = (world: Peers, port: number, network: string) =>
  world.ask(draft => draft.putAttachment({ network, dpid: dpidOf(1), port, mac: macOf(1, port), guard: 'mac' }))

/** Ports 1 and 2 in red, 3 and 4 in blue. */
async function redAndBlue(test: Test, kind: typeof openVSwitch): Promise<Peers> {
  const world = await makePeers(test, { kind })
  await world.live()
  for (const [id, ports] of [
    ['red', [1, 2]],
    ['blue', [3, 4]],
  ] as const) {
    await world.join(id, ...ports.map(port => [1, port, macOf(1, port)] as const))
    if ((await world.controller.settled(id, 0, 5000)).state !== 'programmed') throw new Error(`${id} is not programmed`)
  }
  return world
}
const isChange = ({ type }: Message) => ['flow_mod', 'group_mod', 'meter_mod', 'bundle_add'].includes(type)

t.test(
  'without bundles, a port has left its network, and the switch has said so, before it enters another',
  async t => {
    const world = await redAndBlue(t, plainHardware)
    const peer = world.peer(1)
    const first = peer.received.length
    const heard: string[] = []
    peer.whim = message => {
      // Before each message: who hears the port that moves.
      if (isChange(message) || message.type === 'barrier_request') heard.push(heardBy(world, 1, 1).join())
      return undefined
    }
    await move(world, 1, 'blue')
    t.equal((await world.controller.settled('blue', 0, 5000)).state, 'programmed')
    heard.push(heardBy(world, 1, 1).join())
    const inRed = at(2)
    const inBlue = `${at(3)},${at(4)}`
    t.strictSame([...new Set(heard)], [inRed, '', inBlue], 'red, then nobody, then blue')
    const types = peer.received
      .slice(first)
      .flatMap(({ type }) =>
        type === 'barrier_request' ? ['|'] : type === 'flow_mod' ? ['f'] : type === 'group_mod' ? ['g'] : [],
      )
    t.match(types.join(''), /^[fg]+\|[fg|]*\|[fg]+\|f+\|$/, 'a barrier after each part, and before the port enters')
  },
)

t.test('with bundles, a port that moves leaves in one change, and enters in one', async t => {
  const world = await redAndBlue(t, openVSwitch)
  const peer = world.peer(1)
  const first = peer.received.length
  await move(world, 1, 'blue')
  t.equal((await world.controller.settled('blue', 0, 5000)).state, 'programmed')
  const sent = peer.received.slice(first)
  const controls = sent.flatMap(message => (message.type === 'bundle_control' ? [message.ctrlType] : []))
  const one = ['open_request', 'close_request', 'commit_request']
  t.strictSame(controls, [...one, ...one])
  t.equal(sent.filter(({ type }) => type === 'flow_mod' || type === 'group_mod').length, 0)
  t.strictSame(heardBy(world, 1, 1), [at(3), at(4)])
})

for (const [name, kind] of Object.entries({ 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }))
  t.test(`a port whose new network is refused has left its former one all the same (${name})`, async t => {
    const world = await redAndBlue(t, kind)
    const number = BigInt(world.store.state().networks.get('blue')!.number)
    const peer = world.peer(1)
    peer.whim = message => {
      const inner = message.type === 'bundle_add' ? message.message : message
      if (inner.type !== 'flow_mod' || inner.command !== 'add' || (inner.cookie & 0xffffffffn) !== number)
        return undefined
      return [{ type: 'error', xid: message.xid, errorType: 5, errorCode: 1, payload: Buffer.alloc(0) }]
    }
    await move(world, 1, 'blue')
    await world.until('blue is degraded', () => world.controller.network('blue')?.state === 'degraded')
    await world.until('red has let it go', () => world.controller.network('red')?.state === 'programmed')
    t.strictSame([heardBy(world, 1, 1), heardBy(world, 1, 2)], [[], []])
    // What a switch without bundles did take is taken back.
    t.strictSame(heardBy(world, 1, 3), [at(4)])
    peer.whim = () => undefined
    await world.until('it heals', () => world.controller.network('blue')?.state === 'programmed', { ms: 20_000 })
    t.strictSame(heardBy(world, 1, 1), [at(3), at(4)])
  })

/** Ports 1 and 2 in red; then as many of these as the switch can hold, each with a port of its own. */
async function crowd(test: Test, kind: Partial<typeof openVSwitch>, ids: readonly string[]): Promise<Peers> {
  const world = await makePeers(test, { kind: { ...plainHardware, maxMeter: 0, ...kind }, ports: 12 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  if ((await world.controller.settled('red', 0, 5000)).state !== 'programmed') throw new Error('red is not programmed')
  await world.ask(draft => {
    for (const [i, id] of ids.entries()) {
      draft.putNetwork({ id, number: draft.nextNumber()! })
      for (const port of [3 + 2 * i, 4 + 2 * i])
        draft.putAttachment({ network: id, dpid: dpidOf(1), port, mac: macOf(1, port), guard: 'mac' })
    }
    return undefined
  })
  return world
}
const statesOf = (world: Peers, ...ids: string[]) => ids.map(id => world.controller.network(id)?.state)
const settledOnce = (world: Peers, ...ids: string[]) =>
  world.until('each is programmed or degraded', () => statesOf(world, ...ids).every(state => state !== 'pending'))

t.test('of networks that do not all fit, those that fit get in, and of the others nothing is left', async t => {
  // Red needs 4 entries in `admit` beside the 4 that every switch has, and each other 4 more.
  const world = await crowd(t, { tableSize: 17 }, ['green', 'blue', 'white'])
  await settledOnce(world, 'green', 'blue', 'white')
  t.strictSame(statesOf(world, 'red', 'green', 'blue', 'white'), [
    ...['programmed', 'programmed', 'programmed', 'degraded'],
  ])
  t.match(world.controller.network('white')?.reason, 'FLOW_MOD_FAILED/TABLE_FULL')
  t.strictSame([heardBy(world, 1, 1), heardBy(world, 1, 3), heardBy(world, 1, 5)], [[at(2)], [at(4)], [at(6)]])
  const white = BigInt(world.store.state().networks.get('white')!.number)
  const left = [...world.peer(1).sw.tables.values()].flatMap(table =>
    [...entriesOf(table)].filter(({ cookie }) => (cookie & 0xffffffffn) === white),
  )
  t.strictSame(left, [])
})

t.test('a network that found no room gets in soon after another has left', async t => {
  const world = await crowd(t, { tableSize: 13 }, ['green', 'blue'])
  await settledOnce(world, 'green', 'blue')
  t.strictSame(statesOf(world, 'green', 'blue'), ['programmed', 'degraded'])
  // By now it is asked again only after a long pause.
  await world.ask(draft => deleteNetwork(draft, 'green'))
  await world.until('it is in', () => world.controller.network('blue')?.state === 'programmed', { ms: 3000 })
  t.strictSame(heardBy(world, 1, 5), [at(6)])
})

t.test('a network that finds no group is degraded for that, and leaves no entry', async t => {
  const world = await crowd(t, { maxGroups: 5 }, ['green', 'blue'])
  await settledOnce(world, 'green', 'blue')
  t.strictSame(statesOf(world, 'red', 'green', 'blue'), ['programmed', 'programmed', 'degraded'])
  t.match(world.controller.network('blue')?.reason, 'GROUP_MOD_FAILED/OUT_OF_GROUPS')
  t.equal(world.peer(1).sw.groups.size, 4)
  await world.ask(draft => deleteNetwork(draft, 'red'))
  await world.until('it is in', () => world.controller.network('blue')?.state === 'programmed', { ms: 3000 })
})

t.test('a member that finds no room is taken back whole, and the network goes on without it', async t => {
  const world = await crowd(t, { tableSize: 9 }, [])
  const sent = world.peer(1).received.length
  await world.join('red', [1, 3, macOf(1, 3)])
  await world.until('it is degraded', () => world.controller.network('red')?.state === 'degraded')
  t.strictSame([heardBy(world, 1, 1), heardBy(world, 1, 2), heardBy(world, 1, 3)], [[at(2)], [at(1)], []])
  t.ok(world.peer(1).received.length > sent)
})
