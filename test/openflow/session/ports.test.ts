import t from 'tap'
import { type Message, type MessageOf, multipartMore, type PortDesc, ports } from '../../../openflow/index.ts'
import { changedBetween, portsOf, putStatus } from '../../../openflow/session/ports.ts'
import type { Session } from '../../../openflow/session/session.ts'
import { port } from '../fake-switch.ts'
import { listening } from '../listening.ts'

type Reason = MessageOf<'port_status'>['reason']
const status = (reason: Reason, of: PortDesc): MessageOf<'port_status'> => ({
  type: 'port_status',
  xid: 0,
  reason,
  port: of,
})
const portDesc = (xid: number, list: readonly PortDesc[], flags = 0): Message => ({
  type: 'multipart_reply',
  xid,
  flags,
  body: { type: 'port_desc', ports: [...list] },
})
const asksPorts = (message: Message): message is MessageOf<'multipart_request'> =>
  message.type === 'multipart_request' && message.body.type === 'port_desc'
const numbers = (session: Session): number[] => [...session.ports().keys()].sort((a, b) => a - b)
/** Ports are read again much later than these tests take. */
const noReread = { reread: 60_000 }

t.test('a PORT_STATUS changes the ports only where they differ from it', async t => {
  const all = portsOf([port(1), port(2)])
  t.equal(putStatus(all, status('modify', port(2))), false, 'a duplicate')
  t.equal(putStatus(all, status('delete', port(3))), false, 'a delete of a port that is not there')
  t.equal(putStatus(all, status('add', port(ports.local))), false, 'a reserved port')
  t.equal(putStatus(all, status('add', port(0))), false, 'no port at all')
  t.same(changedBetween(all, portsOf([port(2), port(1)])), [])
  t.equal(putStatus(all, status('modify', port(2, { state: 1 }))), true)
  t.equal(putStatus(all, status('modify', port(3))), true, 'the first word of a port')
  t.equal(putStatus(all, status('add', port(1, { name: 'another' }))), true, 'a number that was given away anew')
  t.equal(putStatus(all, status('delete', port(3))), true)
  t.same(changedBetween(all, portsOf([port(1, { name: 'another' }), port(2, { state: 1 })])), [])
  t.same(changedBetween(all, portsOf([port(1), port(2)])), [1, 2])
  t.same(changedBetween(all, portsOf([port(1, { name: 'another' }), port(3)])), [2, 3])
})

t.test('reserved ports are no ports of a session', async t => {
  const c = await listening(t)
  const { session } = await c.live({ ports: [port(ports.local), port(7), port(ports.max), port(ports.controller)] })
  t.same(numbers(session), [7, ports.max])
})

t.test('a PORT_STATUS before, inside and after the answer that lists the ports loses no port', async t => {
  const c = await listening(t, { limits: noReread })
  const { session } = await c.live({
    answer: message =>
      asksPorts(message)
        ? [
            status('add', port(8)),
            portDesc(message.xid, [port(1), port(2)], multipartMore),
            status('add', port(9)),
            status('modify', port(2, { state: 1 })),
            status('delete', port(3)),
            portDesc(message.xid, [port(3), port(4)]),
            status('delete', port(4)),
          ]
        : undefined,
  })
  await c.until(() => !session.ports().has(4))
  t.same(numbers(session), [1, 2, 8, 9])
  t.equal(session.ports().get(2)?.state, 1)
})

t.test('ports are read again after a PORT_STATUS, and the answer is what counts', async t => {
  const c = await listening(t, { limits: { reread: 10 } })
  const truth = [port(1), port(2, { state: 1 })]
  const { session, fake } = await c.live({
    answer: message => (asksPorts(message) ? [portDesc(message.xid, truth)] : undefined),
  })
  fake.say(status('delete', port(1)), status('add', port(5)), status('modify', port(2)))
  await c.until(() => session.ports().has(5))
  await c.until(() => !session.ports().has(5))
  t.same(numbers(session), [1, 2])
  t.equal(session.ports().get(2)?.state, 1)
})

t.test('ports are read again until no PORT_STATUS comes in between', async t => {
  let asked = 0
  const c = await listening(t, { limits: { reread: 1 } })
  const { session } = await c.live({
    answer(message) {
      if (!asksPorts(message)) return undefined
      asked++
      const list = portDesc(message.xid, [port(asked)])
      return asked < 4 ? [status('add', port(100 + asked)), list] : [list]
    },
  })
  await c.until(() => asked === 4 && session.ports().has(4))
  t.same(numbers(session), [4])
})

t.test('a reading of the ports that gets no answer is tried again, and the session stays', async t => {
  let asked = 0
  const c = await listening(t, { limits: { reread: 1, request: 20 } })
  const { session, fake } = await c.live({
    answer(message) {
      if (!asksPorts(message)) return undefined
      asked++
      return asked === 2 ? [] : [portDesc(message.xid, asked === 1 ? [] : [port(6)])]
    },
  })
  fake.say(status('add', port(5)))
  await c.until(() => session.ports().has(6))
  t.same(numbers(session), [6])
  t.same(c.downs, [])
})

t.test('listeners are notified of the ports that changed, as they are then; not of duplicates', async t => {
  const notices: string[] = []
  const c = await listening(t, {
    limits: noReread,
    events: {
      portStatus: (session, changed) =>
        void notices.push([...changed].map(number => `${number} ${session.ports().get(number)?.name}`).join()),
    },
  })
  const { fake } = await c.live({ ports: [port(2, { name: 'old' }), port(3)] })
  fake.say(
    status('modify', port(2, { name: 'old' })),
    status('delete', port(2, { name: 'old' })),
    status('add', port(2, { name: 'new' })),
    status('add', port(2, { name: 'new' })),
  )
  await c.until(() => notices.length > 0)
  fake.say(status('delete', port(3)))
  await c.until(() => notices.length > 1)
  t.same(notices, ['2 new', '3 undefined'])
})

t.test('2,000 changes of ports among 10,000 are few notices, and few readings of all ports', async t => {
  let notices = 0
  let readings = 0
  const changed = new Set<number>()
  const all = Array.from({ length: 10_000 }, (_, i) => port(i + 1))
  const c = await listening(t, {
    limits: { portNotice: 50, reread: 50 },
    events: {
      portStatus(_session, ports) {
        notices++
        for (const number of ports) changed.add(number)
      },
    },
  })
  const { fake, session } = await c.live({
    answer(message) {
      if (!asksPorts(message)) return undefined
      readings++
      const parts = Array.from({ length: 20 }, (_, i) => all.slice(i * 500, (i + 1) * 500))
      return parts.map((part, i) => portDesc(message.xid, part, i < 19 ? multipartMore : 0))
    },
  })
  t.equal(session.ports().size, 10_000)
  const began = performance.now()
  for (let i = 0; i < 2_000; i++) {
    all[i] = port(i + 1, { state: 1 })
    fake.say(status('modify', all[i]!))
    if (i % 100 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await c.until(() => changed.size === 2_000 && readings > 1)
  const passed = performance.now() - began
  t.ok(notices <= 3 + passed / 50, `${notices} notices in ${passed} ms`)
  t.ok(readings <= 3 + passed / 50, `${readings} readings in ${passed} ms`)
  t.equal([...session.ports().values()].filter(({ state }) => state === 1).length, 2_000)
})

t.test('a port that is told twice, at first wrongly, ends as it was told last', async t => {
  const c = await listening(t, { limits: noReread })
  const { session, fake } = await c.live({ ports: [port(1)] })
  fake.say(status('modify', port(1, { state: 4 })), status('modify', port(1, { state: 1 })))
  await c.until(() => session.ports().get(1)?.state === 1)
  t.same(numbers(session), [1])
})

t.test('a list of ports that nobody asked for is counted and changes nothing', async t => {
  let stray = 0
  const c = await listening(t, { metrics: { strayReply: () => void stray++ } })
  const { session, fake } = await c.live({ ports: [port(1)] })
  fake.say(portDesc(0, [port(66)]), portDesc(0x7fffffff, [port(67)]))
  await c.until(() => stray === 2)
  t.equal(session.counts().strayReplies, 2)
  t.same(numbers(session), [1])
})

t.test('a switch that makes up ports without end loses its connection', async t => {
  const c = await listening(t, { limits: { ports: 50 } })
  const { fake } = await c.live()
  fake.say(...Array.from({ length: 60 }, (_, i) => status('add', port(i + 1))))
  await fake.closed
  t.same(c.endings, ['up', 'oversize'])
})
