import t from 'tap'
import type { VlinkView } from '../../../controller/view/view.ts'
import { dpid, other, startApi, stillController, switchView } from '../harness.ts'

const middle = '00000000000000c3'
const from = { dpid, port: 1 }
const to = { dpid: other, port: 2 }
const wish = { type: 'vlink', from, to, path: [dpid, middle, other] }

t.test('a vlink is asked for, found, listed, changed and deleted', async t => {
  const { call } = await startApi(t)
  const created = await call('PUT', '/v1/networks/l', wish)
  t.equal(created.status, 201)
  t.match(created.body, {
    id: 'l',
    type: 'vlink',
    from,
    to,
    reroute: false,
    attachments: 0,
    state: 'pending',
    revision: 1,
  })
  t.same(created.body.path, [dpid, middle, other])
  t.same(created.body.reversePath, [other, middle, dpid], 'the way back is the same, unless it is given')
  t.not(created.body.number, created.body.reverseNumber)
  t.same((await call('PUT', '/v1/networks/l', wish)).body, created.body)
  t.equal((await call('PUT', '/v1/networks/l', wish)).status, 200)
  t.same((await call('GET', '/v1/networks/l')).body, created.body)
  t.same((await call('GET', '/v1/networks')).body.networks, [created.body])

  const more = { reversePath: [other, dpid], reroute: true, bandwidth: 20e6, latency: 8e5 }
  const changed = await call('PUT', '/v1/networks/l', { ...wish, ...more })
  t.match(changed, { status: 200, body: { ...more, number: created.body.number, revision: 2 } })
  const plain = await call('PUT', '/v1/networks/l', wish)
  t.notOk('bandwidth' in plain.body, 'what is not given is not wished for any more')

  t.match((await call('DELETE', '/v1/networks/l')).body, { deleted: true })
  t.equal((await call('GET', '/v1/networks/l')).status, 404)
})

t.test('a network says that it is none, and is not turned into one', async t => {
  const { call } = await startApi(t)
  t.match((await call('PUT', '/v1/networks/a')).body, { type: 'vnet' })
  t.equal((await call('PUT', '/v1/networks/a', { type: 'vnet' })).status, 200)
  t.match(await call('PUT', '/v1/networks/a', wish), {
    status: 409,
    body: { detail: /is there already and is no vlink/ },
  })
  await call('PUT', '/v1/networks/l', wish)
  t.match(await call('PUT', '/v1/networks/l'), { status: 409, body: { detail: /network l is a vlink/ } })
  t.match(await call('PUT', `/v1/networks/l/attachments/${dpid}/5`), { status: 409, body: { detail: /is a vlink/ } })
  t.match(await call('PUT', `/v1/networks/a/attachments/${dpid}/1`), {
    status: 409,
    body: { detail: /end of vlink l/ },
  })
  t.same((await call('GET', '/v1/networks/l/attachments')).body.attachments, [])
})

t.test('what makes no vlink is refused with its place', async t => {
  const { call, store } = await startApi(t)
  for (const [body, status, detail] of [
    [{ type: 'vlink' }, 400, /body\/from: a vlink needs it/],
    [{ type: 'vlink', from, to }, 400, /body\/path/],
    [{ ...wish, mirror: { dpid, port: 9 } }, 400, /body\/mirror/],
    [{ from, to }, 400, /body\/from: a network that is no vlink has none/],
    [{ reroute: true }, 400, /body\/reroute/],
    [{ ...wish, path: [] }, 400, /it is empty/],
    [{ ...wish, path: [dpid, middle] }, 400, /must name all switches from/],
    [{ ...wish, path: 'direct' }, 400, /body\/path/],
    [{ ...wish, bandwidth: 10 }, 400, /body\/bandwidth/],
    [{ ...wish, latency: '8e5' }, 400, /body\/latency/],
    [{ ...wish, type: 'vlan' }, 400, /body\/type/],
    [{ ...wish, roundabout: true }, 400, /roundabout/],
  ] as const)
    t.match(await call('PUT', '/v1/networks/l', body), { status, body: { detail } }, JSON.stringify(body))
  t.equal(store.state().revision, 0)
})

t.test('a path that does not exist is refused, and the missing hop named', async t => {
  const missing = new Set<string>()
  const away = new Set<string>()
  const { controller } = stillController({
    connected: dpid => !away.has(dpid),
    linked: (a, b) => !missing.has(`${a} ${b}`),
  })
  const { call, store } = await startApi(t, { controller })
  const put = (body: object = wish) => call('PUT', '/v1/networks/l', body)
  missing.add(`${middle} ${other}`)
  const detail = new RegExp(`can't go from switch ${middle} to switch ${other}: both are connected, and no link`)
  t.match(await put(), { status: 409, body: { type: 'urn:problem-type:l2sm:vlink-hop-missing', detail } })
  t.match(await put({ ...wish, path: [dpid, other], reversePath: [other, middle, dpid] }), { status: 201 })
  t.match(await put(), { status: 409 }, 'also when it is asked for in place of one that is there')
  t.equal(store.state().revision, 1)

  away.add(middle)
  t.match(await put(), { status: 200 }, 'of a switch that is not connected nobody knows yet where its links lead')
  away.clear()
  t.match(await put(), { status: 200 }, 'what is there already is not refused any more')
  t.match(await put({ ...wish, bandwidth: 20e6 }), { status: 200 }, 'whatever else is wished of it')
  missing.add(`${other} ${dpid}`)
  t.match(
    await put({ ...wish, reversePath: [other, dpid] }),
    { status: 409, body: { detail: /can't go from/ } },
    'both ways count',
  )
})

t.test('the answer tells where frames go, and whether they get what was wished for', async t => {
  const view: VlinkView = {
    there: {
      path: [dpid, middle, other],
      latency: { measured: 700_000, met: true },
      bandwidth: { limited: true, slowest: 1e10, met: 'unknown' },
    },
    back: {},
  }
  const { controller } = stillController({
    vlink: id => (id === 'l' ? view : undefined),
    network: () => ({ state: 'degraded', reason: 'the link between them is down', revision: 1 }),
  })
  const { call } = await startApi(t, { controller })
  const put = await call('PUT', '/v1/networks/l', { ...wish, bandwidth: 20e6, latency: 8e5 })
  t.match(put.body, { state: 'degraded', reason: /is down/ })
  t.same({ there: put.body.there, back: put.body.back }, view)
})

t.test('wait=5s answers when the switches have it', async t => {
  const { controller, asked } = stillController({ switches: () => [switchView()] })
  const { call } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/l?wait=5s', wish)
  t.match(asked, [{ network: 'l', revision: 1, ms: 5000 }])
})
