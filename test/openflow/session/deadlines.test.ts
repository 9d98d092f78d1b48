import { fork } from 'node:child_process'
import t from 'tap'
import { bucket, encode, groupMod, type Message, packetOut } from '../../../openflow/index.ts'
import { fakeSwitch } from '../fake-switch.ts'
import { failure, listening } from '../listening.ts'

const echo = (payload: string): Message => ({ type: 'echo_request', xid: 5, payload: Buffer.from(payload) })
const mute = (message: Message): readonly Message[] | undefined => (message.type === 'echo_request' ? [] : undefined)

t.test('an idle switch is asked for an echo again and again, and how long it took is counted', async t => {
  const seconds: number[] = []
  const c = await listening(t, { limits: { echo: 10 }, metrics: { echo: (_dpid, took) => void seconds.push(took) } })
  const { fake } = await c.live()
  await fake.got('echo_request', 3)
  await c.until(() => seconds.length >= 3)
  t.ok(seconds.every(took => took > 0))
  t.same(c.downs, [])
})

t.test('a switch without a sign of life is dead', async t => {
  const c = await listening(t, { limits: { echo: 20, silence: 80 } })
  const { fake } = await c.live({ answer: mute })
  await fake.closed
  t.same(c.endings, ['up', 'silent'])
  t.match(c.downs[0], /^0000000000000001: no byte for 80 ms$/)
  t.equal(c.server.sessions().size, 0)
})

t.test('any byte is life, although echoes stay unanswered', async t => {
  const c = await listening(t, { limits: { echo: 50, silence: 500 } })
  const { fake } = await c.live({ answer: mute })
  const timer = setInterval(() => fake.say(echo('x')), 20)
  t.teardown(() => clearInterval(timer))
  await fake.got('echo_request', 25)
  t.same(c.downs, [])
})

t.test('an echo request is answered with its own bytes and xid, also an empty and a long one', async t => {
  const c = await listening(t)
  const { fake } = await c.live()
  fake.say(echo(''), echo('abc'), { ...echo('z'.repeat(60_000)), xid: 6 })
  await fake.got('echo_reply', 2)
  const replies = fake.received.filter(message => message.type === 'echo_reply')
  t.same(
    replies.map(reply => [reply.xid, reply.payload.length]),
    [
      [5, 0],
      [5, 3],
      [6, 60_000],
    ],
  )
})

for (const [what, bytes] of Object.entries({
  'a header alone': Buffer.from('040a', 'hex'),
  'a header that promises 65,535 bytes, and a few of them': Buffer.from('040affff0000000001020304', 'hex'),
}))
  t.test(`a message that is not whole in time ends the session: ${what}`, async t => {
    const c = await listening(t, { limits: { partial: 60, silence: 60_000 } })
    const { fake } = await c.live()
    fake.raw(bytes)
    const timer = setInterval(() => fake.raw(Buffer.from([0])), 20)
    t.teardown(() => clearInterval(timer))
    await fake.closed
    // A zero where the length stands is worse than late.
    t.match(c.endings.join(), /^up,(partial_message|unreadable)$/)
  })

t.test('messages that come slowly, each whole in time, are no fault', async t => {
  const c = await listening(t, { limits: { partial: 400 } })
  const { fake } = await c.live()
  const bytes = encode(echo('slow'))
  for (let i = 0; i < 6; i++) {
    // Each write ends one message and begins the next, so that there is always one that is not whole.
    fake.raw(i === 0 ? bytes.subarray(0, 5) : Buffer.concat([bytes.subarray(5), bytes.subarray(0, 5)]))
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  await fake.got('echo_reply', 4)
  t.same(c.downs, [])
})

t.test('a switch that stops reading is cut off when 4 MiB wait for it, and others do not notice', async t => {
  const c = await listening(t)
  const { fake, session } = await c.live({ dpid: 1n })
  const other = await c.live({ dpid: 2n })
  fake.deafen(true)
  const payload = Buffer.alloc(60_000)
  let sent = 0
  while (c.downs.length === 0) {
    session.send(packetOut({ payload }))
    sent++
    await new Promise(resolve => setImmediate(resolve))
  }
  t.same(c.endings, ['up', 'up', 'not_reading'])
  t.match(c.downs[0], /^0000000000000001: does not read: 4\d{6} bytes wait for it, at most 4194304 may$/)
  t.ok(sent * payload.length > 4 * 1024 * 1024)
  await other.session.request({ type: 'barrier_request' })
  t.same([...c.server.sessions().keys()], ['0000000000000002'])
})

t.test('a switch that asks for echoes and does not read the answers is cut off as well', async t => {
  const c = await listening(t)
  const { fake } = await c.live()
  fake.deafen(true)
  const timer = setInterval(() => fake.say(echo('z'.repeat(60_000)), echo('z'.repeat(60_000))), 1)
  t.teardown(() => clearInterval(timer))
  await c.until(() => c.downs.length > 0)
  t.same(c.endings, ['up', 'not_reading'])
})

t.test('a switch that stops reading in the middle of a bundle is cut off in time, and the bundle fails', async t => {
  const c = await listening(t, { limits: { silence: 100 } })
  const { fake, session } = await c.live()
  const timer = setInterval(() => fake.say(echo('alive')), 10)
  t.teardown(() => clearInterval(timer))
  const buckets = Array.from({ length: 1_000 }, () => bucket({ actions: [{ type: 'output', port: 1, maxLen: 0 }] }))
  const changes = Array.from({ length: 400 }, (_, groupId) => groupMod({ groupId, buckets }))
  const failed = failure(session.bundle(changes))
  await fake.got('bundle_add')
  fake.deafen(true)
  t.match(await failed, { name: 'RequestError', why: 'closed' })
  t.same(c.endings, ['up', 'not_reading'])
  t.match(c.downs[0], /did not read for 100 ms$/)
})

t.test('no switch is blamed for the time in which the controller was stopped', async t => {
  const child = fork(new URL('../stoppable-server.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const told: unknown[] = []
  const waiting = new Set<() => void>()
  child.on('message', message => {
    told.push(message)
    for (const look of waiting) look()
  })
  const toldOf = (event: string): Promise<any> =>
    new Promise(resolve => {
      const look = (): void => {
        const found = told.find(message => (message as { event: string }).event === event)
        if (found !== undefined) resolve(found)
      }
      waiting.add(look)
      look()
    })
  const { port } = await toldOf('listening')
  const fake = await fakeSwitch({ host: '127.0.0.1', port })
  t.teardown(() => fake.reset())
  await toldOf('up')
  child.kill('SIGSTOP')
  await new Promise(resolve => setTimeout(resolve, 2_500))
  const echoes = fake.received.filter(message => message.type === 'echo_request').length
  child.kill('SIGCONT')
  await fake.got('echo_request', echoes + 1)
  t.notOk(told.some(message => (message as { event: string }).event === 'down'))
})
