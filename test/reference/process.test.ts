// What becomes of frames: OpenFlow 1.3.5 §5.1 to §5.12. That Open vSwitch agrees is tested in test/ovs/reference.test.ts.
import t from 'tap'
import {
  type Action,
  bucket,
  flowMod,
  groupMod,
  type Instruction,
  type Match,
  type Message,
  ports,
  setField,
} from '../../openflow/index.ts'
import { arp, arpRequest, broadcast, checksum, ethernet, ipv4, ipv6, neighbour, type Tag, tcp, udp } from './frames.ts'
import { apply, newSwitch, plainHardware, process, type Result, type Switch } from './index.ts'

const a = '02:00:00:00:00:0a'
const b = '02:00:00:00:00:0b'
const output = (port: number): Action => ({ type: 'output', port, maxLen: 0xffff })
const applying = (...actions: Action[]): Instruction => ({ type: 'apply_actions', actions })
const writing = (...actions: Action[]): Instruction => ({ type: 'write_actions', actions })
const goto = (tableId: number): Instruction => ({ type: 'goto_table', tableId })
const entry = (match: Match, ...instructions: Instruction[]) => flowMod({ match, instructions })
const at = (tableId: number, match: Match, ...instructions: Instruction[]) => flowMod({ tableId, match, instructions })
const plainFrame = ethernet({ dst: b, src: a }, 0x88b5, Buffer.alloc(46))
const tagged = (...tags: Tag[]) => ethernet({ dst: b, src: a, tags }, 0x88b5, Buffer.alloc(46))

const holding = (messages: Message[], kind = plainHardware): Switch => {
  const sw = newSwitch({ dpid: 1n, ports: [1, 2, 3], tunnels: [101, 102], kind })
  const errors = messages.flatMap(m => apply(sw, m)).filter(reply => reply.type === 'error')
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return sw
}
const places = ({ outputs }: Result) =>
  outputs.map(({ port, tunnelId }) => (tunnelId ? `${port}@${tunnelId}` : `${port}`))
const sent = (messages: Message[], frame = plainFrame, port = 1) => places(process(holding(messages), port, frame))

t.test('what no entry matches is dropped, in any table, and with it what was written to be done', t => {
  t.same(sent([]), [])
  const missing = [entry({}, writing(output(2)), goto(1))]
  t.same(sent(missing), [])
  t.same(places(process(holding(missing, { ...plainHardware, missExecutesSet: true }), 1, plainFrame)), ['2'])
  t.end()
})

t.test('the matching entry of the highest priority is taken; two of one priority are told of', t => {
  const low = flowMod({ priority: 1, match: { in_port: 1 }, instructions: [applying(output(2))] })
  const high = flowMod({ priority: 2, match: { eth_src: a }, instructions: [applying(output(3))] })
  t.same(sent([low, high]), ['3'])
  t.notOk(process(holding([low, high]), 1, plainFrame).ambiguous)
  t.ok(process(holding([low, { ...high, priority: 1 }]), 1, plainFrame).ambiguous)
  t.end()
})

t.test('metadata is written under its mask and matched in later tables', t => {
  const write = (metadata: bigint, metadataMask: bigint): Instruction => ({
    type: 'write_metadata',
    metadata,
    metadataMask,
  })
  const messages = [
    entry({}, write(0x1_0000_0005n, 0x1_ffff_ffffn), goto(1)),
    at(1, {}, write(0n, 1n << 32n), goto(2)),
    at(2, { metadata: 5n }, applying(output(2))),
    flowMod({
      tableId: 2,
      priority: 9,
      match: { metadata: { value: 1n << 32n, mask: 1n << 32n } },
      instructions: [applying(output(3))],
    }),
  ]
  t.same(sent(messages), ['2'])
  t.end()
})

t.test('instructions are executed in the order of the specification, not of the message', t => {
  const messages = [
    entry({}, goto(1), writing(output(3)), { type: 'clear_actions' }, applying(output(2))),
    at(1, {}, writing(output(2))),
  ]
  t.same(sent(messages), ['2', '2'], 'applied, then the last written output of the set')
  t.same(sent([entry({}, writing(output(3)), goto(1)), at(1, {}, { type: 'clear_actions' })]), [])
  t.end()
})

t.test('a frame goes back to where it came from by IN_PORT only; ALL is every other port', t => {
  t.same(sent([entry({}, applying(output(1), output(2)))]), ['2'])
  t.same(sent([entry({}, applying(output(ports.inPort)))]), ['1'])
  t.same(sent([entry({}, applying(output(ports.all)))]), ['2', '3', '101', '102'])
  t.same(sent([entry({}, applying(output(77)))]), [], 'a port that is not there')
  t.end()
})

t.test('each bucket gets a copy of its own, as an action set: its last output counts, sets come first', t => {
  const group = groupMod({
    groupId: 1,
    buckets: [
      bucket({ actions: [output(101), setField('tunnel_id', 7n)] }),
      bucket({ actions: [output(2), output(3)] }),
      bucket({ actions: [output(1)] }),
      bucket({ actions: [output(102)] }),
    ],
  })
  t.same(sent([group, entry({}, applying({ type: 'group', groupId: 1 }, output(2)))]), ['101@7', '3', '102', '2'])
  t.same(
    sent([group, entry({}, writing(output(2), { type: 'group', groupId: 1 }))]),
    ['101@7', '3', '102'],
    'a group in a set comes before its output',
  )
  t.end()
})

t.test('groups: indirect has one bucket, select takes one, ff takes the first whose port lives', t => {
  const buckets = [2, 3].map(port => bucket({ weight: 1, actions: [output(port)] }))
  const live = [2, 3].map(port => bucket({ watchPort: port, actions: [output(port)] }))
  const use = entry({}, applying({ type: 'group', groupId: 1 }))
  t.same(sent([groupMod({ groupId: 1, groupType: 'indirect', buckets: [bucket({ actions: [output(3)] })] }), use]), [
    '3',
  ])
  t.equal(sent([groupMod({ groupId: 1, groupType: 'select', buckets }), use]).length, 1)
  const sw = holding([groupMod({ groupId: 1, groupType: 'ff', buckets: live }), use])
  t.same(places(process(sw, 1, plainFrame)), ['2'])
  const { desc } = sw.ports.get(2)!
  sw.ports.set(2, { desc: { ...desc, state: 1 } })
  t.same(places(process(sw, 1, plainFrame)), ['3'], 'its link is down')
  t.end()
})

t.test('VLAN: NONE, PRESENT, a VID and a masked one are told apart', t => {
  const by = (match: Match, ...tags: Tag[]) => sent([entry(match, applying(output(2)))], tagged(...tags)).length
  const masked = { value: 0x1000, mask: 0x1000 }
  t.same([by({ vlan_vid: 0 }), by({ vlan_vid: masked }), by({ vlan_vid: 0x1005 })], [1, 0, 0])
  t.same(
    [by({ vlan_vid: 0 }, { vid: 5 }), by({ vlan_vid: masked }, { vid: 5 }), by({ vlan_vid: 0x1005 }, { vid: 5 })],
    [0, 1, 1],
  )
  t.same(
    [by({ vlan_vid: masked }, { vid: 0 }), by({ vlan_vid: 0x1000 }, { vid: 0 })],
    [1, 1],
    'a priority tag is a tag',
  )
  t.same(by({ vlan_vid: 0x1007 }, { vid: 5 }, { vid: 7 }), 0, 'the outermost tag is meant')
  t.end()
})

t.test('tags are pushed, set and popped; a pushed one takes over the VID below', t => {
  const push: Action = { type: 'push_vlan', ethertype: 0x8100 }
  const out = (frame: Buffer, match: Match, ...actions: Action[]) =>
    process(holding([entry(match, applying(...actions, output(2)))]), 1, frame).outputs[0]!.frame
  t.same(out(plainFrame, {}, push, setField('vlan_vid', 0x104d)), tagged({ vid: 77 }))
  t.same(out(tagged({ vid: 5, pcp: 3 }), {}, push), tagged({ vid: 5, pcp: 3 }, { vid: 5, pcp: 3 }))
  t.same(out(tagged({ vid: 5 }), { vlan_vid: 0x1005 }, { type: 'pop_vlan' }), plainFrame)
  t.end()
})

t.test('a switch that sees one tag takes the inner one for payload, also when the outer one is gone', t => {
  const messages = [
    entry({ vlan_vid: 0x1005 }, applying({ type: 'pop_vlan' }), goto(1)),
    at(1, { vlan_vid: 0 }, applying(output(2))),
    at(1, { vlan_vid: 0x1007 }, applying(output(3))),
  ]
  const frame = tagged({ vid: 5 }, { vid: 7 })
  t.same(places(process(holding(messages), 1, frame)), ['3'])
  t.same(places(process(holding(messages, { ...plainHardware, vlanLimit: 1 }), 1, frame)), ['2'])
  t.end()
})

t.test('fields of ARP, IPv4, IPv6, TCP, UDP and ND are matched', t => {
  const hits = (match: Match, frame: Buffer) => sent([entry(match, applying(output(2)))], frame).length === 1
  const question = arpRequest(a, '10.0.0.1', '10.0.0.2')
  t.ok(hits({ eth_type: 0x0806, arp_op: 1, arp_spa: '10.0.0.1', arp_tpa: '10.0.0.2', arp_sha: a }, question))
  t.notOk(hits({ eth_type: 0x0806, arp_tpa: '10.0.0.3' }, question))
  const v4 = ipv4({ dst: b, src: a }, { src: '10.0.0.1', dst: '10.0.1.2', tos: 0x29 }, udp(68, 67, Buffer.alloc(4)))
  t.ok(
    hits(
      {
        eth_type: 0x0800,
        ip_dscp: 10,
        ip_ecn: 1,
        ip_proto: 17,
        ipv4_dst: { value: '10.0.1.0', mask: '255.255.255.0' },
        udp_src: 68,
        udp_dst: 67,
      },
      v4,
    ),
  )
  t.notOk(hits({ eth_type: 0x0800, ip_proto: 6, tcp_dst: 67 }, v4))
  const fragment = ipv4(
    { dst: b, src: a },
    { src: '10.0.0.1', dst: '10.0.1.2', flags: 0x2000 },
    udp(68, 67, Buffer.alloc(4)),
  )
  t.notOk(hits({ eth_type: 0x0800, ip_proto: 17, udp_dst: 67 }, fragment), 'a fragment shows no ports')
  const nd = ipv6({ dst: b, src: a }, { src: 'fe80::1', dst: 'ff02::1' }, neighbour('solicit', 'fe80::2', [1, a]))
  t.ok(
    hits(
      {
        eth_type: 0x86dd,
        ipv6_src: 'fe80::1',
        ip_proto: 58,
        icmpv6_type: 135,
        ipv6_nd_target: 'fe80::2',
        ipv6_nd_sll: a,
      },
      nd,
    ),
  )
  t.notOk(hits({ eth_type: 0x86dd, ip_proto: 58, icmpv6_type: 135, ipv6_nd_sll: b }, nd))
  t.end()
})

t.test('checksums follow what is set', t => {
  const l2 = { dst: b, src: a }
  const change = (frame: Buffer, match: Match, ...actions: Action[]) =>
    process(holding([entry(match, applying(...actions, output(2)))]), 1, frame).outputs[0]!.frame
  const v4 = ipv4(l2, { src: '10.0.0.1', dst: '10.0.0.2' }, tcp(1, 2, Buffer.from('hello')))
  const v4Match = { eth_type: 0x0800, ip_proto: 6 } as const
  t.same(
    change(v4, v4Match, setField('ipv4_src', '10.9.8.7'), setField('tcp_dst', 80), setField('ip_dscp', 10)),
    ipv4(l2, { src: '10.9.8.7', dst: '10.0.0.2', tos: 40 }, tcp(1, 80, Buffer.from('hello'))),
  )
  const v6 = ipv6(l2, { src: 'fe80::1', dst: 'fe80::2' }, udp(1, 2, Buffer.from('hello')))
  t.same(
    change(
      v6,
      { eth_type: 0x86dd, ip_proto: 17 },
      setField('ipv6_dst', '2001:db8::9'),
      setField('udp_src', 53),
      setField('ip_ecn', 1),
    ),
    ipv6(l2, { src: 'fe80::1', dst: '2001:db8::9', tos: 1 }, udp(53, 2, Buffer.from('hello'))),
  )
  t.equal(checksum(v4.subarray(14, 34)), 0, 'and those of the frames sent here are right')
  t.end()
})

t.test('a switch answers ARP by itself, with moves and loads', t => {
  const move = (
    src: 'eth_src' | 'arp_sha' | 'arp_spa',
    dst: 'eth_dst' | 'arp_tha' | 'arp_tpa',
    nBits: number,
  ): Action => ({
    type: 'move',
    nBits,
    srcOffset: 0,
    dstOffset: 0,
    src,
    dst,
  })
  const answer = [
    move('eth_src', 'eth_dst', 48),
    setField('eth_src', b),
    setField('arp_op', 2),
    move('arp_sha', 'arp_tha', 48),
    move('arp_spa', 'arp_tpa', 32),
    setField('arp_sha', b),
    setField('arp_spa', '10.0.0.2'),
    output(ports.inPort),
  ]
  const match = { eth_type: 0x0806, arp_op: 1, arp_tpa: '10.0.0.2' } as const
  const sw = holding([entry(match, applying(...answer))], { ...plainHardware, nicira: true })
  const [reply] = process(sw, 1, arpRequest(a, '10.0.0.1', '10.0.0.2')).outputs
  t.equal(reply?.port, 1)
  t.same(reply?.frame, arp({ dst: a, src: b }, { op: 2, sha: b, spa: '10.0.0.2', tha: a, tpa: '10.0.0.1' }))
  t.end()
})

t.test('a packet-in says where, why and by which entry, and has the whole frame', t => {
  const sw = holding([
    flowMod({
      match: { in_port: 101 },
      instructions: [{ type: 'write_metadata', metadata: 6n, metadataMask: 0xffn }, goto(1)],
    }),
    flowMod({
      tableId: 1,
      cookie: 9n,
      match: { eth_src: a },
      instructions: [applying(setField('eth_src', b), output(ports.controller))],
    }),
    flowMod({
      priority: 0,
      cookie: 3n,
      instructions: [applying({ type: 'output', port: ports.controller, maxLen: 20 })],
    }),
  ])
  const changed = ethernet({ dst: b, src: b }, 0x88b5, Buffer.alloc(46))
  t.match(process(sw, 101, plainFrame, 7n).packetIns, [
    {
      reason: 'action',
      tableId: 1,
      cookie: 9n,
      match: { in_port: 101, tunnel_id: 7n, metadata: 6n },
      totalLen: 60,
      payload: changed,
    },
  ])
  t.match(process(sw, 1, plainFrame).packetIns, [
    { reason: 'no_match', tableId: 0, cookie: 3n, match: { in_port: 1 }, payload: plainFrame },
  ])
  t.end()
})

t.test('a PACKET_OUT leaves by its actions, or goes through the tables', t => {
  const sw = holding([entry({ in_port: 3 }, applying(output(2)))])
  const out = (actions: Action[], inPort: number = ports.controller): Message => ({
    type: 'packet_out',
    xid: 1,
    bufferId: 0xffffffff,
    inPort,
    actions,
    payload: plainFrame,
  })
  t.same(apply(sw, out([setField('tunnel_id', 0xfffffen), output(101), output(3)])), [])
  t.same(places({ outputs: sw.sent.splice(0), packetIns: [], meters: [], ambiguous: false }), ['101@16777214', '3'])
  apply(sw, out([output(ports.table)], 3))
  t.same(places({ outputs: sw.sent.splice(0), packetIns: [], meters: [], ambiguous: false }), ['2'])
  t.end()
})

t.test('ports that are down, closed or unknown take part in nothing', t => {
  const messages = [entry({}, applying(output(ports.all)))]
  const set = (config: number, state = 4) => {
    const sw = holding(messages)
    sw.ports.set(2, { desc: { ...sw.ports.get(2)!.desc, config, state } })
    return sw
  }
  t.notOk(places(process(set(1), 1, plainFrame)).includes('2'), 'PORT_DOWN')
  t.notOk(places(process(set(32), 1, plainFrame)).includes('2'), 'NO_FWD')
  t.notOk(places(process(set(0, 1), 1, plainFrame)).includes('2'), 'link down')
  t.same(places(process(set(4), 2, plainFrame)), [], 'NO_RECV')
  t.same(places(process(set(0), 50, plainFrame)), [])
  t.same(places(process(set(0), 1, Buffer.alloc(13))), [], 'no Ethernet frame')
  t.end()
})

t.test('beyond as many tunnel copies as Open vSwitch makes, the rest is lost', t => {
  const many = Array.from({ length: 800 }, (_, i) => 1000 + i)
  const sw = newSwitch({ dpid: 1n, ports: [1], tunnels: many })
  apply(sw, groupMod({ groupId: 1, buckets: many.map(port => bucket({ actions: [output(port)] })) }))
  apply(sw, entry({}, applying({ type: 'group', groupId: 1 })))
  t.equal(process(sw, 1, ethernet({ dst: broadcast, src: a }, 0x88b5, Buffer.alloc(46))).outputs.length, 780)
  t.end()
})
