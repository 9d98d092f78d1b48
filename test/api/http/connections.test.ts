// Raw sockets against the real server: many that hold connections, many that ask without reading, and a client that keeps its own.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { keptIdle } from '../../../api/http/app.ts'
import { createConnections, type Dropped, type Limits, limits, limitsFor } from '../../../api/http/connections.ts'
import { raw, startApi, statusOf } from '../harness.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`

/** A connection that counts the answers it got, and knows whether it was closed. */
const client = async (t: Test, port: number, from = '127.0.0.1') => {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  t.teardown(() => socket.destroy())
  let text = ''
  let isClosed = false
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  socket.on('data', more => {
    text += more
  })
  await once(socket, 'connect')
  const answers = () => text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0
  return {
    socket,
    answers,
    text: () => text,
    isClosed: () => isClosed,
    async ask(path = '/livez') {
      const before = answers()
      socket.write(get(path))
      while (answers() === before && !isClosed) await new Promise(setImmediate)
    },
  }
}

/** A bare server with small limits, whose answers wait until they are released. */
const small = async (t: Test, own: Limits) => {
  const drops: Dropped[] = []
  const connections = createConnections(own, why => void drops.push(why))
  const { createServer } = await import('node:http')
  const held: (() => void)[] = []
  const server = createServer(
    connections.inTurn((request, response) => {
      if (request.url === '/hold') held.push(() => response.end('{}'))
      else response.end('{}')
    }),
  )
  connections.watch(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as { port: number }).port, drops, held, connections }
}

t.test('who holds all connections that there are keeps nobody out', async t => {
  const { port } = await startApi(t)
  const holders = []
  for (let i = 0; i < limits.perSource + 200; i++) {
    const holder = await client(t, port)
    await holder.ask()
    t.ok(holder.answers() === 1 || holder.isClosed())
    holders.push(holder)
  }
  const late = await client(t, port)
  await late.ask()
  t.equal(late.answers(), 1)
  const elsewhere = await client(t, port, '127.0.0.2')
  await elsewhere.ask()
  t.equal(elsewhere.answers(), 1)
  while (holders.filter(holder => holder.isClosed()).length < 201) await new Promise(setImmediate)
  t.ok(
    holders.slice(0, 201).every(holder => holder.isClosed()),
    'those that were idle longest went',
  )
  const metrics = await raw(port, get('/metrics', 'Connection: close\r\n'))
  t.match(metrics, /l2sm_http_connections_dropped_total\{why="idle"\} 20[1-9]/)
  t.match(metrics, /^l2sm_http_connections 20\d\d$/m)
})

t.test('of one source the longest idle goes, of all sources too; who is being answered stays', async t => {
  const { port, drops, held, connections } = await small(t, { all: 4, perSource: 3, pipelined: 8 })
  const busy = await client(t, port)
  busy.socket.write(get('/hold'))
  while (held.length < 1) await new Promise(setImmediate)
  const [one, two] = [await client(t, port), await client(t, port)]
  await one.ask()
  await two.ask()
  await one.ask()
  const three = await client(t, port)
  await three.ask()
  t.same([busy.isClosed(), one.isClosed(), two.isClosed()], [false, false, true])
  const others = [await client(t, port, '127.0.0.2'), await client(t, port, '127.0.0.2')]
  for (const other of others) await other.ask()
  t.same([busy.isClosed(), one.isClosed(), three.isClosed()], [false, true, false])
  t.equal(connections.count(), 4)
  held[0]!()
  while (busy.answers() < 1) await new Promise(setImmediate)
  t.same(drops, ['idle', 'idle'])
})

t.test('where all are being answered one more is refused', async t => {
  const { port, drops, held } = await small(t, { all: 9, perSource: 2, pipelined: 8 })
  for (let i = 1; i <= 2; i++) {
    const busy = await client(t, port)
    busy.socket.write(get('/hold'))
    while (held.length < i) await new Promise(setImmediate)
  }
  const refused = await client(t, port)
  while (!refused.isClosed()) await new Promise(setImmediate)
  t.same(drops, ['refused'])
})

t.test('where few files may be open there are fewer connections', async t => {
  t.same(limitsFor(Number.POSITIVE_INFINITY), limits)
  t.same(limitsFor(1_048_576), limits)
  t.match(limitsFor(1024), { all: 512, perSource: 256 })
})

t.test('requests of one connection are answered one after the other, in order', async t => {
  const { port, held } = await small(t, { all: 9, perSource: 9, pipelined: 8 })
  const asking = await client(t, port)
  asking.socket.write(get('/hold') + get('/hold') + get('/hold'))
  for (let i = 1; i <= 3; i++) {
    while (held.length < i) await new Promise(setImmediate)
    t.equal(held.length, i, 'the next is begun when the one before is answered')
    t.equal(asking.answers(), i - 1)
    held[i - 1]!()
    while (asking.answers() < i) await new Promise(setImmediate)
  }
})

t.test('who asks more at once than may be is answered so much, and then closed', async t => {
  const { port } = await startApi(t)
  const text = await raw(port, get('/livez').repeat(1200))
  t.equal(text.match(/HTTP\/1\.1 200/g)?.length, limits.pipelined)
  t.equal(text.match(/connection: close/gi)?.length, 1)
  const exact = await raw(port, get('/livez').repeat(limits.pipelined - 2) + get('/livez', 'Connection: close\r\n'))
  t.equal(exact.match(/HTTP\/1\.1 200/g)?.length, limits.pipelined - 1)
})

t.test('while 40 connections ask 1,200 times each another is answered at once', async t => {
  const { port } = await startApi(t)
  const other = await client(t, port)
  const floods: Socket[] = []
  for (let i = 0; i < 40; i++) {
    const flood = await client(t, port)
    flood.socket.write(get('/v1/networks').repeat(1200))
    floods.push(flood.socket)
  }
  let turns = 0
  other.socket.write(get('/livez'))
  while (other.answers() < 1) {
    await new Promise(setImmediate)
    turns++
  }
  // In turns of the event loop, so that a busy machine is no failure: without a limit it waits for 48,000 answers.
  t.ok(turns < 40 * limits.pipelined, `${turns} turns`)
})

t.test('what is no request is answered after those before it', async t => {
  const { port } = await startApi(t)
  const statuses = async (bytes: string) => (await raw(port, bytes)).match(/HTTP\/1\.1 \d{3}/g)
  t.same(await statuses(`${get('/livez')}${get('/v1/none')}NONSENSE\r\n\r\n${get('/livez')}`), [
    ...['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 400'],
  ])
  const put = 'PUT /v1/networks/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const chunked = `${put}Transfer-Encoding: chunked\r\n\r\n`
  t.same(await statuses(`${chunked}zz\r\n`), ['HTTP/1.1 400'])
  t.same(await statuses(`${get('/livez')}${chunked}2\r\n{}\r\nzz\r\n`), ['HTTP/1.1 200', 'HTTP/1.1 400'])
})

t.test('a client that goes away with requests unanswered costs nothing more', async t => {
  const { port, held, connections } = await small(t, { all: 9, perSource: 9, pipelined: 8 })
  const leaving = await client(t, port)
  leaving.socket.write(get('/hold') + get('/hold') + get('/hold'))
  while (held.length < 1) await new Promise(setImmediate)
  leaving.socket.destroy()
  while (connections.count() > 0) await new Promise(setImmediate)
  held[0]!()
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  t.equal(held.length, 1, 'the second was never begun')
})

t.test('an idle connection is kept longer than the 90 s of a client in Go', async t => {
  t.ok(keptIdle > 90_000 + 10_000)
  const { port } = await startApi(t)
  const keeper = await client(t, port)
  await keeper.ask()
  t.match(keeper.text(), /keep-alive: timeout=120/i)
  await keeper.ask('/readyz')
  t.equal(keeper.answers(), 2)
})

t.test('an empty body is no body, whatever type it is said to be', async t => {
  const { port } = await startApi(t)
  const put = (more: string, body = '') =>
    raw(port, `PUT /v1/networks/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n${body}`)
  const form = 'Content-Type: application/x-www-form-urlencoded\r\n'
  t.equal(statusOf(await put(`${form}Content-Length: 0\r\n`)), 201, "curl -X PUT -d ''")
  t.equal(statusOf(await put(`${form}Transfer-Encoding: chunked\r\n`, '0\r\n\r\n')), 200)
  t.equal(statusOf(await put('Content-Length: 0\r\n')), 200)
  t.equal(statusOf(await put('Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')), 200)
  t.equal(statusOf(await put(`${form}Content-Length: 2\r\n`, '{}')), 415)
  t.equal(statusOf(await put('Content-Length: 2\r\n', '{}')), 415)
})

t.test('heads that two readers read differently are refused, and encodings that nobody decodes', async t => {
  const { port, store } = await startApi(t)
  const put = 'PUT /v1/networks/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const rows: readonly (readonly [name: string, status: number, code: string, bytes: string])[] = [
    ['two hosts', 400, 'header-twice', `${put}Host: other\r\nContent-Length: 2\r\n\r\n{}`],
    ['two hosts that agree', 400, 'header-twice', `${put}Host: localhost\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'two credentials',
      400,
      'header-twice',
      `${put}Authorization: a\r\nauthorization: b\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    ['two types', 400, 'header-twice', `${put}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'chunks in HTTP/1.0',
      400,
      'not-chunked',
      `${put.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n${get('/v1/state')}`,
    ],
    ['gzip', 415, 'bad-encoding', `${put}Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`],
  ]
  for (const [name, status, code, bytes] of rows) {
    const text = await raw(port, bytes)
    t.equal(statusOf(text), status, name)
    t.match(text, `urn:problem-type:l2sm:${code}`, name)
    t.equal(text.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, `${name}: one answer`)
  }
  t.equal(store.state().revision, 0)
  const plain = `${put}Connection: close\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}`
  t.equal(statusOf(await raw(port, plain)), 201)
})

t.test('probes have a listener of their own, which nothing else is at', async t => {
  const { api } = await startApi(t, { auth: { token: { is: 'nobody' }, login: { is: 'nobody' } } })
  const { port } = await api.listenForProbes({ host: '127.0.0.1', port: 0 })
  const status = async (path: string, method = 'GET') =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status
  t.equal(await status('/livez'), 200)
  t.equal(await status('/readyz?verbose'), 200)
  t.equal(await status('/v1/state'), 404)
  t.equal(await status('/metrics'), 404)
  t.equal(await status('/livez', 'PUT'), 404)
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
  t.same(await answer.json(), { ready: true, reasons: [], concerns: [], revision: 0 })
  t.equal(answer.headers.get('connection'), 'close')
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const place = taken.address() as { port: number }
  await t.rejects(api.listenForProbes({ host: '127.0.0.1', port: place.port }), { code: 'EADDRINUSE' })
  taken.close()
})
