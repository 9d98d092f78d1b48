import fc from 'fast-check'
import t from 'tap'
import { parseNetworkId } from '../../store/parse.ts'
import { dpid, other, raw, startApi, statusOf } from './harness.ts'

const net = '/v1/networks/a'
const port = `${net}/attachments/${dpid}/1`
const link = `/v1/links/${dpid}/5/${other}/5`
const vnets = '/onos/vnets/api'
const deep = `{"mirror":${'['.repeat(100_000)}${']'.repeat(100_000)}}`

/** What is sent, and the status and code that answer it. Before each, network `a` has port 1. */
const rows: readonly (readonly [method: string, path: string, body: unknown, status: number, code: string])[] = [
  // Addresses and methods.
  ['GET', '/', undefined, 404, 'no-route'],
  ['GET', '/v1', undefined, 404, 'no-route'],
  ['GET', '/v1/networks/', undefined, 400, 'bad-value'],
  ['GET', '/v2/networks', undefined, 404, 'no-route'],
  ['POST', net, {}, 405, 'method-not-allowed'],
  ['PATCH', net, {}, 405, 'method-not-allowed'],
  ['DELETE', '/v1/networks', undefined, 405, 'method-not-allowed'],
  ['PUT', '/v1/switches', {}, 405, 'method-not-allowed'],
  ['DELETE', `/v1/switches/${dpid}`, undefined, 409, 'switch-in-use'],
  ['OPTIONS', net, undefined, 405, 'method-not-allowed'],
  ['GET', `/v1/switches/${dpid}/takeover`, undefined, 405, 'method-not-allowed'],
  // Ids.
  ['PUT', '/v1/networks/a%20b', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/a%2fb', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/%2e%2e%2fa', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/a%00', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/%C3%A4', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/a%0A', {}, 400, 'bad-value'],
  ['PUT', '/v1/networks/%zz', {}, 400, 'bad-path'],
  ['PUT', '/v1/networks/%ff', {}, 400, 'bad-path'],
  ['PUT', `/v1/networks/${'x'.repeat(318)}`, {}, 400, 'bad-value'],
  ['PUT', `/v1/networks/${'x'.repeat(10_000)}`, {}, 400, 'bad-value'],
  ['DELETE', '/v1/networks/a%20b', undefined, 400, 'bad-value'],
  ['GET', '/v1/networks/__proto__', undefined, 404, 'unknown-network'],
  ['GET', '/v1/networks/constructor', undefined, 404, 'unknown-network'],
  ['GET', '/v1/networks/nope', undefined, 404, 'unknown-network'],
  ['GET', '/v1/networks/nope/attachments', undefined, 404, 'unknown-network'],
  // Datapath ids and ports.
  ['PUT', `${net}/attachments/a1/1`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/of:${dpid}0/1`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/of%3A${dpid}/0`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/${dpid}/01`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/${dpid}/-1`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/${dpid}/0x1`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/${dpid}/1e3`, {}, 400, 'bad-value'],
  ['PUT', `${net}/attachments/${dpid}/4294967041`, {}, 400, 'bad-port'],
  ['PUT', `${net}/attachments/${dpid}/4294967294`, {}, 400, 'bad-port'],
  ['DELETE', `${net}/attachments/${dpid}/LOCAL`, undefined, 400, 'bad-value'],
  ['GET', `${net}/attachments/${dpid}/2`, undefined, 404, 'unknown-attachment'],
  ['PUT', `/v1/networks/nope/attachments/${dpid}/1`, {}, 404, 'unknown-network'],
  ['GET', '/v1/switches/1', undefined, 400, 'bad-value'],
  ['POST', '/v1/switches/g000000000000000/takeover', undefined, 400, 'bad-value'],
  ['PUT', `/v1/links/${dpid}/0/${other}/5`, undefined, 400, 'bad-value'],
  ['PUT', `/v1/links/${dpid}/5/${dpid}/6`, undefined, 400, 'bad-link'],
  ['PUT', `/v1/links/${dpid}/1/${other}/5`, undefined, 409, 'link-port-attached'],
  ['GET', link, undefined, 404, 'unknown-link'],
  // Bodies: not JSON.
  ['PUT', net, '{', 400, 'bad-json'],
  ['PUT', net, '{"mirror":null,}', 400, 'bad-json'],
  ['PUT', net, "{'mirror':null}", 400, 'bad-json'],
  ['PUT', net, '{"mirror":NaN}', 400, 'bad-json'],
  ['PUT', net, '{} {}', 400, 'bad-json'],
  ['PUT', net, '\ufeff{}x', 400, 'bad-json'],
  // Bodies: JSON that lies in wait.
  ['PUT', net, '{"__proto__":{}}', 400, 'forbidden-key'],
  ['PUT', net, '{"\\u005f_proto__":{}}', 400, 'forbidden-key'],
  ['PUT', net, '{"mirror":{"__proto__":1}}', 400, 'forbidden-key'],
  ['PUT', net, '{"constructor":{"prototype":{}}}', 400, 'unknown-field'],
  ['PUT', net, '{"mirror":null,"mirror":null}', 400, 'duplicate-key'],
  ['PUT', port, '{"mac":"02:00:00:00:00:01","m\\u0061c":"02:00:00:00:00:02"}', 400, 'duplicate-key'],
  ['PUT', net, deep, 413, 'too-deep'],
  ['PUT', net, '['.repeat(100_000), 413, 'too-deep'],
  ['PUT', net, ' '.repeat(1024 * 1024 + 1), 413, 'too-large'],
  ['PUT', net, `{"mirror":"${'x'.repeat(10_000_000)}"}`, 413, 'too-large'],
  // Bodies: not what the schema says.
  ['PUT', net, 'null', 400, 'bad-value'],
  ['PUT', net, '[]', 400, 'bad-value'],
  ['PUT', net, '7', 400, 'bad-value'],
  ['PUT', net, { name: 'a' }, 400, 'unknown-field'],
  ['PUT', net, { Mirror: null }, 400, 'unknown-field'],
  ['PUT', net, { mirror: { dpid, port: '7' } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid, port: 7.5 } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid, port: 0 } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid, port: 4294967041 } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid: 'a1', port: 7 } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid } }, 400, 'bad-value'],
  ['PUT', net, { mirror: { dpid, port: 7, extra: 1 } }, 400, 'bad-value'],
  ['PUT', port, { mac: 7 }, 400, 'bad-value'],
  ['PUT', port, { mac: null }, 400, 'bad-value'],
  ['PUT', port, { mac: '' }, 400, 'bad-mac'],
  ['PUT', port, { mac: '02:00:00:00:00' }, 400, 'bad-mac'],
  ['PUT', port, { mac: '01:00:5e:00:00:01' }, 400, 'bad-mac'],
  ['PUT', port, { mac: 'ff:ff:ff:ff:ff:ff' }, 400, 'bad-mac'],
  ['PUT', port, { mac: 'x'.repeat(1_000_000) }, 400, 'bad-value'],
  ['PUT', port, { ips: '10.0.0.1' }, 400, 'bad-value'],
  ['PUT', port, { ips: [10] }, 400, 'bad-value'],
  ['PUT', port, { ips: ['10.0.0.256'] }, 400, 'bad-ip'],
  ['PUT', port, { ips: ['10.0.0.1/33'] }, 400, 'bad-ip'],
  ['PUT', port, { ips: ['fd00::1%eth0'] }, 400, 'bad-ip'],
  ['PUT', port, { ips: Array.from({ length: 65 }, () => '10.0.0.1') }, 400, 'bad-value'],
  ['PUT', port, { name: '' }, 400, 'bad-value'],
  ['PUT', port, { name: 'x'.repeat(254) }, 400, 'bad-value'],
  ['PUT', port, { guard: 'none' }, 400, 'bad-value'],
  ['PUT', port, { guard: 'strict' }, 400, 'bad-guard'],
  ['PUT', port, { guard: 'strict', mac: '02:00:00:00:00:01' }, 400, 'bad-guard'],
  ['PUT', port, { guard: 'strict', ips: ['10.0.0.1'] }, 400, 'bad-guard'],
  ['PUT', port, { guard: 'strict', mac: '02:00:00:00:00:01', ips: ['0.0.0.0'] }, 400, 'strict-ip'],
  ['PUT', port, { guard: 'strict', mac: '02:00:00:00:00:01', ips: ['ff02::1'] }, 400, 'strict-ip'],
  ['PUT', port, { guard: 'strict', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], trunk: true }, 400, 'strict-trunk'],
  ['PUT', port, { allowedAddresses: [{ mac: '02:00:00:00:00:01' }] }, 400, 'bad-value'],
  ['PUT', port, { allowedAddresses: [{ ip: '10.0.0.1/16' }] }, 400, 'bad-allowed'],
  ['PUT', port, { allowedAddresses: [{ ip: '224.0.0.0/8' }] }, 400, 'bad-allowed'],
  ['PUT', port, { allowedAddresses: [{ ip: 'fd00::1/129' }] }, 400, 'bad-allowed'],
  ['PUT', port, { allowedAddresses: [{ ip: '10.0.0.1', mac: '01:00:5e:00:00:01' }] }, 400, 'bad-mac'],
  ['PUT', port, { trusted: ['all'] }, 400, 'bad-value'],
  ['PUT', net, { guard: 'none' }, 400, 'bad-value'],
  ['PUT', port, { guard: 'mac' }, 400, 'bad-guard'],
  ['PUT', port, { network: 'b' }, 400, 'unknown-field'],
  ['PUT', port, { port: 2 }, 400, 'unknown-field'],
  ['PUT', '/v1/state', {}, 400, 'bad-value'],
  ['PUT', '/v1/state', { complete: false }, 400, 'bad-value'],
  ['PUT', '/v1/state', { complete: 'true' }, 400, 'bad-value'],
  ['PUT', '/v1/state', { complete: true, revision: 7 }, 400, 'unknown-field'],
  // Queries.
  ['PUT', `${net}?wait=5`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wait=`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wait=61s`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wait=-1s`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wait=1m`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wait=1s&wait=2s`, {}, 400, 'bad-value'],
  ['PUT', `${net}?wiat=1s`, {}, 400, 'unknown-field'],
  ['PUT', `${net}?__proto__=1`, {}, 400, 'unknown-field'],
  ['DELETE', `${net}?wait=later`, undefined, 400, 'bad-value'],
  ['GET', '/v1/networks?wait=1s', undefined, 400, 'unknown-field'],
  ['GET', '/v1/networks?limit=1', undefined, 400, 'unknown-field'],
  // The adapter.
  ['GET', vnets, undefined, 405, 'method-not-allowed'],
  ['GET', `${vnets}/nope`, undefined, 404, 'unknown-network'],
  ['DELETE', `${vnets}/a%20b`, undefined, 400, 'bad-id'],
  ['POST', vnets, {}, 400, 'bad-value'],
  ['POST', vnets, { networkId: 7 }, 400, 'bad-value'],
  ['POST', vnets, { networkId: '..' }, 400, 'bad-id'],
  ['POST', vnets, { networkId: 'x'.repeat(1_000_000) }, 400, 'bad-id'],
  ['POST', vnets, { networkId: 'port' }, 400, 'reserved-name'],
  ['POST', vnets, { networkid: 'b' }, 400, 'unknown-field'],
  ['POST', vnets, { networkId: 'b', networkEndpoints: 'of:00000000000000a1/1' }, 400, 'bad-value'],
  ['POST', vnets, { networkId: 'b', networkEndpoints: [`of:${dpid}`] }, 400, 'bad-endpoint'],
  ['POST', vnets, { networkId: 'b', mirrorPort: 'nowhere' }, 400, 'bad-endpoint'],
  ['POST', vnets, '{"networkId":"b","networkId":"c"}', 400, 'duplicate-key'],
  ['POST', `${vnets}/port`, { networkId: 'a' }, 400, 'bad-value'],
  ['POST', `${vnets}/port`, { networkId: 'nope', networkEndpoints: [`of:${dpid}/2`] }, 409, 'unknown-network'],
  ['POST', `${vnets}/port`, { networkId: 'a', networkEndpoints: [`of:${dpid}/0`] }, 400, 'bad-endpoint'],
  ['DELETE', `${vnets}/port`, undefined, 400, 'bad-value'],
  ['DELETE', `${vnets}/port`, { networkId: 'a', networkEndpoints: ['x'] }, 400, 'bad-endpoint'],
  ['POST', `${vnets}/mirror-port`, { networkId: 'a' }, 400, 'bad-value'],
  ['POST', `${vnets}/mirror-port`, { networkId: 'nope', mirrorPort: `of:${dpid}/9` }, 409, 'unknown-network'],
  ['POST', '/onos/vlinks/api', { linkNetworkId: 'l' }, 400, 'bad-value'],
  ['GET', '/onos/vlinks/api/l', undefined, 404, 'unknown-network'],
]

t.test('what is wrong is refused with a problem that says so, and changes nothing', async t => {
  const { call, store } = await startApi(t)
  await call('PUT', net, {})
  await call('PUT', port, {})
  const before = { revision: store.state().revision, members: store.state().attachments.size }
  for (const [method, path, body, status, code] of rows) {
    const name = `${method} ${path.slice(0, 60)} ${(typeof body === 'string' ? body : (JSON.stringify(body) ?? '')).slice(0, 60)}`
    const answer = await call(method, path, body)
    t.equal(answer.status, status, name)
    t.equal(answer.headers.get('content-type')?.split(';', 1)[0], 'application/problem+json', name)
    t.match(answer.body, { type: `urn:problem-type:l2sm:${code}`, status, title: /./, detail: /.{10}/ }, name)
    t.ok(answer.text.length < 2000, `${name}: the answer is short`)
    if (code !== 'bad-path') t.equal(answer.body.revision, before.revision, `${name}: the revision`)
  }
  t.same({ revision: store.state().revision, members: store.state().attachments.size }, before)
  t.same(({} as Record<string, unknown>)['mirror'], undefined, 'and no prototype has changed')
})

t.test('a refusal says where, what was expected, what came, and what was probably meant', async t => {
  const { call } = await startApi(t)
  await call('PUT', net, {})
  t.match((await call('PUT', port, { ip: [] })).body, {
    where: 'body/ip',
    expected: 'only mac, ips, name, guard',
    got: '"ip"',
    hint: 'did you mean ips?',
  })
  t.match((await call('PUT', port, { ips: ['10.0.0.1', 7] })).body, { where: 'body/ips/1', expected: /IPv4/, got: '7' })
  t.match((await call('PUT', `${net}?wait=1h`)).body, { where: 'query/wait', expected: /5s/, got: '"1h"' })
  t.match((await call('GET', '/v1/switches/a1')).body, { where: 'path/dpid', expected: /16 hex/, got: '"a1"' })
  const allowed = await call('POST', net)
  t.equal(allowed.headers.get('allow'), 'DELETE, GET, HEAD, PUT')
  t.match(allowed.body, { expected: 'DELETE, GET, HEAD, PUT', got: 'POST' })
})

t.test('only JSON is taken, in UTF-8', async t => {
  const { call, base, store } = await startApi(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'nonsense'])
    t.match(
      await call('PUT', net, '{}', { 'content-type': type }),
      { status: 415, body: { where: 'header/content-type' } },
      type,
    )
  const untyped = await fetch(`${base}${net}`, { method: 'PUT', body: Buffer.from('{}') })
  t.equal(untyped.status, 415, 'also when it has no type at all')
  const headers = { 'content-type': 'application/json' }
  const broken = await fetch(`${base}${net}`, { method: 'PUT', headers, body: Buffer.from([0x7b, 0xff, 0x7d]) })
  t.equal(broken.status, 400)
  t.match(await broken.json(), { type: 'urn:problem-type:l2sm:bad-json' })
  t.equal(store.state().revision, 0)
  t.equal((await call('PUT', net, '{}', { 'content-type': 'Application/JSON; charset=utf-8' })).status, 201)
})

t.test('paths with dots are taken as they come, and are no way out', async t => {
  const { port: at, store } = await startApi(t)
  const put = (path: string) =>
    raw(at, `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
  for (const path of [
    '/v1/networks/.',
    '/v1/networks/..',
    '/v1/networks/%2e',
    '/v1/networks/%2E%2e',
    '/v1/networks/..%2fstate',
  ])
    t.equal(statusOf(await put(path)), 400, path)
  for (const path of ['/v1/networks/../networks/a', '/v1//networks/a', '//v1/networks/a', '/v1/networks/a/../b'])
    t.equal(statusOf(await put(path)), 404, path)
  t.equal(store.state().networks.size, 0)
})

t.test('an id is taken exactly when it is one', async t => {
  const { call } = await startApi(t)
  const anything = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'aZ09._:-'), minLength: 1, maxLength: 12 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.constantFrom('__proto__', 'constructor', 'toString', 'x'.repeat(317), 'x'.repeat(318)),
  )
  const taken = async (id: string): Promise<boolean> => {
    const { status, body } = await call('PUT', `/v1/networks/${encodeURIComponent(id)}`, {})
    return parseNetworkId(id) === undefined ? status === 400 : status < 300 && body.id === id
  }
  // fetch itself resolves `.` and `..`; the test above sends those.
  const ids = anything.filter(id => id !== '.' && id !== '..' && id.isWellFormed())
  await fc.assert(fc.asyncProperty(ids, taken), { numRuns: 150 })
})

t.test('no body changes a prototype, or what it does not name', async t => {
  const { call, store } = await startApi(t)
  await call('PUT', net, {})
  const prototypes = [Object.prototype, Array.prototype, String.prototype, Function.prototype]
  const before = prototypes.map(p => Reflect.ownKeys(p))
  const key = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'mac',
    'name',
    'ips',
    'hasOwnProperty',
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, 7, 'x', true),
      fc.array(tie('tree'), { maxLength: 3 }),
      tie('object'),
    ),
    object: fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }),
  }))
  /** As text, since an object could not hold a key twice, nor __proto__. */
  const written = (value: unknown): string => {
    if (!Array.isArray(value)) return JSON.stringify(value)
    if (value.length === 0 || !value.every(v => Array.isArray(v) && typeof v[0] === 'string'))
      return `[${value.map(written)}]`
    return `{${value.map(([k, v]) => `${JSON.stringify(k)}:${written(v)}`)}}`
  }
  const known = ['mac', 'ips', 'name']
  const takesOnlyWhatItKnows = async (pairs: [string, unknown][]): Promise<boolean> => {
    const { status, body } = await call('PUT', port, written(pairs))
    const named = pairs.map(([name]) => name)
    if (status === 400) return true
    return (
      status < 300 && known.every(name => name in body === named.includes(name)) && named.every(n => known.includes(n))
    )
  }
  const bodies = fc.array(fc.tuple(key, tree), { minLength: 1, maxLength: 3 })
  await fc.assert(fc.asyncProperty(bodies, takesOnlyWhatItKnows), { numRuns: 200 })
  t.same(
    prototypes.map(p => Reflect.ownKeys(p)),
    before,
  )
  t.ok(store.state().attachments.size <= 1)
})
