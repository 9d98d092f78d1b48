import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { piecesOf } from '../../../api/http/lists.ts'
import { createShared } from '../../../api/http/shared.ts'
import { dpid, startApi, stillController } from '../harness.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

/** A piece of work that ends when it is told to. */
const held = () => {
  const made: { resolve(value: number): void; reject(error: Error): void }[] = []
  return {
    made,
    make: () =>
      new Promise<number>((resolve, reject) => {
        made.push({ resolve, reject })
      }),
  }
}

t.test(
  'what several ask for at once is made twice at most: for the first, and for all who asked meanwhile',
  async t => {
    const shared = createShared()
    const { made, make } = held()
    const ask = () => shared('key', make)
    const first = ask()
    const others = [ask(), ask(), ask()]
    t.equal(made.length, 1)
    made[0]!.resolve(1)
    t.equal(await first, 1)
    while (made.length < 2) await new Promise(setImmediate)
    const late = ask()
    made[1]!.resolve(2)
    t.same(await Promise.all(others), [2, 2, 2], 'nobody gets what was begun before the question')
    while (made.length < 3) await new Promise(setImmediate)
    made[2]!.resolve(3)
    t.equal(await late, 3)
    const again = ask()
    while (made.length < 4) await new Promise(setImmediate)
    made[3]!.resolve(4)
    t.equal(await again, 4)
  },
)

t.test('a failure is of those who shared it, and of nobody later; other keys are not waited for', async t => {
  const shared = createShared()
  const { made, make } = held()
  const first = shared('key', make)
  const second = shared('key', make)
  t.equal(await shared('another', async () => 7), 7)
  made[0]!.reject(new Error('no'))
  await t.rejects(first, /no/)
  while (made.length < 2) await new Promise(setImmediate)
  made[1]!.resolve(2)
  t.equal(await second, 2)
})

t.test('the pieces of a list are its JSON, with others running in between', async t => {
  const items = Array.from({ length: 80_000 }, (_, i) => ({ name: `port ${i}`, text: 'ü"\\', number: i }))
  let turns = 0
  let isMade = false
  const count = () => {
    turns++
    if (!isMade) setImmediate(count)
  }
  setImmediate(count)
  const pieces = await piecesOf({ revision: 7 }, 'items', items, item => item)
  isMade = true
  t.equal(Buffer.concat(pieces).toString(), JSON.stringify({ revision: 7, items }))
  t.ok(turns > 2 && pieces.length > 2, `${pieces.length} pieces, ${turns} turns`)
  t.equal(Buffer.concat(await piecesOf({}, 'items', [], item => item)).toString(), '{"items":[]}')
})

t.test('who was told of a write finds it in a list, however many ask at once', async t => {
  const { call } = await startApi(t)
  const ids = Array.from({ length: 40 }, (_, i) => `n${i}`)
  await Promise.all(
    ids.map(async id => {
      t.equal((await call('PUT', `/v1/networks/${id}`, {})).status, 201)
      const { body } = await call('GET', '/v1/networks')
      t.ok(body.networks.some((network: { id: string }) => network.id === id))
    }),
  )
})

t.test('a long list is sent as fast as its client reads, and others are answered meanwhile', async t => {
  const links = Array.from({ length: 60_000 }, (_, i) => ({
    from: { dpid, port: i + 1 },
    to: { dpid: '00000000000000b2', port: i + 1 },
    ...{ origin: 'discovered' as const, state: 'up' as const, reason: 'x'.repeat(100) },
  }))
  const { port, call } = await startApi(t, { controller: stillController({ links: () => links }).controller })
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET /v1/links HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.equal((await call('GET', '/livez')).status, 200)
  t.equal((await call('GET', '/v1/links')).body.links.length, links.length)
  const pieces: Buffer[] = []
  socket.on('data', piece => pieces.push(piece))
  socket.resume()
  await once(socket, 'end')
  const [head, body = ''] = Buffer.concat(pieces).toString().split('\r\n\r\n')
  t.match(head, /content-length: \d{8}/i)
  t.equal(JSON.parse(body).links.length, links.length)
})
