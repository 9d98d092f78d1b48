import t from 'tap'
import * as frame from '../../lab/frame.ts'

const header = { dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' }
const hex = (bytes: Buffer) => bytes.toString('hex')

t.test('a frame has its addresses, its tags from the outside in, its type, and 60 bytes at least', async t => {
  t.equal(
    hex(frame.ethernet(header, 0x88b5, Buffer.from('ab'))),
    `020000000002020000000001${'88b5'}6162${'00'.repeat(44)}`,
  )
  const tagged = frame.ethernet(
    { ...header, tags: [{ vid: 9, tpid: 0x88a8, priority: 5 }, 77] },
    0x0800,
    Buffer.alloc(100),
  )
  t.equal(hex(tagged.subarray(12, 22)), '88a8a0098100004d0800')
  t.equal(tagged.length, 122)
  t.throws(() => frame.ethernet({ ...header, src: '02:00' }, 1, Buffer.alloc(0)), /mac "02:00": expected six pairs/)
})

t.test('an ARP request is laid out as in RFC 826', async t => {
  const sender = { mac: header.src, ip: '10.0.0.1' }
  const request = frame.arp({ ...header, dst: frame.broadcast }, { op: 'request', sender, target: { ip: '10.0.0.2' } })
  t.equal(hex(request.subarray(0, 14)), 'ffffffffffff0200000000010806')
  t.equal(hex(request.subarray(14, 42)), '0001080006040001020000000001' + '0a000001' + '000000000000' + '0a000002')
  const reply = frame.arp(header, { op: 'reply', sender, target: { mac: header.dst, ip: '10.0.0.2' } })
  t.equal(hex(reply.subarray(20, 22)), '0002')
  t.equal(hex(reply.subarray(32, 38)), '020000000002')
})

t.test('the checksum is that of RFC 1071', async t => {
  // The example of its section 3: the sum is ddf2.
  t.equal(frame.checksum(Buffer.from('0001f203f4f5f6f7', 'hex')), 0xffff - 0xddf2)
  t.equal(frame.checksum(Buffer.from([1])), frame.checksum(Buffer.from([1, 0])), 'an odd byte is the high one')
})

t.test('an IP packet carries its own lengths and checksums', async t => {
  const ends = { sourcePort: 1, targetPort: 2, payload: Buffer.from('odd') }
  const four = frame.udp(header, { src: '10.0.0.1', dst: '10.0.0.2', ...ends })
  t.equal(four.readUInt16BE(16), 20 + 8 + 3)
  t.equal(frame.checksum(four.subarray(14, 34)), 0, 'a header with its checksum sums up to nothing')
  const six = frame.udp(header, { src: 'fd00::1', dst: 'ff02::1:2', ...ends })
  t.equal(six.readUInt16BE(12), 0x86dd)
  t.equal(six.readUInt16BE(18), 8 + 3)
  t.equal(hex(six.subarray(22, 54)), `fd00${'0'.repeat(27)}1ff02${'0'.repeat(23)}10002`)
})

t.test(
  'a neighbour solicitation asks for a target, with its sender in an option or, for duplicates, without',
  async t => {
    const ask = { src: 'fe80::1', dst: 'ff02::1:ff00:2', target: 'fe80::2' }
    const plain = frame.neighbourSolicitation(header, ask)
    t.equal(plain[54], 135)
    t.equal(plain.readUInt16BE(18), 24)
    const named = frame.neighbourSolicitation(header, { ...ask, mac: header.src })
    t.equal(hex(named.subarray(78, 86)), '0101020000000001')
    const advertised = frame.neighbourAdvertisement(header, { ...ask, mac: header.src })
    t.equal(hex(advertised.subarray(58, 60)), '6000', 'solicited, override')
    t.equal(hex(advertised.subarray(78, 80)), '0201')
    t.equal(frame.routerAdvertisement(header, { src: 'fe80::1', dst: 'ff02::1', prefix: 'fd00::' })[54], 134)
  },
)

t.test('a probe can be told from all other frames', async t => {
  const probe = frame.probe(header, { stream: 7, sequence: 9 }, 100)
  t.equal(probe.length, 100)
  const at = probe.indexOf(frame.magic)
  t.same([probe.readUInt32BE(at + 8), probe.readUInt32BE(at + 12)], [7, 9])
  t.equal(frame.probePayload({ stream: 1, sequence: 1 }, 0).length, frame.probeLength)
})
