import t from 'tap'
import { frameOf } from '../../../controller/proof/frame.ts'
import { headersOf } from '../../../controller/proof/headers.ts'

const built = (fields: Record<string, string>): Buffer => {
  const frame = frameOf(fields)
  if (!Buffer.isBuffer(frame)) throw new Error(JSON.stringify(frame))
  return frame
}
/** Sum of 16-bit words, which is 0xffff over what has its checksum in it (RFC 1071). */
const sum = (bytes: Buffer, from = 0): number => {
  let total = from
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0)
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return total
}

t.test('an ARP request is one', async t => {
  const frame = built({ src: '02:00:00:00:00:01', arp: 'request', ipSrc: '10.0.0.1', ipDst: '10.0.0.2' })
  t.equal(
    frame.toString('hex', 0, 42),
    'ffffffffffff020000000001' + '08060001080006040001' + '0200000000010a000001' + '0000000000000a000002',
  )
  t.equal(frame.length, 60)
})

t.test('sums of IPv4, IPv6 and what they carry are right', async t => {
  for (const proto of ['udp', 'tcp', 'icmp', 'igmp']) {
    const frame = built({ ipSrc: '10.0.0.1', ipDst: '10.0.0.2', proto, srcPort: '1000', dstPort: '53' })
    const total = frame.readUInt16BE(16)
    t.equal(sum(frame.subarray(14, 34)), 0xffff, `IPv4 with ${proto}`)
    const inner = frame.subarray(34, 14 + total)
    const number = frame[23]!
    const pseudo = number === 1 || number === 2 ? 0 : sum(frame.subarray(26, 34), number + inner.length)
    if (number !== 2) t.equal(sum(inner, pseudo), 0xffff, proto)
  }
  for (const more of [
    { proto: 'udp' },
    { proto: 'tcp' },
    { icmpType: '128' },
    { target: 'fe80::2' },
    { icmpType: '136', target: 'fe80::1' },
  ]) {
    const frame = built({ ipSrc: 'fe80::1', ipDst: 'fe80::2', ...more })
    const inner = frame.subarray(54, 54 + frame.readUInt16BE(18))
    t.equal(sum(inner, sum(frame.subarray(22, 54), frame[20]! + inner.length)), 0xffff, JSON.stringify(more))
  }
})

t.test('what is built is read back', async t => {
  const { fields } = headersOf(
    built({ vlan: '7', ipSrc: '10.0.0.1', ipDst: '10.0.0.2', proto: 'tcp', dstPort: '80' }),
    1,
  )
  const number = (name: string) => Number(fields.get(name)?.value)
  t.same([number('vlan_vid'), number('eth_type'), number('ip_proto'), number('tcp_dst')], [0x1007, 0x0800, 6, 80])
  const nd = headersOf(
    built({ src: '02:00:00:00:00:09', ipSrc: 'fe80::1', ipDst: 'ff02::1', target: 'fe80::2' }),
    1,
  ).fields
  t.equal(nd.get('ipv6_nd_target')?.value, (0xfe80n << 112n) | 2n)
  t.equal(nd.get('ipv6_nd_sll')?.value, 0x02_00_00_00_00_09n)
})

t.test('a value that cannot be is named, with what was expected', async t => {
  t.strictSame(frameOf({ src: 'x' }), { where: 'src', got: 'x', expected: 'a MAC address' })
  t.strictSame(frameOf({ ipSrc: '10.0.0.300' }), { where: 'ipSrc', got: '10.0.0.300', expected: 'an IPv4 address' })
  t.strictSame(frameOf({ vlan: '4096' }), { where: 'vlan', got: '4096', expected: 'a VLAN, 0 to 4095' })
  t.match(frameOf({ type: '0x10' }), { where: 'type' })
  t.match(frameOf({ arp: 'both' }), { where: 'arp' })
})
