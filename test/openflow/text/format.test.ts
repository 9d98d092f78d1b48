import fc from 'fast-check'
import t from 'tap'
import {
  flowMod,
  formatActions,
  formatFlow,
  formatFlowStats,
  formatMatch,
  formatMessage,
  formatMeter,
  type Match,
  parseActions,
  parseFlow,
  parseGroup,
  parseInstructions,
  parseMatch,
  parseMeter,
  TextError,
} from '../../../openflow/index.ts'
import { flowStats, message } from '../arbitrary.ts'
import { flows } from '../golden.ts'
import { written } from '../vectors.ts'

for (const [given, printed] of flows) {
  t.test(`${given.slice(0, 60)} is read and printed as ovs-ofctl does`, async t => {
    const flow = parseFlow(given)
    t.equal(formatMessage({ ...flow, xid: 1 }), `OFPT_FLOW_MOD (OF1.3) (xid=0x1): ${printed}`)
    t.equal(formatFlow(parseFlow(formatFlow(flow))), formatFlow(flow), 'and what is printed reads back')
  })
}

t.test('a line of dump-flows', async t => {
  const line =
    'cookie=0x6c32736d00000007, duration=358.115277s, table=2, n_packets=3, n_bytes=238, idle_timeout=30, send_flow_rem priority=123,in_port=6,dl_src=f2:0b:a4:7d:f8:ea actions=output:1,goto_table:3'
  const flow = parseFlow(line)
  t.equal(formatFlow(flow), line.replace(/duration=\S+ /, '').replace(/n_\w+=\d+, /g, ''))
  t.equal(
    formatFlowStats({ ...flow, durationSec: 358, durationNsec: 115277000, packetCount: 3n, byteCount: 238n }),
    line,
  )
})

t.test('instructions stand in the order in which they are carried out', async t => {
  const instructions = parseInstructions('meter:1,output:2,write_actions(output:3),goto_table:4')
  t.equal(
    formatFlow(flowMod({ instructions: instructions.toReversed() })),
    'actions=meter:1,output:2,write_actions(output:3),goto_table:4',
  )
})

t.test('the order of fields and instructions does not change the line', async t =>
  fc.assert(
    fc.property(flowStats, flow => {
      const turned = Object.fromEntries(Object.entries(flow.match).reverse()) as Match
      const kinds = new Set(flow.instructions.map(i => i.type))
      if (kinds.size < flow.instructions.length) return
      t.equal(formatFlow(flow), formatFlow({ ...flow, match: turned, instructions: flow.instructions.toReversed() }))
    }),
    { numRuns: 100 },
  ),
)

t.test('meters', async t => {
  const line = 'meter=controller,pktps,burst,band=type=drop,rate=100,burst_size=10'
  const meter = parseMeter(line)
  t.match(meter, { meterId: 0xfffffffe, flags: 6, bands: [{ type: 'drop', rate: 100, burstSize: 10 }] })
  t.equal(formatMeter(meter), line)
  t.equal(
    formatMeter(parseMeter('meter=1,kbps,band=type=dscp_remark,rate=1,prec_level=2')),
    'meter=1,kbps,band=type=dscp_remark,rate=1,prec_level=2',
  )
})

t.test('every message has a line of its own', async t => {
  const lines = written.map(([, , value]) => formatMessage(value))
  t.ok(
    lines.every(
      line => /^OFPT_[A-Z0-9_]+ \((OF1.3|version \d+)\) \(xid=0x[0-9a-f]+\):/.test(line) && !line.includes('\n'),
    ),
  )
  t.equal(new Set(lines).size, lines.length)
  fc.assert(fc.property(message, value => /^[\x20-\x7e\u00a0-\uffff]*$/.test(formatMessage(value))))
  fc.assert(fc.property(message, value => !/undefined|\[object/.test(formatMessage(value).replace(/".*?"/g, ''))))
  t.equal(
    formatMessage({ type: 'error', xid: 5, errorType: 5, errorCode: 1, payload: Buffer.from('04', 'hex') }),
    'OFPT_ERROR (OF1.3) (xid=0x5): FLOW_MOD_FAILED/TABLE_FULL 04',
  )
})

t.test('words and forms that ovs-ofctl takes as well', async t => {
  t.same(parseMatch('eth_type=0x800,ip_proto=6,tcp_dst=80'), parseMatch('tcp,tp_dst=80'))
  t.same(parseMatch('dl_vlan=0xffff'), { vlan_vid: 0 })
  t.same(parseMatch('vlan_tci=0x1005'), { vlan_vid: 0x1005, vlan_pcp: 0 })
  t.same(parseMatch('tunnel_id=7'), { tunnel_id: 7n })
  t.same(parseMatch('nw_src=*,in_port=1'), { in_port: 1 })
  t.same(parseMatch('oxm_0x8000_100=0x0102/0xff00'), {
    oxm_0x8000_100: { value: Buffer.from('0102', 'hex'), mask: Buffer.from('ff00', 'hex') },
  })
  t.same(parseActions('enqueue:3:4'), parseActions('set_queue:4,output:3,pop_queue'))
  t.same(parseActions('5,LOCAL'), parseActions('output:5,local'))
  t.same(parseGroup('group_id=1,type=fast_failover,bucket=watch_port=2,output:2').buckets, [
    { weight: 0, watchPort: 2, watchGroup: 0xffffffff, actions: [{ type: 'output', port: 2, maxLen: 0 }] },
  ])
  // Without a mapping (NXT_TLV_TABLE_MOD) ovs-ofctl, too, takes an option for as long as it can be; a switch then refuses it.
  t.same(parseActions('move:tun_metadata0[32..63]->reg0'), [
    { type: 'move', nBits: 32, srcOffset: 32, dstOffset: 0, src: 'tun_metadata0:124', dst: 'reg0' },
  ])
  t.equal(
    formatActions(parseActions('move:tun_metadata0[32..63]->reg0')),
    'move:NXM_NX_TUN_METADATA0[32..63]->NXM_NX_REG0[]',
  )
  t.equal(formatMatch({ metadata: { value: 5n, mask: 0xffffffffffffffffn } }), 'metadata=0x5')
})

const wrongLines: readonly (readonly [line: string, message: RegExp])[] = [
  ['in_port=1', /expected actions= in a flow, got 'in_port=1'/],
  ['table=256,actions=drop', /expected a number from 0 to 255 for table, got '256'/],
  ['priority=-1,actions=drop', /expected a number from 0 to 65535 for priority, got '-1'/],
  ['colour=red,actions=drop', /expected the name of a field, got 'colour'/],
  ['blue,actions=drop', /expected a field and its value, or the name of a protocol, got 'blue'/],
  ['tp_src=1,actions=drop', /expected tcp, udp or sctp beside a port, got 'tp_src'/],
  ['dl_dst=00:11:22:33:44,actions=drop', /expected a value for eth_dst, got '00:11:22:33:44'/],
  ['ip,nw_src=10.0.0.300,actions=drop', /expected a value for ipv4_src/],
  ['ip,nw_src=10.0.0.0/33,actions=drop', /expected a number from 0 to 32 for a prefix, got '33'/],
  // ovs-ofctl takes these, and leaves the upper bits out without a word.
  ['vlan_vid=0xa700,actions=drop', /expected a number from 0 to 8191 for vlan_vid, got '0xa700'/],
  ['ip,ip_dscp=64,actions=drop', /expected a number from 0 to 63 for ip_dscp, got '64'/],
  ['tun_flags=2,actions=drop', /expected a number from 0 to 1 for tun_flags, got '2'/],
  ['in_port=1,in_port=2,actions=drop', /in_port stands there twice/],
  ['actions=learn(vlan_vid=5/0xf)', /expected a value for vlan_vid, without a mask, got '5\/0xf'/],
  ['actions=learn(vlan_vid=*)', /expected a value for vlan_vid, without a mask, got '\*'/],
  ['actions=load:5->NXM_NX_REG0[0..429496729615]', /expected bits below 1024, got 'NXM_NX_REG0\[0\.\.429496729615\]'/],
  ['actions=fly', /expected an action, got 'fly'/],
  ['actions=output(1', /expected brackets that match/],
  ['actions=set_field:1->nothing', /expected the name of a field, got 'nothing'/],
  ['actions=move:NXM_NX_REG0[0..3]->NXM_NX_REG1[]', /expected as many bits as/],
  ['actions=load:16->NXM_NX_REG0[0..3]', /expected a number of 4 bits/],
]
for (const [line, message] of wrongLines)
  t.test(`'${line}' is refused in words`, async t => {
    t.throws(() => parseFlow(line), message)
    t.throws(() => parseFlow(line), TextError)
  })

t.test('whatever the line, it is read or refused in words', async t => {
  const piece = fc.constantFrom(
    ...flows.flatMap(([given]) => given.split(/(?<=[,=:(]|->)/)),
    ',',
    '(',
    ')',
    '[',
    '/',
    '->',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 }), pieces => {
      try {
        parseFlow(pieces.join(''))
      } catch (error) {
        if (!(error instanceof TextError)) throw error
      }
    }),
    { numRuns: 3000 },
  )
  t.pass('3000 lines')
})
