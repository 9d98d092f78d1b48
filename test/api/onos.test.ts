import t from 'tap'
import type { Auth } from '../../api/auth.ts'
import { dpid, other, startApi, stillController, switchView } from './harness.ts'

const vnets = '/onos/vnets/api'
const auth: Auth = { token: { is: 'nobody' }, login: { is: 'login', user: 'karaf', password: 'karaf' } }
/** As today's operator calls: a login, and a JSON type also where there is no body. */
const headers = { authorization: `Basic ${btoa('karaf:karaf')}`, 'content-type': 'application/json' }
const port = (n: number, on = dpid) => `of:${on}/${n}`

const startOnos = async (test: Parameters<typeof startApi>[0], options: Parameters<typeof startApi>[1] = {}) => {
  const { call, ...rest } = await startApi(test, { auth, ...options })
  const onos = (method: string, path: string, body?: unknown) => call(method, path, body ?? '', headers)
  const get = (path: string) => call('GET', path, undefined, headers)
  return { ...rest, onos, get }
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
    ['POST', `${vnets}/port`, { networkId: 'net-b', networkEndpoints: [port(1)] }, 409],
    ['POST', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [port(2)] }, 409],
    ['POST', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [] }, 409],
    ['POST', vnets, { networkId: 'net-d', networkEndpoints: [port(1)] }, 409],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-a', mirrorPort: port(10) }, 204],
    ['POST', `${vnets}/mirror-port`, { networkId: 'net-c', mirrorPort: port(10) }, 409],
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
  t.same([...store.state().networks.keys()].sort(), ['net-a', 'net-c'])
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
  const { onos, store } = await startOnos(t)
  await onos('POST', vnets, { networkId: 'a', networkEndpoints: [port(3)] })
  const { revision } = store.state()
  for (const [endpoints, status] of [
    [[port(1), port(2), port(3)], 409],
    [[port(1), 'of:1/2'], 400],
  ] as const)
    t.equal((await onos('POST', vnets, { networkId: 'b', networkEndpoints: endpoints })).status, status)
  const refused = await onos('POST', `${vnets}/port`, { networkId: 'a', networkEndpoints: [port(4), 'x'] })
  t.equal(refused.status, 400)
  t.equal(store.state().revision, revision)
  t.notOk(store.state().networks.has('b'))
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

t.test('vlinks are not there yet, and no call about them looks like a success', async t => {
  const { onos, get } = await startOnos(t)
  const wish = { linkNetworkId: 'l', fromEndP: port(1), toEndP: port(1, other), path: [`of:${dpid}`, `of:${other}`] }
  for (const answer of [
    await onos('POST', '/onos/vlinks/api', wish),
    await get('/onos/vlinks/api/l'),
    await onos('DELETE', '/onos/vlinks/api/l'),
  ])
    t.match(answer, { status: 501, body: { detail: /vlinks come later/ } })
})
