import t from 'tap'
import type { Auth } from '../../../api/http/auth.ts'
import { type Credential, keptPassword, newToken, parseCredentials } from '../../../api/http/credentials.ts'
import { dpid, startApi } from '../harness.ts'

const parsed = (value: unknown): readonly Credential[] => {
  const read = parseCredentials(value)
  if ('faults' in read) throw new Error(read.faults.join('; '))
  return read
}
const authOf = (...rows: readonly object[]): Auth => ({
  token: { is: 'credentials', credentials: parsed({ credentials: rows }) },
  login: { is: 'nobody' },
})
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
const basic = (user: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
})

t.test('each role may do so much, and no more', async t => {
  const tokens = { read: newToken(), write: newToken(), admin: newToken(), node: newToken() }
  const role = (name: keyof typeof tokens, role: string) => ({ name, role, token: tokens[name].kept })
  const auth = authOf(role('read', 'read'), role('write', 'write'), role('admin', 'admin'), role('node', 'node:n1'))
  const { call } = await startApi(t, { auth })
  const admin = bearer(tokens.admin.secret)
  for (const node of ['n1', 'n2'])
    await call('PUT', `/v1/nodes/${node}`, { address: `192.0.2.${node.slice(1)}` }, admin)
  const rows: readonly (readonly [method: string, path: string, body: unknown, who: string])[] = [
    ['GET', '/v1/networks', undefined, 'read write admin'],
    ['GET', '/metrics', undefined, 'read write admin'],
    ['GET', '/openapi.json', undefined, 'read write admin'],
    ['GET', '/v1/nodes/n1', undefined, 'read write admin'],
    ['GET', '/v1/nodes/n1/plan', undefined, 'read write admin node'],
    ['GET', '/v1/nodes/n2/plan', undefined, 'read write admin'],
    ['PUT', '/v1/networks/a', {}, 'write admin'],
    ['DELETE', '/v1/networks/a', undefined, 'write admin'],
    ['PUT', '/v1/nodes/n2/report', {}, 'write admin'],
    ['PUT', '/v1/nodes/n1/report', {}, 'write admin node'],
    ['PUT', '/v1/nodes/n3', { address: '192.0.2.3' }, 'write admin'],
    ['POST', '/onos/vnets/api', { networkId: 'o' }, 'write admin'],
    ['PUT', '/v1/state', { complete: true }, 'admin'],
    ['POST', `/v1/switches/${dpid}/takeover`, undefined, 'admin'],
    ['GET', '/livez', undefined, 'read write admin node'],
  ]
  for (const [method, path, body, who] of rows)
    for (const [name, { secret }] of Object.entries(tokens)) {
      const { status } = await call(method, path, body, bearer(secret))
      const isAllowed = status !== 403 && status !== 401
      t.equal(isAllowed, who.split(' ').includes(name), `${name}: ${method} ${path}`)
    }
  const refused = await call('PUT', '/v1/networks/a', {}, bearer(tokens.read.secret))
  t.match(refused.body, { status: 403, expected: 'write', got: 'read', detail: /credential "read" has the role read/ })
})

t.test('a token passes as a token, and with its name as a login; a password with its name only', async t => {
  const token = newToken()
  const auth = authOf(
    { name: 'operator', role: 'write', token: token.kept },
    { name: 'alice', role: 'admin', password: await keptPassword('correct horse') },
  )
  const { call } = await startApi(t, { auth })
  const status = async (headers: Record<string, string>, path = '/v1/state') =>
    (await call('GET', path, undefined, headers)).status
  t.equal(await status(bearer(token.secret)), 200)
  t.equal(await status(basic('operator', token.secret)), 200)
  t.equal(await status(basic('operator', token.secret), '/onos/vnets/api/status'), 200)
  t.equal(await status(basic('alice', token.secret)), 401)
  t.equal(await status(basic('alice', 'correct horse')), 200)
  t.equal(await status(basic('alice', 'correct horse'), '/onos/vnets/api/status'), 200)
  t.equal(await status(basic('alice', 'wrong horse')), 401)
  t.equal(await status(bearer('correct horse')), 401)
  t.equal(await status(bearer(token.kept)), 401, 'what the file holds opens nothing')
})

t.test('other credentials count from one request to the next', async t => {
  const [one, two] = [newToken(), newToken()]
  const { call, api } = await startApi(t, { auth: authOf({ name: 'a', role: 'read', token: one.kept }) })
  const status = async (secret: string) => (await call('GET', '/v1/state', undefined, bearer(secret))).status
  t.same([await status(one.secret), await status(two.secret)], [200, 401])
  api.renewAuth(authOf({ name: 'a', role: 'read', token: two.kept }))
  t.same([await status(one.secret), await status(two.secret)], [401, 200])
})

t.test('what is wrong with a credentials file is told in words, without repeating what it holds', async t => {
  const { kept } = newToken()
  const rows: readonly (readonly [value: unknown, fault: RegExp])[] = [
    [undefined, /^file: expected an object/],
    [[], /^file: expected an object/],
    [
      { credentials: [{ name: 'a', role: 'root', token: kept }] },
      /file\/credentials\/0\/role: expected read, write, adm/,
    ],
    [
      { credentials: [{ name: 'a', role: 'read', token: 'my-secret-token' }] },
      /credentials\/0\/token: expected sha256:/,
    ],
    [{ credentials: [{ name: 'a', role: 'read' }] }, /credential a: expected one of token, password and certificate/],
    [{ credentials: [{ name: 'a', role: 'read', token: kept, certificate: 'x' }] }, /expected one of/],
    [
      { credentials: [{ name: 'a', role: 'read', tokn: kept }] },
      /credentials\/0\/tokn: expected only .*did you mean token/,
    ],
    [
      {
        credentials: [
          { name: 'a', role: 'read', token: kept },
          { name: 'a', role: 'admin', token: newToken().kept },
        ],
      },
      /credential a occurs twice/,
    ],
  ]
  for (const [value, fault] of rows) {
    const read = parseCredentials(value)
    const faults = 'faults' in read ? read.faults.join('; ') : 'none'
    t.match(faults, fault)
    t.notMatch(faults, 'my-secret-token')
  }
})

t.test('the store is told who asked for each write, over /v1 and over the adapter', async t => {
  const tokens = { operator: newToken(), admin: newToken() }
  const auth = authOf(
    { name: 'operator', role: 'write', token: tokens.operator.kept },
    { name: 'admin', role: 'admin', token: tokens.admin.kept },
  )
  const { call, store } = await startApi(t, { auth })
  const by: (string | undefined)[] = []
  store.watch(({ writes }) => void by.push(...writes.map(write => write.by)))
  await call('PUT', '/v1/networks/a', {}, bearer(tokens.operator.secret))
  await call('PUT', '/v1/state', { complete: true }, bearer(tokens.admin.secret))
  await call('POST', '/onos/vnets/api', { networkId: 'o' }, basic('operator', tokens.operator.secret))
  t.same(by, ['operator', 'admin', 'operator'])
})
