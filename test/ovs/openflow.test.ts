// A conversation with a real Open vSwitch: every message that it understands, in both directions. Each that it sends is
// read strictly, and written back to the same bytes. RECORD=1 keeps them in test/openflow/vectors/open-vswitch.ts.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import {
  type Action,
  bucket,
  bundleFlags,
  checkMatch,
  decode,
  encode,
  errorName,
  flowMod,
  flowModFlags,
  flowMonitorFlags,
  formatFlow,
  formatFlowStats,
  formatGroup,
  formatMatch,
  framing,
  groupMod,
  groups,
  type Match,
  type Message,
  type MessageOf,
  type MultipartReply,
  type MultipartRequest,
  meterMod,
  noBuffer,
  packetOut,
  parseActions,
  parseFlow,
  ports,
} from '../../openflow/index.ts'
import { type FieldName, fieldTable } from '../../openflow/messages/fields.ts'
import { flows } from '../openflow/golden.ts'
import { missingOvs, startDummyOvs } from './dummy-ovs.ts'

const missing = await missingOvs()
if (missing) console.error(`NOT TESTED: ${missing}`)

const frame = Buffer.from('ffffffffffff0200000000010806000108000604000102000000000100000000000000000000ffffffff', 'hex')

/** Every message type, and multipart type, that came: one of each is kept. */
const recorded = new Map<string, Buffer>()
/** Each flow reply of one flow, and that flow as ovs-ofctl printed it, without its duration. */
const recordedFlows: [Buffer, string][] = []
function nameOf(m: Message): string {
  if (m.type === 'error') return `error ${errorName(m.errorType, m.errorCode)}`
  if (m.type !== 'multipart_reply') return m.type
  const event = m.body.type === 'flow_monitor' ? ` ${m.body.updates.map(u => u.event).join()}` : ''
  return `${m.type} ${m.body.type}${event}`
}
/** Of what is the same for 254 tables, two are enough. */
function shortened(bytes: Buffer): Buffer {
  const m = decode(bytes)
  if (m.type !== 'multipart_reply') return bytes
  if (m.body.type === 'table') return encode({ ...m, body: { ...m.body, tables: m.body.tables.slice(0, 2) } })
  if (m.body.type === 'table_features') return encode({ ...m, body: { ...m.body, tables: m.body.tables.slice(0, 1) } })
  return bytes
}

const values: Record<string, fc.Arbitrary<unknown>> = {
  eth_type: fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8847, 0x88cc),
  ip_proto: fc.constantFrom(1, 6, 17, 58, 132),
  icmpv6_type: fc.constantFrom(1, 135, 136),
  icmpv6_code: fc.constant(0),
  arp_op: fc.constantFrom(1, 2),
  in_port: fc.constantFrom(1, 2),
  vlan_vid: fc.constantFrom(0, 0x1005),
  mac: fc.constant('02:00:00:00:00:01'),
  ipv4: fc.constant('10.0.0.1'),
  ipv6: fc.constant('fe80::1'),
  u64: fc.constant(5n),
}
/** Fields that Open vSwitch has, with values that they can hold, in OpenFlow's order, often without what they need. */
const names = (Object.keys(fieldTable) as FieldName[]).filter(
  name => fieldTable[name][0] === 'of' && fieldTable[name][1] < 40 && !/in_phy_port|pbb_isid|ipv6_exthdr/.test(name),
)
const oneOf = (name: FieldName): fc.Arbitrary<unknown> =>
  values[name] ?? values[fieldTable[name][2]] ?? fc.constantFrom(0, 1)
const plainMatch: fc.Arbitrary<Match> = fc
  .subarray(names, { minLength: 1, maxLength: 5 })
  .chain(some =>
    fc.tuple(...some.map(oneOf)).map(all => Object.fromEntries(some.map((name, i) => [name, all[i]])) as Match),
  )

type Talk = {
  /** Sends these, then a barrier; answers what came before the barrier's reply. */
  exchange(...messages: Message[]): Promise<Message[]>
  /** As exchange, for one message whose answer is of this type; any error fails. */
  ask<T extends Message['type']>(message: Message, type: T): Promise<MessageOf<T>>
  close(): void
}

async function talkTo(path: string): Promise<Talk> {
  const socket = connect(path)
  await once(socket, 'connect')
  const frames = framing()
  const received: Message[] = []
  let barrier: (() => void) | undefined
  let xid = 0x1000
  socket.on('data', chunk =>
    frames.push(chunk, bytes => {
      const copy = Buffer.from(bytes)
      const message = decode(copy)
      if (!encode(message).equals(copy)) throw new Error(`${nameOf(message)} is written otherwise than it came`)
      if (!recorded.has(nameOf(message))) recorded.set(nameOf(message), copy)
      if (message.type === 'echo_request') socket.write(encode({ ...message, type: 'echo_reply' }))
      else if (message.type === 'barrier_reply') barrier?.()
      else received.push(message)
    }),
  )
  const exchange = async (...messages: Message[]): Promise<Message[]> => {
    const done = new Promise<void>(resolve => {
      barrier = resolve
    })
    for (const message of messages) socket.write(encode({ ...message, xid: message.xid || ++xid }))
    socket.write(encode({ type: 'barrier_request', xid: ++xid }))
    await done
    return received.splice(0)
  }
  const talk: Talk = {
    exchange,
    async ask(message, type) {
      const answers = await exchange(message)
      const found = answers.find(answer => answer.type === type)
      if (!found) throw new Error(`${message.type} was answered by ${answers.map(nameOf).join(', ') || 'nothing'}`)
      return found as MessageOf<typeof type>
    },
    close: () => socket.destroy(),
  }
  await exchange({ type: 'hello', xid: 1, elements: [{ type: 'versionbitmap', versions: [4] }] })
  return talk
}

t.test('a conversation', { skip: missing ?? false }, async t => {
  const ovs = await startDummyOvs([1, 2, 3], [])
  t.teardown(() => ovs.close())
  const talk = await talkTo(`${ovs.directory}/br0.mgmt`)
  t.teardown(() => talk.close())

  const multipart = async <T extends MultipartReply['body']['type']>(
    body: Extract<MultipartRequest['body'], { type: T }>,
  ): Promise<Extract<MultipartReply['body'], { type: T }>> => {
    const reply = await talk.ask({ type: 'multipart_request', xid: 0, flags: 0, body }, 'multipart_reply')
    if (reply.body.type !== body.type) throw new Error(`${body.type} was answered by ${reply.body.type}`)
    return reply.body as Extract<MultipartReply['body'], { type: T }>
  }
  const allFlows = { tableId: 255, outPort: ports.any, outGroup: groups.any, cookie: 0n, cookieMask: 0n, match: {} }
  const accepted = async (t: Pick<typeof import('tap').t, 'same'>, ...messages: Message[]): Promise<Message[]> => {
    const answers = await talk.exchange(...messages)
    t.same(answers.filter(a => a.type === 'error').map(nameOf), [], 'no error')
    return answers
  }
  /** What is sent unasked may come after a barrier's reply. */
  const until = async (found: Message[], ...types: Message['type'][]): Promise<Message[]> => untilOn(talk, found, types)
  const untilOn = async (on: Talk, found: Message[], types: Message['type'][]): Promise<Message[]> => {
    const deadline = Date.now() + 5000
    while (!types.every(type => found.some(m => m.type === type)) && Date.now() < deadline) {
      await setTimeout(5)
      found.push(...(await on.exchange()))
    }
    return found
  }
  const refused = async (message: Message): Promise<string[]> =>
    (await talk.exchange(message)).map(a => (a.type === 'error' ? errorName(a.errorType, a.errorCode) : a.type))
  const clear = [flowMod({ command: 'delete', tableId: 255 }), groupMod({ command: 'delete', groupId: groups.all })]

  await t.test('features, configuration, role and what is sent unasked', async t => {
    t.match(await talk.ask({ type: 'features_request', xid: 0 }, 'features_reply'), { nTables: 254, auxiliaryId: 0 })
    t.match(await talk.ask({ type: 'echo_request', xid: 0, payload: Buffer.from('hello') }, 'echo_reply'), {
      payload: Buffer.from('hello'),
    })
    await accepted(t, { type: 'set_config', xid: 0, flags: 0, missSendLen: 0x4321 })
    t.match(await talk.ask({ type: 'get_config_request', xid: 0 }, 'get_config_reply'), { missSendLen: 0x4321 })
    const role = { type: 'role_request', xid: 0, role: 'master', generationId: 7n } as const
    t.match(await talk.ask(role, 'role_reply'), { role: 'master', generationId: 7n })
    t.same(await refused({ ...role, generationId: 6n }), ['ROLE_REQUEST_FAILED/STALE'])
    const masks = { packetInMask: [7, 0], portStatusMask: [7, 7], flowRemovedMask: [15, 0] }
    await accepted(t, { type: 'set_async', xid: 0, ...masks })
    t.match(await talk.ask({ type: 'get_async_request', xid: 0 }, 'get_async_reply'), masks)
    await accepted(t, { type: 'nx_set_async', xid: 0, ...masks })
    await accepted(t, { type: 'set_async2', xid: 0, properties: { portStatusMaster: 7, flowRemovedMaster: 15 } })
    for (const controllerId of [9, 0]) await accepted(t, { type: 'set_controller_id', xid: 0, controllerId })
  })

  await t.test(
    'what another controller does is told: that it is master now, and how it changes groups and meters',
    async t => {
      const other = await talkTo(`${ovs.directory}/br0.mgmt`)
      t.teardown(() => other.close())
      const told = { requestforwardMaster: 3, requestforwardSlave: 3, roleStatusMaster: 7, roleStatusSlave: 7 }
      await accepted(t, { type: 'set_async2', xid: 0, properties: told })
      await accepted(t, { type: 'role_request', xid: 0, role: 'master', generationId: 7n })
      const role = { type: 'role_request', xid: 0, role: 'master', generationId: 8n } as const
      t.match(await other.ask(role, 'role_reply'), { role: 'master' })
      t.match(await until([], 'role_status'), [
        { type: 'role_status', role: 'slave', reason: 'master_request', generationId: 8n },
      ])
      const change = groupMod({ groupId: 4, buckets: [bucket({ actions: [{ type: 'output', port: 1, maxLen: 0 }] })] })
      t.same(await other.exchange(change), [])
      t.match(await until([], 'requestforward'), [
        { type: 'requestforward', message: { type: 'group_mod', groupId: 4 } },
      ])
      t.same(await other.exchange(groupMod({ command: 'delete', groupId: 4 })), [])
      t.match(await until([], 'requestforward'), [{ message: { command: 'delete', groupId: 4 } }])
      t.match(await refused(change), ['BAD_REQUEST/IS_SLAVE'])
      await talk.ask({ ...role, generationId: 9n }, 'role_reply')
    },
  )

  await t.test('what it is and has', async t => {
    t.match(await multipart({ type: 'desc' }), { mfrDesc: 'Nicira, Inc.', hwDesc: 'Open vSwitch' })
    const desc = await multipart({ type: 'port_desc' })
    t.same(desc.ports.map(p => [p.portNo, p.name]).sort(), [
      [1, 'a1'],
      [2, 'a2'],
      [3, 'a3'],
      [ports.local, 'br0'],
    ])
    t.equal((await multipart({ type: 'port_stats', portNo: ports.any })).ports.length, 4)
    t.equal((await multipart({ type: 'table' })).tables.length, 254)
    t.match(await multipart({ type: 'group_features' }), { types: 15 })
    t.match(await multipart({ type: 'meter_features' }), { maxBands: 8 })
    t.match((await multipart({ type: 'queue', portNo: 1, queueId: 0xffffffff })).queues, [{ portNo: 1, queueId: 0 }])
    await talk.ask({ type: 'queue_get_config_request', xid: 0, portNo: 1 }, 'queue_get_config_reply')
    const features = await multipart({ type: 'table_features', tables: [] })
    t.ok(
      features.tables[0]!.properties.some(
        p => p.type === 'apply_setfield' && p.fields.some(f => f.field === 'tun_src'),
      ),
    )
  })

  await t.test('flows of every kind are taken, and read back as ovs-ofctl prints them', async t => {
    const given = flows.map(([line]) => parseFlow(line))
    await accepted(t, meterMod({ meterId: 3, flags: 6, bands: [{ type: 'drop', rate: 100, burstSize: 10 }] }))
    await accepted(t, meterMod({ meterId: 4, flags: 1, bands: [{ type: 'drop', rate: 100, burstSize: 0 }] }))
    for (const id of [5, 7])
      await accepted(t, groupMod({ groupId: id, buckets: [bucket({ actions: parseActions('output:1') })] }))
    for (const flow of given) {
      await accepted(t, flow)
      const body = await multipart({ type: 'flow', ...allFlows })
      t.equal(body.flows.length, 1, formatFlow(flow))
      const line = withoutDuration(await dumped(ovs.directory))
      t.equal(withoutDuration(formatFlowStats(body.flows[0]!)), line)
      recordedFlows.push([encode({ type: 'multipart_reply', xid: 0, flags: 0, body }), line])
      await accepted(t, flowMod({ command: 'delete', tableId: 255 }))
    }
  })

  await t.test('groups and meters', async t => {
    const made = groupMod({
      groupId: 9,
      groupType: 'select',
      buckets: [
        bucket({ weight: 1, actions: parseActions('output:1') }),
        bucket({ weight: 7, actions: parseActions('pop_vlan,output:2') }),
      ],
    })
    await accepted(t, ...clear, made)
    const { groups: found } = await multipart({ type: 'group_desc' })
    t.same(found.map(formatGroup), [formatGroup(made)])
    t.match(await multipart({ type: 'group', groupId: 9 }), { groups: [{ groupId: 9, bucketStats: [{}, {}] }] })
    t.same(await refused(made), ['GROUP_MOD_FAILED/GROUP_EXISTS'])
    t.match(await multipart({ type: 'meter_config', meterId: 3 }), {
      meters: [{ flags: 6, bands: [{ type: 'drop', rate: 100, burstSize: 10 }] }],
    })
    t.same((await multipart({ type: 'meter', meterId: 0xffffffff })).meters.map(m => m.meterId).sort(), [3, 4])
    t.same(await refused(meterMod({ meterId: 3, command: 'add' })), ['METER_MOD_FAILED/METER_EXISTS'])
    t.match(await multipart({ type: 'aggregate', ...allFlows }), { flowCount: 0 })
  })

  await t.test('frames to the controller, in each form', async t => {
    const out = (actions: Action[]) => packetOut({ inPort: 1, actions, payload: frame })
    const copy = parseActions('set_field:7->metadata,set_field:5->tun_id,controller(reason=no_match,userdata=01.02.03)')
    const [plain] = await until(
      await accepted(t, out(parseActions('set_field:7->metadata,CONTROLLER:20'))),
      'packet_in',
    )
    t.match(plain, { type: 'packet_in', reason: 'action', match: { in_port: 1, metadata: 7n }, bufferId: noBuffer })
    await accepted(t, { type: 'set_packet_in_format', xid: 0, format: 'nxt_packet_in' })
    const [nx] = await until(await accepted(t, out(copy)), 'nx_packet_in')
    t.match(nx, { type: 'nx_packet_in', reason: 'no_match' })
    await accepted(t, { type: 'set_packet_in_format', xid: 0, format: 'nxt_packet_in2' })
    const [two] = await until(await accepted(t, out(copy)), 'packet_in2')
    t.match(two, {
      type: 'packet_in2',
      properties: {
        packet: frame,
        reason: 'no_match',
        userdata: Buffer.from('010203', 'hex'),
        metadata: { tunnel_id: 5n },
      },
    })
    const [paused] = await until(
      await accepted(t, out(parseActions('controller(pause),CONTROLLER:65535'))),
      'packet_in2',
    )
    t.ok(paused?.type === 'packet_in2' && paused.properties.continuation, 'a pause has a continuation')
    if (paused?.type !== 'packet_in2') return
    const [resumed] = await until(await accepted(t, { ...paused, type: 'resume', xid: 0 }), 'packet_in2')
    t.match(resumed, { type: 'packet_in2', properties: { packet: frame } }, 'and goes on where it stopped')
    await accepted(t, { type: 'set_packet_in_format', xid: 0, format: 'standard' })
  })

  await t.test('removed flows, and a monitor of flows', async t => {
    const monitor = {
      id: 5,
      flags: Object.values(flowMonitorFlags).reduce((a, b) => a | b, 0),
      outPort: ports.any,
      tableId: 255,
      match: {},
    }
    const initial = await multipart({ type: 'flow_monitor', monitors: [monitor] })
    t.same(initial.updates, [])
    const flow = {
      ...parseFlow('cookie=0x5,table=1,tun_src=10.0.0.1,actions=output:1,goto_table:2'),
      flags: flowModFlags.sendFlowRem,
    }
    const [added] = await until(await accepted(t, flow), 'multipart_reply')
    t.match(added, {
      type: 'multipart_reply',
      body: {
        type: 'flow_monitor',
        updates: [
          {
            event: 'added',
            tableId: 1,
            cookie: 5n,
            match: flow.match,
            instructions: [{ type: 'apply_actions' }, { type: 'goto_table' }],
          },
        ],
      },
    })
    const deleted = await accepted(t, { ...flow, command: 'delete_strict', xid: 0 })
    const gone = await until(deleted, 'flow_removed', 'multipart_reply')
    t.match(
      gone.find(m => m.type === 'flow_removed'),
      { reason: 'delete', cookie: 5n, match: flow.match },
    )
    t.match(
      gone.find(m => m.type === 'multipart_reply'),
      { body: { updates: [{ event: 'deleted', reason: 2 }] } },
    )
    await accepted(t, { type: 'flow_monitor_cancel', xid: 0, id: 5 })
    t.same(await refused({ type: 'flow_monitor_cancel', xid: 0, id: 5 }), ['FLOW_MONITOR_FAILED/UNKNOWN_MONITOR'])
  })

  await t.test('bundles', async t => {
    const control = (ctrlType: MessageOf<'bundle_control'>['ctrlType'], xid: number): Message => ({
      type: 'bundle_control',
      xid,
      bundleId: 1,
      ctrlType,
      flags: bundleFlags.atomic | bundleFlags.ordered,
    })
    const add = (message: Message): Message => ({
      type: 'bundle_add',
      xid: 77,
      bundleId: 1,
      flags: bundleFlags.atomic | bundleFlags.ordered,
      message: { ...message, xid: 77 },
    })
    await accepted(t, ...clear)
    const group = groupMod({ groupId: 8, buckets: [bucket({ actions: parseActions('output:1') })] })
    const answers = await accepted(
      t,
      control('open_request', 71),
      add(group),
      add(parseFlow('actions=group:8')),
      control('close_request', 72),
      control('commit_request', 73),
    )
    t.same(
      answers.map(a => a.type === 'bundle_control' && a.ctrlType),
      ['open_reply', 'close_reply', 'commit_reply'],
    )
    t.equal((await multipart({ type: 'flow', ...allFlows })).flows.length, 1)
    t.same(await refused(control('close_request', 74)), ['BUNDLE_FAILED/BAD_ID'])
  })

  await t.test('tables, ports and tunnel options changed', async t => {
    await accepted(t, { type: 'table_mod', xid: 0, tableId: 1, config: 0 })
    const { ports: all } = await multipart({ type: 'port_desc' })
    const { portNo, hwAddr } = all.find(p => p.portNo === 2)!
    const mod = { type: 'port_mod', xid: 0, portNo, hwAddr, config: 0x40, mask: 0x40, advertise: 0 } as const
    // Who changes a port is not told; others are.
    const other = await talkTo(`${ovs.directory}/br0.mgmt`)
    await other.exchange({ type: 'set_config', xid: 0, flags: 0, missSendLen: 128 })
    await accepted(t, mod)
    const [status] = await untilOn(other, [], ['port_status'])
    t.match(status, { type: 'port_status', reason: 'modify', port: { portNo: 2, config: 0x40, name: 'a2' } })
    other.close()
    const mapping = { optionClass: 0xffff, optionType: 1, optionLen: 4, index: 3 }
    await accepted(t, { type: 'tlv_table_mod', xid: 0, command: 'add', mappings: [mapping] })
    t.match(await talk.ask({ type: 'tlv_table_request', xid: 0 }, 'tlv_table_reply'), { mappings: [mapping] })
    const flow = flowMod({ match: { tun_metadata3: Buffer.from('01020304', 'hex') } })
    await accepted(t, flow)
    const found = await multipart({ type: 'flow', ...allFlows, match: flow.match })
    t.same(
      found.flows.map(f => f.match),
      [flow.match],
    )
    await accepted(t, ...clear, { type: 'ct_flush_zone', xid: 0, zone: 5 })
  })

  await t.test('a match is refused exactly if checkMatch says so, and for the same reason', async t => {
    const matches = fc.sample(plainMatch, 500)
    const answers = await talk.exchange(...matches.map((match, i) => flowMod({ xid: 0x7000 + i, match })))
    const errors = new Map(
      answers.map(a => [a.xid - 0x7000, a.type === 'error' ? errorName(a.errorType, a.errorCode) : '']),
    )
    for (const [i, match] of matches.entries()) {
      const faults = checkMatch(match).map(fault => `BAD_MATCH/${fault.error}`)
      const error = errors.get(i)
      t.ok(
        error === undefined ? faults.length === 0 : faults.includes(error),
        `${formatMatch(match)}: ${error}, ${faults}`,
      )
    }
    await accepted(t, ...clear)
  })

  await t.test('errors have the words of the specification', async t => {
    const cases: readonly (readonly [Message, string])[] = [
      [flowMod({ match: { tcp_dst: 80 } }), 'BAD_MATCH/BAD_PREREQ'],
      [flowMod({ tableId: 255 }), 'FLOW_MOD_FAILED/BAD_TABLE_ID'],
      [parseFlow('actions=group:99'), 'BAD_ACTION/BAD_OUT_GROUP'],
      [parseFlow('table=3,actions=goto_table:2'), 'BAD_INSTRUCTION/BAD_TABLE_ID'],
      [parseFlow('actions=meter:99'), 'METER_MOD_FAILED/INVALID_METER'],
      [flowMod({ match: { oxm_0x8000_100: Buffer.from('01') } }), 'BAD_MATCH/BAD_FIELD'],
      [
        { type: 'port_mod', xid: 0, portNo: 99, hwAddr: '00:00:00:00:00:00', config: 0, mask: 0, advertise: 0 },
        'PORT_MOD_FAILED/BAD_PORT',
      ],
      [
        { type: 'experimenter', xid: 0, experimenter: 0xabcdef, expType: 1, payload: Buffer.alloc(0) },
        'BAD_REQUEST/BAD_EXPERIMENTER',
      ],
      [
        packetOut({ actions: [{ type: 'unknown', code: 99, payload: Buffer.alloc(4) }], payload: frame }),
        'BAD_ACTION/BAD_TYPE',
      ],
      [
        meterMod({ meterId: 50, flags: 3, bands: [{ type: 'drop', rate: 1, burstSize: 0 }] }),
        'METER_MOD_FAILED/BAD_FLAGS',
      ],
    ]
    for (const [message, words] of cases) t.same(await refused(message), [words])
  })
  if (process.env['RECORD']) record()
})

const withoutDuration = (line: string): string => line.trim().replace(/duration=\S+, /, '')

/** The only flow of br0, as ovs-ofctl prints it. */
async function dumped(directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)('ovs-ofctl', [
    '-O',
    'OpenFlow13',
    'dump-flows',
    `unix:${directory}/br0.mgmt`,
  ])
  return stdout.split('\n').find(line => line.includes('actions=')) ?? ''
}

function record(): void {
  const path = new URL('../openflow/vectors/open-vswitch.ts', import.meta.url)
  const messages = [...recorded].map(([name, bytes]) => `  ['${name}', '${shortened(bytes).toString('hex')}'],`)
  const flows = recordedFlows.map(([bytes, line]) => `  ['${bytes.toString('hex')}',\n    '${line}'],`)
  writeFileSync(
    path,
    `// Messages that Open vSwitch sent, as they came: \`RECORD=1 node test/ovs/openflow.test.ts\` writes this file.
// biome-ignore format: a message is a line, however long
export const openVswitch: readonly (readonly [name: string, hex: string])[] = [
${messages.join('\n')}
]

/** Flow replies of one flow each, and that flow as ovs-ofctl prints it, without its duration. */
// biome-ignore format: a message is a line, however long
export const openVswitchFlows: readonly (readonly [hex: string, printed: string])[] = [
${flows.join('\n')}
]
`,
  )
}
