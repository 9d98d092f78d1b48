import t from 'tap'
import { encode, type FlowStats, type Message, type MessageOf, multipartMore, tables } from '../../../openflow/index.ts'
import { port } from '../fake-switch.ts'
import { failure, listening } from '../listening.ts'

const barrier = { type: 'barrier_request' } as const
const flow = (tableId: number, priority: number): FlowStats => ({
  ...{ tableId, priority, durationSec: 0, durationNsec: 0, idleTimeout: 0, hardTimeout: 0, flags: 0, cookie: 1n },
  ...{ packetCount: 0n, byteCount: 0n, match: {}, instructions: [] },
})
const flows = (xid: number, list: readonly FlowStats[], flags = 0): Message => ({
  type: 'multipart_reply',
  xid,
  flags,
  body: { type: 'flow', flows: [...list] },
})
const asksFlows = (message: Message): message is MessageOf<'multipart_request'> =>
  message.type === 'multipart_request' && message.body.type === 'flow'
const asks =
  (type: Message['type'], answers: (xid: number) => readonly Message[]) =>
  (message: Message): readonly Message[] | undefined =>
    message.type === type ? answers(message.xid) : undefined

t.test('answers are matched by xid, in whatever order they come', async t => {
  const c = await listening(t)
  const held: Message[] = []
  const { session, fake } = await c.live({
    answer(message) {
      if (message.type !== 'role_request') return undefined
      held.unshift({ ...message, type: 'role_reply' })
      return held.length === 3 ? held : []
    },
  })
  const roles = [1n, 2n, 3n].map(generationId =>
    session.request({ type: 'role_request', role: 'equal', generationId }).then(reply => reply.generationId),
  )
  t.same(await Promise.all(roles), [1n, 2n, 3n])
  const xids = fake.received.filter(message => message.xid !== 0).map(message => message.xid)
  t.equal(new Set(xids).size, xids.length, 'no xid is used twice')
})

t.test('answers with a wrong xid, of a wrong type, or given twice are counted and change nothing', async t => {
  const c = await listening(t)
  const { session } = await c.live({
    answer: asks('barrier_request', xid => [
      { type: 'barrier_reply', xid: xid + 1000 },
      { type: 'echo_reply', xid, payload: Buffer.alloc(0) },
      { type: 'barrier_reply', xid },
      { type: 'barrier_reply', xid },
    ]),
  })
  t.equal((await session.request(barrier)).type, 'barrier_reply')
  await c.until(() => session.counts().strayReplies === 3)
  t.same(c.downs, [])
})

t.test('a request without an answer fails, and its late answer is counted', async t => {
  const c = await listening(t, { limits: { request: 40 } })
  let asked = 0
  const { session, fake } = await c.live({
    answer(message) {
      if (message.type !== 'barrier_request') return undefined
      asked = message.xid
      return []
    },
  })
  const error = await failure(session.request(barrier))
  t.match(error, { name: 'RequestError', why: 'timeout' })
  t.match(error.message, /no answer to barrier_request \(xid \d+\) within 40 ms/)
  fake.say({ type: 'barrier_reply', xid: asked })
  await c.until(() => session.counts().strayReplies === 1)
  t.same(c.downs, [])
})

t.test('an error fails the request that it names, in the words of the specification, and is counted', async t => {
  const c = await listening(t)
  const { session } = await c.live({
    answer: asks('role_request', xid => [
      { type: 'error', xid, errorType: 11, errorCode: 0, payload: Buffer.alloc(0) },
      { type: 'error', xid, errorType: 11, errorCode: 0, payload: Buffer.alloc(0) },
    ]),
  })
  const error = await failure(session.request({ type: 'role_request', role: 'master', generationId: 1n }))
  t.match(error, {
    why: 'refused',
    refusal: { errorType: 11, errorCode: 0, words: 'ROLE_REQUEST_FAILED/STALE' },
  })
  await c.until(() => session.counts().strayReplies === 1)
  t.same(c.errors, ['ROLE_REQUEST_FAILED/STALE', 'ROLE_REQUEST_FAILED/STALE'])
})

t.test('the end of a session fails what waits for an answer, and all that is asked later', async t => {
  const c = await listening(t)
  const { session } = await c.live({ answer: asks('barrier_request', () => []) })
  const waiting = failure(session.request(barrier))
  session.close('enough')
  const error = await waiting
  t.match(error, { why: 'closed' })
  t.match(error.message, /enough/)
  t.match(await failure(session.request(barrier)), { why: 'closed' })
  t.match(await failure(session.flows()), { why: 'closed' })
  t.match(await failure(session.apply([{ type: 'meter_mod', command: 'delete', flags: 0, meterId: 1, bands: [] }])), {
    why: 'closed',
  })
  t.type(session.send({ type: 'echo_request', payload: Buffer.alloc(0) }), 'number', 'and sending does nothing')
})

t.test('a request that cannot be encoded fails, and the session stays', async t => {
  const c = await listening(t)
  const { session } = await c.live()
  const error = await failure(session.request({ type: 'echo_request', payload: Buffer.alloc(70_000) }))
  t.equal(error.name, 'WireError')
  await session.request(barrier)
  t.same(c.downs, [])
})

t.test('the parts of several multipart answers, mixed with each other and anything else, are put together', async t => {
  const c = await listening(t)
  let first = 0
  const { session } = await c.live({
    answer(message) {
      if (!asksFlows(message)) return undefined
      if (first === 0) {
        first = message.xid
        return []
      }
      const second = message.xid
      return [
        flows(second, [flow(2, 1)], multipartMore),
        flows(first, [flow(1, 1), flow(1, 2)], multipartMore),
        { type: 'port_status', xid: 0, reason: 'add', port: port(5) },
        { type: 'multipart_reply', xid: first, flags: 0, body: { type: 'port_desc', ports: [port(9)] } },
        { type: 'echo_request', xid: first, payload: Buffer.alloc(0) },
        flows(first, [], multipartMore),
        flows(second, [flow(2, 2)]),
        flows(first, [flow(1, 3)]),
        flows(first, [flow(1, 4)]),
      ]
    },
  })
  const [ones, twos] = await Promise.all([session.flows(), session.flows()])
  t.same(
    ones.map(each => [each.tableId, each.priority]),
    [
      [1, 1],
      [1, 2],
      [1, 3],
    ],
  )
  t.same(
    twos.map(each => [each.tableId, each.priority]),
    [
      [2, 1],
      [2, 2],
    ],
  )
  t.equal(session.counts().strayReplies, 2, 'the part of another type, and the one behind the last')
})

t.test('an experimenter multipart answer in parts is one', async t => {
  const c = await listening(t)
  const part = (xid: number, payload: string, flags: number): Message => ({
    type: 'multipart_reply',
    xid,
    flags,
    body: { type: 'experimenter', experimenter: 7, expType: 8, payload: Buffer.from(payload) },
  })
  const { session } = await c.live({
    answer: message =>
      message.type === 'multipart_request' && message.body.type === 'experimenter'
        ? [part(message.xid, 'one ', multipartMore), part(message.xid, 'two', 0)]
        : undefined,
  })
  const body = { type: 'experimenter', experimenter: 7, expType: 8, payload: Buffer.alloc(0) } as const
  const reply = await session.request({ type: 'multipart_request', flags: 0, body })
  t.match(reply, { flags: 0, body: { payload: Buffer.from('one two') } })
})

t.test('flows never end: the answer is given up when it is too long, and so is its switch', async t => {
  const c = await listening(t, { limits: { reply: 10_000, flows: 100_000 } })
  const { session, fake } = await c.live({
    answer(message, self) {
      if (!asksFlows(message)) return undefined
      const part = flows(message.xid, Array(50).fill(flow(0, 1)), multipartMore)
      const timer = setInterval(() => self.say(part, part, part), 1)
      self.closed.then(() => clearInterval(timer))
      return []
    },
  })
  t.match(await failure(session.flows()), { why: 'closed' })
  await fake.closed
  t.same(c.endings, ['up', 'oversize'])
})

t.test('nor may an answer about anything else be long', async t => {
  const c = await listening(t, { limits: { reply: 20_000 } })
  const { session, fake } = await c.live({
    answer(message, self) {
      if (message.type !== 'multipart_request' || message.body.type !== 'group_desc') return undefined
      const { xid } = message
      const group = { groupType: 'all', groupId: 1, buckets: [] } as const
      const body = { type: 'group_desc', groups: Array(50).fill(group) } as const
      const timer = setInterval(() => self.say({ type: 'multipart_reply', xid, flags: multipartMore, body }), 1)
      self.closed.then(() => clearInterval(timer))
      return []
    },
  })
  t.match(await failure(session.groups()), { why: 'closed', message: /more than 20000 bytes to one question/ })
  await fake.closed
})

const countsFlows = (message: Message): boolean =>
  message.type === 'multipart_request' && ['table', 'aggregate'].includes(message.body.type)
const refused = (xid: number): Message => ({
  ...{ type: 'error', xid, errorType: 1, errorCode: 2, payload: Buffer.alloc(0) },
})

t.test('an answer whose parts trickle in is given up in the end, and the rest of it changes nothing', async t => {
  const c = await listening(t, { limits: { request: 200, collation: 240 } })
  const { session } = await c.live({
    answer(message, self) {
      if (countsFlows(message)) return [refused(message.xid)]
      if (!asksFlows(message)) return undefined
      const timer = setInterval(() => self.say(flows(message.xid, [flow(0, 1)], multipartMore)), 10)
      t.teardown(() => clearInterval(timer))
      return []
    },
  })
  t.match(await failure(session.flows({ tableId: 0 })), {
    why: 'unreadable',
    message: /not all flows could be read: table 0: no answer/,
  })
  await c.until(() => session.counts().strayReplies > 2)
  t.same(c.downs, [])
})

t.test('an answer of which the last part is missing fails', async t => {
  const c = await listening(t, { limits: { request: 40, collation: 100 } })
  const { session } = await c.live({
    answer(message) {
      if (countsFlows(message)) return [refused(message.xid)]
      return asksFlows(message) ? [flows(message.xid, [flow(0, 1)], multipartMore)] : undefined
    },
  })
  const { missing } = await session.readFlows({ tableId: 0 })
  t.match(missing, [{ tableId: 0, words: /^table 0: no answer to multipart_request flow/ }])
})

/** An answer about flows in which the only entry says that it is 0 bytes long. */
function corrupt(xid: number, flags: number): Buffer {
  const bytes = encode(flows(xid, [flow(0, 1)], flags))
  bytes.writeUInt16BE(0, 16)
  return bytes
}

t.test('where the answer about all tables cannot be read, the tables are asked for one by one', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({
    answer(message, self) {
      if (!asksFlows(message) || message.body.type !== 'flow') return undefined
      const { tableId, cookie } = message.body
      if (tableId !== tables.all) return [flows(message.xid, tableId === 2 ? [flow(2, Number(cookie))] : [])]
      self.say(flows(message.xid, [flow(0, 1)], multipartMore))
      self.raw(corrupt(message.xid, multipartMore))
      self.say(flows(message.xid, [flow(0, 1)], multipartMore))
      self.raw(corrupt(message.xid, 0))
      return []
    },
  })
  const found = await session.flows({ cookie: 7n, cookieMask: 0xffn })
  t.same(
    found.map(each => [each.tableId, each.priority]),
    [[2, 7]],
  )
  const asked = fake.received.flatMap(message =>
    message.type === 'multipart_request' && message.body.type === 'flow' ? [message.body.tableId] : [],
  )
  t.same(asked, [tables.all, 0, 1, 2, 3])
  t.same(c.downs, [])
})

t.test('what cannot be read in any part is missing, and the session stays', async t => {
  const c = await listening(t)
  const { session } = await c.live({
    answer(message, self) {
      if (countsFlows(message)) return [refused(message.xid)]
      if (message.type !== 'multipart_request' || message.body.type !== 'flow') return undefined
      if (message.body.tableId === 1) return [flows(message.xid, [flow(1, 5)])]
      self.raw(corrupt(message.xid, 0))
      return []
    },
  })
  const reading = await session.readFlows({ tableId: 1 })
  t.equal(reading.count, 1)
  t.same(reading.missing, [])
  const { missing } = await session.readFlows({ tableId: 2, cookieMask: 0xffff_ffffn })
  t.match(missing, [{ tableId: 2, words: /^table 2: at byte 0: flow entry 0 says that it is 0 bytes long/ }])
  t.match(await failure(session.flows({ tableId: 2, cookieMask: 0xffff_ffffn })), { why: 'unreadable' })
  t.same(c.downs, [])
})

t.test('flows, groups and meters are read, narrowed by what the filter says', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live()
  t.same(
    [await session.flows({ tableId: 3, match: { in_port: 4 } }), await session.groups(), await session.meters()],
    [[], [], []],
  )
  t.match(
    fake.received.filter(message => message.type === 'multipart_request').map(({ body }) => body),
    [
      ...[{ type: 'desc' }, { type: 'meter_features' }, { type: 'port_desc' }, { type: 'meter_config' }],
      { type: 'aggregate', tableId: 3, match: { in_port: 4 } },
      ...[
        { type: 'flow', tableId: 3, outPort: 0xffffffff, outGroup: 0xffffffff, cookieMask: 0n, match: { in_port: 4 } },
        { type: 'group_desc' },
        { type: 'meter_config', meterId: 0xffffffff },
      ],
    ],
  )
})
