import { connect } from 'node:net'
import t from 'tap'
import { decode, encode, flowMod, type Message, type MessageOf } from '../../../openflow/index.ts'
import type { Session } from '../../../openflow/session/session.ts'
import { port } from '../fake-switch.ts'
import { listening } from '../listening.ts'

type Hello = Partial<Omit<MessageOf<'hello'>, 'type' | 'xid'>>
const hello = ({ elements = [], ...rest }: Hello): Buffer => encode({ type: 'hello', xid: 7, elements, ...rest })
const bitmap = (...versions: number[]) => ({ type: 'versionbitmap' as const, versions })

const agreeing: { readonly [name: string]: Buffer } = {
  'without a bitmap': hello({}),
  'of version 6 without a bitmap': hello({ version: 6 }),
  'of version 1 with 1.3 in its bitmap': hello({ version: 1, elements: [bitmap(1, 4)] }),
  'of version 6 with 1.3 in its bitmap': hello({ version: 6, elements: [bitmap(1, 4, 5, 6)] }),
  'with elements that nobody knows': Buffer.from(
    '0400002000000001 00630006aabb0000 0001000800000012 00640008ccddeeff'.replaceAll(' ', ''),
    'hex',
  ),
}

for (const [what, bytes] of Object.entries(agreeing))
  t.test(`a switch whose HELLO is ${what} goes live`, async t => {
    const c = await listening(t)
    await c.live({ hello: bytes })
    t.same(c.endings, ['up'])
  })

const disagreeing: { readonly [name: string]: Buffer } = {
  'of OpenFlow 1.0 only': hello({ version: 1 }),
  'of version 6 with a bitmap that lacks 1.3': hello({ version: 6, elements: [bitmap(1, 5, 6)] }),
  'of version 4 with a bitmap that lacks it': hello({ elements: [bitmap(5)] }),
  'of version 4 with an empty bitmap': hello({ elements: [bitmap()] }),
  'of length 0': Buffer.from('0400000000000001', 'hex'),
  'of length 7': Buffer.from('0400000700000001', 'hex'),
  'with an element of length 0': Buffer.from('040000100000000100010000 00000012'.replaceAll(' ', ''), 'hex'),
  'with an element longer than itself': Buffer.from('0400001000000001 0001ffff00000012'.replaceAll(' ', ''), 'hex'),
  'no HELLO': encode({ type: 'echo_request', xid: 1, payload: Buffer.alloc(0) }),
  'of another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: l2sm\r\n\r\n'),
  'of no known type': Buffer.from('04ff000800000001', 'hex'),
}

for (const [what, bytes] of Object.entries(disagreeing))
  t.test(`a switch whose first message is ${what} gets HELLO_FAILED with the reason, and is closed`, async t => {
    const c = await listening(t)
    const fake = await c.connect({ hello: bytes })
    t.equal(await fake.closed, undefined, 'closed in order, so that the error arrives')
    t.same(
      fake.received.map(message => message.type),
      ['hello', 'error'],
    )
    const error = fake.received[1] as MessageOf<'error'>
    t.match(error, { errorType: 0, errorCode: 0 })
    t.match(error.payload.toString(), /\w+ \w+/)
    t.same(c.endings, ['version'])
    t.same(c.ups, [])
  })

t.test('a switch that answers our HELLO with an error is closed, and its words are the reason', async t => {
  const c = await listening(t)
  const refusal: Message = { type: 'error', xid: 0, errorType: 0, errorCode: 0, payload: Buffer.from('only 1.0 here') }
  const fake = await c.connect({ hello: encode({ ...refusal, version: 1 }) })
  await fake.closed
  t.same(c.endings, ['version'])
})

t.test('our HELLO, with version 4 and a bitmap that says the same, comes before the switch says a word', async t => {
  const c = await listening(t)
  const socket = connect(c.address)
  t.teardown(() => socket.destroy())
  const bytes = await new Promise<Buffer>(resolve => socket.once('data', resolve))
  t.equal(bytes[0], 4)
  t.match(decode(bytes), { type: 'hello', elements: [{ type: 'versionbitmap', versions: [4] }] })
})

t.test('a switch that says nothing is closed when the time for HELLO is over', async t => {
  const c = await listening(t, { limits: { hello: 50 } })
  const fake = await c.connect({ hello: Buffer.alloc(0) })
  await fake.closed
  t.same(c.endings, ['hello_timeout'])
})

t.test('a switch that says HELLO a byte at a time, and slowly, is closed when the time for it is over', async t => {
  const c = await listening(t, { limits: { hello: 100 } })
  const fake = await c.connect({ hello: Buffer.alloc(0) })
  const timer = setInterval(() => fake.raw(Buffer.from([0xff])), 20)
  t.teardown(() => clearInterval(timer))
  fake.raw(Buffer.from('04000010', 'hex'))
  await fake.closed
  t.same(c.endings, ['hello_timeout'])
})

for (const stuckAt of ['features_request', 'multipart_request'])
  t.test(`a switch that never answers ${stuckAt} is closed when the time for the handshake is over`, async t => {
    const c = await listening(t, { limits: { handshake: 60, probe: 20 } })
    const fake = await c.connect({ answer: message => (message.type === stuckAt ? [] : undefined) })
    await fake.closed
    t.same(c.endings, ['handshake_timeout'])
    t.same(c.ups, [])
  })

t.test('a switch that refuses to tell its ports is closed', async t => {
  const c = await listening(t)
  const fake = await c.connect({
    answer: message =>
      message.type === 'multipart_request' && message.body.type === 'port_desc'
        ? [{ type: 'error', xid: message.xid, errorType: 1, errorCode: 2, payload: Buffer.alloc(0) }]
        : undefined,
  })
  await fake.closed
  t.same(c.endings, ['handshake'])
})

t.test('an auxiliary connection is closed', async t => {
  const c = await listening(t)
  const fake = await c.connect({ auxiliaryId: 1 })
  await fake.closed
  t.same(c.endings, ['auxiliary'])
})

t.test('a live session says who its switch is and what it can do', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live({ dpid: 0xabcn, ports: [port(1), port(2)] })
  t.equal(session.dpid, '0000000000000abc')
  t.match(session.remote, /^127\.0\.0\.1:\d+$/)
  t.match(session.features, { datapathId: 0xabcn, nTables: 4 })
  t.match(session.description, { mfrDesc: 'test', swDesc: '1' })
  t.same(session.can, { bundles: true, nicira: true, maxMeter: 1000 })
  t.same([...session.ports().keys()], [1, 2])
  t.equal((await fake.got('set_config')).missSendLen, 0xffff, 'frames are sent whole and not buffered')
  t.equal(c.server.sessions().get('0000000000000abc'), session)
})

t.test('a plain switch, without extensions and meters, goes live and is known as plain', async t => {
  const c = await listening(t)
  const { session } = await c.live({ extensions: false })
  t.match(session.can, { bundles: false, nicira: false, maxMeter: 0 })
  t.same(session.can.unknown, [
    'bundle open_request was refused (BAD_REQUEST/BAD_EXPERIMENTER): changes are not atomic there',
    'multipart_request meter_features was refused (BAD_REQUEST/BAD_MULTIPART): its meters are not used',
    'tlv_table_request was refused (BAD_REQUEST/BAD_EXPERIMENTER): Nicira extensions are not used',
    'multipart_request table_features was refused (BAD_REQUEST/BAD_MULTIPART): its tables are believed to match and do all that is needed',
    'multipart_request group_features was refused (BAD_REQUEST/BAD_MULTIPART): it is believed to have groups of type all',
  ])
  t.same(await session.meters(), [])
})

t.test('a switch that ignores what it does not know goes live and is known as plain', async t => {
  const c = await listening(t, { limits: { probe: 30 } })
  const optional = (message: Message): boolean =>
    ['bundle_control', 'tlv_table_request'].includes(message.type) ||
    (message.type === 'multipart_request' && ['desc', 'meter_features'].includes(message.body.type))
  const { session } = await c.live({ answer: message => (optional(message) ? [] : undefined) })
  t.match(session.can, { bundles: false, nicira: false, maxMeter: 0 })
  t.match(session.can.unknown, /multipart_request desc was not answered within 30 ms: it has no names/)
  t.equal(session.description.mfrDesc, '')
})

t.test('a bundle that is opened but cannot be discarded is no bundle', async t => {
  const c = await listening(t)
  const { session } = await c.live({
    answer: message =>
      message.type === 'bundle_control' && message.ctrlType === 'discard_request'
        ? [{ type: 'error', xid: message.xid, errorType: 1, errorCode: 3, payload: Buffer.alloc(0) }]
        : undefined,
  })
  t.equal(session.can.bundles, false)
})

t.test(
  'the handshake survives echo requests, a second HELLO, packet-ins and unknown messages at any point',
  async t => {
    const c = await listening(t)
    const noise: Message[] = [
      { type: 'echo_request', xid: 90, payload: Buffer.from('x') },
      { type: 'hello', xid: 91, elements: [] },
      {
        ...{ type: 'packet_in', xid: 0, bufferId: 0, totalLen: 0, reason: 'no_match', tableId: 0, cookie: 0n },
        ...{ match: {}, payload: Buffer.alloc(0) },
      },
      { type: 'experimenter', xid: 92, experimenter: 1, expType: 1, payload: Buffer.alloc(0) },
    ]
    const { fake } = await c.live({
      answer(message, self) {
        if (message.type !== 'hello' && message.type !== 'error' && message.type !== 'echo_reply') self.say(...noise)
        return undefined
      },
    })
    t.match(await fake.got('echo_reply'), { xid: 90, payload: Buffer.from('x') })
    t.match(await fake.got('error'), { xid: 92, errorType: 1, errorCode: 3 })
  },
)

t.test('a switch that loses the first questions is asked again after a while', async t => {
  const c = await listening(t, { limits: { again: 20 } })
  const lost = new Set<string>()
  const { session, fake } = await c.live({
    ports: [port(7)],
    answer(message) {
      const name = message.type === 'multipart_request' ? message.body.type : message.type
      if (!['features_request', 'port_desc', 'desc'].includes(name) || lost.has(name)) return undefined
      lost.add(name)
      return []
    },
  })
  t.same(lost, new Set(['features_request', 'port_desc', 'desc']))
  t.same([...session.ports().keys()], [7])
  t.equal(session.description.mfrDesc, 'test')
  const asked = fake.received.filter(({ type }) => type === 'features_request')
  t.equal(new Set(asked.map(({ xid }) => xid)).size, 1, 'with the same xid: a late answer to either counts')
})

t.test('a switch that is only slow to say who it is goes live by its first answer', async t => {
  const c = await listening(t, { limits: { again: 10 } })
  const { session } = await c.live({
    answer(message, self) {
      if (message.type !== 'features_request') return undefined
      if (self.received.filter(({ type }) => type === 'features_request').length !== 3) return []
      const { xid } = message
      const features = { datapathId: 1n, nBuffers: 0, nTables: 4, auxiliaryId: 0, capabilities: 0 } as const
      return Array.from({ length: 3 }, () => ({ type: 'features_reply', xid, ...features }) as const)
    },
  })
  await c.until(() => session.counts().strayReplies === 2)
})

const refusing = (...names: readonly string[]) =>
  ({
    answer: (message: Message) =>
      names.includes(message.type === 'multipart_request' ? message.body.type : message.type)
        ? [{ type: 'error', xid: message.xid, errorType: 1, errorCode: 2, payload: Buffer.alloc(0) } as const]
        : undefined,
  }) as const
const ignoring = (...names: readonly string[]) =>
  ({
    answer: (message: Message) =>
      names.includes(message.type === 'multipart_request' ? message.body.type : message.type) ? [] : undefined,
  }) as const

for (const [what, behaviour] of [
  ['refuses', refusing('meter_config')],
  ['never answers', ignoring('meter_config')],
] as const)
  t.test(`a switch that has meters and ${what} to list them works without`, async t => {
    const c = await listening(t, { limits: what === 'refuses' ? {} : { probe: 100 } })
    const { session } = await c.live(behaviour)
    t.equal(session.can.maxMeter, 0)
    t.ok(
      session.can.unknown?.some(words =>
        /^multipart_request meter_config was .*: its meters are not used$/.test(words),
      ),
    )
    t.same(await session.meters(), [])
  })

t.test('every question of the handshake but who it is and its ports may be refused, or stay unanswered', async t => {
  const questions = [
    'desc',
    'meter_features',
    'table_features',
    'group_features',
    'bundle_control',
    'tlv_table_request',
  ]
  const c = await listening(t, { limits: { probe: 30 } })
  for (const [i, behaviour] of [refusing(...questions), ignoring(...questions)].entries()) {
    const { session } = await c.live({ ...behaviour, dpid: BigInt(i + 1) })
    t.match(session.can, { bundles: false, nicira: false, maxMeter: 0, tables: undefined, groups: undefined })
    t.equal(session.can.unknown?.length, 6)
    t.same(await session.apply([flowMod({})]), [])
    t.equal((await session.flows()).length, 1)
  }
})

t.test('an answer that comes after the handshake is taken when it comes, and is notified of', async t => {
  const learned: Session[] = []
  const c = await listening(t, {
    limits: { probe: 20, again: 10_000 },
    events: { capabilities: session => void learned.push(session) },
  })
  let xid = 0
  const { fake, session } = await c.live({
    answer(message) {
      if (message.type !== 'multipart_request' || message.body.type !== 'meter_features') return undefined
      xid = message.xid
      return []
    },
  })
  t.equal(session.can.maxMeter, 0)
  const body = {
    type: 'meter_features',
    maxMeter: 256,
    bandTypes: 2,
    capabilities: 15,
    maxBands: 1,
    maxColor: 0,
  } as const
  fake.say({ type: 'multipart_reply', xid, flags: 0, body })
  await c.until(() => learned.length > 0)
  t.equal(session.can.maxMeter, 256)
  t.same(learned, [session])
})

t.test('what every table can do with metadata is known, also when it is 56 bits', async t => {
  const c = await listening(t)
  const bits = (1n << 56n) - 1n
  const table = (tableId: number, metadataMatch: bigint, metadataWrite: bigint) => ({
    ...{ tableId, name: `t${tableId}`, metadataMatch, metadataWrite, config: 0, maxEntries: 100, properties: [] },
  })
  const { session } = await c.live({
    extensions: false,
    answer: message =>
      message.type === 'multipart_request' && message.body.type === 'table_features'
        ? [
            {
              ...{ type: 'multipart_reply', xid: message.xid, flags: 0 },
              body: { type: 'table_features', tables: [table(0, bits, bits), table(1, bits, 0n)] },
            },
          ]
        : undefined,
  })
  t.equal(session.can.metadataBits, bits, 'the last table has no next one to write for')
  t.equal(session.can.tables?.length, 2)
})

t.test('a name of 16 bytes, and one with a slash, are names of ports as any', async t => {
  const c = await listening(t)
  const { session } = await c.live({ ports: [port(1, { name: 'uplinkGigabitEth' }), port(2, { name: 'Gi0/1' })] })
  t.same(
    [...session.ports().values()].map(({ name }) => name),
    ['uplinkGigabitEth', 'Gi0/1'],
  )
})

t.test('who speaks TLS or HTTP on a port for OpenFlow is told apart in words', async t => {
  const said: string[] = []
  const nothing = () => undefined
  const warn = (details: object) => void said.push((details as { readonly reason: string }).reason)
  const c = await listening(t, { log: { debug: nothing, info: nothing, error: nothing, warn } })
  for (const bytes of [Buffer.from('16030102000100', 'hex'), Buffer.from('PUT /onos/vnets HTTP/1.1\r\n\r\n')]) {
    const fake = await c.connect({ hello: bytes })
    await fake.closed
  }
  t.same(c.endings, ['tls_on_tcp', 'version'])
  t.match(said, [/speaks TLS, but this listener is plain TCP/, /speaks HTTP/])
})

t.test('who closes before HELLO is counted, and is no warning', async t => {
  const warned: object[] = []
  const debugged: object[] = []
  const nothing = () => undefined
  const c = await listening(t, {
    log: {
      ...{ info: nothing, error: nothing },
      warn: details => void warned.push(details),
      debug: details => void debugged.push(details),
    },
  })
  const closing = await c.connect({ hello: Buffer.alloc(0) })
  closing.end()
  await c.until(() => c.endings.length === 1)
  const resetting = await c.connect({ hello: Buffer.alloc(0) })
  resetting.reset()
  await c.until(() => c.endings.length === 2)
  t.same(c.endings, ['closed', 'lost'])
  t.same(warned, [])
  t.equal(debugged.length, 2)
})

t.test('a switch that answers all that it does not know with IS_SLAVE is no slave', async t => {
  const c = await listening(t, { generation: () => 7n })
  const { session } = await c.live({
    answer(message) {
      const { xid } = message
      if (message.type === 'role_request') return [{ ...message, type: 'role_reply' }]
      return ['bundle_control', 'tlv_table_request'].includes(message.type)
        ? [{ type: 'error', xid, errorType: 1, errorCode: 10, payload: Buffer.alloc(0) }]
        : undefined
    },
  })
  t.equal(session.role(), 'master')
  t.match(session.can, { bundles: false, nicira: false })
})

t.test('what begins behind a HELLO in the same read is no HELLO, and need not be', async t => {
  const c = await listening(t)
  const echo = encode({ type: 'echo_request', xid: 5, payload: Buffer.from('abc') })
  for (const [i, length] of [1, 2, 4, 9].entries()) {
    const fake = await c.connect({
      dpid: BigInt(i + 1),
      hello: Buffer.concat([hello({}), echo.subarray(0, length)]),
      answer(message, self) {
        if (message.type === 'features_request') self.raw(echo.subarray(length))
        return undefined
      },
    })
    t.match(await fake.got('echo_reply'), { xid: 5 })
    await c.until(() => c.server.sessions().size === i + 1)
  }
  t.same(
    c.endings.filter(ending => ending !== 'up'),
    [],
  )
})
