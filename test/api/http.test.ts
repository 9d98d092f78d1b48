import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import t from 'tap'
import { createMetrics } from '../../api/metrics.ts'
import { createApi } from '../../api/server.ts'
import { openMemory } from '../../store/memory.ts'
import { createStore, StoreError, type StoreErrorCode } from '../../store/store.ts'
import { emptyTables } from '../../store/tables.ts'
import { open, raw, recordOf, startApi, statusOf, stillController } from './harness.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const get = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n'
const put = 'PUT /v1/networks/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'

t.test('requests that two readers could read differently are refused', async t => {
  const { port, store } = await startApi(t)
  const smuggled = 'GET /v1/networks/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const rows: readonly (readonly [name: string, bytes: string])[] = [
    ['both lengths', `${put}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['both, the other way round', `${put}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n${smuggled}`],
    ['two lengths', `${put}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`],
    ['a length with a sign', `${put}Content-Length: +2\r\n\r\n{}`],
    ['chunked, hidden', `${put}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['chunked, misspelt', `${put}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a folded header', `${put}X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`],
    ['bare line feeds', put.replaceAll('\r\n', '\n').concat('Content-Length: 2\n\n{}')],
    ['a chunk size that is none', `${put}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`],
    ['no host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['NUL in a header', `${get}X: a\0b\r\n\r\n`],
    ['not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/9', 'GET /livez HTTP/9.0\r\nHost: localhost\r\n\r\n'],
  ]
  for (const [name, bytes] of rows) {
    const text = await raw(port, bytes)
    t.equal(statusOf(text), 400, name)
    t.equal(text.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, `${name}: one answer`)
  }
  t.equal(store.state().revision, 0)
})

t.test('headers beyond 16 KiB are refused', async t => {
  const { port, call } = await startApi(t)
  const text = await raw(port, `${get}X: ${'x'.repeat(17_000)}\r\n\r\n`)
  t.equal(statusOf(text), 431)
  t.match(text, 'urn:problem-type:l2sm:headers-too-large')
  t.equal((await call('GET', '/livez')).status, 200)
})

t.test('a body beyond 1 MiB is refused also when it does not say so before', async t => {
  const { port, store } = await startApi(t)
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
  const text = await raw(port, `${put}Transfer-Encoding: chunked\r\n\r\n`, ...Array.from({ length: 17 }, () => chunk))
  t.equal(statusOf(text), 413)
  t.equal(store.state().revision, 0)
})

t.test('a body that ends early changes nothing', async t => {
  const { port, store } = await startApi(t)
  const socket = connect(port, '127.0.0.1')
  socket.write(`${put}Content-Length: 20\r\n\r\n{}`)
  await once(socket, 'connect')
  socket.destroy()
  await once(socket, 'close')
  await fetch(`http://127.0.0.1:${port}/livez`)
  t.equal(store.state().revision, 0)
})

t.test('requests that never arrive whole end in 408, while others are answered', async t => {
  const { port, call } = await startApi(t)
  const slow = ['', 'GET /li', get, `${put}Content-Length: 10\r\n\r\n{`]
  const sockets: Socket[] = []
  const answers = Array.from({ length: 2000 }, (_, i) => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(slow[i % slow.length]!)
    let text = ''
    socket.on('data', more => {
      text += more
    })
    return new Promise<string>(resolve => socket.on('close', () => resolve(text)))
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  let waiting = true
  const all = Promise.all(answers).finally(() => {
    waiting = false
  })
  let probes = 0
  while (waiting) {
    t.equal((await call('GET', '/livez')).status, 200)
    probes++
    await new Promise(resolve => setTimeout(resolve, 500))
  }
  t.ok(probes > 1, 'probes were answered meanwhile')
  for (const text of await all) t.equal(statusOf(text), 408)
})

t.test('a failure of the store is no success, names what to do, and is over when the disk is back', async t => {
  let failure: StoreErrorCode | undefined
  const commit = async () => {
    if (failure) throw new StoreError(failure, `the commit failed: ${failure}`)
  }
  const store = createStore('0123456789', emptyTables({ firstNumber: 1 }), { commit, close: async () => {} })
  const { call } = await startApi(t, { store })
  const rows: readonly (readonly [StoreErrorCode, number, RegExp])[] = [
    ['disk-full', 507, /free space/],
    ['read-only', 503, /writable/],
    ['io', 503, /log/],
    ['diverged', 503, /restart/],
  ]
  for (const [code, status, hint] of rows) {
    failure = code
    t.match(await call('PUT', '/v1/networks/a', {}), { status, body: { status, hint } }, code)
    t.match(await call('POST', '/onos/vnets/api', { networkId: 'a' }), { status }, `${code}, adapter`)
    t.equal((await call('GET', '/v1/networks')).status, 200, 'reading goes on')
    t.equal((await call('GET', '/v1/networks/a')).status, 404, 'nothing was kept')
  }
  failure = undefined
  t.equal((await call('PUT', '/v1/networks/a', {})).status, 201)
})

t.test('an error of ours is a 500 that gives nothing away, and is in the log', async t => {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: line => void lines.push(line) })
  const controller = stillController({
    switches: () => {
      throw new Error('the secret is in here')
    },
  }).controller
  const store = openMemory()
  const api = await createApi({
    store,
    controller,
    ...(await recordOf(store, log)),
    metrics: createMetrics({ version: '0' }),
    auth: open,
    log,
    version: '0',
  })
  t.teardown(() => api.close())
  const { port } = await api.listen({ host: '127.0.0.1', port: 0 })
  const answer = await fetch(`http://127.0.0.1:${port}/v1/switches`)
  t.equal(answer.status, 500)
  const text = await answer.text()
  t.match(JSON.parse(text), { type: 'urn:problem-type:l2sm:internal', status: 500 })
  t.notMatch(text, 'secret')
  t.match(lines.join(''), 'the secret is in here')
})

t.test('closing ends a wait with what is known, and then no request is answered', async t => {
  const asked = Promise.withResolvers<void>()
  const { controller } = stillController({
    settled: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  })
  const store = openMemory()
  const log = pino({ level: 'silent' })
  const api = await createApi({
    store,
    controller,
    ...(await recordOf(store, log)),
    metrics: createMetrics({ version: '0' }),
    auth: open,
    log,
    version: '0',
  })
  const { port } = await api.listen({ host: '127.0.0.1', port: 0 })
  const answer = fetch(`http://127.0.0.1:${port}/v1/networks/a?wait=60s`, { method: 'PUT' })
  await asked.promise
  await api.close()
  const { status } = await answer
  t.equal(status, 201)
  t.match(await (await answer).json(), { state: 'pending', revision: 1 })
  await t.rejects(fetch(`http://127.0.0.1:${port}/livez`))
})

t.test('closing does not wait for ever for who never finishes a request', async t => {
  const { port, api } = await startApi(t)
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(`${put}Content-Length: 10\r\n\r\n{`)
  await once(socket, 'connect')
  await fetch(`http://127.0.0.1:${port}/livez`)
  const closed = once(socket, 'close')
  await Promise.all([api.close(), closed])
  t.pass('closed')
})

t.test('an address that is taken is refused with its number', async t => {
  const { port } = await startApi(t)
  const log = pino({ level: 'silent' })
  const store = openMemory()
  const { controller } = stillController()
  const api = await createApi({
    store,
    controller,
    ...(await recordOf(store, log)),
    metrics: createMetrics({ version: '0' }),
    auth: open,
    log,
    version: '0',
  })
  await t.rejects(api.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE', port })
  await api.close()
})
