// The client against the real API, and against a server of ours for what a controller does not do on request.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import t, { type Test } from 'tap'
import { type ClientOptions, createClient, RefusedError, UnreachableError } from '../../../api/contract/client.ts'
import { dpid, startApi } from '../harness.ts'

const clientTo = (t: Test, port: number, more: Partial<ClientOptions> = {}) => {
  const client = createClient({ url: new URL(`http://127.0.0.1:${port}`), ...more })
  t.teardown(client.close)
  return client
}

async function serve(t: Test, answer: (asked: IncomingMessage, answer: ServerResponse) => void) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

t.test('a network and a port are made, read and deleted, with names in the path encoded', async t => {
  const { port } = await startApi(t)
  const client = clientTo(t, port)
  t.match(await client.putNetwork({ network: 'a:b', body: {} }), { id: 'a:b', state: 'pending' })
  const place = { network: 'a:b', dpid, port: '7' }
  t.match(await client.putAttachment({ ...place, body: { name: 'pod' } }), { network: 'a:b', port: 7, name: 'pod' })
  t.match(await client.listAttachments({ network: 'a:b' }), { attachments: [{ port: 7 }] })
  t.match(await client.deleteAttachment({ ...place, wait: '0s' }), { deleted: true })
  t.match(await client.deleteNetwork({ network: 'a:b' }), { deleted: true })
  t.match(await client.listNetworks(), { networks: [] })
})

t.test('a refusal is an error with the code of the catalogue and the sentence of the controller', async t => {
  const { port } = await startApi(t)
  const refused = await clientTo(t, port)
    .getNetwork({ network: 'none' })
    .catch((error: unknown) => error)
  t.ok(refused instanceof RefusedError)
  t.match(refused, { status: 404, code: 'unknown-network', message: /^404 there is no network "none"/ })
})

t.test('that it is not ready is an answer', async t => {
  const { port } = await serve(t, (_, answer) => {
    answer.writeHead(503, { 'content-type': 'application/json' })
    answer.end(JSON.stringify({ ready: false, reasons: ['x'], revision: 1 }))
  })
  t.match(await clientTo(t, port).ready(), { ready: false, reasons: ['x'] })
})

t.test('one connection is used again', async t => {
  const { server, port } = await serve(t, (_, answer) => answer.end('{}'))
  let connections = 0
  server.on('connection', () => connections++)
  const client = clientTo(t, port)
  for (let i = 0; i < 5; i++) await client.getState()
  t.equal(connections, 1)
})

t.test('a connection that the server closed meanwhile costs a second try, and no error', async t => {
  let asked = 0
  // It takes the second request of a connection and hangs up: what a server does whose idle time ends just then.
  const server = createTcpServer(socket => {
    let heads = 0
    socket.on('error', () => {})
    socket.on('data', () => {
      asked++
      if (++heads > 1) return void socket.resetAndDestroy()
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = clientTo(t, (server.address() as AddressInfo).port)
  await client.getState()
  await client.getState()
  t.equal(asked, 3)
  client.close()
})

t.test('the token is asked for anew before each call', async t => {
  const seen: (string | undefined)[] = []
  const { port } = await serve(t, (asked, answer) => {
    seen.push(asked.headers.authorization)
    answer.end('{}')
  })
  let token = 'one'
  const client = clientTo(t, port, { token: () => token })
  await client.getState()
  token = 'two'
  await client.getState()
  t.same(seen, ['Bearer one', 'Bearer two'])
})

t.test('a path in the URL comes before the path of the call', async t => {
  let url: string | undefined
  const { port } = await serve(t, (asked, answer) => {
    url = asked.url
    answer.end('{}')
  })
  const client = createClient({ url: new URL(`http://127.0.0.1:${port}/l2sm/`) })
  t.teardown(client.close)
  await client.getNodePlan({ node: 'n/1', unless: '0'.repeat(16), wait: '5s' })
  t.equal(url, '/l2sm/v1/nodes/n%2F1/plan?unless=0000000000000000&wait=5s')
})

t.test('no answer in time, no server, no JSON and an answer beyond the limit are no refusals', async t => {
  const silent = await serve(t, () => {})
  const page = await serve(t, (_, answer) => answer.end('<html>'))
  const long = await serve(t, (_, answer) => answer.end(JSON.stringify({ x: 'x'.repeat(100_000) })))
  const broken = await serve(t, (_, answer) => {
    answer.writeHead(200, { 'content-length': 100 })
    answer.write('{"x')
    setImmediate(() => answer.destroy())
  })
  const fails = async (port: number, message: RegExp, more: Partial<ClientOptions> = {}) => {
    const error = await clientTo(t, port, more)
      .getState()
      .catch((error: unknown) => error)
    t.ok(error instanceof UnreachableError, String(error))
    t.match((error as Error).message, message)
  }
  await fails(silent.port, /no answer in 50 ms/, { timeout: 50 })
  await fails(page.port, /no JSON object but <html>/)
  await fails(long.port, /more than 1000 bytes/, { longest: 1000 })
  await fails(broken.port, /aborted/)
  silent.server.closeAllConnections()
  silent.server.close()
  await once(silent.server, 'close')
  await fails(silent.port, /ECONNREFUSED/)
})

t.test('a long poll ends when its signal says so, with the reason of the signal', async t => {
  const asked = Promise.withResolvers<void>()
  const { port } = await serve(t, () => asked.resolve())
  const stop = new AbortController()
  const client = clientTo(t, port)
  const answer = client.getNodePlan({ node: 'n1', wait: '30s' }, { signal: stop.signal })
  await asked.promise
  const reason = new Error('enough')
  stop.abort(reason)
  t.equal(await answer.catch((error: unknown) => error), reason)
})
