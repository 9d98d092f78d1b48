// The client against a real ovsdb-server; and against one that we make up, for what a real one does not do on request.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { jsonStream } from '../../../agent/ovsdb/json-stream.ts'
import { type Ovsdb, openOvsdb } from '../../../agent/ovsdb/ovsdb.ts'
import { mapOf, namedUuid, type Row, readRow, setOf } from '../../../agent/ovsdb/schema.ts'
import { needs } from '../../../lab/install.ts'
import { until } from '../../controller/watching.ts'
import { startServer } from './database.ts'

const open = (t: Test, path: string) => {
  let changes = 0
  const ovsdb = openOvsdb({ path, changed: () => changes++ })
  t.teardown(() => ovsdb.close())
  return { ovsdb, changes: () => changes, live: () => until('it is live', () => ovsdb.state().is === 'live') }
}
const copy = (ovsdb: Ovsdb) => {
  const state = ovsdb.state()
  if (state.is !== 'live') throw new Error(`the client is ${state.is}`)
  return state.database
}
const bridges = (ovsdb: Ovsdb): Row<'Bridge'>[] => [...copy(ovsdb).Bridge.values()]
const insertBridge = (name: string) => [
  { op: 'insert', table: 'Bridge', 'uuid-name': 'b', row: { name, external_ids: mapOf({ a: 'b', 'ü "\\': '{' }) } },
  { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', setOf([namedUuid('b')])]] },
]

if (needs(t)) {
  t.test('the copy follows what is written, by us and by others, at once', async t => {
    const server = await startServer()
    t.teardown(() => server.close())
    const { ovsdb, changes, live } = open(t, server.socket)
    await live()
    t.equal(copy(ovsdb).Open_vSwitch.size, 1)
    await ovsdb.transact(insertBridge('br1'))
    t.match(bridges(ovsdb), [{ name: 'br1', external_ids: { a: 'b', 'ü "\\': '{' }, ports: [], fail_mode: undefined }])

    await server.vsctl('add-br br2 -- set bridge br2 fail_mode=secure protocols=OpenFlow13')
    await until('the other bridge is known', () => bridges(ovsdb).length === 2)
    const two = bridges(ovsdb).find(({ name }) => name === 'br2')!
    t.match(two, { fail_mode: 'secure', protocols: ['OpenFlow13'] })
    t.equal(copy(ovsdb).Port.get(two.ports[0]!)?.name, 'br2')
    await server.vsctl('set bridge br2 protocols=[OpenFlow10,OpenFlow13] -- clear bridge br2 fail_mode')
    await until('it is changed', () => bridges(ovsdb).some(({ protocols }) => protocols.length === 2))
    await server.vsctl('del-br br2')
    await until('it is gone', () => bridges(ovsdb).length === 1)
    t.equal(copy(ovsdb).Port.size, 0)

    const before = changes()
    await server.vsctl('set Open_vSwitch . statistics:load=1')
    await server.vsctl('set Open_vSwitch . external_ids:x=y')
    await until('that is told', () => changes() > before)
    t.equal(changes(), before + 1, 'and a column that we do not read is not')
  })

  t.test('a transaction that is refused says why, and does nothing', async t => {
    const server = await startServer()
    t.teardown(() => server.close())
    const { ovsdb, live } = open(t, server.socket)
    await live()
    await t.rejects(ovsdb.transact([{ op: 'insert', table: 'Bridges', row: {} }]), /No table named Bridges/)
    const undone = [...insertBridge('br1'), { op: 'abort' }]
    await t.rejects(ovsdb.transact(undone), /refused a transaction: aborted/)
    t.same(bridges(ovsdb), [])
    await ovsdb.transact(insertBridge('br1'))
    await t.rejects(ovsdb.transact(insertBridge('br1')), /constraint violation/)
    t.equal(bridges(ovsdb).length, 1, 'and the client goes on')
  })

  t.test('a server that is killed and comes back is followed again, from what it holds then', async t => {
    const server = await startServer()
    t.teardown(() => server.close())
    const { ovsdb, live } = open(t, server.socket)
    await live()
    await ovsdb.transact(insertBridge('br1'))
    await server.signal('SIGKILL')
    await until('it is missed', () => ovsdb.state().is === 'connecting')
    await t.rejects(ovsdb.transact(insertBridge('br2')), /can not be reached/)
    await server.start()
    await server.vsctl('del-br br1 -- add-br br3')
    await live()
    await until(
      'what it holds is known',
      () =>
        bridges(ovsdb)
          .map(({ name }) => name)
          .join() === 'br3',
    )
    await ovsdb.transact(insertBridge('br4'))
    t.equal(bridges(ovsdb).length, 2)
  })

  t.test('a server that hangs fails a call in time, and is used when it goes on', async t => {
    const server = await startServer()
    t.teardown(() => server.close())
    const { ovsdb, live } = open(t, server.socket)
    await live()
    await server.signal('SIGSTOP')
    await t.rejects(ovsdb.transact(insertBridge('br1'), 100), /no answer in 100 ms/)
    await server.signal('SIGCONT')
    await until('what was in doubt is known in the end', () => bridges(ovsdb).length === 1)
  })

  t.test('a database of some 10,000 rows', async t => {
    const server = await startServer()
    t.teardown(() => server.close())
    const first = open(t, server.socket)
    await first.live()
    const names = Array.from({ length: 5000 }, (_, i) => `p${i}`)
    const insert = (name: string) => [
      { op: 'insert', table: 'Interface', 'uuid-name': `i_${name}`, row: { name } },
      { op: 'insert', table: 'Port', 'uuid-name': `p_${name}`, row: { name, interfaces: namedUuid(`i_${name}`) } },
    ]
    const ports = setOf(names.map(name => namedUuid(`p_${name}`)))
    const bridge = { op: 'insert', table: 'Bridge', 'uuid-name': 'b', row: { name: 'br1', ports } }
    await first.ovsdb.transact([...names.flatMap(insert), bridge, insertBridge('br1')[1]!])
    const second = open(t, server.socket)
    await second.live()
    for (const { ovsdb } of [first, second])
      t.same([copy(ovsdb).Interface.size, copy(ovsdb).Port.size, bridges(ovsdb)[0]!.ports.length], [5000, 5000, 5000])
  })
}

/** A server of ours: `answer` gets each message, and may write what it likes. */
const made = async (t: Test, answer: (message: any, socket: Socket, nth: number) => void) => {
  // The system takes some 100 characters: a folder of tap's would be too long.
  const folder = mkdtempSync(join(tmpdir(), 'l2sm-ovsdb-'))
  const path = join(folder, 's')
  let connections = 0
  const server = createServer(socket => {
    const nth = ++connections
    socket.on('error', () => {})
    const stream = jsonStream(100_000)
    socket.on('data', data => {
      for (const message of stream.push(String(data))) answer(message, socket, nth)
    })
  })
  await new Promise<void>(resolve => server.listen(path, resolve))
  t.teardown(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  return { path, connections: () => connections }
}
const empty = (id: unknown) => JSON.stringify({ id, result: {}, error: null })

t.test('an answer in single bytes is an answer; an echo is answered', async t => {
  const echoed = Promise.withResolvers<unknown>()
  const { path } = await made(t, ({ id, method, result }, socket) => {
    if (method === undefined) return echoed.resolve(result)
    for (const byte of empty(id)) socket.write(byte)
    socket.write('{"id":"x","method":"echo","params":["are you there"]}')
  })
  const { live } = open(t, path)
  await live()
  t.same(await echoed.promise, ['are you there'])
})

t.test('what is no OVSDB ends the connection, and another one is tried, less and less often', async t => {
  const { path, connections } = await made(t, (_, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n'))
  const { ovsdb } = open(t, path)
  const began = performance.now()
  await until('it tried five times', () => connections() === 5)
  t.ok(performance.now() - began > 0.5 * (50 + 100 + 200 + 400), 'it waits longer each time')
  t.match(ovsdb.state(), { is: 'connecting', why: /expected a JSON object/ })
})

t.test('a row that can not be read is left out, and told; the others are followed', async t => {
  const row = (name: unknown) => ({ new: { name, interfaces: ['uuid', 'u1'], external_ids: ['map', []] } })
  const unread: string[] = []
  let changes = 0
  const { path } = await made(t, ({ id, method }, socket) => {
    if (method !== 'monitor') return
    socket.write(JSON.stringify({ id, result: { Port: { a: row('one'), b: row(7), c: row('three') } }, error: null }))
    const later = { Port: { a: row(['set', ['x', 'y']]), d: row('four') } }
    socket.write(JSON.stringify({ id: null, method: 'update', params: ['l2sm', later] }))
  })
  const ovsdb = openOvsdb({ path, changed: () => changes++, unread: why => void unread.push(why) })
  t.teardown(() => ovsdb.close())
  await until('both are taken', () => unread.length === 2)
  t.same(
    [...copy(ovsdb).Port.values()].map(({ name }) => name),
    ['three', 'four'],
  )
  t.match(unread, [/Port\.name of b: expected one string, got 7/, /Port\.name of a/])
  t.ok(changes >= 1)
})

t.test('rows that are not as the schema says are refused, and not guessed at', async t => {
  const row = { name: 'x', interfaces: ['uuid', 'u1'], external_ids: ['map', []] }
  t.same(readRow('Port', 'u', row), { uuid: 'u', name: 'x', interfaces: ['u1'], external_ids: {} })
  t.same(
    readRow('Port', 'u', {
      ...row,
      interfaces: [
        'set',
        [
          ['uuid', 'b'],
          ['uuid', 'a'],
        ],
      ],
    }).interfaces,
    ['a', 'b'],
  )
  t.throws(() => readRow('Port', 'u', { ...row, name: 7 }), /Port\.name of u: expected one string, got 7/)
  t.throws(() => readRow('Port', 'u', { ...row, interfaces: 'u1' }), /expected set uuid/)
  t.throws(() => readRow('Port', 'u', { ...row, external_ids: ['set', []] }), /expected a map/)
  t.throws(() => readRow('Port', 'u', {}), /got undefined/)
})
