import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { drained, flush, newOutbox, post, room, shut, type Transport } from '../../../openflow/session/outbox.ts'

/** A transport that takes all, and says so, until it is told to say that it is full. */
function written() {
  const writes: Buffer[] = []
  const state = { full: false }
  const transport: Transport = {
    remote: '192.0.2.1:1',
    address: '192.0.2.1',
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
  await turn()
  t.same(writes, [Buffer.from(Array.from({ length: 100 }, (_, i) => i))])
  post(outbox, Buffer.from('x'), 0)
  flush(outbox, 0)
  await turn()
  t.equal(writes.length, 2, 'and nothing twice')
})

t.test('a long burst leaves in several writes of some 64 KiB', async t => {
  const { writes, outbox } = written()
  for (let i = 0; i < 300; i++) post(outbox, Buffer.alloc(1_000), 0)
  await turn()
  t.equal(writes.length, 5)
  t.equal(Buffer.concat(writes).length, 300_000)
})

t.test('who waits for room goes on when the peer has read, or never will', async t => {
  const { writes, state, outbox } = written()
  await room(outbox)
  state.full = true
  post(outbox, Buffer.from('x'), 42)
  await turn()
  t.equal(outbox.blockedAt, 42)
  const waiting = room(outbox)
  drained(outbox)
  await waiting
  t.equal(outbox.blockedAt, undefined)
  post(outbox, Buffer.from('x'), 43)
  await turn()
  const again = room(outbox)
  post(outbox, Buffer.from('never'), 43)
  shut(outbox)
  await again
  await turn()
  t.notOk(writes.some(bytes => bytes.includes('never')))
})
