import t from 'tap'
import type { Auth } from '../../../api/http/auth.ts'
import { dpid, other, startApi, stillController, switchView } from '../harness.ts'

const vnets = '/onos/vnets/api'
const auth: Auth = { token: { is: 'anybody' }, login: { is: 'login', user: 'karaf', password: 'karaf' } }
/** As today's operator calls: a login, and a JSON type also where there is no body. */
const headers = { authorization: `Basic ${btoa('karaf:karaf')}`, 'content-type': 'application/json' }
const port = (n: number, on = dpid) => `of:${on}/${n}`

const startOnos = async (test: Parameters<typeof startApi>[0], options: Parameters<typeof startApi>[1] = {}) => {
  const { call, ...rest } = await startApi(test, { auth, ...options })
  const onos = (method: string, path: string, body?: unknown) => call(method, path, body ?? '', headers)
  const get = (path: string) => call('GET', path, undefined, headers)
  return { ...rest, call, onos, get }
}

t.test("today's operator gets the codes that it waits for", async t => {
  const { onos, get, store } = await startOnos(t)
  const rows: readonly (readonly [method: string, path: string, body: unknown, status: number])[] = [
    ['POST', vnets, { networkId: 'net-a' }, 204],
    ['POST', vnets, { networkId: 'net-a' }, 204],
    ['POST', vnets, { networkId: 'net-b', networkEndpoints: [port(8)], mirrorPort: port(9) }, 204],
    ['POST', vnets, { networkId: 'net-b', networkEndpoints: [port(8)], mirrorPort: port(9) }, 204],
    ['POST', vnets, { networkId: 'net-c', networkEndpoints: null, mirrorPort: null }, 204],
    ['POST', `${vnets}/port`, { networkId: 'net-a', networkEndpoints: [port(1)] }, 204],
    ['POST', `${vnets}/port`, { networkId: 'net-a', networkEndpoints: [port(1)] }, 204],
    ['POST', `${vnets}/port`, { networkId: 'net-b', networkEndpoints: [port(1)] }, 204],
    ['POST', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [port(2)] }, 409],
    ['POST', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [] }, 409],
    ['POST', vnets, { networkId: 'net-d', networkEndpoints: [port(1)] }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-c', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a' }, 400],
    ['DELETE', `${vnets}/port`, { networkId: 'net-a', networkEndpoints: [port(1)] }, 204],
    ['DELETE', `${vnets}/port`, { networkId: 'net-a', networkEndpoints: [port(1)] }, 204],
    ['DELETE', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [port(1)] }, 204],
    ['DELETE', `${vnets}/net-b`, undefined, 204],
    ['DELETE', `${vnets}/net-b`, undefined, 204],
    ['DELETE', `${vnets}/never-was`, undefined, 204],
  ]
  for (const [method, path, body, status] of rows) {
    const answer = await onos(method, path, body)
    t.equal(answer.status, status, `${method} ${path} ${JSON.stringify(body) ?? ''}`)
    if (status === 204) t.equal(answer.text, '')
  }
  t.same([...store.state().networks.keys()].sort(), ['net-a', 'net-c', 'net-d'])
  t.match(await get(`${vnets}/net-a`), {
    status: 200,
    body: { networkId: 'net-a', networkEndpoints: [], mirrorPort: port(10) },
  })
  t.equal((await get(`${vnets}/net-b`)).status, 404)
})

t.test('what is up says so: the status calls, and the probe of the shipped manifests without a login', async t => {
  const { get, base } = await startOnos(t)
  for (const path of ['/onos/vnets/api/status', '/onos/vlinks/api/status', '/onos/idco/mscs/status'])
    t.equal((await get(path)).status, 200, path)
  t.equal((await fetch(`${base}/onos/ui`)).status, 200)
})

t.test('a network answers its ports in one order, as the operator names them', async t => {
  const { onos, get } = await startOnos(t)
  await onos('POST', vnets, { networkId: 'n', networkEndpoints: [port(10), port(2), port(1, other)] })
  t.same((await get(`${vnets}/n`)).body, { networkId: 'n', networkEndpoints: [port(2), port(10), port(1, other)] })
})

t.test('it is the same network as in /v1, and any MAC may speak', async t => {
  const { onos, store } = await startOnos(t)
  await onos('POST', vnets, { networkId: 'n', networkEndpoints: [port(1)] })
  t.match(store.state().attachments.get(`${dpid}/1`), { network: 'n', dpid, port: 1, guard: 'learn' })
})

t.test('a network with ports is made whole or not at all', async t => {
  const { onos, call, store } = await startOnos(t)
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: [port(3)] })
  await call('PUT', `/v1/links/${dpid}/7/${other}/7`, {})
  const { revision } = store.state()
  for (const [endpoints, status] of [
    [[port(1), port(2), port(7)], 409],
    [[port(1), 'of:1/2'], 400],
  ] as const)
    t.equal((await onos('POST', vnets, { networkId: 'b', networkEndpoints: endpoints })).status, status)
  const refused = await onos('POST', `${vnets}/port`, { networkId: 'a', networkEndpoints: [port(4), 'x'] })
  t.equal(refused.status, 400)
  t.equal(store.state().revision, revision)
  t.notOk(store.state().networks.has('b'))
})

t.test('a port that is posted for a second network moves there, in one write, and is never in both', async t => {
  const { onos, get, store } = await startOnos(t)
  const endpointsOf = async (network: string) => (await get(`${vnets}/${network}`)).body
  for (const networkId of ['a', 'b']) await onos('POST', vnets, { networkId })
  const post = (networkId: string) => onos('POST', `${vnets}/port`, { networkId, networkEndpoints: [port(9)] })
  await post('a')
  const seen: string[][] = []
  store.watch((_, { members }) => {
    seen.push(['a', 'b'].filter(network => members.get(network)?.size))
  })
  t.equal((await post('b')).status, 204)
  t.same(seen, [['b']])
  // The DELETE that was late finds it in another network, and leaves it there.
  t.equal((await onos('DELETE', `${vnets}/port`, { networkId: 'a', networkEndpoints: [port(9)] })).status, 204)
  t.same((await endpointsOf('b')).networkEndpoints, [port(9)])

  const mirror = (networkId: string) => onos('POST', `${vnets}/mirror-port`, { networkId, mirrorPort: port(9) })
  t.equal((await mirror('a')).status, 204, 'a member of one network becomes the mirror of another')
  t.match(await endpointsOf('a'), { mirrorPort: port(9) })
  t.same((await endpointsOf('b')).networkEndpoints, [])
  t.equal((await mirror('b')).status, 204, 'a mirror moves')
  t.notOk((await endpointsOf('a')).mirrorPort)
  t.equal((await post('a')).status, 204, 'a mirror becomes a member')
  t.notOk((await endpointsOf('b')).mirrorPort)
  t.same((await endpointsOf('a')).networkEndpoints, [port(9)])
  const again = { networkId: 'b', networkEndpoints: [port(9)], mirrorPort: port(10) }
  t.equal((await onos('POST', vnets, again)).status, 204, 'a network that is created takes its ports along')
  t.match(await endpointsOf('b'), again)
  t.same((await endpointsOf('a')).networkEndpoints, [])
})

t.test('a DELETE that a switch of another store does not carry out says so at once', async t => {
  const { controller, asked } = stillController({ switches: () => [switchView({ state: 'unadopted' })] })
  const { onos, call } = await startOnos(t, { controller })
  const body = { networkId: 'a', networkEndpoints: [port(1)] }
  await onos('POST', vnets, { networkId: 'a' })
  t.match(await onos('DELETE', `${vnets}/port`, body), {
    status: 503,
    body: { detail: /keeps them/, hint: /complete/ },
  })
  t.match(await onos('DELETE', `${vnets}/unknown`), { status: 503, body: { what: 'unknown' } })
  const said = { deleted: false, state: 'degraded', reason: /nothing was removed from switch 00000000000000a1/ }
  t.match((await call('DELETE', `/v1/networks/a/attachments/${dpid}/1?wait=5s`)).body, said)
  t.match((await call('DELETE', '/v1/networks/unknown?wait=5s')).body, said)
  t.same(asked, [], 'nobody waits')
  await onos('POST', `${vnets}/port`, body)
  t.equal((await onos('DELETE', `${vnets}/port`, body)).status, 204, 'what is ours is removed there as anywhere')
  const elsewhere = { networkId: 'a', networkEndpoints: [port(1, other)] }
  t.equal((await onos('DELETE', `${vnets}/port`, elsewhere)).status, 204, 'another switch is not concerned')
})

t.test('an operator that lists everything again, ten times, changes nothing', async t => {
  const { onos, store } = await startOnos(t)
  const everything = async () => {
    for (const network of ['a', 'b', 'c']) {
      t.equal((await onos('POST', vnets, { networkId: network })).status, 204)
      const on = network === 'a' ? dpid : other
      const endpoints = network === 'c' ? [] : [port(1, on), port(2, on)]
      for (const endpoint of endpoints)
        t.equal((await onos('POST', `${vnets}/port`, { networkId: network, networkEndpoints: [endpoint] })).status, 204)
    }
    t.equal((await onos('POST', `${vnets}/mirror-port`, { networkId: 'a', mirrorPort: port(9) })).status, 204)
  }
  await everything()
  const { revision, attachments } = store.state()
  t.equal(attachments.size, 4)
  let commits = 0
  store.watch(() => commits++)
  for (let i = 0; i < 10; i++) await everything()
  t.equal(store.state().revision, revision)
  t.equal(commits, 0, 'nobody was told of anything')
})

t.test('a POST of the network keeps what /v1 said of its ports', async t => {
  const { onos, store } = await startOnos(t)
  await onos('POST', vnets, { networkId: 'a' })
  const mac = '02:00:00:00:00:01'
  await store.write(draft => draft.putAttachment({ network: 'a', dpid, port: 1, mac, guard: 'mac' }))
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: [port(1)] })
  t.match(store.state().attachments.get(`${dpid}/1`), { mac, guard: 'mac' })
})

t.test('calls that are repeated while the first is on its way have one effect', async t => {
  const { onos, store } = await startOnos(t)
  const network = Array.from({ length: 5 }, () => onos('POST', vnets, { networkId: 'a' }))
  t.same(new Set((await Promise.all(network)).map(a => a.status)), new Set([204]))
  const body = { networkId: 'a', networkEndpoints: [port(1)] }
  const attached = Array.from({ length: 5 }, () => onos('POST', `${vnets}/port`, body))
  t.same(new Set((await Promise.all(attached)).map(a => a.status)), new Set([204]))
  t.equal(store.state().revision, 2)
})

t.test('a detach answers when the switches have taken the port out, asked for again too', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const asked: unknown[] = []
  const { controller } = stillController({
    switches: () => [switchView()],
    settled: async (network, revision, ms, about) => {
      asked.push({ network, ms, about })
      await promise
      return { state: 'programmed', revision }
    },
  })
  const { onos, store } = await startOnos(t, { controller })
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: [port(1)] })
  const body = { networkId: 'a', networkEndpoints: [port(1)] }
  const answers: number[] = []
  const detach = async () => answers.push((await onos('DELETE', `${vnets}/port`, body)).status)
  const both = [detach(), detach()]
  while (asked.length < 2) await new Promise(setImmediate)
  t.equal(store.state().attachments.size, 0, 'it is written')
  t.same(answers, [], 'but not answered')
  resolve()
  await Promise.all(both)
  t.same(answers, [204, 204])
  for (const ask of asked) t.match(ask, { network: 'a', ms: 5000, about: `${dpid}/1` })
})

t.test('a detach is answered 204 also when the switch does not confirm, or is away', async t => {
  const { controller, asked } = stillController({
    switches: () => [switchView(), switchView({ dpid: other, connected: false, state: 'disconnected' })],
  })
  const { onos, store } = await startOnos(t, { controller })
  const ports = [port(1), port(2), port(1, other)]
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: ports })
  t.equal((await onos('DELETE', `${vnets}/port`, { networkId: 'a', networkEndpoints: ports })).status, 204)
  t.equal(store.state().attachments.size, 0)
  t.match(asked, [{ about: /^00000000000000a1/ }], 'who is connected is asked, once, and who is not is not waited for')
  t.equal(asked.length, 1)
})

t.test('deleting a network waits as long for the switches of its ports', async t => {
  const { controller, asked } = stillController({ switches: () => [switchView()] })
  const { onos } = await startOnos(t, { controller })
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: [port(1), port(2)] })
  await onos('POST', vnets, { networkId: 'empty' })
  t.equal((await onos('DELETE', `${vnets}/a`)).status, 204)
  t.match(asked, [{ network: 'a', revision: 3, ms: 5000 }])
  t.equal((await onos('DELETE', `${vnets}/empty`)).status, 204)
  t.equal(asked.length, 1, 'nobody has anything of an empty one')
})

t.test('the inter-domain calls are the same ones', async t => {
  const { onos, get } = await startOnos(t)
  const mscs = '/onos/idco/mscs'
  t.equal((await onos('POST', mscs, { networkId: 'x', networkEndpoints: [port(1)] })).status, 204)
  t.match(await get(`${mscs}/x`), { status: 200, body: { networkId: 'x', networkEndpoints: [port(1)] } })
  t.equal((await onos('DELETE', `${mscs}/x`)).status, 204)
  t.equal((await onos('DELETE', `${mscs}/x`)).status, 204)
  t.equal((await get(`${mscs}/x`)).status, 404)
})

const vlinks = '/onos/vlinks/api'
const vlink = (more: object = {}) => ({
  linkNetworkId: 'l',
  fromEndP: port(1),
  toEndP: port(1, other),
  path: [`of:${dpid}`, `of:${other}`],
  ...more,
})

t.test("today's operator gets the codes that it waits for, of vlinks too", async t => {
  const { onos, get, store } = await startOnos(t)
  const rows: readonly (readonly [method: string, path: string, body: unknown, status: number])[] = [
    ['POST', vnets, { networkId: 'net', networkEndpoints: [port(7)] }, 204],
    ['POST', vlinks, vlink(), 204],
    ['POST', vlinks, vlink(), 204],
    ['POST', vlinks, vlink({ toEndP: port(2, other) }), 409],
    ['POST', vlinks, vlink({ path: [`of:${dpid}`, 'of:00000000000000c3', `of:${other}`] }), 409],
    ['POST', vlinks, vlink({ linkNetworkId: 'net' }), 409],
    ['POST', vlinks, vlink({ linkNetworkId: 'm', toEndP: port(3, other) }), 409],
    ['POST', vlinks, vlink({ linkNetworkId: 'm', fromEndP: port(7), toEndP: port(3, other) }), 409],
    ['POST', vlinks, vlink({ linkNetworkId: 'm', path: ['of:1'] }), 400],
    ['POST', vlinks, vlink({ linkNetworkId: 'm', fromEndP: dpid }), 400],
    ['POST', vlinks, { linkNetworkId: 'm' }, 400],
    ['POST', vnets, { networkId: 'l' }, 409],
    ['POST', `${vnets}/port`, { networkId: 'l', networkEndpoints: [port(5)] }, 409],
    ['POST', `${vnets}/port`, { networkId: 'net', networkEndpoints: [port(1)] }, 409],
    ['DELETE', `${vnets}/l`, undefined, 204],
    ['DELETE', `${vlinks}/net`, undefined, 204],
  ]
  for (const [method, path, body, status] of rows)
    t.equal((await onos(method, path, body)).status, status, `${method} ${path} ${JSON.stringify(body) ?? ''}`)
  t.same([...store.state().networks.keys()].sort(), ['l', 'net'], 'a name that is of the other kind is left alone')
  t.match(await get(`${vlinks}/l`), { status: 200, body: vlink() })
  t.same((await get(`${vlinks}/l`)).body, vlink())
  t.equal((await get(`${vnets}/l`)).status, 404)
  t.equal((await get(`${vlinks}/net`)).status, 404)
  for (let i = 0; i < 2; i++) t.equal((await onos('DELETE', `${vlinks}/l`)).status, 204)
  t.equal((await get(`${vlinks}/l`)).status, 404)
  t.equal((await onos('POST', `${vnets}/port`, { networkId: 'net', networkEndpoints: [port(1)] })).status, 204)
})

t.test('a path may leave out the switches of its ends', async t => {
  const { onos, get } = await startOnos(t)
  for (const [path, whole] of [
    [[], [dpid, other]],
    [null, [dpid, other]],
    [['00000000000000c3'], [dpid, '00000000000000c3', other]],
    [[`of:${dpid}`], [dpid, other]],
  ] as const) {
    t.equal((await onos('POST', vlinks, vlink({ path }))).status, 204)
    t.same(
      (await get(`${vlinks}/l`)).body.path,
      whole.map(dpid => `of:${dpid}`),
    )
    t.equal((await onos('POST', vlinks, vlink({ path: whole }))).status, 204, 'it is the same')
    await onos('DELETE', `${vlinks}/l`)
  }
})

t.test('asked for again, a vlink keeps what /v1 said of it', async t => {
  const { onos, call, store } = await startApi(t).then(({ call, store }) => ({
    ...{ call, store },
    onos: (body: object) => call('POST', vlinks, body, headers),
  }))
  const ends = { from: { dpid, port: 1 }, to: { dpid: other, port: 1 } }
  const more = { reversePath: [other, '00000000000000c3', dpid], reroute: true, bandwidth: 20e6 }
  await call('PUT', '/v1/networks/l', { type: 'vlink', ...ends, path: [dpid, other], ...more })
  t.equal((await onos(vlink())).status, 204)
  t.match(store.state().networks.get('l'), { vlink: more, revision: 1 })
})

t.test('a path that does not exist is a conflict, and names the hop', async t => {
  const { controller } = stillController({ connected: () => true, linked: () => false })
  const { onos } = await startOnos(t, { controller })
  const detail = new RegExp(`from switch ${dpid} to switch ${other}`)
  t.match(await onos('POST', vlinks, vlink()), { status: 409, body: { detail } })
})

t.test('deleting a vlink waits for the switches of its ends', async t => {
  const { controller, asked } = stillController({ switches: () => [switchView()] })
  const { onos } = await startOnos(t, { controller })
  await onos('POST', vlinks, vlink())
  t.equal((await onos('DELETE', `${vlinks}/l`)).status, 204)
  t.match(asked, [{ network: 'l', revision: 2, ms: 5000 }])
  t.equal((await onos('DELETE', `${vlinks}/l`)).status, 204)
  t.equal(asked.length, 1, 'nobody has anything of one that is gone')
})
