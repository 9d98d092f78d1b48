import t from 'tap'
import { type Message, type MessageOf, multipartMore, type PortDesc, ports } from '../../../openflow/index.ts'
import { portsOf, putStatus, samePorts } from '../../../openflow/session/ports.ts'
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
  t.ok(samePorts(all, portsOf([port(2), port(1)])))
  t.equal(putStatus(all, status('modify', port(2, { state: 1 }))), true)
  t.equal(putStatus(all, status('modify', port(3))), true, 'the first word of a port')
  t.equal(putStatus(all, status('add', port(1, { name: 'another' }))), true, 'a number that was given away anew')
  t.equal(putStatus(all, status('delete', port(3))), true)
  t.ok(samePorts(all, portsOf([port(1, { name: 'another' }), port(2, { state: 1 })])))
  t.notOk(samePorts(all, portsOf([port(1), port(2)])))
  t.notOk(samePorts(all, portsOf([port(1, { name: 'another' })])))
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

t.test('every change of a port is told, with the ports as they are then; duplicates are not', async t => {
  const told: string[] = []
  const c = await listening(t, {
    limits: noReread,
    events: { portStatus: session => void told.push([...session.ports().values()].map(p => p.name).join()) },
  })
  const { fake } = await c.live({ ports: [port(2, { name: 'old' })] })
  fake.say(
    status('modify', port(2, { name: 'old' })),
    status('delete', port(2, { name: 'old' })),
    status('add', port(2, { name: 'new' })),
    status('add', port(2, { name: 'new' })),
  )
  await c.until(() => told.includes('new'))
  t.same(told, ['', 'new'], 'a port that was made anew with its number was away in between')
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
