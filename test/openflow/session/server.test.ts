import fc from 'fast-check'
import t from 'tap'
import { encode, flowMod, type Message, type PacketIn, type PortDesc } from '../../../openflow/index.ts'
import { listen } from '../../../openflow/session/server.ts'
import { fakeSwitch, port } from '../fake-switch.ts'
import { failure, type Listening, listening } from '../listening.ts'

const packetIn = (cookie: bigint, payload = ''): PacketIn => ({
  ...{ type: 'packet_in', xid: 0, bufferId: 0xffffffff, totalLen: 0, reason: 'action', tableId: 1, cookie },
  ...{ match: { in_port: 1 }, payload: Buffer.from(payload) },
})
const flowRemoved: Message = {
  ...{ type: 'flow_removed', xid: 0, cookie: 5n, priority: 6, reason: 'idle_timeout', tableId: 1, durationSec: 1 },
  ...{ durationNsec: 0, idleTimeout: 3, hardTimeout: 0, packetCount: 1n, byteCount: 64n, match: { in_port: 1 } },
}
const portStatus = (given: PortDesc): Message => ({ type: 'port_status', xid: 0, reason: 'add', port: given })

/** Holds the event loop, as a slow listener would. */
const spin = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

t.test('what switches say reaches the events of their own session', async t => {
  const told: string[] = []
  const c = await listening(t, {
    events: {
      packetIn: (session, { cookie, payload }) => void told.push(`${session.dpid} packet ${cookie} ${payload}`),
      flowRemoved: (session, { cookie, reason }) => void told.push(`${session.dpid} removed ${cookie} ${reason}`),
      portStatus: session => void told.push(`${session.dpid} ports ${[...session.ports().keys()]}`),
    },
  })
  const one = await c.live({ dpid: 1n })
  const two = await c.live({ dpid: 2n })
  one.fake.say(packetIn(7n, 'hello'), flowRemoved)
  await c.until(() => told.length === 2)
  two.fake.say(portStatus(port(4)))
  await c.until(() => told.length === 3)
  t.same(told.sort(), [
    '0000000000000001 packet 7 hello',
    '0000000000000001 removed 5 idle_timeout',
    '0000000000000002 ports 4',
  ])
})

t.test('every message, in and out, is counted by its type', async t => {
  const counted: string[] = []
  const c = await listening(t, { metrics: { message: (direction, type) => void counted.push(`${direction} ${type}`) } })
  const { session } = await c.live({ extensions: false })
  counted.length = 0
  await session.apply([flowMod({}), flowMod({})])
  t.same(counted, ['out flow_mod', 'out flow_mod', 'out barrier_request', 'in barrier_reply'])
})

t.test('a conversation means the same however its bytes are cut', async t => {
  const c = await listening(t, { limits: { reread: 60_000 } })
  for (const piece of [1, 2, 3, 7, 8, 9, 64, 1_000]) {
    const { fake, session } = await c.live({ dpid: BigInt(piece), piece, ports: [port(1), port(2)] })
    t.same([...session.ports().keys()], [1, 2])
    t.same(await session.apply(Array.from({ length: 50 }, (_, i) => flowMod({ priority: i }))), [])
    t.equal((await session.flows()).length, 50)
    fake.end()
  }
})

t.test('messages mean the same however they are cut and joined', async t => {
  const told: string[] = []
  const c = await listening(t, {
    limits: { reread: 60_000 },
    events: { packetIn: (_session, { cookie, payload }) => void told.push(`${cookie}${payload}`) },
  })
  const { fake, session } = await c.live()
  const messages = Array.from(
    { length: 40 },
    (_, i): Message => (i % 3 === 2 ? portStatus(port(i)) : packetIn(BigInt(i), 'x'.repeat(i * 40))),
  )
  const bytes = Buffer.concat(messages.map(encode))
  const expected = messages.flatMap(each => (each.type === 'packet_in' ? [`${each.cookie}${each.payload}`] : []))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 12 }), async cuts => {
      told.length = 0
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      for (const [i, edge] of edges.slice(1).entries()) {
        fake.raw(bytes.subarray(edges[i], edge))
        if (i % 3 === 0) await new Promise(resolve => setImmediate(resolve))
      }
      await c.until(() => told.length === expected.length)
      t.same(told, expected)
    }),
    { numRuns: 30 },
  )
  t.equal(session.ports().size, 13)
})

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const cut = (message: Message, length: number): Buffer => {
  const bytes = encode(message).subarray(0, length)
  bytes.writeUInt16BE(length, 2)
  return bytes
}
const patched = (message: Message, at: number, value: number): Buffer => {
  const bytes = encode(message)
  bytes.writeUInt16BE(value, at)
  return bytes
}
const flowStats = (): Message => ({
  type: 'multipart_reply',
  xid: 1,
  flags: 0,
  body: {
    type: 'flow',
    flows: [
      {
        ...{ tableId: 0, priority: 1, durationSec: 0, durationNsec: 0, idleTimeout: 0, hardTimeout: 0, flags: 0 },
        ...{ cookie: 1n, packetCount: 0n, byteCount: 0n, match: { in_port: 1 } },
        instructions: [{ type: 'goto_table', tableId: 1 }],
      },
    ],
  },
})

const rubbish: { readonly [what: string]: Buffer } = {
  'a length of 0': hex('040a0000 00000001'),
  'a length of 7': hex('040a0007 00000001'),
  'another version': hex('01020008 00000001'),
  zeros: Buffer.alloc(64),
  ones: Buffer.alloc(64, 0xff),
  'another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: l2sm\r\n\r\n'),
}

/** Messages whose frames are sound. */
const unreadable: { readonly [what: string]: Buffer } = {
  'a packet-in that ends too early': cut(packetIn(1n), 20),
  'a packet-in with a match of length 0': patched(packetIn(1n), 26, 0),
  'a packet-in with a match longer than itself': patched(packetIn(1n), 26, 0xfff8),
  'a port status that ends too early': cut(portStatus(port(1)), 40),
  'a flow removed with a match of length 3': patched(flowRemoved, 50, 3),
  'a list of flows with an entry of length 0': patched(flowStats(), 16, 0),
  'a list of flows with an entry longer than itself': patched(flowStats(), 16, 0xfff8),
  'a list of flows with an instruction of length 0': patched(flowStats(), 82, 0),
  'an answer of an unknown multipart type': patched(flowStats(), 8, 0x7777),
  'an answer too short for a multipart type': hex('04130009 00000001 00'),
}

for (const [what, bytes] of Object.entries(rubbish))
  t.test(`${what} ends that session with the reason, nothing behind it is read, and others do not notice`, async t => {
    const told: bigint[] = []
    const c = await listening(t, { events: { packetIn: (_session, { cookie }) => void told.push(cookie) } })
    const other = await c.live({ dpid: 2n })
    const { fake } = await c.live()
    fake.raw(Buffer.concat([encode(packetIn(1n)), bytes, encode(packetIn(2n))]))
    await fake.closed
    t.same(c.endings, ['up', 'up', 'unreadable'])
    t.match(c.downs[0], /^0000000000000001: sent what is not OpenFlow 1\.3: .+/)
    t.notOk(told.includes(2n))
    t.same(await other.session.apply([flowMod({})]), [])
  })

for (const [what, bytes] of Object.entries(unreadable))
  t.test(`${what} costs itself: it is counted, and the session goes on`, async t => {
    const notified: bigint[] = []
    const counted: string[] = []
    const c = await listening(t, {
      events: { packetIn: (_session, { cookie }) => void notified.push(cookie) },
      metrics: { unreadable: type => void counted.push(type) },
    })
    const { fake, session } = await c.live()
    fake.raw(Buffer.concat([encode(packetIn(1n)), bytes, encode(packetIn(2n))]))
    await c.until(() => notified.length === 2)
    t.same(notified, [1n, 2n])
    t.ok(session.counts().unreadable + session.counts().strayReplies > 0)
    t.equal(counted.length, session.counts().unreadable)
    t.same(await session.apply([flowMod({})]), [])
    t.same(c.downs, [])
  })

t.test('a switch of which nothing can be read any more loses its connection', async t => {
  const c = await listening(t, { limits: { unreadable: 10 } })
  const { fake } = await c.live()
  fake.raw(Buffer.concat(Array(12).fill(cut(packetIn(1n), 20))))
  await fake.closed
  t.same(c.endings, ['up', 'unreadable'])
})

t.test('what came before the rubbish is taken', async t => {
  const counted: string[] = []
  const c = await listening(t, { metrics: { message: (_direction, type) => void counted.push(type) } })
  const { fake, session } = await c.live()
  fake.raw(Buffer.concat([encode(portStatus(port(3))), hex('040a0000 00000001')]))
  await fake.closed
  t.ok(counted.includes('port_status'))
  t.equal(session.ports().size, 0, 'a session that has ended holds no ports')
})

const unknown: { readonly [what: string]: readonly [bytes: Buffer, error: object] } = {
  'a message of an unknown type': [hex('04630010 0000002a 0102030405060708'), { errorType: 1, errorCode: 1 }],
  'a message of an unknown experimenter': [
    hex('04040014 0000002a 00c0ffee 00000001 aabbccdd'),
    { errorType: 1, errorCode: 3 },
  ],
  'a message that only controllers send': [encode({ ...flowMod({}), xid: 42 }), { errorType: 1, errorCode: 1 }],
}

for (const [what, [bytes, error]] of Object.entries(unknown))
  t.test(`${what} is answered with an error that shows its beginning, and the session stays`, async t => {
    const c = await listening(t)
    const { fake, session } = await c.live()
    fake.raw(Buffer.concat([bytes, bytes]))
    const answers = [await fake.got('error'), await fake.got('error', 1)]
    for (const answer of answers) t.match(answer, { xid: 42, payload: bytes.subarray(0, 64), ...error })
    await session.request({ type: 'barrier_request' })
    t.same(c.downs, [])
  })

/** A switch that answers as usual until its session is live, and then nothing more. */
const dying = (c: Listening, dpid: string) => ({
  answer: () => (c.server.sessions().has(dpid) ? [] : undefined),
})

t.test('a second connection for a datapath is refused as long as the first one answers', async t => {
  const c = await listening(t)
  const { fake, session } = await c.live()
  for (let i = 0; i < 3; i++) await (await c.connect()).closed
  t.same(c.endings, ['up', 'duplicate', 'duplicate', 'duplicate'])
  t.equal(c.server.sessions().get('0000000000000001'), session)
  t.same(c.downs, [])
  t.equal(c.ups.length, 1)
  fake.say(packetIn(1n))
  await session.request({ type: 'barrier_request' })
})

t.test('a first connection that answers no question, but says something, is alive', async t => {
  const c = await listening(t, { limits: { probe: 100 } })
  const { fake, session } = await c.live(dying(c, '0000000000000001'))
  const timer = setInterval(() => fake.say(packetIn(1n)), 5)
  t.teardown(() => clearInterval(timer))
  await (await c.connect()).closed
  t.same(c.endings, ['up', 'duplicate'])
  t.equal(c.server.sessions().get('0000000000000001'), session)
})

t.test('a second connection for a datapath takes over from one that does not answer, once', async t => {
  const order: string[] = []
  const c = await listening(t, {
    limits: { probe: 80 },
    events: {
      up: session => void order.push(`up ${session.remote}`),
      down: session => void order.push(`down ${session.remote}`),
    },
  })
  const first = await c.live(dying(c, '0000000000000001'))
  const second = await c.connect()
  await c.until(() => c.ups.length === 2)
  const [old, current] = c.ups
  t.same(order, [`up ${old?.remote}`, `down ${old?.remote}`, `up ${current?.remote}`])
  t.same(c.endings, ['up', 'replaced', 'up'])
  await first.fake.closed
  t.equal(c.server.sessions().get('0000000000000001'), current, 'the late end of the first changes nothing')
  t.equal(c.downs.length, 1)
  t.same(await current?.apply([flowMod({})]), [])
  t.match(await failure(first.session.request({ type: 'barrier_request' })), { why: 'closed' })
  second.end()
  await c.until(() => c.downs.length === 2)
  t.equal(c.server.sessions().size, 0)
})

t.test('of many connections that claim a dead datapath at once, one goes live', async t => {
  const c = await listening(t, { limits: { probe: 80 } })
  await c.live(dying(c, '0000000000000001'))
  const claims = await Promise.all(Array.from({ length: 5 }, () => c.connect()))
  await c.until(() => c.endings.filter(ending => ending === 'duplicate').length === 4)
  t.equal(c.ups.length, 2)
  t.equal(c.downs.length, 1)
  t.equal(c.server.sessions().size, 1)
  t.equal(claims.length, 5)
})

t.test('a claim that ends before the first connection was found dead takes nothing from it', async t => {
  const c = await listening(t, { limits: { probe: 100 } })
  await c.live(dying(c, '0000000000000001'))
  const claim = await c.connect()
  await claim.got('multipart_request', 2)
  await new Promise(resolve => setTimeout(resolve, 20))
  claim.reset()
  await c.until(() => c.endings.includes('lost'))
  await new Promise(resolve => setTimeout(resolve, 150))
  t.same(c.downs, [])
  t.equal(c.ups.length, 1)
})

t.test('a switch that reconnects before its old connection was seen to end is live again', async t => {
  const c = await listening(t)
  for (let i = 1; i <= 5; i++) {
    const fake = await c.connect()
    await c.until(() => c.ups.length === i)
    fake.end()
  }
  await c.until(() => c.downs.length === 5)
  t.equal(c.server.sessions().size, 0)
})

t.test('the end of a connection is told once, with its reason', async t => {
  const c = await listening(t)
  const ends: { readonly [what: string]: (live: Awaited<ReturnType<Listening['live']>>) => void } = {
    'closed by the switch': ({ fake }) => fake.end(),
    'in the middle of a message': ({ fake }) => {
      fake.raw(hex('040a0020'))
      fake.end()
    },
    'connection lost': ({ fake }) => fake.reset(),
    'for a reason': ({ session }) => {
      session.close('for a reason')
      session.close('for another')
    },
  }
  for (const [i, [reason, end]] of Object.entries(ends).entries()) {
    end(await c.live())
    await c.until(() => c.downs.length > i)
    t.match(c.downs[i], reason)
  }
  t.same(c.endings, ['up', 'closed', 'up', 'closed', 'up', 'lost', 'up', 'stopped'])
})

t.test('what a switch says last, before it closes, is taken', async t => {
  let last = 0
  const c = await listening(t, {
    limits: { reread: 60_000 },
    events: { down: ended => void (last = ended.ports().size) },
  })
  const { fake } = await c.live()
  fake.say(...Array.from({ length: 500 }, (_, i) => portStatus(port(i + 1))))
  fake.end()
  await c.until(() => c.downs.length === 1)
  t.equal(last, 500)
})

t.test('when packet-ins come faster than they are taken, the newest are kept and the others counted', async t => {
  const told: bigint[] = []
  let dropped = 0
  const c = await listening(t, {
    limits: { packetIns: 20 },
    metrics: { packetInDropped: () => void dropped++ },
    events: {
      packetIn(_session, { cookie }) {
        told.push(cookie)
        spin(1)
      },
    },
  })
  const { fake, session } = await c.live()
  const count = 3_000
  fake.say(...Array.from({ length: count }, (_, i) => packetIn(BigInt(i))))
  await c.until(() => told.at(-1) === BigInt(count - 1))
  t.ok(dropped > 0)
  t.equal(told.length + dropped, count)
  t.equal(session.counts().packetInsDropped, dropped)
  t.same(
    told,
    [...told].sort((a, b) => Number(a - b)),
    'in order',
  )
  t.same(
    told.slice(-20),
    Array.from({ length: 20 }, (_, i) => BigInt(count - 20 + i)),
  )
})

t.test('a noisy switch does not hold up a quiet one', async t => {
  const told: string[] = []
  const c = await listening(t, {
    events: {
      packetIn(session) {
        told.push(session.dpid.slice(-1))
        spin(0.5)
      },
    },
  })
  const noisy = await c.live({ dpid: 1n })
  const quiet = await c.live({ dpid: 2n })
  const flood = Array.from({ length: 2_000 }, () => packetIn(1n, 'x'.repeat(100)))
  noisy.fake.say(...flood)
  await c.until(() => told.length > 0)
  quiet.fake.say(packetIn(2n))
  await quiet.session.request({ type: 'barrier_request' })
  await c.until(() => told.includes('2'))
  const before = told.indexOf('2')
  t.same(await noisy.session.apply([flowMod({})]), [], 'and is itself still answered')
  await c.until(() => told.length > before + 100)
  t.pass('the quiet one was served while the noisy one had more')
})

t.test('others have a turn in between, however much one switch has to say', async t => {
  let serially = 0
  let most = 0
  let told = 0
  const c = await listening(t, {
    events: {
      packetIn() {
        told++
        most = Math.max(most, ++serially)
        spin(0.5)
      },
    },
  })
  const { fake } = await c.live()
  fake.say(...Array.from({ length: 600 }, () => packetIn(1n)))
  while (told < 600) {
    await new Promise(resolve => setImmediate(resolve))
    serially = 0
  }
  // Turns are 5 ms and a slice of 1 ms long, and each packet-in takes half a millisecond at least.
  t.ok(most <= 20, `${most} at once`)
})

t.test('the answers to all that was read at once leave together', async t => {
  const c = await listening(t)
  const { fake } = await c.live()
  fake.say(
    ...Array.from({ length: 500 }, (_, i): Message => ({ type: 'echo_request', xid: i, payload: Buffer.alloc(0) })),
  )
  await fake.got('echo_reply', 499)
  const xids = fake.received.flatMap(message => (message.type === 'echo_reply' ? [message.xid] : []))
  t.same(
    xids,
    Array.from({ length: 500 }, (_, i) => i),
  )
})

t.test('a fault in a listener is logged, and the sessions stay', async t => {
  const logged: string[] = []
  const server = await listen({
    listeners: [{ host: '127.0.0.1', port: 0 }],
    events: {
      up() {
        throw new Error('up is broken')
      },
      down: () => undefined,
      portStatus: () => undefined,
      packetIn() {
        throw new Error('packetIn is broken')
      },
      flowRemoved: () => undefined,
    },
    metrics: { message: () => undefined, error: () => undefined, connection: () => undefined },
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (_details, words) => void logged.push(words),
    },
  })
  t.teardown(() => server.close())
  const fake = await fakeSwitch(server.addresses[0]!)
  while (server.sessions().size === 0) await new Promise(resolve => setTimeout(resolve, 2))
  fake.say(packetIn(1n), { type: 'echo_request', xid: 1, payload: Buffer.alloc(0) })
  await fake.got('echo_reply')
  while (logged.length < 2) await new Promise(resolve => setTimeout(resolve, 2))
  t.same(logged, ['the up event failed: up is broken', 'the packetIn event failed: packetIn is broken'])
  t.equal(server.sessions().size, 1)
})

t.test('peers that connect again and again, and are refused, cause few lines in the log', async t => {
  const refused: { readonly unsaid: number }[] = []
  const nothing = () => undefined
  const server = await listen({
    listeners: [{ host: '127.0.0.1', port: 0 }],
    events: { up: nothing, down: nothing, portStatus: nothing, packetIn: nothing, flowRemoved: nothing },
    metrics: { message: nothing, error: nothing, connection: nothing },
    log: {
      debug: nothing,
      info: nothing,
      error: nothing,
      warn: details => void refused.push(details as (typeof refused)[number]),
    },
  })
  t.teardown(() => server.close())
  const began = performance.now()
  for (let i = 0; i < 20; i++) {
    const fakes = Array.from({ length: 10 }, () => fakeSwitch(server.addresses[0]!, { auxiliaryId: 1 }))
    await Promise.all(fakes.map(async fake => (await fake).closed))
  }
  const seconds = Math.ceil((performance.now() - began) / 1000)
  t.ok(refused.length >= 10 && refused.length <= 10 * (seconds + 1), `${refused.length} lines in ${seconds} s`)
  t.match(refused[0], { unsaid: 0, state: 'features', reason: /auxiliary/, remote: /127.0.0.1:/ })
})

t.test('a server listens on all of its addresses, and stops on all', async t => {
  const quiet = {
    events: {
      up: () => undefined,
      down: (_session: unknown, reason: string) => void reasons.push(reason),
      portStatus: () => undefined,
      packetIn: () => undefined,
      flowRemoved: () => undefined,
    },
    metrics: { message: () => undefined, error: () => undefined, connection: () => undefined },
  }
  const reasons: string[] = []
  const listeners = [
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.2', port: 0 },
  ]
  const server = await listen({ listeners, ...quiet })
  t.same(
    server.addresses.map(({ host }) => host),
    ['127.0.0.1', '127.0.0.2'],
  )
  const fakes = await Promise.all(server.addresses.map((address, i) => fakeSwitch(address, { dpid: BigInt(i) })))
  while (server.sessions().size < 2) await new Promise(resolve => setTimeout(resolve, 2))
  const taken = await failure(listen({ listeners: [{ host: '127.0.0.3', port: 0 }, server.addresses[1]!], ...quiet }))
  t.match(taken.message, /^cannot listen for switches on tcp:127\.0\.0\.2:\d+: another program listens there/)
  await server.close()
  await Promise.all(fakes.map(fake => fake.closed))
  t.same(reasons, ['the controller stops', 'the controller stops'])
  await failure(fakeSwitch(server.addresses[0]!))
})

t.test('an address that is none of ours is refused in words', async t => {
  const events = { up() {}, down() {}, portStatus() {}, packetIn() {}, flowRemoved() {} }
  const metrics = { message() {}, error() {}, connection() {} }
  const error = await failure(listen({ listeners: [{ host: '192.0.2.1', port: 6653 }], events, metrics }))
  t.match(error.message, 'cannot listen for switches on tcp:192.0.2.1:6653: this machine has no such address')
})

t.test('more connections than the limit are turned away, and those that are there stay', async t => {
  const c = await listening(t, { limits: { connections: 2 } })
  await c.live({ dpid: 1n })
  const second = await c.live({ dpid: 2n })
  // A reset may come before the connection is seen to be there.
  await c.connect({ dpid: 3n }).then(
    fake => fake.closed,
    () => undefined,
  )
  t.same(c.endings, ['up', 'up', 'too_many'])
  second.fake.end()
  await c.until(() => c.downs.length === 1)
  // Its session is down a moment before its connection is closed.
  while (!c.server.sessions().has('0000000000000004')) {
    await c.connect({ dpid: 4n }).catch(() => undefined)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
})
