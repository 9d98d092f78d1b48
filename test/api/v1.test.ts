import t from 'tap'
import type { Progress } from '../../controller/view/view.ts'
import { dpid, other, startApi, stillController, switchView } from './harness.ts'

t.test('a network is created, found, listed and deleted', async t => {
  const { call } = await startApi(t)
  const created = await call('PUT', '/v1/networks/team.net-a', {})
  t.equal(created.status, 201)
  t.match(created.body, { id: 'team.net-a', attachments: 0, state: 'pending', revision: 1 })
  t.match(created.body.reason, /./, 'pending says what is missing')
  t.same((await call('GET', '/v1/networks/team.net-a')).body, created.body)
  t.same((await call('GET', '/v1/networks')).body, { revision: 1, networks: [created.body] })

  const deleted = await call('DELETE', '/v1/networks/team.net-a')
  t.equal(deleted.status, 200)
  t.match(deleted.body, { deleted: true, revision: 2 })
  t.equal((await call('GET', '/v1/networks/team.net-a')).status, 404)
  t.same((await call('GET', '/v1/networks')).body, { revision: 2, networks: [] })
})

t.test('who gets multicast is said, kept, and shown port by port', async t => {
  const port = (number: number, gets: 'joined' | 'router', groups: string[]) => ({ dpid, port: number, gets, groups })
  const many = Array.from({ length: 3000 }, (_, i) => `239.1.${i >> 8}.${i & 255}`)
  const ports = [port(10, 'joined', many), port(2, 'joined', ['239.1.2.3', 'ff1e::42']), port(1, 'router', [])]
  const { controller } = stillController({ multicast: () => ({ groups: 3000, querier: 'controller', ports }) })
  const { call, store } = await startApi(t, { controller })
  t.match((await call('PUT', '/v1/networks/a')).body, { multicast: 'flood' })
  t.match((await call('PUT', '/v1/networks/a', { multicast: 'snoop' })).body, { multicast: 'snoop', revision: 2 })
  t.match((await call('PUT', '/v1/networks/a', {})).body, { multicast: 'snoop', revision: 2 }, 'absent: as it is')
  t.equal(store.state().networks.get('a')?.multicast, 'snoop')
  const { body } = await call('GET', '/v1/networks/a')
  t.match(body.snooping, { groups: 3000, querier: 'controller', isWhole: false })
  t.same(
    body.snooping.ports.map((p: { port: number; groups: string[] }) => [p.port, p.groups.length]),
    [
      [1, 0],
      [2, 2],
      [10, 1997],
    ],
  )
  t.equal((await call('PUT', '/v1/networks/a', { multicast: 'flood' })).body.multicast, 'flood')
  t.notOk('multicast' in store.state().networks.get('a')!)
  t.equal((await call('PUT', '/v1/networks/a', { multicast: 'some' })).status, 400)
})

t.test('a write that is repeated answers 200 and changes no revision', async t => {
  const { call, store } = await startApi(t)
  const port = `/v1/networks/a/attachments/${dpid}/1`
  const body = { mac: '02:00:00:00:00:01', ips: ['10.0.0.1/24', 'fd00::1'], name: 'ping' }
  t.equal((await call('PUT', '/v1/networks/a', {})).status, 201)
  t.equal((await call('PUT', port, body)).status, 201)
  const { revision } = store.state()
  for (let i = 0; i < 10; i++) {
    t.equal((await call('PUT', '/v1/networks/a', {})).status, 200)
    t.equal((await call('PUT', port, body)).status, 200)
  }
  t.equal(store.state().revision, revision)
})

t.test('no body, an empty body and {} are the same wish', async t => {
  const { call, store } = await startApi(t)
  t.equal((await call('PUT', '/v1/networks/a')).status, 201)
  t.equal((await call('PUT', '/v1/networks/a', '')).status, 200)
  t.equal((await call('PUT', '/v1/networks/a', {})).status, 200)
  t.equal(store.state().revision, 1)
})

t.test('an attachment says what is known of the port, in one spelling', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/networks/a', {})
  const body = { mac: '02-AA-00-00-00-01', ips: ['10.0.0.1/24'], name: 'ping' }
  const { status, body: answer } = await call('PUT', `/v1/networks/a/attachments/of:${dpid.toUpperCase()}/4096`, body)
  t.equal(status, 201)
  t.match(answer, {
    network: 'a',
    dpid,
    port: 4096,
    mac: '02:aa:00:00:00:01',
    ips: ['10.0.0.1/24'],
    name: 'ping',
    guard: 'mac',
    state: 'pending',
    revision: 2,
  })
  t.same((await call('GET', `/v1/networks/a/attachments/${dpid}/4096`)).body, answer)
  t.equal((await call('GET', '/v1/networks/a')).body.attachments, 1)

  const bare = await call('PUT', `/v1/networks/a/attachments/${dpid}/4096`, {})
  t.equal(bare.status, 200, 'a PUT replaces: what is not given is not known any more')
  t.match(bare.body, { guard: 'learn', revision: 3 })
  t.notOk('mac' in bare.body || 'ips' in bare.body || 'name' in bare.body)
})

t.test(
  'the level of a network is that of its ports, but for those that ask for their own; who lacks what it takes is refused',
  async t => {
    const { call } = await startApi(t)
    await call('PUT', '/v1/networks/a', {})
    const pod = (n: number) => ({ mac: `02:00:00:00:00:0${n}`, ips: [`10.0.0.${n}/24`, `fd00::${n}`] })
    const path = (port: number) => `/v1/networks/a/attachments/${dpid}/${port}`
    const levels = async () => {
      const { attachments } = (await call('GET', '/v1/networks/a/attachments')).body
      return attachments.map(({ guard }: { guard: string }) => guard)
    }
    await call('PUT', path(1), pod(1))
    await call('PUT', path(2), { ...pod(2), guard: 'learn' })
    t.same(await levels(), ['mac', 'learn'])
    t.match((await call('PUT', '/v1/networks/a', { guard: 'strict' })).body, { guard: 'strict' })
    t.same(await levels(), ['strict', 'learn'])
    t.match(await call('PUT', path(3), { mac: '02:00:00:00:00:03' }), { status: 400, body: { type: /bad-guard$/ } })
    const allowed = [{ ip: '10.1.0.0/16' }, { mac: '00:00:5E:00:01:01', ip: 'FD00:0::9' }]
    const answer = await call('PUT', path(3), { ...pod(3), allowedAddresses: allowed, trusted: ['router', 'dhcp'] })
    t.match(answer.body, {
      ...{ guard: 'strict', trusted: ['dhcp', 'router'] },
      allowedAddresses: [{ ip: '10.1.0.0/16' }, { mac: '00:00:5e:00:01:01', ip: 'fd00::9' }],
    })
    t.match((await call('PUT', '/v1/networks/a', { guard: null })).body, { state: 'pending' })
    t.same(await levels(), ['mac', 'learn', 'mac'])
    await call('PUT', path(4), { mac: '02:00:00:00:00:04', guard: 'mac' })
    await call('PUT', path(5), {})
    t.match(await call('PUT', '/v1/networks/a', { guard: 'strict' }), { status: 400, body: { type: /bad-guard$/ } })
    t.same(await levels(), ['mac', 'learn', 'mac', 'mac', 'learn'], 'what was refused has changed nothing')
  },
)

t.test('an IP address that two ports of a network have is shown with both', async t => {
  const { call } = await startApi(t)
  for (const id of ['a', 'b']) await call('PUT', `/v1/networks/${id}`, {})
  const put = (network: string, port: number, ips: string[]) =>
    call('PUT', `/v1/networks/${network}/attachments/${dpid}/${port}`, { ips })
  await put('a', 1, ['10.0.0.1/24'])
  await put('b', 2, ['10.0.0.1/24'])
  t.notOk('duplicates' in (await call('GET', '/v1/networks/a')).body)
  await put('a', 3, ['fd00::1', '10.0.0.1'])
  t.same((await call('GET', '/v1/networks/a')).body.duplicates, [
    { ip: '10.0.0.1', ports: [1, 3].map(port => ({ dpid, port })), by: 'declared' },
  ])
})

t.test('lists are in one order, whatever the order of the writes', async t => {
  const { call } = await startApi(t)
  for (const id of ['b', 'a.c', 'a', 'B']) await call('PUT', `/v1/networks/${id}`, {})
  const ids = (await call('GET', '/v1/networks')).body.networks.map((n: { id: string }) => n.id)
  t.same(ids, ['B', 'a', 'a.c', 'b'])
  for (const port of [`${other}/1`, `${dpid}/10`, `${dpid}/2`])
    await call('PUT', `/v1/networks/a/attachments/${port}`, {})
  const { attachments } = (await call('GET', '/v1/networks/a/attachments')).body
  t.same(
    attachments.map((a: { dpid: string; port: number }) => `${a.dpid}/${a.port}`),
    [`${dpid}/2`, `${dpid}/10`, `${other}/1`],
  )
})

t.test('a port is in one network: another one is told which', async t => {
  const { call } = await startApi(t)
  for (const id of ['a', 'b']) await call('PUT', `/v1/networks/${id}`, {})
  await call('PUT', `/v1/networks/a/attachments/${dpid}/1`, {})
  const { status, body } = await call('PUT', `/v1/networks/b/attachments/${dpid}/1`, {})
  t.equal(status, 409)
  t.match(body, { type: 'urn:problem-type:l2sm:port-attached-elsewhere', detail: /network a/ })
  t.match((await call('GET', `/v1/networks/b/attachments/${dpid}/1`)).body, { status: 404, detail: /network a/ })
  t.match((await call('DELETE', `/v1/networks/b/attachments/${dpid}/1`)).body, { deleted: false })
  t.equal((await call('GET', `/v1/networks/a/attachments/${dpid}/1`)).status, 200)
})

t.test('deleting a network detaches its ports, and deleting what is gone is no error', async t => {
  const { call } = await startApi(t)
  for (const id of ['a', 'b']) await call('PUT', `/v1/networks/${id}`, {})
  await call('PUT', `/v1/networks/a/attachments/${dpid}/1`, {})
  t.match((await call('DELETE', '/v1/networks/a')).body, { deleted: true, detached: 1 })
  t.match(await call('DELETE', '/v1/networks/a'), { status: 200, body: { deleted: false } })
  t.match(await call('DELETE', `/v1/networks/a/attachments/${dpid}/1`), { status: 200, body: { deleted: false } })
  t.equal((await call('PUT', `/v1/networks/b/attachments/${dpid}/1`, {})).status, 201)
})

t.test('a DELETE that says it has JSON and has no body is a DELETE', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/networks/a', {})
  t.match(await call('DELETE', '/v1/networks/a', '', { 'content-type': 'application/json' }), {
    status: 200,
    body: { deleted: true },
  })
})

t.test('a mirror is set, kept by a PUT that does not name it, and taken away by null', async t => {
  const { call } = await startApi(t)
  const mirror = { dpid, port: 9 }
  t.match((await call('PUT', '/v1/networks/a', { mirror: { dpid: `of:${dpid}`, port: 9 } })).body, { mirror })
  t.match((await call('PUT', '/v1/networks/a', {})).body, { mirror })
  t.notOk('mirror' in (await call('PUT', '/v1/networks/a', { mirror: null })).body)
})

t.test('an id is 1 to 317 characters, any of those allowed', async t => {
  const { call } = await startApi(t)
  for (const id of ['a', 'A-Z.0_9:x', '...', '-', 'x'.repeat(317)]) {
    t.equal((await call('PUT', `/v1/networks/${id}`, {})).status, 201, id.slice(0, 20))
    t.equal((await call('GET', `/v1/networks/${encodeURIComponent(id)}`)).body.id, id)
  }
})

t.test('a write waits as long as it says, about just what it wrote', async t => {
  const { controller, asked } = stillController()
  const { call } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/a?wait=5s', {})
  await call('PUT', `/v1/networks/a/attachments/${dpid}/1?wait=250ms`, {})
  await call('DELETE', `/v1/networks/a/attachments/${dpid}/1?wait=60s`)
  await call('DELETE', '/v1/networks/a?wait=1s')
  t.same(asked, [
    { network: 'a', revision: 1, ms: 5000 },
    { network: 'a', revision: 2, ms: 250, about: `${dpid}/1` },
    { network: 'a', revision: 3, ms: 60_000, about: `${dpid}/1` },
    { network: 'a', revision: 4, ms: 1000 },
  ])
})

t.test('a write that waits answers when the switches have it', async t => {
  const { controller } = stillController({ settled: async (_, revision) => ({ state: 'programmed', revision }) })
  const { call } = await startApi(t, { controller })
  t.match(await call('PUT', '/v1/networks/a?wait=5s', {}), {
    status: 201,
    body: { state: 'programmed', revision: 1, reason: undefined },
  })
})

t.test('programmed is not said of a revision that the switches do not have', async t => {
  const old: Progress = { state: 'programmed', revision: 1 }
  const { controller } = stillController({ network: () => old, attachment: () => old, settled: async () => old })
  const { call } = await startApi(t, { controller })
  t.match((await call('PUT', '/v1/networks/a', {})).body, { state: 'programmed', revision: 1 })
  const later = { state: 'pending', revision: 2, reason: /revision 1/ }
  t.match((await call('PUT', `/v1/networks/a/attachments/${dpid}/1`, {})).body, later)
  t.match((await call('PUT', `/v1/networks/a/attachments/${dpid}/1?wait=1s`, {})).body, later)
  t.match((await call('GET', `/v1/networks/a/attachments/${dpid}/1`)).body, later)
  t.match((await call('GET', '/v1/networks/a')).body, later)
})

t.test('of two writes to one port the later one stands, also when they race', async t => {
  const { call } = await startApi(t)
  await call('PUT', '/v1/networks/a', {})
  const path = `/v1/networks/a/attachments/${dpid}/1`
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => call('PUT', path, { name: `n${i}` })))
  const last = answers.map(a => a.body).reduce((a, b) => (a.revision > b.revision ? a : b))
  t.equal((await call('GET', path)).body.name, last.name)
  t.equal(answers.filter(a => a.status === 201).length, 1, 'only one of them made it')
})

t.test('switches are listed without their ports, and told of with them', async t => {
  const views = [
    switchView(),
    switchView({ dpid: other, connected: false, state: 'disconnected', reason: 'no echo for 15 s' }),
  ]
  const { controller } = stillController({ switches: () => views })
  const { call } = await startApi(t, { controller })
  const { body } = await call('GET', '/v1/switches')
  t.same(
    body.switches.map((s: { dpid: string }) => s.dpid),
    [dpid, other],
  )
  t.notOk('ports' in body.switches[0])
  const one = await call('GET', `/v1/switches/of:${dpid}`)
  t.same(
    one.body.ports.map((p: { number: number }) => p.number),
    [1, 2],
  )
  t.match(one.body, { flows: { desired: 3, actual: 3, foreign: 0, drift: 0 }, programmedRevision: 0, revision: 0 })
  t.match(await call('GET', '/v1/switches/00000000000000ff'), { status: 404, body: { what: '00000000000000ff' } })
})

t.test('a switch that does not come back is forgotten by name, unless something is on it', async t => {
  const views = [switchView(), switchView({ dpid: other, connected: false, state: 'disconnected' })]
  const { controller } = stillController({
    switches: () => views,
    forget: wanted => {
      const at = views.findIndex(view => view.dpid === wanted && !view.connected)
      return at >= 0 && views.splice(at, 1).length > 0
    },
  })
  const { call } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/a', {})
  await call('PUT', `/v1/networks/a/attachments/${other}/1`, {})
  t.match(await call('DELETE', `/v1/switches/${dpid}`), { status: 409, body: { detail: /is connected/ } })
  const refused = await call('DELETE', `/v1/switches/${other}`)
  t.match(refused, { status: 409, body: { detail: /on it is port 1 in network a/, hint: /detach/ } })
  await call('DELETE', `/v1/networks/a/attachments/${other}/1`)
  t.match(await call('DELETE', `/v1/switches/${other}`), { status: 200, body: { deleted: true } })
  t.match((await call('GET', '/v1/switches')).body.switches, [{ dpid }])
  t.match(await call('DELETE', `/v1/switches/${other}`), { status: 200, body: { deleted: false } })
})

t.test('taking a switch over answers what was removed, or why not', async t => {
  const { controller } = stillController({
    switches: () => [switchView(), switchView({ dpid: other, connected: false, state: 'disconnected' })],
    takeover: async wanted =>
      wanted === dpid ? { removed: ['priority=0 actions=NORMAL'] } : { refused: `switch ${wanted} is not connected` },
  })
  const { call } = await startApi(t, { controller })
  t.match(await call('POST', `/v1/switches/${dpid}/takeover`), {
    status: 200,
    body: { dpid, removed: ['priority=0 actions=NORMAL'], revision: 0 },
  })
  t.match(await call('POST', `/v1/switches/${other}/takeover`), { status: 409, body: { detail: /not connected/ } })
  t.equal((await call('POST', '/v1/switches/00000000000000ff/takeover')).status, 404)
})

t.test('a link is declared both ways at once, and taken back both ways', async t => {
  const { controller } = stillController()
  const { call, store } = await startApi(t, { controller })
  const path = `/v1/links/of:${dpid}/11/${other}/12`
  const declared = await call('PUT', path)
  t.match(declared, {
    status: 201,
    body: {
      from: { dpid, port: 11 },
      to: { dpid: other, port: 12 },
      origin: 'declared',
      state: 'pending',
      revision: 1,
    },
  })
  t.match(await call('PUT', path, { cost: 99 }), { status: 200, body: { cost: 99 } })
  t.strictSame(
    [...store.state().declaredLinks.values()].map(link => link.cost),
    [99, 99],
  )
  t.match(await call('PUT', path, { cost: 0 }), { status: 400, body: { where: 'body/cost' } })
  t.equal((await call('PUT', path, {})).status, 200)
  t.strictSame(
    [...store.state().declaredLinks.values()].map(link => link.cost),
    [undefined, undefined],
    'as said last',
  )
  t.same([...store.state().declaredLinks.keys()].sort(), [`${dpid}/11/${other}/12`, `${other}/12/${dpid}/11`])
  t.match(await call('PUT', `/v1/links/${dpid}/11/${other}/13`), { status: 409 })
  t.match(await call('PUT', `/v1/links/${dpid}/1/${dpid}/2`), { status: 400 })
  t.match(await call('DELETE', `/v1/links/${other}/12/${dpid}/11`), {
    status: 200,
    body: { deleted: true, revision: 4 },
  })
  t.match(await call('DELETE', path), { status: 200, body: { deleted: false } })
  t.equal(store.state().declaredLinks.size, 0)
})

t.test('links are listed in one order, and one is found by its ends', async t => {
  const link = (port: number) =>
    ({ from: { dpid, port }, to: { dpid: other, port }, origin: 'discovered', state: 'up' }) as const
  const { controller } = stillController({ links: () => [link(10), link(2)] })
  const { call } = await startApi(t, { controller })
  t.same((await call('GET', '/v1/links')).body, { revision: 0, links: [link(2), link(10)] })
  t.same((await call('GET', `/v1/links/${dpid}/10/${other}/10`)).body, { ...link(10), revision: 0 })
  t.equal((await call('GET', `/v1/links/${dpid}/10/${other}/2`)).status, 404)
})

t.test('a network tells the MTU that its members may have, once it is known', async t => {
  let mtu: number | undefined
  const { controller } = stillController({ mtu: async id => (id === 'red' ? mtu : undefined) })
  const { call } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/red', {})
  t.notOk('mtu' in (await call('GET', '/v1/networks/red')).body)
  mtu = 1450
  t.equal((await call('GET', '/v1/networks/red')).body.mtu, 1450)
})

t.test('the state tells the store by name, and can be declared complete', async t => {
  const { call, store } = await startApi(t)
  t.same((await call('GET', '/v1/state')).body, { instance: store.instance, complete: false, revision: 0 })
  t.same((await call('PUT', '/v1/state', { complete: true })).body, {
    instance: store.instance,
    complete: true,
    revision: 1,
  })
  t.same((await call('PUT', '/v1/state', { complete: true })).body.revision, 1)
})

t.test('/readyz says why not', async t => {
  const what = 'switch 00000000000000a1: its flows are being read'
  const concern = { what, since: new Date(0), borneForSeconds: 0 }
  const answer = { ready: false, reasons: [what], concerns: [concern] }
  const { call } = await startApi(t, { controller: stillController({ ready: () => answer }).controller })
  const concerns = [{ ...concern, since: '1970-01-01T00:00:00.000Z' }]
  t.match(await call('GET', '/readyz'), { status: 503, body: { ...answer, concerns, revision: 0 } })
  t.match(await call('GET', '/livez'), { status: 200, body: { live: true } })
  const ready = await startApi(t)
  t.match(await ready.call('GET', '/readyz'), { status: 200, body: { ready: true, reasons: [] } })
})

t.test('a VLAN of a port is attached, found and taken out by its number', async t => {
  const { call } = await startApi(t)
  for (const id of ['a', 'b']) await call('PUT', `/v1/networks/${id}`, {})
  const path = (id: string) => `/v1/networks/${id}/attachments/${dpid}/1`
  t.match(await call('PUT', path('a'), { vlan: 5 }), { status: 201, body: { vlan: 5, port: 1 } })
  t.match(await call('PUT', path('b'), { vlan: 6 }), { status: 201, body: { vlan: 6 } })
  t.match(await call('GET', `${path('a')}?vlan=5`), { status: 200, body: { vlan: 5 } })
  t.equal((await call('GET', path('a'))).status, 404)
  t.equal((await call('GET', `${path('a')}?vlan=6`)).status, 404)
  t.match(await call('GET', `${path('a')}?vlan=4095`), { status: 400, body: { detail: /expected 1 to 4094/ } })
  t.match((await call('PUT', path('a'), { vlan: 7 })).body, { detail: /it is in it as VLAN 5/ })
  t.match((await call('PUT', path('a'), { vlan: 5, trunk: true })).body, { detail: /for a trunk/ })
  t.match((await call('GET', '/v1/networks/a/attachments')).body, { attachments: [{ vlan: 5 }] })
  t.match(await call('DELETE', path('a')), { body: { deleted: false, tags: [5] } }, 'the VLANs that are there')
  t.match((await call('GET', path('a'))).body, { detail: /by VLAN 5, and not untagged/, hint: /\?vlan=TAG/ })
  t.match(await call('DELETE', `${path('a')}?vlan=5`), { body: { deleted: true } })
  t.match(await call('PUT', path('a'), { trunk: true }), { status: 409, body: { detail: /a trunk takes all frames/ } })
  t.match(await call('DELETE', `${path('b')}?vlan=6`), { body: { deleted: true } })
  t.match(await call('PUT', path('a'), { trunk: true }), { status: 201, body: { trunk: true } })
})

t.test('a link says that it is a plain one, with VLANs', async t => {
  const { call, store } = await startApi(t)
  const path = `/v1/links/${dpid}/7/${other}/8`
  t.match(await call('PUT', path, { carries: 'vid', cost: 3 }), { status: 201, body: { carries: 'vid', cost: 3 } })
  t.strictSame(
    [...store.state().declaredLinks.values()].map(({ carries }) => carries),
    ['vid', 'vid'],
    'in both directions',
  )
  t.match(await call('PUT', path, { carries: 'vlan' }), { status: 400 })
  await call('PUT', path, {})
  t.strictSame(
    [...store.state().declaredLinks.values()].map(({ carries }) => carries),
    [undefined, undefined],
    'what is not said is as usual',
  )
})
