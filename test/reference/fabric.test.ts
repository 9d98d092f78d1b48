import t from 'tap'
import { type Action, bucket, flowMod, groupMod, type Message, setField } from '../../openflow/index.ts'
import { flush } from './fabric.ts'
import { broadcast, ethernet } from './frames.ts'
import { apply, endpoint, type Fabric, meshLinks, newFabric, newSwitch, type Switch, send } from './index.ts'

const hello = ethernet({ dst: broadcast, src: '02:00:00:00:00:01' }, 0x88b5, Buffer.alloc(46))
const output = (port: number): Action => ({ type: 'output', port, maxLen: 0 })
const applying = (...actions: Action[]) => [{ type: 'apply_actions', actions } as const]

/** Switches 1 to n in a full mesh, each with ports 1 and 2, and what each of them holds. */
function meshOf(n: number, content: (sw: Switch, tunnels: readonly number[]) => Message[]): Fabric {
  const numbers = Array.from({ length: n }, (_, i) => i + 1)
  const switches = numbers.map(i =>
    newSwitch({ dpid: BigInt(i), ports: [1, 2], tunnels: numbers.filter(j => j !== i).map(j => 100 + j) }),
  )
  for (const sw of switches)
    for (const message of content(
      sw,
      [...sw.ports].flatMap(([port, { tunnel }]) => (tunnel ? [port] : [])),
    ))
      if (apply(sw, message).length > 0) throw new Error('refused')
  return newFabric(switches, meshLinks(switches))
}

/** One network with VNI 7: from ports to all, from tunnels to ports. */
const flood = (tunnels: readonly number[]): Message[] => [
  groupMod({
    groupId: 1,
    buckets: [
      ...[1, 2].map(port => bucket({ actions: [output(port)] })),
      ...tunnels.map(port => bucket({ actions: [setField('tunnel_id', 7n), output(port)] })),
    ],
  }),
  ...[1, 2].map(in_port => flowMod({ match: { in_port }, instructions: applying({ type: 'group', groupId: 1 }) })),
  ...tunnels.map(in_port =>
    flowMod({ match: { in_port, tunnel_id: 7n }, instructions: applying(output(1), output(2)) }),
  ),
]

t.test('a broadcast in a mesh comes out everywhere once, and not where it went in', t => {
  const fabric = meshOf(4, (_, tunnels) => flood(tunnels))
  const { counts, loops, arrivals } = send(fabric, endpoint(2n, 1), hello)
  const all = [1n, 2n, 3n, 4n].flatMap(dpid => [1, 2].map(port => endpoint(dpid, port)))
  t.same(
    [...counts],
    all.filter(at => at !== endpoint(2n, 1)).map(at => [at, 1]),
  )
  t.same(loops, [])
  t.match(
    arrivals.find(({ at }) => at === endpoint(4n, 1)),
    { frame: hello, path: [endpoint(2n, 1), endpoint(4n, 102)] },
  )
  t.end()
})

t.test('what another network sends through a tunnel does not come out', t => {
  const fabric = meshOf(2, (sw, tunnels) =>
    sw.dpid === 1n
      ? [flowMod({ instructions: applying(setField('tunnel_id', 8n), output(tunnels[0]!)) })]
      : flood(tunnels),
  )
  t.same([...send(fabric, endpoint(1n, 1), hello).counts], [])
  t.end()
})

t.test('a frame that comes twice is counted twice', t => {
  const fabric = meshOf(2, (sw, tunnels) =>
    sw.dpid === 1n
      ? [flowMod({ instructions: applying(setField('tunnel_id', 7n), output(tunnels[0]!), output(tunnels[0]!)) })]
      : flood(tunnels),
  )
  t.same(
    [...send(fabric, endpoint(1n, 1), hello).counts],
    [
      [endpoint(2n, 1), 2],
      [endpoint(2n, 2), 2],
    ],
  )
  t.end()
})

t.test('a loop is found, whatever else the frame does meanwhile', t => {
  const next = (sw: Switch) => 101 + Number(sw.dpid % 3n)
  const ring = meshOf(3, sw => [flowMod({ instructions: applying(output(2), output(next(sw))) })])
  const { loops, counts } = send(ring, endpoint(1n, 1), hello)
  t.same(loops, [[endpoint(1n, 1), endpoint(2n, 101), endpoint(3n, 102), endpoint(1n, 103), endpoint(2n, 101)]])
  t.same(counts.get(endpoint(3n, 2)), 1)
  t.end()
})

t.test('a storm ends', t => {
  const storm = meshOf(3, (_, tunnels) => [
    flowMod({
      priority: 1,
      instructions: applying(
        ...tunnels.flatMap(port => [setField('eth_src', `02:00:00:00:00:${port.toString(16)}`), output(port)]),
      ),
    }),
  ])
  t.ok(send(storm, endpoint(1n, 1), hello).loops.length > 0)
  t.end()
})

t.test('entries that contend for a frame are told of, by switch', t => {
  const fabric = meshOf(2, () => [
    flowMod({ match: { in_port: 1 }, instructions: applying(output(2)) }),
    flowMod({ match: { eth_type: 0x88b5 }, instructions: applying(output(2)) }),
  ])
  t.same([...send(fabric, endpoint(2n, 1), hello).ambiguous], ['0000000000000002'])
  t.end()
})

t.test('a PACKET_OUT of one switch is a PACKET_IN of another', t => {
  const fabric = meshOf(2, () => [flowMod({ match: { tunnel_id: 9n }, instructions: applying(output(0xfffffffd)) })])
  const out: Message = {
    type: 'packet_out',
    xid: 0,
    bufferId: 0xffffffff,
    inPort: 0xfffffffd,
    actions: [setField('tunnel_id', 9n), output(102), output(1)],
    payload: hello,
  }
  apply(fabric.switches.get('0000000000000001')!, out)
  const { packetIns, counts } = flush(fabric)
  t.match(packetIns, [
    { dpid: '0000000000000002', message: { match: { in_port: 101, tunnel_id: 9n }, payload: hello } },
  ])
  t.same([...counts], [[endpoint(1n, 1), 1]])
  t.same(flush(fabric).packetIns, [], 'and only once')
  t.end()
})

t.test('an endpoint on a switch that is not there is an error that names those that are', t => {
  t.throws(
    () =>
      send(
        meshOf(1, () => []),
        endpoint(9n, 1),
        hello,
      ),
    /no switch 0000000000000009; it has 0000000000000001/,
  )
  t.end()
})
