import t from 'tap'
import { bundleFlags, flowMod, groupMod, type Message, type MessageOf } from '../../../openflow/index.ts'
import type { Change } from '../../../openflow/session/session.ts'
import type { FakeSwitch } from '../fake-switch.ts'
import { failure, listening } from '../listening.ts'

const changes = (count: number, cookie = 1n): Change[] =>
  Array.from({ length: count }, (_, i) =>
    flowMod({ cookie, tableId: 1, priority: i & 0xffff, match: { metadata: BigInt(i) } }),
  )

const tableFull = { errorType: 5, errorCode: 1 }
const error = (xid: number, { errorType, errorCode }: { errorType: number; errorCode: number }): Message => ({
  type: 'error',
  xid,
  errorType,
  errorCode,
  payload: Buffer.alloc(64),
})

/** What a switch was sent since its handshake, as words: `open`, `flow_mod`, ... */
const said = (fake: FakeSwitch): string[] => {
  const words = fake.received
    .filter(message => message.type !== 'echo_request' && message.type !== 'multipart_request')
    .map(message => (message.type === 'bundle_control' ? message.ctrlType.replace('_request', '') : message.type))
  // The handshake's empty bundle ends it, or the refusal of that.
  const start = words.indexOf('discard')
  return words.slice(start + 1)
}

type Ctrl = MessageOf<'bundle_control'>['ctrlType']
/** Behaves as usual, but for what `answer` says about the bundles that come after the handshake's own. */
const afterHandshake = (
  answer: (message: MessageOf<'bundle_control'>, fake: FakeSwitch) => readonly Message[] | undefined,
) =>
  ({
    answer(message: Message, fake: FakeSwitch) {
      if (message.type !== 'bundle_control' || message.bundleId === 1) return undefined
      return answer(message, fake)
    },
  }) as const

t.test('an empty list of changes is done, and nothing is sent', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live()
  const before = fake.received.length
  t.same(await session.apply([]), [])
  t.same(await session.bundle([]), [])
  await session.request({ type: 'barrier_request' })
  t.equal(fake.received.length, before + 1)
})

t.test('apply sends the changes in their order and is done with the answer to the barrier behind them', async t => {
  const c = await listening(t)
  let barrier: Message | undefined
  const { session, fake } = await c.live({
    answer(message) {
      if (message.type !== 'barrier_request') return undefined
      barrier = message
      return []
    },
  })
  let done = false
  const applied = session.apply(changes(3)).then(failures => {
    done = true
    return failures
  })
  await c.until(() => barrier !== undefined)
  await session.flows()
  t.equal(done, false, 'not before the barrier')
  fake.say({ type: 'barrier_reply', xid: barrier!.xid })
  t.same(await applied, [])
  t.same(
    fake.changes.map(change => change.type === 'flow_mod' && change.priority),
    [0, 1, 2],
  )
  t.equal(new Set(fake.changes.map(change => change.xid)).size, 3)
})

t.test('apply tells each change that was refused, while the others are done', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({ refuse: { after: 100, ...tableFull } })
  const failures = await session.apply(changes(103))
  t.same(
    failures,
    [100, 101, 102].map(index => ({ index, ...tableFull, words: 'FLOW_MOD_FAILED/TABLE_FULL' })),
  )
  t.equal(fake.flows().length, 100)
  t.same(c.errors, Array(3).fill('FLOW_MOD_FAILED/TABLE_FULL'))
  t.equal(session.counts().strayReplies, 0)
})

t.test(
  'errors that come after success, up to the answer to the barrier, count once; others are only counted',
  async t => {
    const c = await listening(t)
    const { session, fake } = await c.live({
      answer(message, self) {
        if (message.type !== 'barrier_request') return undefined
        const xids = self.changes.map(change => change.xid)
        return [
          error(xids[7]!, tableFull),
          error(xids[2]!, tableFull),
          error(xids[7]!, tableFull),
          error(xids[9]! + 1_000_000, tableFull),
          { type: 'barrier_reply', xid: message.xid },
        ]
      },
    })
    const failures = await session.apply(changes(10))
    t.same(
      failures.map(failure => failure.index),
      [2, 7],
    )
    t.equal(session.counts().strayReplies, 2)
    fake.say(error(fake.changes[4]!.xid, tableFull))
    await c.until(() => session.counts().strayReplies === 3)
  },
)

t.test('a barrier whose answer is late delays apply, and one whose answer is lost fails it', async t => {
  const c = await listening(t, { limits: { request: 150, change: 0 } })
  const { session } = await c.live({ barrierDelay: 50 })
  t.same(await session.apply(changes(5)), [])
  const lost = await c.live({ dpid: 2n, answer: message => (message.type === 'barrier_request' ? [] : undefined) })
  t.match(await failure(lost.session.apply(changes(5))), { why: 'timeout' })
  t.same(c.downs, [])
})

t.test('a barrier that is refused fails apply', async t => {
  const c = await listening(t)
  const { session } = await c.live({
    answer: message =>
      message.type === 'barrier_request' ? [error(message.xid, { errorType: 1, errorCode: 10 })] : undefined,
  })
  t.match(await failure(session.apply(changes(1))), { why: 'refused', refusal: { words: 'BAD_REQUEST/IS_SLAVE' } })
})

t.test('a session that ends while changes are on their way fails them', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({ answer: message => (message.type === 'barrier_request' ? [] : undefined) })
  const failures = [session.apply(changes(5)), session.bundle(changes(5)), session.apply(changes(5))].map(failure)
  await fake.got('barrier_request')
  fake.reset()
  for (const failed of failures) t.match(await failed, { name: 'RequestError', why: 'closed' })
})

t.test('lists of changes take turns, and a failed one does not hold up the next', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live()
  const unsendable = { ...flowMod({}), priority: 70_000 }
  const results = await Promise.allSettled([
    session.apply(changes(2)),
    session.bundle(changes(2)),
    session.apply([unsendable]),
    session.bundle([unsendable]),
    session.apply(changes(1)),
  ])
  t.same(
    results.map(result => result.status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  t.same(said(fake), [
    ...['flow_mod', 'flow_mod', 'barrier_request'],
    ...['open', 'bundle_add', 'bundle_add', 'close', 'commit', 'barrier_request'],
    ...['open', 'discard'],
    ...['flow_mod', 'barrier_request'],
  ])
})

t.test('a change that cannot be encoded is named', async t => {
  const c = await listening(t)
  const { session } = await c.live()
  const list = [flowMod({}), flowMod({ tableId: 300 })]
  t.match((await failure(session.apply(list))).message, /^change 1 cannot be sent: .*tableId/)
  t.match((await failure(session.bundle(list))).message, /^change 1 cannot be sent: .*tableId/)
})

t.test('questions are answered while a long list of changes is on its way', async t => {
  const c = await listening(t)
  const { session } = await c.live({ barrierDelay: 20 })
  const applied = session.apply(changes(5_000))
  t.same(await session.groups(), [])
  t.same(await applied, [])
})

t.test('a long list has barriers on the way, and never more than two windows without an answer', async t => {
  const c = await listening(t, { limits: { window: 100 } })
  let sent = 0
  let answered = 0
  let most = 0
  const { session, fake } = await c.live({
    answer(message) {
      if (message.type === 'flow_mod') most = Math.max(most, ++sent - answered)
      if (message.type !== 'barrier_request') return undefined
      const upTo = sent
      setTimeout(() => {
        answered = upTo
        fake.say({ type: 'barrier_reply', xid: message.xid })
      }, 5)
      return []
    },
  })
  t.same(await session.apply(changes(1_050)), [])
  t.equal(sent, 1_050)
  t.equal(most, 200)
  t.equal(fake.received.filter(message => message.type === 'barrier_request').length, 11)
})

t.test('100,000 changes reach a switch that reads in fits and starts, by apply and in one bundle', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live()
  let deaf = false
  const timer = setInterval(() => fake.deafen((deaf = !deaf)), 15)
  t.teardown(() => clearInterval(timer))
  const list = changes(100_000)
  t.same(await session.apply(list), [])
  t.equal(fake.changes.length, 100_000)
  t.same(await session.bundle(list), [])
  t.equal(fake.changes.length, 200_000)
  const flows = await session.flows()
  t.equal(flows.length, 100_000)
  t.same(c.downs, [])
})

t.test('a bundle is opened, filled, closed, committed and confirmed by a barrier', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live()
  t.same(await session.bundle([groupMod({ groupId: 1 }), ...changes(2)]), [])
  t.same(said(fake), ['open', 'bundle_add', 'bundle_add', 'bundle_add', 'close', 'commit', 'barrier_request'])
  t.same(
    fake.changes.map(change => change.type),
    ['group_mod', 'flow_mod', 'flow_mod'],
  )
  const flags = bundleFlags.atomic | bundleFlags.ordered
  const own = fake.received.filter(message => message.type === 'bundle_add')
  t.ok(own.every(add => add.xid === add.message.xid && add.bundleId === own[0]?.bundleId && add.flags === flags))
  t.not(own[0]?.bundleId, (await fake.got('bundle_control')).bundleId, 'not the bundle of the handshake')
})

t.test('a bundle of which the switch refuses a change is discarded, and never committed', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({ refuse: { after: 2, ...tableFull } })
  const failures = await session.bundle(changes(4))
  t.same(
    failures.map(({ index, words }) => [index, words]),
    [
      [2, 'FLOW_MOD_FAILED/TABLE_FULL'],
      [3, 'FLOW_MOD_FAILED/TABLE_FULL'],
    ],
  )
  t.same(fake.changes, [])
  t.match(said(fake).join(' '), /^open( bundle_add){4} close discard barrier_request$/)
})

t.test('a change that is refused after CLOSE was answered still counts', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live(
    afterHandshake((message, self) => {
      if (message.ctrlType !== 'commit_request') return undefined
      const adds = self.received.filter(each => each.type === 'bundle_add')
      return [{ ...message, ctrlType: 'commit_reply' }, error(adds[1]!.xid, tableFull)]
    }),
  )
  t.same(await session.bundle(changes(3)), [{ index: 1, ...tableFull, words: 'FLOW_MOD_FAILED/TABLE_FULL' }])
  t.equal(said(fake).at(-1), 'barrier_request')
})

const refusals: { readonly [what: string]: { readonly at: Ctrl; readonly words: string } } = {
  'its opening': { at: 'open_request', words: 'BAD_REQUEST/EPERM' },
  'its closing': { at: 'close_request', words: 'BAD_REQUEST/EPERM' },
  'its commit': { at: 'commit_request', words: 'BAD_REQUEST/EPERM' },
}
for (const [what, { at, words }] of Object.entries(refusals))
  t.test(`a bundle of which the switch refuses ${what} failed as a whole`, async t => {
    const c = await listening(t)
    const refusal = { errorType: 1, errorCode: 5 }
    const { session, fake } = await c.live(
      afterHandshake(message => (message.ctrlType === at ? [error(message.xid, refusal)] : undefined)),
    )
    t.same(await session.bundle(changes(3)), [{ index: -1, ...refusal, words }])
    t.same(fake.changes, [])
    t.same(said(fake).slice(-2), [at === 'commit_request' ? 'commit' : 'discard', 'barrier_request'])
  })

t.test('a commit that fails because of a change names that change', async t => {
  const c = await listening(t)
  const { session } = await c.live(
    afterHandshake((message, self) => {
      if (message.ctrlType !== 'commit_request') return undefined
      const adds = self.received.filter(each => each.type === 'bundle_add')
      return [error(adds[2]!.xid, tableFull), error(message.xid, { errorType: 1, errorCode: 5 })]
    }),
  )
  t.same(
    (await session.bundle(changes(3))).map(each => each.index),
    [2],
  )
})

for (const at of ['open_request', 'close_request', 'commit_request'] as const)
  t.test(`a bundle whose ${at} gets no answer fails, and is discarded`, async t => {
    const c = await listening(t, { limits: { request: 60, change: 0 } })
    const { session, fake } = await c.live(afterHandshake(message => (message.ctrlType === at ? [] : undefined)))
    t.match(await failure(session.bundle(changes(3))), { why: 'timeout' })
    await c.until(() => said(fake).at(-1) === 'discard')
    t.same(fake.changes, [])
    t.same(c.downs, [])
  })

t.test('a bundle for a switch without bundles fails, and nothing is sent', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({ extensions: false })
  const before = fake.received.length
  const error = await failure(session.bundle(changes(3)))
  t.match(error.message, /has no bundles: use apply/)
  t.equal(fake.received.length, before)
})
