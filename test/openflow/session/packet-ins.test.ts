import fc from 'fast-check'
import t from 'tap'
import type { PacketIn } from '../../../openflow/index.ts'
import { newPacketIns, putPacketIn, takePacketIn, waitingPacketIns } from '../../../openflow/session/packet-ins.ts'

const packetIn = (cookie: number, length: number): PacketIn => ({
  ...{ type: 'packet_in', xid: 0, bufferId: 0, totalLen: length, reason: 'action', tableId: 0, cookie: BigInt(cookie) },
  ...{ match: {}, payload: Buffer.alloc(length) },
})

t.test('the newest packet-ins are kept, in order, within the limits of number and bytes', async () => {
  const step = fc.oneof(fc.constant('take' as const), fc.integer({ min: 0, max: 300 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), steps => {
      const queue = newPacketIns()
      const expected: PacketIn[] = []
      const bytes = () => expected.reduce((sum, each) => sum + each.payload.length, 0)
      let dropped = 0
      for (const [i, each] of steps.entries()) {
        if (each === 'take') {
          if (takePacketIn(queue)?.cookie !== expected.shift()?.cookie) return false
        } else {
          expected.push(packetIn(i, each))
          let pushedOut = 0
          for (; expected.length > 20 || (bytes() > 2_000 && expected.length > 1); pushedOut++) expected.shift()
          if (putPacketIn(queue, packetIn(i, each), { packetIns: 20, packetInBytes: 2_000 }) !== pushedOut) return false
          dropped += pushedOut
        }
        if (waitingPacketIns(queue) !== expected.length || queue.bytes !== bytes()) return false
        if (queue.dropped !== dropped || queue.waiting.length > 300) return false
      }
      return true
    }),
  )
})

t.test('a packet-in that waits does not hold on to the bytes around it', async t => {
  const read = Buffer.alloc(65_536)
  const queue = newPacketIns()
  putPacketIn(queue, { ...packetIn(1, 0), payload: read.subarray(100, 164) }, { packetIns: 1, packetInBytes: 100 })
  t.not(takePacketIn(queue)?.payload.buffer, read.buffer)
})
