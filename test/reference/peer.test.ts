// Reference switches on real connections, to a real server.
import t, { type Test } from 'tap'
import { errorName, flowMod, type MessageOf } from '../../openflow/index.ts'
import { listen } from '../../openflow/session/server.ts'
import type { Session } from '../../openflow/session/session.ts'
import { flowModFailed } from './errors.ts'
import { ethernet } from './frames.ts'
import { entriesOf, type Kind, type Knobs, newPeer, newSwitch, type Peer, portDesc } from './index.ts'

type World = {
  readonly server: Awaited<ReturnType<typeof listen>>
  readonly packetIns: MessageOf<'packet_in'>[]
  readonly removed: MessageOf<'flow_removed'>[]
  readonly down: string[]
  peer(dpid: number, knobs?: Knobs, kind?: Partial<Kind>): Peer
  /** Connects it; resolves with its session when that is up. */
  up(peer: Peer): Promise<Session>
}

async function world(t: Test): Promise<World> {
  const waiting = new Map<string, (session: Session) => void>()
  const packetIns: World['packetIns'] = []
  const removed: World['removed'] = []
  const down: string[] = []
  const peers: Peer[] = []
  const server = await listen({
    listeners: [{ host: '127.0.0.1', port: 0 }],
    events: {
      up: session => waiting.get(session.dpid)?.(session),
      down: ({ dpid }) => down.push(dpid),
      portStatus: () => {},
      packetIn: (_, message) => packetIns.push(message),
      flowRemoved: (_, message) => removed.push(message),
    },
    metrics: { message: () => {}, error: () => {}, connection: () => {}, packetInDropped: () => {} },
  })
  t.teardown(async () => {
    for (const peer of peers) peer.hangUp()
    await server.close()
  })
  return {
    server,
    packetIns,
    removed,
    down,
    peer: (dpid, knobs = {}, kind = {}) => {
      const sw = newSwitch({ dpid: BigInt(dpid), ports: [1, 2], kind })
      const peer = newPeer({ sw, ...server.addresses[0]!, knobs })
      peers.push(peer)
      return peer
    },
    up: peer =>
      new Promise((resolve, reject) => {
        waiting.set(peer.sw.dpid.toString(16).padStart(16, '0'), resolve)
        peer.connect().catch(reject)
      }),
  }
}

const flowsOf = ({ sw }: Peer) => [...sw.tables.values()].flatMap(table => [...entriesOf(table)])
const some = (n: number) => Array.from({ length: n }, (_, i) => flowMod({ match: { tunnel_id: BigInt(i) } }))

t.test('twelve switches connect, take flows, and say what they hold', async t => {
  const { peer, up, server } = await world(t)
  const peers = Array.from({ length: 12 }, (_, i) => peer(i + 1))
  const sessions = await Promise.all(peers.map(up))
  t.equal(server.sessions().size, 12)
  const failures = await Promise.all(sessions.map(session => session.bundle(some(20))))
  t.same(failures.flat(), [])
  t.same(
    peers.map(p => flowsOf(p).length),
    Array(12).fill(20),
  )
  t.same((await sessions[3]!.flows()).length, 20)
  t.same([sessions[0]!.can.bundles, sessions[0]!.ports().size], [true, 2])
})

t.test('a switch without bundles says so, takes changes one by one, and TABLE_FULL is an answer', async t => {
  const { peer, up } = await world(t)
  const small = peer(1, {}, { bundles: false, nicira: false, tableSize: 5 })
  const session = await up(small)
  t.equal(session.can.bundles, false)
  const failures = await session.apply(some(7))
  t.same(
    failures.map(({ index, words }) => [index, words]),
    [
      [5, 'FLOW_MOD_FAILED/TABLE_FULL'],
      [6, 'FLOW_MOD_FAILED/TABLE_FULL'],
    ],
  )
  t.equal(flowsOf(small).length, 5)
})

t.test('a late barrier holds up what follows it, and nothing else', async t => {
  const { peer, up } = await world(t)
  const late = peer(1)
  const session = await up(late)
  late.knobs.barrierDelay = 300
  const order: string[] = []
  const applied = session.apply(some(1)).then(() => order.push('barrier'))
  await session.request({ type: 'echo_request', payload: Buffer.from('x') }).then(() => order.push('echo'))
  t.equal(flowsOf(late).length, 1, 'the flow is there before the barrier is answered')
  await applied
  t.same(order, ['echo', 'barrier'])
})

t.test('it refuses after as many flow-mods as it is told to', async t => {
  const { peer, up } = await world(t)
  const moody = peer(1, { refuseAfter: { flowMods: 100, failure: flowModFailed('EPERM') } })
  const failures = await (await up(moody)).apply(some(102))
  t.same(
    failures.map(({ index, words }) => [index, words]),
    [
      [100, 'FLOW_MOD_FAILED/EPERM'],
      [101, 'FLOW_MOD_FAILED/EPERM'],
    ],
  )
  t.equal(errorName(5, 4), 'FLOW_MOD_FAILED/EPERM')
})

t.test('it hangs up when told to, comes back, and still has its flows', async t => {
  const { peer, up, down } = await world(t)
  const flaky = peer(1)
  const session = await up(flaky)
  await session.apply(some(3))
  flaky.knobs.hangUpAfter = flaky.received.length + 2
  await t.rejects(session.apply(some(5)))
  t.same(down, [session.dpid])
  delete flaky.knobs.hangUpAfter
  const again = await up(flaky)
  t.ok((await again.flows()).length >= 3)
})

t.test('the controller hears of packets, of flows that timed out, and of ports', async t => {
  const { peer, up, packetIns, removed } = await world(t)
  const one = peer(1)
  const session = await up(one)
  const toController = {
    type: 'apply_actions',
    actions: [{ type: 'output', port: 0xfffffffd, maxLen: 0xffff }],
  } as const
  await session.apply([flowMod({ match: { in_port: 2 }, idleTimeout: 5, flags: 1, instructions: [toController] })])
  const frame = ethernet({ dst: '02:00:00:00:00:01', src: '02:00:00:00:00:02' }, 0x88b5, Buffer.alloc(46))
  t.same(one.arrive(2, frame), [])
  one.wait(5)
  one.setPort(7, {})
  one.setPort(1, undefined)
  one.setPort(2, { desc: portDesc(2, { state: 1 }) })
  // Its answers come in order, so after this one all of the above has been heard.
  await session.apply([])
  await session.request({ type: 'echo_request', payload: Buffer.alloc(0) })
  t.match(packetIns, [{ match: { in_port: 2 }, payload: frame }])
  t.match(removed, [{ reason: 'idle_timeout', packetCount: 1n }])
  t.same(
    [...session.ports()].map(([number, { state }]) => [number, state]),
    [
      [2, 1],
      [7, 4],
    ],
  )
})
