// How a change gets to a switch: what leaves goes first, and what a switch refuses leaves nothing between two networks.
import t, { type Test } from 'tap'
import type { Message } from '../../openflow/index.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { openVSwitch, plainHardware } from '../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'
import { until } from './watching.ts'

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
    t.match(types.join(''), /^[fg]+\|[fg]+\|([fg]+\|)?$/, 'a barrier after each part')
  },
)

t.test('with bundles, a change is one, and all of it at once', async t => {
  const world = await redAndBlue(t, openVSwitch)
  const peer = world.peer(1)
  const first = peer.received.length
  await move(world, 1, 'blue')
  t.equal((await world.controller.settled('blue', 0, 5000)).state, 'programmed')
  const sent = peer.received.slice(first)
  const controls = sent.flatMap(message => (message.type === 'bundle_control' ? [message.ctrlType] : []))
  t.strictSame(controls, ['open_request', 'close_request', 'commit_request'])
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
    await until('blue is degraded', () => world.controller.network('blue')?.state === 'degraded')
    await until('red has let it go', () => world.controller.network('red')?.state === 'programmed')
    t.strictSame([heardBy(world, 1, 1), heardBy(world, 1, 2)], [[], []])
    // Without bundles what the switch did take stays: the port may hear its new network already.
    t.strictSame(heardBy(world, 1, 3), kind.bundles ? [at(4)] : [at(1), at(4)])
    peer.whim = () => undefined
    await until('it heals', () => world.controller.network('blue')?.state === 'programmed', { ms: 20_000 })
    t.strictSame(heardBy(world, 1, 1), [at(3), at(4)])
  })
