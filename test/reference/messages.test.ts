// OpenFlow 1.3.5 §6.4 to §6.6, rule by rule: what a message changes, and what a switch refuses.
import t from 'tap'
import {
  bucket,
  encode,
  errorName,
  flowMod,
  flowModFlags,
  type GroupMod,
  groupMod,
  type Match,
  type Message,
  meterMod,
  setField,
} from '../../openflow/index.ts'
import { badAction } from './errors.ts'
import {
  advance,
  apply,
  type Entry,
  entriesOf,
  newSwitch,
  plainHardware,
  process,
  receive,
  type Switch,
} from './index.ts'
import { errorReply } from './reply.ts'

const output = (port: number) => ({ type: 'output', port, maxLen: 0 }) as const
const applying = (...actions: Parameters<typeof bucket>[0]['actions'] & {}) => [
  { type: 'apply_actions', actions } as const,
]
const plain = (): Switch => newSwitch({ dpid: 1n, ports: [1, 2, 3], kind: plainHardware })
const flows = (sw: Switch): Entry[] => [...sw.tables.values()].flatMap(table => [...entriesOf(table)])
const errors = (replies: readonly Message[]) =>
  replies.flatMap(r => (r.type === 'error' ? [errorName(r.errorType, r.errorCode)] : []))
const frame = Buffer.from(`ffffffffffff02000000000188b5${'00'.repeat(46)}`, 'hex')

/** A switch that has taken all these without an error. */
function holding(...messages: Message[]): Switch {
  const sw = plain()
  for (const message of messages) if (errors(apply(sw, message)).length > 0) throw new Error(`refused: ${message.type}`)
  return sw
}

t.test(
  'ADD replaces an entry of the same match and priority, and keeps its counters unless told otherwise',
  async t => {
    const sw = holding(flowMod({ match: { in_port: 1 }, cookie: 1n, instructions: applying(output(2)) }))
    process(sw, 1, frame)
    advance(sw, 5)
    apply(sw, flowMod({ match: { in_port: 1 }, cookie: 2n, flags: flowModFlags.sendFlowRem }))
    const [kept, ...others] = flows(sw)
    t.same(others, [])
    t.match(kept, { cookie: 2n, instructions: [], flags: 1, counters: { packets: 1n, bytes: 60n, created: 5 } })
    apply(sw, flowMod({ match: { in_port: 1 }, flags: flowModFlags.resetCounts }))
    t.match(flows(sw), [{ counters: { packets: 0n } }])
  },
)

t.test('an entry of another priority or mask is another entry', async t => {
  const tunnel = (mask: bigint): Match => ({ tunnel_id: { value: 1n, mask } })
  t.equal(
    flows(
      holding(
        flowMod({ match: tunnel(1n) }),
        flowMod({ match: tunnel(3n) }),
        flowMod({ match: tunnel(1n), priority: 1 }),
      ),
    ).length,
    3,
  )
})

t.test(
  'MODIFY changes instructions only, of all that the match covers; strict, of the one that is identical',
  async t => {
    const old = { cookie: 7n, idleTimeout: 9, flags: flowModFlags.sendFlowRem } as const
    const one = flowMod({ ...old, match: { in_port: 1, eth_dst: '02:00:00:00:00:02' } })
    const other = flowMod({ ...old, match: { in_port: 1 }, priority: 5 })
    const change = { match: { in_port: 1 }, cookie: 8n, instructions: applying(output(3)) } as const
    const loose = holding(one, other, flowMod({ ...change, command: 'modify' }))
    t.match(
      flows(loose),
      [change, change].map(({ instructions }) => ({ cookie: 7n, idleTimeout: 9, flags: 1, instructions })),
    )
    const strict = holding(one, other, flowMod({ ...change, command: 'modify_strict', priority: 5 }))
    t.same(
      flows(strict).map(entry => entry.instructions.length),
      [0, 1],
    )
    t.same(flows(holding(flowMod({ ...change, command: 'modify' }))), [], 'and what is not there is not made')
  },
)

t.test('DELETE is narrowed by cookie, out port, out group and table; strict, by priority', async t => {
  const all = () =>
    holding(
      groupMod({ groupId: 4 }),
      flowMod({ cookie: 0x10n, match: { in_port: 1 }, instructions: applying(output(2)) }),
      flowMod({
        cookie: 0x11n,
        match: { in_port: 2 },
        tableId: 1,
        instructions: applying({ type: 'group', groupId: 4 }),
      }),
      flowMod({ cookie: 0x20n, match: { in_port: 3 }, priority: 3 }),
    )
  const left = (given: Parameters<typeof flowMod>[0]) => {
    const sw = all()
    apply(sw, flowMod({ command: 'delete', tableId: 0xff, ...given }))
    return flows(sw).map(({ cookie }) => cookie)
  }
  t.same(left({}), [])
  t.same(left({ cookie: 0x10n, cookieMask: 0xf0n }), [0x20n])
  t.same(left({ outPort: 2 }), [0x20n, 0x11n])
  t.same(left({ outGroup: 4 }), [0x10n, 0x20n])
  t.same(left({ tableId: 1 }), [0x10n, 0x20n])
  t.same(left({ match: { in_port: 3 } }), [0x10n, 0x11n])
  t.same(left({ command: 'delete_strict', match: { in_port: 3 }, priority: 4 }).length, 3)
  t.same(left({ command: 'delete_strict', match: { in_port: 3 }, priority: 3 }), [0x10n, 0x11n])
})

t.test('a removed flow is reported with its counts if it asked for that, and one that is replaced is not', async t => {
  const asked = flowMod({ match: { in_port: 1 }, cookie: 5n, flags: flowModFlags.sendFlowRem })
  const sw = holding(asked)
  process(sw, 1, frame)
  t.same(apply(sw, asked), [])
  advance(sw, 2.5)
  t.match(apply(sw, flowMod({ command: 'delete' })), [
    { type: 'flow_removed', reason: 'delete', cookie: 5n, packetCount: 1n, durationSec: 2, durationNsec: 5e8 },
  ])
})

t.test('timeouts remove: idle ones after the last frame, hard ones whatever comes', async t => {
  const flags = flowModFlags.sendFlowRem
  const sw = holding(
    flowMod({ match: { in_port: 1 }, idleTimeout: 10, flags }),
    flowMod({ match: { in_port: 2 }, hardTimeout: 15, flags }),
  )
  advance(sw, 9)
  process(sw, 1, frame)
  t.match(advance(sw, 6), [{ type: 'flow_removed', reason: 'hard_timeout', match: { in_port: 2 } }])
  t.same(advance(sw, 3), [])
  t.match(advance(sw, 1), [{ type: 'flow_removed', reason: 'idle_timeout', match: { in_port: 1 } }])
})

t.test('what a switch refuses, it refuses with the words of the specification, and nothing changes', async t => {
  const vlan = { eth_type: 0x0800, vlan_vid: 0x1005 } as const
  const refusals: [string, Message][] = [
    ['FLOW_MOD_FAILED/BAD_TABLE_ID', flowMod({ tableId: 0xff })],
    ['FLOW_MOD_FAILED/BAD_TABLE_ID', flowMod({ tableId: 8 })],
    ['BAD_INSTRUCTION/BAD_TABLE_ID', flowMod({ tableId: 2, instructions: [{ type: 'goto_table', tableId: 2 }] })],
    ['BAD_INSTRUCTION/BAD_TABLE_ID', flowMod({ instructions: [{ type: 'goto_table', tableId: 8 }] })],
    ['BAD_MATCH/BAD_PREREQ', flowMod({ match: { ipv4_src: '10.0.0.1' } })],
    ['BAD_MATCH/BAD_PREREQ', flowMod({ match: { ip_proto: 6, eth_type: 0x0800 } })],
    [
      'BAD_MATCH/BAD_WILDCARDS',
      flowMod({ match: { eth_dst: { value: '01:00:00:00:00:01', mask: '01:00:00:00:00:00' } } }),
    ],
    ['BAD_MATCH/BAD_FIELD', flowMod({ match: { reg0: 1 } })],
    ['BAD_ACTION/BAD_OUT_GROUP', flowMod({ instructions: applying({ type: 'group', groupId: 1 }) })],
    ['BAD_ACTION/BAD_OUT_PORT', flowMod({ instructions: applying(output(0)) })],
    ['BAD_ACTION/MATCH_INCONSISTENT', flowMod({ instructions: applying({ type: 'pop_vlan' }) })],
    ['BAD_ACTION/MATCH_INCONSISTENT', flowMod({ match: vlan, instructions: applying(setField('arp_op', 2)) })],
    ['BAD_ACTION/BAD_EXPERIMENTER', flowMod({ instructions: applying({ type: 'controller2' }) })],
    ['METER_MOD_FAILED/INVALID_METER', flowMod({ instructions: [{ type: 'meter', meterId: 3 }] })],
    ['GROUP_MOD_FAILED/UNKNOWN_GROUP', groupMod({ groupId: 1, command: 'modify' })],
    ['GROUP_MOD_FAILED/INVALID_GROUP', groupMod({ groupId: 1, groupType: 'indirect' })],
    [
      'GROUP_MOD_FAILED/LOOP',
      groupMod({ groupId: 1, buckets: [bucket({ actions: [{ type: 'group', groupId: 1 }] })] }),
    ],
    ['METER_MOD_FAILED/UNKNOWN_METER', meterMod({ meterId: 1, command: 'modify', flags: 1, bands: [] })],
    [
      'BAD_REQUEST/BAD_EXPERIMENTER',
      { type: 'bundle_control', xid: 0, bundleId: 1, ctrlType: 'open_request', flags: 3 },
    ],
  ]
  for (const [words, message] of refusals) {
    const sw = plain()
    const replies = apply(sw, { ...message, xid: 77 })
    t.same([errors(replies), replies[0]?.xid, flows(sw).length, sw.groups.size], [[words], 77, 0, 0], words)
  }
})

t.test('an overlap is refused where it is asked for; a full table refuses new entries only', async t => {
  const wide = flowMod({ match: { in_port: 1 } })
  const overlapping = { match: { eth_dst: '02:00:00:00:00:02' } } as const
  t.same(errors(apply(holding(wide), flowMod({ ...overlapping, flags: flowModFlags.checkOverlap }))), [
    'FLOW_MOD_FAILED/OVERLAP',
  ])
  t.same(errors(apply(holding(wide), flowMod({ ...overlapping, priority: 1, flags: flowModFlags.checkOverlap }))), [])
  const small = newSwitch({ dpid: 1n, kind: { tableSize: 1 } })
  t.same(errors([...apply(small, wide), ...apply(small, wide), ...apply(small, flowMod(overlapping))]), [
    'FLOW_MOD_FAILED/TABLE_FULL',
  ])
})

t.test('deleting a group or a meter deletes the flows that use it', async t => {
  const flags = flowModFlags.sendFlowRem
  const sw = holding(
    groupMod({ groupId: 1 }),
    meterMod({ meterId: 1, flags: 1, bands: [{ type: 'drop', rate: 1, burstSize: 0 }] }),
    flowMod({ match: { in_port: 1 }, flags, instructions: applying({ type: 'group', groupId: 1 }) }),
    flowMod({ match: { in_port: 2 }, flags, instructions: [{ type: 'meter', meterId: 1 }] }),
    flowMod({ match: { in_port: 3 }, flags }),
  )
  t.match(apply(sw, groupMod({ groupId: 1, command: 'delete' })), [{ reason: 'group_delete', match: { in_port: 1 } }])
  t.match(apply(sw, meterMod({ meterId: 1, command: 'delete' })), [{ reason: 'meter_delete', match: { in_port: 2 } }])
  t.match(flows(sw), [{ match: { in_port: 3 } }])
})

t.test('a long dump comes in parts that are messages, all but the last with REPLY_MORE', async t => {
  const sw = holding(...Array.from({ length: 1500 }, (_, i) => flowMod({ match: { tunnel_id: BigInt(i) } })))
  const body = {
    type: 'flow',
    tableId: 0xff,
    outPort: 0xffffffff,
    outGroup: 0xffffffff,
    cookie: 0n,
    cookieMask: 0n,
    match: {},
  } as const
  const parts = apply(sw, { type: 'multipart_request', xid: 4, flags: 0, body })
  const listed = parts.flatMap(p => (p.type === 'multipart_reply' && p.body.type === 'flow' ? p.body.flows : []))
  t.equal(listed.length, 1500)
  t.ok(parts.length > 1 && parts.every(part => encode(part).length <= 0xffff))
  t.same(
    parts.map(part => 'flags' in part && part.flags),
    parts.map((_, i) => (i < parts.length - 1 ? 1 : 0)),
  )
})

t.test('bytes that are no message are answered with an error that carries them', async t => {
  const bad = Buffer.from('0463000800000007', 'hex')
  t.same(receive(plain(), bad), [encode(errorReply(7, { errorType: 1, errorCode: 1 }, bad))])
  t.equal(errors(apply(plain(), Buffer.from('040e000a000000070000', 'hex')))[0], 'BAD_REQUEST/BAD_LEN')
  t.same(badAction('BAD_OUT_GROUP'), { errorType: 2, errorCode: 9 })
})

t.test('a slave changes nothing, and a stale master stays one', async t => {
  const role = (name: 'master' | 'slave', generationId: bigint): Message => ({
    type: 'role_request',
    xid: 1,
    role: name,
    generationId,
  })
  const sw = plain()
  t.match(apply(sw, role('slave', 5n)), [{ type: 'role_reply', role: 'slave' }])
  t.same(errors(apply(sw, flowMod({}))), ['BAD_REQUEST/IS_SLAVE'])
  t.same(errors(apply(sw, role('master', 4n))), ['ROLE_REQUEST_FAILED/STALE'])
  t.match(apply(sw, role('master', 6n)), [{ role: 'master', generationId: 6n }])
  t.same(errors(apply(sw, flowMod({}))), [])
})

t.test('a bundle is applied as a whole and in order, or not at all', async t => {
  const control = (ctrlType: 'open_request' | 'close_request' | 'commit_request' | 'discard_request'): Message => ({
    type: 'bundle_control',
    xid: 9,
    bundleId: 1,
    ctrlType,
    flags: 3,
  })
  const add = (message: Message, xid = 9): Message => ({
    type: 'bundle_add',
    xid,
    bundleId: 1,
    flags: 3,
    message: { ...message, xid },
  })
  const run = (sw: Switch, ...messages: Message[]) =>
    messages
      .flatMap(m => apply(sw, m))
      .map(r =>
        r.type === 'error'
          ? `${r.xid} ${errorName(r.errorType, r.errorCode)}`
          : r.type === 'bundle_control'
            ? r.ctrlType
            : r.type,
      )
  const uses = flowMod({ instructions: applying({ type: 'group', groupId: 1 }) })
  const held = flowMod({ match: { in_port: 1 }, cookie: 1n })
  const ovs = () => {
    const sw = newSwitch({ dpid: 1n })
    apply(sw, held)
    return sw
  }
  const done = ovs()
  t.same(run(done, control('open_request'), add(groupMod({ groupId: 1 })), add(uses), control('close_request')), [
    'open_reply',
    'close_reply',
  ])
  t.equal(flows(done).length, 1, 'nothing before the commit')
  t.same(run(done, control('commit_request')), ['commit_reply'])
  t.equal(flows(done).length, 2)

  const failed = ovs()
  const steps: GroupMod[] = [groupMod({ groupId: 1 }), groupMod({ groupId: 1 })]
  const replies = run(
    failed,
    control('open_request'),
    add(flowMod({ command: 'delete' })),
    add({ ...held, cookie: 2n }),
    ...steps.map((m, i) => add(m, 20 + i)),
    control('commit_request'),
  )
  t.same(replies, ['open_reply', '21 GROUP_MOD_FAILED/GROUP_EXISTS', '9 BUNDLE_FAILED/MSG_FAILED'])
  t.same([failed.groups.size, flows(failed).map(f => f.cookie)], [0, [1n]], 'all of it is taken back')

  const refused = ovs()
  t.same(
    run(
      refused,
      control('open_request'),
      add(flowMod({ tableId: 0xff })),
      add(meterMod({ meterId: 1 })),
      add(uses, 9),
      control('discard_request'),
    ),
    ['open_reply', '9 FLOW_MOD_FAILED/BAD_TABLE_ID', '9 BUNDLE_FAILED/MSG_UNSUP', 'discard_reply'],
  )
  t.equal(flows(refused).length, 1)
})
