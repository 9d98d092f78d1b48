import fc from 'fast-check'
import t from 'tap'
import { probeFrame, readProbe } from '../../topology/lldp.ts'

const secret = Buffer.from('a secret of this controller')
const probe = { from: { dpid: '00000000000000a1', port: 101 }, sequence: 7, sentAt: 2 ** 47 + 1, mtu: 0 }
const frame = probeFrame(secret, probe, '02:00:00:00:00:01')

t.test('a probe comes back as it left', async t => t.same(readProbe(secret, frame), probe))

t.test('a probe is a frame that LLDP tools can read', async t => {
  t.equal(frame.toString('hex', 0, 14), '0180c200000e02000000000188cc')
  t.equal(frame.subarray(14, 16).readUInt16BE() >>> 9, 1, 'the chassis id comes first (IEEE 802.1AB §8.2)')
  t.equal(frame.subarray(-2).toString('hex'), '0000', 'and the end of the LLDPDU last')
})

t.test('a padded probe has the size that it says, and cut short it proves nothing', async t => {
  for (const mtu of [576, 1450, 9216]) {
    const large = probeFrame(secret, { ...probe, mtu }, '02:00:00:00:00:01')
    t.equal(large.length, 14 + mtu)
    t.same(readProbe(secret, large), { ...probe, mtu })
    t.equal(readProbe(secret, large.subarray(0, -1)), undefined)
  }
})

t.test('a probe of another controller is not believed', async t =>
  t.equal(readProbe(Buffer.from('another secret'), frame), undefined),
)

t.test('no pod can make a probe say something else: any changed byte of what is signed is refused', async t => {
  const start = frame.indexOf(Buffer.from('06a35d', 'hex')) + 4
  for (let at = start; at < start + 42; at++) {
    const forged = Buffer.from(frame)
    forged[at]! ^= 1
    t.equal(readProbe(secret, forged), undefined, `byte ${at}`)
  }
})

t.test('a probe that was cut short is nothing, and rubbish is nothing', async t => {
  for (let length = 0; length < frame.length - 2; length++)
    t.equal(readProbe(secret, frame.subarray(0, length)), undefined)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => readProbe(secret, Buffer.from(bytes)) === undefined),
  )
  const head = frame.subarray(0, 14)
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      bytes => readProbe(secret, Buffer.concat([head, Buffer.from(bytes)])) === undefined,
    ),
  )
})
