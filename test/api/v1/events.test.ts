import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { kinds } from '../../../controller/view/event.ts'
import { dpid, other, startApi } from '../harness.ts'

const link = { from: { dpid: other, port: 101 }, to: { dpid, port: 102 } }

const withEvents = async (t: Parameters<typeof startApi>[0], options: Parameters<typeof startApi>[1] = {}) => {
  const api = await startApi(t, options)
  const { emit, call } = api
  const list = async (query = '') => {
    const { status, body } = await call('GET', `/v1/events${query}`)
    if (status !== 200) throw new Error(`${query} answered ${status}`)
    return body
  }
  const kindsOf = async (query = ''): Promise<string[]> =>
    (await list(query)).events.map(({ kind }: { kind: string }) => kind)
  return { ...api, emit, list, kindsOf }
}

t.test('what happened is told, oldest first, with its time, revision and words', async t => {
  const { emit, call, list } = await withEvents(t)
  await call('PUT', '/v1/networks/a', {})
  emit({ kind: 'switch-connected', dpid, remote: '127.0.0.1:4000', software: '3.1.0' })
  emit({ kind: 'switch-disconnected', dpid, reason: 'it did not answer' })
  const { events, revision, last, isMore, isGap } = await list()
  t.match(events, [
    { kind: 'switch-connected', severity: 'info', revision: 1, dpid, remote: '127.0.0.1:4000' },
    {
      ...{ kind: 'switch-disconnected', severity: 'warn', revision: 1 },
      sentence: `switch ${dpid} disconnected: it did not answer; its flows stay`,
    },
  ])
  t.same([revision, last, isMore, isGap], [1, events[1].id, false, false])
  t.ok(Date.parse(events[0].time) <= Date.now())
})

t.test('filters narrow by kind, network, switch, node, severity and number', async t => {
  const { emit, kindsOf } = await withEvents(t)
  emit({ kind: 'network-compiled', network: 'red', seconds: 0.001, switches: 1 })
  emit({
    kind: 'address-moved',
    network: 'red',
    dpid,
    port: 1,
    mac: '02:00:00:00:00:01',
    other: { dpid: other, port: 2 },
  })
  emit({ kind: 'link-down', link })
  emit({ kind: 'network-refused', network: 'blue', dpid, words: 'FLOW_MOD_FAILED/TABLE_FULL' })
  emit({ kind: 'node-changed', node: 'n1', from: 'ready', to: 'failing', missing: [] })
  const all = ['address-moved', 'link-down', 'network-refused', 'node-changed']
  t.same(await kindsOf(), all, 'what is for debugging only is not told unless asked for')
  t.same(await kindsOf('?severity=debug'), ['network-compiled', ...all])
  t.same(await kindsOf('?severity=warn'), ['link-down', 'network-refused', 'node-changed'])
  t.same(await kindsOf('?severity=error'), ['network-refused'])
  t.same(await kindsOf('?network=red&severity=debug'), ['network-compiled', 'address-moved'])
  t.same(await kindsOf(`?dpid=${dpid}`), ['address-moved', 'link-down', 'network-refused'])
  t.same(await kindsOf(`?dpid=of:${other}`), ['address-moved', 'link-down'], 'at the other end, or where it was')
  t.same(await kindsOf('?node=n1'), ['node-changed'])
  t.same(await kindsOf('?kind=link-down,node-changed'), ['link-down', 'node-changed'])
  t.same(await kindsOf('?limit=2'), ['network-refused', 'node-changed'], 'the newest')
})

t.test('since a revision: from the write that made it on; since an event: what came after it', async t => {
  const { emit, call, list, kindsOf } = await withEvents(t)
  await call('PUT', '/v1/networks/a', {})
  emit({ kind: 'switch-disconnected', dpid, reason: 'one' })
  await call('PUT', '/v1/networks/b', {})
  emit({ kind: 'link-down', link })
  emit({ kind: 'link-up', link })
  t.same(await kindsOf('?since=2'), ['link-down', 'link-up'])
  t.same(await kindsOf('?since=1'), ['switch-disconnected', 'link-down', 'link-up'])
  t.same(await kindsOf('?since=3'), [])
  const first = await list('?since=0&limit=1')
  t.same(
    first.events.map((e: { kind: string }) => e.kind),
    ['switch-disconnected'],
  )
  t.equal(first.isMore, true)
  t.same(await kindsOf(`?since=${first.last}`), ['link-down', 'link-up'])
  t.equal((await list('?since=e1')).isGap, false, 'nothing is gone')
  t.equal((await list('?since=e9999999999999999')).isGap, true, 'such an event there never was')
})

t.test('what can not be asked is refused with what can', async t => {
  const { call } = await withEvents(t)
  const wrong = async (query: string, where: string, more = {}) => {
    const { status, body } = await call('GET', `/v1/events?${query}`)
    t.equal(status, 400, query)
    t.match(body, { where, ...more })
  }
  await wrong('since=yesterday', 'query/since')
  await wrong('since=-1', 'query/since')
  await wrong('limit=0', 'query/limit')
  await wrong('limit=1001', 'query/limit')
  await wrong('severity=bad', 'query/severity')
  await wrong('kind=switch-conected', 'query/kind', { hint: 'did you mean switch-connected?' })
  await wrong('dpid=1', 'query/dpid')
  await wrong('color=red', 'query/color')
})

/** A client that speaks HTTP by hand. */
const follow = async (port: number, query = '', headers: readonly string[] = []) => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const lines = [`GET /v1/events${query} HTTP/1.1`, 'Host: localhost', 'Accept: text/event-stream', ...headers]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let text = ''
  socket.on('data', piece => void (text += piece))
  const ended = once(socket, 'close')
  socket.on('error', () => {})
  /** Waits until what came has this many events, gaps and ends included. */
  const events = async (count: number) => {
    for (;;) {
      const found = parsed(text)
      if (found.length >= count || socket.destroyed) return found
      await Promise.race([once(socket, 'data'), ended])
    }
  }
  return { socket, events, ended, text: () => text }
}

type Sent = { readonly id?: string; readonly event?: string; readonly data: any }
/** As an event source reads it: blocks of lines, without the chunk sizes of HTTP between them. */
const parsed = (text: string): Sent[] =>
  text
    .replace(/^[0-9a-f]+\r\n/gm, '')
    .replaceAll('\r\n', '')
    .split('\n\n')
    .flatMap(block => {
      const fields = Object.fromEntries(
        block.split('\n').flatMap(line => {
          const [, name, value] = /^(id|event|data): (.*)$/.exec(line) ?? []
          return name ? [[name, value]] : []
        }),
      )
      return fields['data'] === undefined ? [] : [{ ...fields, data: JSON.parse(fields['data']) } as Sent]
    })

t.test('a stream begins with what happens next, and goes on after the last event that its client got', async t => {
  const { emit, port } = await withEvents(t)
  emit({ kind: 'link-down', link })
  const first = await follow(port)
  t.teardown(() => first.socket.destroy())
  await once(first.socket, 'data')
  t.match(first.text(), /^HTTP\/1\.1 200 OK\r\n/)
  t.match(first.text(), /content-type: text\/event-stream/i)
  emit({ kind: 'link-up', link })
  emit({ kind: 'network-compiled', network: 'red', seconds: 0.001, switches: 1 })
  emit({ kind: 'switch-disconnected', dpid, reason: 'closed' })
  const [up, down] = await first.events(2)
  t.match([up, down], [{ data: { kind: 'link-up' } }, { data: { kind: 'switch-disconnected' } }])
  t.equal(up!.id, up!.data.id)
  first.socket.destroy()

  emit({ kind: 'link-down', link })
  const second = await follow(port, '', [`Last-Event-ID: ${up!.id}`])
  t.teardown(() => second.socket.destroy())
  t.match(await second.events(2), [{ data: { kind: 'switch-disconnected' } }, { data: { kind: 'link-down' } }])
  emit({ kind: 'link-up', link })
  t.match((await second.events(3))[2], { data: { kind: 'link-up' } })
})

t.test('a stream has the filters of the list; since a revision it begins there', async t => {
  const { emit, port, call } = await withEvents(t)
  emit({ kind: 'link-down', link })
  await call('PUT', '/v1/networks/a', {})
  emit({ kind: 'link-up', link })
  emit({ kind: 'switch-disconnected', dpid, reason: 'closed' })
  const { socket, events } = await follow(port, '?since=1&kind=link-up,link-down')
  t.teardown(() => socket.destroy())
  t.match(await events(1), [{ data: { kind: 'link-up' } }])
  emit({ kind: 'switch-disconnected', dpid, reason: 'again' })
  emit({ kind: 'link-down', link })
  t.match(await events(2), [{ data: { kind: 'link-up' } }, { data: { kind: 'link-down' } }])
})

t.test('who comes back too late is told that some are missing, and gets the rest', async t => {
  const { emit, port, list } = await withEvents(t, { bounds: { events: 20, characters: 1e6 } })
  emit({ kind: 'link-down', link })
  const { last } = await list()
  for (let i = 0; i < 25; i++) emit({ kind: 'not-stored', what: `${i}`, error: 'disk full' })
  const { socket, events } = await follow(port, '', [`Last-Event-ID: ${last}`])
  t.teardown(() => socket.destroy())
  const [gap, ...rest] = await events(20)
  t.match(gap, { event: 'gap', data: { since: last } })
  t.ok(rest.length >= 19)
  t.equal(rest.at(-1)!.data.what, '24')
})

t.test('a client that does not read costs no memory, and is cut off with a gap', async t => {
  const { emit, port } = await withEvents(t, { bounds: { events: 50, characters: 1e6 } })
  const { socket, events, ended } = await follow(port)
  await once(socket, 'data')
  socket.pause()
  // More than the system's buffers take: then the history goes on, and the client is not where it begins any more.
  for (let i = 0; i < 3000; i++) {
    const after = { padding: 'x'.repeat(8000) }
    emit({ kind: 'write', actor: 'test', object: 'network', key: `n${i}`, network: `n${i}`, after })
    if (i % 10 === 0) await new Promise(setImmediate)
  }
  socket.resume()
  await ended
  const all = await events(0)
  const got = all.filter(({ event }) => event === undefined)
  t.ok(got.length > 0, 'it got what was on its way')
  t.ok(got.length < 900, `and not all: ${got.length}`)
  t.match(all.at(-1), { event: 'gap', data: { since: got.at(-1)!.id } }, 'it knows from where to go on')
})

t.test('streams end when the program stops', async t => {
  const { port, api } = await withEvents(t)
  const { socket, ended } = await follow(port)
  await once(socket, 'data')
  await Promise.all([api.close(), ended])
  t.pass('closed')
})

t.test('only so many clients follow at once', async t => {
  const { port, call } = await withEvents(t)
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let i = 0; i < 100; i++) {
    const { socket } = await follow(port)
    sockets.push(socket)
    await once(socket, 'data')
  }
  const refused = await call('GET', '/v1/events', undefined, { accept: 'text/event-stream' })
  t.equal(refused.status, 503)
  t.match(refused.body, { type: 'urn:problem-type:l2sm:too-many-streams' })
  t.equal((await call('GET', '/v1/events')).status, 200, 'the list is answered')
  const [one] = sockets
  one!.destroy()
  await once(one!, 'close')
})

t.test('every kind says when there is one of it', async t => {
  for (const [kind, { when }] of Object.entries(kinds)) {
    t.match(kind, /^[a-z-]+$/)
    t.match(when, /^[A-Z].*\.$/, kind)
  }
})
