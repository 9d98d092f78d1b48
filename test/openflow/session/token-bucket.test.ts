import { spawn } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { encodeAll, flowMod, noBuffer, type PacketIn } from '../../../openflow/index.ts'
import { newTokenBucket, refill, spend } from '../../../openflow/session/token-bucket.ts'
import { listening } from '../listening.ts'

const packetIn = (length = 100): PacketIn => ({
  ...{ type: 'packet_in', xid: 0, bufferId: noBuffer, totalLen: length, reason: 'action', tableId: 1, cookie: 1n },
  ...{ match: { in_port: 1 }, payload: Buffer.alloc(length) },
})

t.test('whoever speaks as fast as it may gets the limit of each second, and that once more at first', async () => {
  const limits = { messages: 100, bytes: 5_000 }
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 200 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 }),
      (size, steps) => {
        const pace = newTokenBucket(limits, 0)
        let now = 0
        let said = 0
        for (const step of steps) {
          now += step
          while (refill(pace, limits, now)) {
            spend(pace, size)
            said++
          }
          const may = Math.min(limits.messages, size === 0 ? Infinity : limits.bytes / size)
          // One message more each time, since the last one that is let through may be the one too much.
          if (said > may * (1 + now / 1000) + 1) return false
          if (said < Math.floor(may)) return false
        }
        return true
      },
    ),
  )
})

t.test('who says little is never made to wait', async t => {
  const limits = { messages: 100, bytes: 5_000 }
  const pace = newTokenBucket(limits, 0)
  for (let now = 0; now < 60_000; now += 20) {
    t.ok(refill(pace, limits, now) || `at ${now}`)
    spend(pace, 90)
  }
  t.equal(pace.throttled, 0)
})

t.test('a switch that says too much is read no faster than it may, and keeps its session', async t => {
  let told = 0
  let throttled = 0
  const c = await listening(t, {
    limits: { asyncMessages: 500, packetIns: 100_000, packetInBytes: 2 ** 30, silence: 400, echo: 100 },
    events: { packetIn: () => void told++ },
    metrics: { throttled: () => void throttled++ },
  })
  const { fake, session } = await c.live()
  const began = performance.now()
  const count = 1_500
  fake.raw(encodeAll(Array.from({ length: count }, () => packetIn())))
  const barrier = session.request({ type: 'barrier_request' }).then(() => performance.now() - began)
  await c.until(() => told === count)
  const took = performance.now() - began
  // 500 at once, 1,000 at 500 a second; but what one read of a socket brought is taken whole, some 500 of these.
  t.ok(took > 900, `the rest in its time: ${Math.round(took)} ms`)
  t.ok(throttled > 0)
  t.equal(session.counts().throttled, throttled)
  t.ok((await barrier) > 900, 'its answers come behind what it said first')
  t.same(c.downs, [], 'and it was not taken for dead')
})

t.test('what a switch is asked for does not count, however long it is', async t => {
  const c = await listening(t, { limits: { asyncMessages: 50, asyncBytes: 10_000 } })
  const { session } = await c.live()
  const flows = Array.from({ length: 20_000 }, (_, i) => flowMod({ priority: i, match: { in_port: i } }))
  t.same(await session.apply(flows), [])
  t.equal((await session.flows()).length, flows.length)
  t.equal(session.counts().throttled, 0)
})

t.test('a switch that floods for seconds does not slow the others, nor fills our memory', async t => {
  const c = await listening(t)
  const quiet = await c.live({ dpid: 2n })
  const times = async (count: number): Promise<number[]> => {
    const all: number[] = []
    for (let i = 0; i < count; i++) {
      const began = performance.now()
      await quiet.session.request({ type: 'barrier_request' })
      all.push(performance.now() - began)
    }
    return all.sort((a, b) => a - b)
  }
  const alone = await times(300)
  const flood = new URL('../flooding-switch.ts', import.meta.url).pathname
  const noisy = spawn(process.execPath, [flood, String(c.address.port)], { stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(() => noisy.kill('SIGKILL'))
  await c.until(() => c.server.sessions().size === 2)
  const session = c.server.sessions().get('0000000000000001')!
  await c.until(() => session.counts().packetInsDropped > 0 || session.counts().throttled > 0)
  const before = process.memoryUsage().rss
  const beside = await times(300)
  const middle = [alone, beside].map(all => all[150]!)
  t.comment(
    `median ${middle.map(ms => ms.toFixed(2)).join(' and ')} ms, 99 % ${alone[297]!.toFixed(1)} and ${beside[297]!.toFixed(1)}`,
  )
  t.ok(middle[1]! < middle[0]! + 10, 'a turn of the others is a few milliseconds')
  await c.until(() => session.counts().throttled > 1)
  t.ok(process.memoryUsage().rss - before < 64 * 2 ** 20, 'what it says is not kept')
  t.equal(c.server.sessions().size, 2, 'and it is still connected')
})
