import t from 'tap'
import { type Auth, authFor } from '../../../api/http/auth.ts'
import { tokenCredential } from '../../../api/http/credentials.ts'
import { createFailures } from '../../../api/http/failures.ts'
import { isLoopback } from '../../../api/http/loopback.ts'
import { raw, startApi, statusOf } from '../harness.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const token = 'a-token-of-some-length'
const login = { user: 'admin', password: 'pässword:with colon' }
const both: Auth = {
  token: { is: 'credentials', credentials: [tokenCredential(token)] },
  login: { is: 'login', ...login },
}
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

t.test('our own addresses want the token, and challenge who has none', async t => {
  const { call, store } = await startApi(t, { auth: both })
  const wrong = [
    undefined,
    bearer('another-token-as-long'),
    bearer(`${token}x`),
    bearer(token.slice(1)),
    basic('admin', token),
  ]
  for (const headers of wrong)
    for (const path of ['/v1/networks', '/metrics', '/openapi.json', '/', '/nowhere']) {
      const answer = await call('GET', path, undefined, headers)
      if (answer.status === 429) continue // the next test
      t.equal(answer.status, 401, path)
      t.match(answer.headers.get('www-authenticate'), /^Bearer /)
      t.notMatch(answer.text, 'revision', 'a stranger learns nothing')
    }
  t.equal((await call('PUT', '/v1/networks/a', {})).status, 401)
  t.equal(store.state().revision, 0)
})

t.test('who has the token is let in', async t => {
  const { call } = await startApi(t, { auth: both })
  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `Bearer   ${token} `])
    t.equal((await call('PUT', '/v1/networks/a', {}, { authorization })).status < 300, true, authorization)
  t.equal((await call('GET', '/metrics', undefined, bearer(token))).status, 200)
  t.equal((await call('GET', '/nowhere', undefined, bearer(token))).status, 404)
})

t.test('the probes are open', async t => {
  const { call } = await startApi(t, { auth: both })
  for (const path of ['/livez', '/readyz', '/onos/ui']) t.equal((await call('GET', path)).status, 200, path)
})

t.test('the adapter wants its login, or a credential that may write', async t => {
  const { call } = await startApi(t, { auth: both })
  const status = async (headers: { readonly [name: string]: string } | undefined) =>
    (await call('GET', '/onos/vnets/api/status', undefined, headers)).status
  t.equal(await status(basic(login.user, login.password)), 200)
  t.equal(await status(basic('token-file', token)), 200)
  for (const headers of [
    undefined,
    basic('admin', token),
    basic('karaf', 'karaf'),
    basic('admin', ''),
    basic('', ''),
    { authorization: 'Basic' },
  ])
    t.equal(await status(headers), 401)
  const challenged = await call('POST', '/onos/vnets/api', { networkId: 'a' })
  t.equal(challenged.status, 401)
  t.match(challenged.headers.get('www-authenticate'), /^Basic /)
})

t.test('what nobody may use says what to start the controller with', async t => {
  const { call } = await startApi(t, { auth: { token: { is: 'nobody' }, login: { is: 'nobody' } } })
  t.match(await call('GET', '/v1/networks', undefined, bearer(token)), { status: 401, body: { hint: /--token-file/ } })
  t.match(await call('GET', '/onos/vnets/api/status', undefined, basic('karaf', 'karaf')), {
    status: 401,
    body: { hint: /--compat-auth/ },
  })
})

t.test('a refused request is not read: a stranger can not make us parse a body', async t => {
  const { port } = await startApi(t, { auth: both })
  // Its body never comes, and still it is answered.
  const answer = await raw(
    port,
    'PUT /v1/networks/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n{',
  )
  t.equal(statusOf(answer), 401)
})

t.test('of 2,000 guesses few are told that they were compared, and the right one among them is let in', async t => {
  const { call } = await startApi(t, { auth: both })
  const count = new Map<number, number>()
  const began = performance.now()
  for (let i = 0; i < 2000; i += 100) {
    const guesses = Array.from({ length: 100 }, (_, j) => call('GET', '/v1/state', undefined, bearer(`guess-${i + j}`)))
    for (const { status } of await Promise.all(guesses)) count.set(status, (count.get(status) ?? 0) + 1)
  }
  const seconds = (performance.now() - began) / 1000
  const most = 10 + Math.ceil(seconds / 3)
  t.ok((count.get(401) ?? 0) >= 10 && (count.get(401) ?? 0) <= most, `${count.get(401)} compared in ${seconds} s`)
  t.equal((count.get(401) ?? 0) + (count.get(429) ?? 0), 2000)
  const wrong = await call('GET', '/v1/state', undefined, bearer('guess'))
  t.equal(wrong.status, 429)
  t.match(wrong.headers.get('retry-after'), /^[1-9]\d*$/)
  t.equal((await call('GET', '/v1/state', undefined, bearer(token))).status, 200, 'nobody who guesses keeps it out')
  const right = await call('GET', '/onos/vnets/api/status', undefined, basic(login.user, login.password))
  t.equal(right.status, 200)
  t.equal((await call('GET', '/livez')).status, 200)
})

t.test('a short password is not found by trying, and passes once it was right, whoever guesses', async t => {
  const short = { user: 'admin', password: 'short' }
  const { call } = await startApi(t, { auth: { ...both, login: { is: 'login', ...short } } })
  const status = async (user: string, password: string) =>
    (await call('GET', '/onos/vnets/api/status', undefined, basic(user, password))).status
  const guess = async () => {
    for (let i = 0; i < 30; i++) await status('admin', `guess-${i}`)
  }
  t.equal(await status('admin', 'short'), 200)
  await guess()
  t.equal(await status('admin', 'guess'), 429)
  t.equal(await status('admin', 'short'), 200)
  const { call: another } = await startApi(t, { auth: { ...both, login: { is: 'login', ...short } } })
  for (let i = 0; i < 30; i++) await another('GET', '/onos/vnets/api/status', undefined, basic('admin', `guess-${i}`))
  const late = await another('GET', '/onos/vnets/api/status', undefined, basic('admin', 'short'))
  t.equal(late.status, 429, 'or who guesses would learn that this was it')
})

t.test('failures are forgiven with time, and counted by address', async t => {
  let now = 0
  const failures = createFailures(() => now)
  for (let i = 0; i < 10; i++) {
    t.equal(failures.blockedFor('192.0.2.1'), 0)
    failures.failed('192.0.2.1')
  }
  t.equal(failures.blockedFor('192.0.2.1'), 3)
  t.equal(failures.blockedFor('192.0.2.2'), 0)
  now += 3000
  t.equal(failures.blockedFor('192.0.2.1'), 0)
  failures.failed('192.0.2.1')
  t.ok(failures.blockedFor('192.0.2.1') > 0)
  now += 60_000
  t.equal(failures.blockedFor('192.0.2.1'), 0)
})

t.test('a /64 of IPv6 is one address', async t => {
  const failures = createFailures(() => 0)
  for (let i = 0; i < 10; i++) failures.failed(`2001:db8::${i}`)
  t.ok(failures.blockedFor('2001:db8:0:0:ffff::1') > 0)
  t.ok(failures.blockedFor('2001:db8::1:2:3:4') > 0)
  t.equal(failures.blockedFor('2001:db8:0:1::1'), 0)
})

t.test('addresses that fail do not fill the memory', async t => {
  const failures = createFailures(() => 0)
  for (let i = 0; i < 10; i++) failures.failed('first')
  t.ok(failures.blockedFor('first') > 0)
  for (let i = 0; i < 10_000; i++) failures.failed(`198.51.${i >> 8}.${i & 255}`)
  t.equal(failures.blockedFor('first'), 0, 'the one that failed longest ago is forgotten')
})

t.test('on loopback a web page of somebody else is refused, whatever it is called', async t => {
  const { base, port, store } = await startApi(t)
  const put = (headers: string) =>
    raw(port, `PUT /v1/networks/a HTTP/1.1\r\n${headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
  for (const headers of [
    'Host: attacker.example',
    `Host: attacker.example:${port}`,
    'Host: 127.0.0.1.attacker.example',
    `Host: 127.0.0.1:${port}\r\nOrigin: https://attacker.example`,
    `Host: 127.0.0.1:${port}\r\nOrigin: null`,
    `Host: 127.0.0.1:${port}\r\nOrigin: http://localhost:${port}`,
  ])
    t.equal(statusOf(await put(headers)), 403, headers)
  t.equal(store.state().revision, 0)
  for (const headers of [
    `Host: localhost:${port}`,
    `Host: [::1]:${port}`,
    'Host: 127.1.2.3',
    `Host: LocalHost\r\nOrigin: http://LocalHost`,
  ])
    t.ok(statusOf(await put(headers)) < 300, headers)
  t.equal((await fetch(`${base}/v1/networks`)).status, 200)
})

t.test('what is set is asked for everywhere; what is not set is open on loopback only', async t => {
  const open = { is: 'anybody' }
  const closed = { is: 'nobody' }
  const withToken = { is: 'credentials', credentials: [tokenCredential(token)] }
  const withLogin = { is: 'login', ...login }
  t.same(authFor('127.0.0.1', {}), { token: open, login: open })
  t.same(authFor('::1', { login }), { token: open, login: withLogin })
  t.same(
    authFor('localhost', { token }),
    { token: withToken, login: closed },
    'or the adapter would be a way around it',
  )
  t.same(authFor('0.0.0.0', {}), { token: closed, login: closed })
  t.same(authFor('0.0.0.0', { login }), { token: closed, login: withLogin })
  t.same(authFor('192.0.2.1', { token, login }), { token: withToken, login: withLogin })
})

t.test('loopback is loopback, in every spelling, and nothing else', async t => {
  for (const host of ['127.0.0.1', '127.255.0.9', '::1', '[::1]', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])
    t.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example', '127.example', '1270.0.0.1', ''])
    t.notOk(isLoopback(host), host)
})
