import fc from 'fast-check'
import t from 'tap'
import type { PacketIn } from '../../../openflow/index.ts'
import { drained, flush, newOutbox, post, room, shut, type Transport } from '../../../openflow/session/outbox.ts'
import { newPacketIns, putPacketIn, takePacketIn, waitingPacketIns } from '../../../openflow/session/packet-ins.ts'
import { newRounds } from '../../../openflow/session/rounds.ts'

/** Rounds over jobs with so many units of work, each of which takes 1 ms of a clock that only they move. */
function jobs(work: readonly number[], slice: number, budget: number) {
  const left = [...work]
  const done: number[] = []
  const turns: (() => void)[] = []
  let now = 0
  const rounds = newRounds<number>({
    work(job, until) {
      do {
        done.push(job)
        left[job]!--
        now++
      } while (left[job]! > 0 && now < until)
      return left[job]! > 0
    },
    exact: () => now,
    later: go => void turns.push(go),
    slice,
    budget,
  })
  return { rounds, done, turns, left, time: () => now }
}

t.test('all work is done, in turns that none may hold for longer than a budget and a slice', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), work => {
      const { rounds, turns, left, time } = jobs(work, 2, 5)
      for (const job of work.keys()) rounds.add(job)
      for (let go = turns.shift(); go !== undefined; go = turns.shift()) {
        const before = time()
        go()
        if (time() - before > 7 || turns.length > 1) return false
      }
      return left.every(each => each === 0)
    }),
  )
})

t.test('who has little to do is done before who has much, however much was there before', async t => {
  const { rounds, done, turns } = jobs([1_000, 1], 2, 5)
  rounds.add(0)
  turns.shift()?.()
  rounds.add(1)
  while (turns.length > 0) turns.shift()?.()
  t.ok(done.indexOf(1) < 10, `after ${done.indexOf(1)} others`)
})

t.test('what is removed is not worked on, and what is added twice is there once', async t => {
  const { rounds, done, turns } = jobs([3, 3], 10, 100)
  rounds.add(0)
  rounds.add(1)
  rounds.add(1)
  rounds.remove(0)
  while (turns.length > 0) turns.shift()?.()
  t.same(done, [1, 1, 1])
})

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

/** A transport that takes all, and says so, until it is told to say that it is full. */
function written() {
  const writes: Buffer[] = []
  const state = { full: false }
  const transport: Transport = {
    remote: '192.0.2.1:1',
    scope: 'any',
    write(bytes) {
      writes.push(bytes)
      return !state.full
    },
    queued: () => 0,
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
  }
  return { writes, state, outbox: newOutbox(transport) }
}

t.test('what is posted in one go leaves in one write, in order', async t => {
  const { writes, outbox } = written()
  for (let i = 0; i < 100; i++) post(outbox, Buffer.from([i]), 0)
  t.equal(writes.length, 0)
  await null
  t.same(writes, [Buffer.from(Array.from({ length: 100 }, (_, i) => i))])
  post(outbox, Buffer.from('x'), 0)
  flush(outbox, 0)
  await null
  t.equal(writes.length, 2, 'and nothing twice')
})

t.test('a long burst leaves in several writes of some 64 KiB', async t => {
  const { writes, outbox } = written()
  for (let i = 0; i < 300; i++) post(outbox, Buffer.alloc(1_000), 0)
  await null
  t.equal(writes.length, 5)
  t.equal(Buffer.concat(writes).length, 300_000)
})

t.test('who waits for room goes on when the peer has read, or never will', async t => {
  const { writes, state, outbox } = written()
  await room(outbox)
  state.full = true
  post(outbox, Buffer.from('x'), 42)
  await null
  t.equal(outbox.blockedAt, 42)
  const waiting = room(outbox)
  drained(outbox)
  await waiting
  t.equal(outbox.blockedAt, undefined)
  post(outbox, Buffer.from('x'), 43)
  await null
  const again = room(outbox)
  post(outbox, Buffer.from('never'), 43)
  shut(outbox)
  await again
  await null
  t.notOk(writes.some(bytes => bytes.includes('never')))
})
