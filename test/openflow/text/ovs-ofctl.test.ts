// Asks the ovs-ofctl of this machine: it prints what we encode, and what it is given, as we do.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import {
  encodeAll,
  flowMod,
  formatGroup,
  formatMessage,
  groupMod,
  type Match,
  type Message,
  parseFlow,
  parseGroup,
} from '../../../openflow/index.ts'
import { ipv4, ipv6, mac, u16, u32 } from '../arbitrary.ts'
import { flows } from '../golden.ts'

const directory = mkdtempSync(join(tmpdir(), 'l2sm-text-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function ofctl(command: string, input: string | Buffer): string[] {
  const path = join(directory, command)
  writeFileSync(path, input)
  const args = ['-O', 'OpenFlow13', '-F', 'OXM-OpenFlow13', command, path]
  return execFileSync('ovs-ofctl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')
}

const missing = (() => {
  try {
    execFileSync('ovs-ofctl', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    console.error('NOT TESTED: there is no ovs-ofctl on this machine')
    return 'no ovs-ofctl'
  }
})()

const withoutXid = (line: string): string => line.replace(/\(xid=0x[0-9a-f]+\)/, '(xid=)')
const printed = (messages: readonly Message[]): string[] =>
  ofctl('ofp-parse', encodeAll(messages))
    .filter(line => line !== '')
    .map(withoutXid)

t.test('flows that ovs-ofctl reads, it prints as the golden lines say', { skip: missing }, async t => {
  const lines = ofctl('parse-flows', flows.map(([given]) => given).join('\n')).filter(line => line.startsWith('OFPT_'))
  t.same(
    lines.map(withoutXid),
    flows.map(([, line]) => `OFPT_FLOW_MOD (OF1.3) (xid=): ${line}`),
  )
})

t.test('flows that we read, encode and send, it prints as the golden lines say', { skip: missing }, async t =>
  t.same(
    printed(flows.map(([given]) => parseFlow(given))),
    flows.map(([, line]) => `OFPT_FLOW_MOD (OF1.3) (xid=): ${line}`),
  ),
)

/** ovs-ofctl ends an address that starts with zeros in IPv4's way. */
const plainIpv6 = ipv6.filter(address => !address.startsWith('::'))

const bits = <T>(value: fc.Arbitrary<T>, ...masks: T[]): fc.Arbitrary<any> =>
  fc.oneof(
    value,
    fc.constantFrom(...masks).map(mask => ({ value: mask, mask })),
  )
const some = (shape: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Match> =>
  fc.record(shape, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Match>

const any = {
  in_port: fc.constantFrom(1, 5000, 0xfffffffe),
  metadata: bits(fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }), 0xffffffffn, 0x300000000n),
  tunnel_id: bits(fc.bigInt({ min: 0n, max: 0xffffffn }), 0xffn),
  eth_dst: bits(mac, '01:00:00:00:00:00', 'ff:ff:ff:ff:ff:f0'),
  eth_src: bits(mac, 'ff:ff:ff:00:00:00'),
  vlan_vid: bits(fc.constantFrom(0, 0x1000, 0x1005, 0x1fff), 0x1000, 0x1ffe),
  reg3: bits(u32, 0xff),
  tun_src: bits(
    ipv4.filter(a => a !== '0.0.0.0'),
    '255.255.0.0',
    '255.0.255.0',
  ),
  pkt_mark: bits(u32, 0xf0),
  ct_mark: bits(u32, 0xf0),
}
const inIpv4 = { ipv4_src: bits(ipv4, '255.0.0.0', '255.255.255.254'), ipv4_dst: bits(ipv4, '255.0.255.0') }
const inIpv6 = {
  ipv6_src: bits(plainIpv6, 'ffff:ffff::', 'ffff::ff'),
  ipv6_dst: bits(plainIpv6, 'ffff:ffff:ffff:ffff::'),
}
const tos = { ip_dscp: fc.integer({ min: 0, max: 63 }), ip_ecn: fc.integer({ min: 0, max: 3 }) }
const ports = (protocol: string) => ({ [`${protocol}_src`]: bits(u16, 0xff00), [`${protocol}_dst`]: bits(u16, 0xfff0) })
const u8 = fc.integer({ min: 0, max: 255 })

/** A match that holds what its fields need. */
const match = fc
  .tuple(
    some(any),
    fc.oneof(
      fc.constant({} as Match),
      fc.constantFrom(0x88cc, 0x8863).map(eth_type => ({ eth_type })),
      some({ ...inIpv4, ...tos, ip_proto: fc.constantFrom(2, 47) }).map(m => ({ eth_type: 0x0800, ...m })),
      some({ ...inIpv6, ...tos }).map(m => ({ eth_type: 0x86dd, ...m })),
      some({ ...inIpv4, ...ports('tcp') }).map(m => ({ eth_type: 0x0800, ip_proto: 6, ...m })),
      some({ ...inIpv6, ...ports('udp') }).map(m => ({ eth_type: 0x86dd, ip_proto: 17, ...m })),
      some({ ...inIpv4, icmpv4_type: u8, icmpv4_code: u8 }).map(m => ({ eth_type: 0x0800, ip_proto: 1, ...m })),
      some({ icmpv6_code: fc.constant(0), ipv6_nd_target: plainIpv6, ipv6_nd_tll: mac }).map(m => ({
        eth_type: 0x86dd,
        ip_proto: 58,
        icmpv6_type: 136,
        icmpv6_code: 0,
        ...m,
      })),
      some({ arp_op: fc.integer({ min: 1, max: 255 }), arp_spa: bits(ipv4, '255.255.0.0'), arp_tha: mac }).map(m => ({
        eth_type: 0x0806,
        ...m,
      })),
    ),
  )
  .map(([a, b]) => ({ ...a, ...b }) as Match)

t.test('any match that we encode, it prints as we do', { skip: missing }, async t => {
  const messages = fc.sample(match, 400).map((match, xid) => flowMod({ xid, match, cookie: BigInt(xid) }))
  t.same(printed(messages), messages.map(formatMessage).map(withoutXid))
})

t.test('groups', { skip: missing }, async t => {
  const lines = [
    'group_id=1,type=all,bucket=actions=output:1,bucket=actions=set_field:0x7->tun_id,output:102',
    'group_id=2,type=select,bucket=actions=output:1,bucket=weight:100,actions=output:2',
    'group_id=3,type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_group:5,actions=output:2',
    'group_id=4,type=indirect,bucket=actions=drop',
    'group_id=5,type=all',
  ]
  const groups = lines.map(parseGroup)
  t.same(groups.map(formatGroup), lines)
  t.same(
    printed(groups).filter(line => !line.startsWith('OFPT')),
    lines.map(line => ` ADD ${line}`),
  )
  t.same(formatGroup(groupMod({ groupId: 9 })), 'group_id=9,type=all')
})
