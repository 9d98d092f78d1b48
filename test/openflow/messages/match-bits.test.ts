import t from 'tap'
import { encodeEntry, matchBits, parseFlow } from '../../../openflow/index.ts'

const bitsOf = (text: string) => matchBits(encodeEntry(parseFlow(text)))
const whole = (bits: number) => (1n << BigInt(bits)) - 1n

t.test('a match is bits: what is compared, and with what, the first byte the highest', async t =>
  t.strictSame(bitsOf('table=1,priority=5,in_port=3,metadata=0x7/0x1ffffffff,dl_src=01:00:00:00:00:02,actions=drop'), [
    { field: 'in_port', value: 3n, mask: whole(32) },
    { field: 'eth_src', value: 0x0100_0000_0002n, mask: whole(48) },
    { field: 'metadata', value: 7n, mask: 0x1_ffff_ffffn },
  ]),
)

t.test('a field narrower than its bytes is compared in the bits that it has', async t =>
  t.strictSame(bitsOf('priority=5,dl_vlan=9,actions=drop'), [{ field: 'vlan_vid', value: 0x1009n, mask: whole(13) }]),
)

t.test('an IPv6 address is one number, masked as it was', async t =>
  t.strictSame(bitsOf('priority=5,ipv6,ipv6_dst=ff02::/16,actions=drop'), [
    { field: 'eth_type', value: 0x86ddn, mask: whole(16) },
    { field: 'ipv6_dst', value: 0xff02n << 112n, mask: 0xffffn << 112n },
  ]),
)

t.test('a match of everything compares nothing', async t => t.strictSame(bitsOf('priority=5,actions=drop'), []))

t.test("a field in NXM's form has the name that OXM gives it", async t => {
  const entry = encodeEntry({
    ...{ tableId: 0, priority: 1, cookie: 0n, idleTimeout: 0, hardTimeout: 0, flags: 0, instructions: [] },
    match: { nxm_of_eth_dst: { value: '01:00:00:00:00:00', mask: '01:00:00:00:00:00' }, nxm_nx_tun_id: 5n },
  })
  t.strictSame(matchBits(entry), [
    { field: 'eth_dst', value: 1n << 40n, mask: 1n << 40n },
    { field: 'tunnel_id', value: 5n, mask: whole(64) },
  ])
})

t.test('a field that nobody knows is there by class and number, with all of its bits', async t => {
  const entry = encodeEntry({
    ...{ tableId: 0, priority: 1, cookie: 0n, idleTimeout: 0, hardTimeout: 0, flags: 0, instructions: [] },
    match: { oxm_0x8000_99: Buffer.from([1, 2]), experimenter_0x00abcdef_3: Buffer.from([9]) },
  })
  t.strictSame(matchBits(entry), [
    { field: 'oxm_0x8000_99', value: 0x102n, mask: 0xffffn },
    { field: 'experimenter_0x00abcdef_3', value: 9n, mask: 0xffn },
  ])
})
