import t from 'tap'
import type { DataPlane } from '../../../controller/proof/data-plane.ts'
import { type Trace, traceSteps } from '../../../controller/proof/trace.ts'
import { drawn } from './plane.ts'

const frame = Buffer.from(`ffffffffffff02000000000188b5${'00'.repeat(46)}`, 'hex')

function traced(plane: DataPlane, dpid: string, port: number): Trace & { readonly read: readonly string[] } {
  const steps = traceSteps(plane, { dpid, port, frame })
  const read: string[] = []
  for (;;) {
    const step = steps.next()
    if (step.done) return { ...step.value, read }
    if (step.value !== undefined) read.push(step.value)
  }
}
const ends = ({ visits }: Trace) =>
  visits.flatMap(({ dpid, copies }) => copies.map(({ port, end }) => `${dpid}/${port} ${end.is}`))

t.test(
  'a frame goes over links until it leaves by ports, and each switch is asked for when it comes there',
  async t => {
    const plane = drawn({
      switches: {
        a: { ports: [1, 9], holds: ['priority=1,in_port=1,actions=set_field:7->tun_id,output:9'] },
        b: {
          ports: [8, 1, 2],
          holds: [
            'priority=1,tun_id=7,actions=group:5',
            'group_id=5,type=all,bucket=actions=output:1,bucket=actions=output:2,bucket=actions=output:8',
          ],
        },
        c: { ports: [1], holds: [] },
      },
      links: ['a/9-b/8'],
      uses: { 'b/1': [{ network: 'red', is: 'member' }] },
    })
    const trace = traced(plane, 'a', 1)
    t.same(ends(trace), ['a/9 link', 'b/1 port', 'b/2 port'], 'not back to where it came from')
    t.same(trace.read, ['a', 'b'])
    t.equal(trace.visits[1]!.tunnelId, 7n)
    t.same(
      trace.visits[1]!.copies.map(({ groups }) => groups),
      [[{ group: 5, bucket: 0 }], [{ group: 5, bucket: 1 }]],
    )
    t.strictSame(trace.visits[1]!.copies[0]!.end, { is: 'port', uses: [{ network: 'red', is: 'member' }] })
  },
)

t.test('a frame that comes where it has been is a loop, and is not followed for ever', async t => {
  const around = (out: number) => ({
    ports: [1, 8, 9],
    holds: [`priority=1,in_port=1,actions=output:${out}`, `priority=1,actions=output:${out}`],
  })
  const plane = drawn({
    switches: { a: around(9), b: around(9), c: around(9) },
    links: ['a/9-b/8', 'b/9-c/8', 'c/9-a/8'],
  })
  const trace = traced(plane, 'a', 1)
  t.same(ends(trace), ['a/9 link', 'b/9 link', 'c/9 link', 'a/9 loop'])
  const looping = traced(
    drawn({ switches: { a: around(9), b: around(9), c: around(9) }, links: ['a/9-b/8', 'b/9-c/8', 'c/9-a/8'] }),
    'a',
    8,
  )
  t.same(ends(looping), ['a/9 link', 'b/9 link', 'c/9 loop'])
  t.match(looping.visits[2]!.copies[0]!.end, { is: 'loop', visit: 0 })
  t.ok(trace.isWhole)
})

t.test(
  'copies that multiply at every switch are followed up to a number, and it is said that there are more',
  async t => {
    const both = { ports: [7, 8, 9], holds: ['priority=1,actions=push_vlan:0x8100,output:8,output:9'] }
    const links = ['a/8-b/8', 'b/9-c/9', 'c/8-a/9', 'a/7-b/7']
    const { visits, isWhole } = traced(drawn({ switches: { a: both, b: both, c: both }, links }), 'a', 7)
    t.equal(isWhole, visits.length < 4096)
  },
)

t.test(
  'a dead link, a port that is down or not there, and a switch that nobody knows end a copy, with the reason',
  async t => {
    const holds = ['priority=1,in_port=1,actions=output:9,output:99,output:50,output:3,CONTROLLER:128,LOCAL']
    const plane = drawn({
      switches: { a: { ports: [1, 3, 9, 99], holds }, b: { ports: [8], holds: [] } },
      links: ['a/9-b/8', 'a/3-z/1'],
      dead: [{ from: { dpid: 'a', port: 9 }, to: { dpid: 'b', port: 8 } }],
    })
    const { visits } = traced(plane, 'a', 1)
    const why = visits[0]!.copies.map(({ end }) => ('why' in end ? end.why : end.is))
    t.strictSame(why, [
      'the link from a/9 to b/8 is dead: probes do not arrive',
      'port 99 (p99) of switch a is down',
      'switch a has no port 50',
      'link',
      'controller',
      'local',
    ])
    t.equal(visits[1]!.unknown, 'nothing is known of switch z')
  },
)

t.test('what is not known of an entry is said: a field, an action, a choice that is the switch’s own', async t => {
  const doubts = (holds: readonly string[]) => {
    const { visits } = traced(drawn({ switches: { a: { ports: [1, 2, 3], holds } } }), 'a', 1)
    return { ends: ends({ visits, isWhole: true }), doubts: visits[0]!.steps.flatMap(step => step.doubts) }
  }
  t.match(doubts(['priority=5,ct_state=+trk,actions=drop', 'priority=1,actions=output:2']), {
    ends: ['a/2 port'],
    doubts: [/compares ct_state/],
  })
  t.match(doubts(['priority=1,actions=learn(table=1,in_port=1),output:2']), {
    ends: ['a/2 port'],
    doubts: [/learn is not known/],
  })
  t.match(doubts(['priority=1,actions=NORMAL']), { ends: [], doubts: [/NORMAL/] })
  t.match(doubts(['priority=1,in_port=1,actions=output:2', 'priority=1,dl_src=02:00:00:00:00:01,actions=output:3']), {
    doubts: [/same priority/],
  })
  t.match(doubts(['priority=1,actions=group:77']), { ends: [], doubts: [/group 77 is not there/] })
})

t.test('resubmit meets another table, and comes back', async t => {
  const holds = ['priority=1,actions=resubmit(,3),output:3', 'table=3,priority=1,actions=output:2']
  const { visits } = traced(drawn({ switches: { a: { ports: [1, 2, 3], holds } } }), 'a', 1)
  t.same(ends({ visits, isWhole: true }), ['a/2 port', 'a/3 port'])
  t.same(
    visits[0]!.steps.map(step => step.table),
    [0, 3],
  )
})
