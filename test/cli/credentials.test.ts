import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../cli/config.ts'
import { readCredentials } from '../../cli/credentials.ts'
import { run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const token = 'c0ffee-c0ffee-c0ffee'
const elsewhere = ['--openflow', 'tcp:127.0.0.1:0', '--store', 'memory', '--http', '0.0.0.0:0']
const basic = (login: string) => ({ authorization: `Basic ${Buffer.from(login).toString('base64')}` })
const bearer = { authorization: `Bearer ${token}` }
const status = async (base: string, path: string, headers: { readonly [name: string]: string } = {}) =>
  (await fetch(`${base}${path}`, { headers })).status

t.test('it does not listen beyond loopback without a credential', async t => {
  for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'example.org:0']) {
    const { code, stderr } = await run(['controller', '--http', address])
    t.equal(code, 2, address)
    for (const way of [address, '--token-file', '--onos-auth-file', '--compat-auth', '127.0.0.1'])
      t.ok(stderr.includes(way), way)
  }
})

t.test('beyond loopback the token opens /v1, and the adapter stays closed', async t => {
  const file = join(t.testdir(), 'token')
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  const { base, log, stop } = await startController(t, [...elsewhere, '--token-file', file])
  t.equal(await status(base, '/v1/networks'), 401)
  t.equal(await status(base, '/v1/networks', bearer), 200)
  t.equal(await status(base, '/metrics'), 401)
  t.equal(await status(base, '/livez'), 200)
  t.equal(await status(base, '/onos/vnets/api/status', basic('karaf:karaf')), 401)
  t.equal(await stop('SIGTERM'), 0)
  t.notMatch(JSON.stringify(log), token, 'the log does not tell it')
})

t.test('the well-known login works only when it was asked for by name, and is warned of at each start', async t => {
  const compat = await startController(t, [...elsewhere, '--compat-auth'])
  t.equal(await status(compat.base, '/onos/vnets/api/status', basic('karaf:karaf')), 200)
  t.equal(await status(compat.base, '/onos/vnets/api/status'), 401)
  t.equal(await status(compat.base, '/v1/networks'), 401)
  t.equal(await status(compat.base, '/v1/networks', basic('karaf:karaf')), 401, 'and opens nothing else')
  const warned = compat.log.filter(line => line.level === 40).map(line => line.msg)
  t.ok(warned.some(msg => msg.includes('karaf:karaf') && msg.includes('0.0.0.0')))
  t.ok(warned.some(msg => msg.includes('/v1') && msg.includes('--token-file')))

  const profile = await startController(t, ['--profile', 'onos', ...elsewhere])
  t.equal(await status(profile.base, '/onos/vnets/api/status', basic('karaf:karaf')), 200)
  t.ok(profile.log.some(line => line.level === 40 && line.msg.includes('karaf:karaf')))
})

t.test('a login of its own opens the adapter, and the well-known one does not', async t => {
  const file = join(t.testdir(), 'login')
  writeFileSync(file, 'operator:pass:word\n', { mode: 0o600 })
  const { base } = await startController(t, [...elsewhere, '--onos-auth-file', file])
  t.equal(await status(base, '/onos/vnets/api/status', basic('operator:pass:word')), 200)
  t.equal(await status(base, '/onos/vnets/api/status', basic('karaf:karaf')), 401)
})

t.test('on loopback nothing is asked for, unless something is set', async t => {
  const { base } = await startController(t, [
    '--http',
    '127.0.0.1:0',
    '--openflow',
    'tcp:127.0.0.1:0',
    '--store',
    'memory',
  ])
  t.equal(await status(base, '/v1/networks'), 200)
  t.equal(await status(base, '/onos/vnets/api/status'), 200)
})

t.test('a secret that is none is refused with its file, and is not repeated', async t => {
  const file = join(t.testdir(), 'secret')
  const faults = async (option: string, text: string) => {
    const reading = await readConfig({ argv: [`--${option}`, file], env: {}, readFile: async () => '' })
    if (reading.is !== 'config') return t.fail('it is read')
    return (await readCredentials(reading.config, async () => text)).faults.join('\n')
  }
  const rows: readonly (readonly [option: string, text: string, expected: string])[] = [
    ['token-file', '', '16 characters or more, got 0'],
    ['token-file', 'short\n', '16 characters or more, got 5'],
    ['token-file', 'with a space in it', 'without spaces'],
    ['token-file', 'two-lines-of-token\ntwo-lines-of-token\n', 'one line'],
    ['token-file', 'ümlaut-ümlaut-ümlaut', 'ASCII'],
    ['onos-auth-file', '', 'user:password'],
    ['onos-auth-file', 'onlyuser', 'user:password'],
    ['onos-auth-file', ':password', 'user:password'],
    ['onos-auth-file', 'user:', 'user:password'],
    ['onos-auth-file', 'user:password\nmore\n', 'one line'],
    ['onos-auth-file', 'karaf:karaf\n', '--compat-auth'],
  ]
  for (const [option, text, expected] of rows) {
    const told = await faults(option, text)
    t.match(told, `${option} ${file}`)
    t.match(told, expected, JSON.stringify(text))
  }
  t.notMatch(await faults('token-file', 'sesame'), 'sesame')
  t.notMatch(await faults('onos-auth-file', 'sesame'), 'sesame')
  t.equal(await faults('token-file', `${token}\r\n`), '', 'the end of the line is not part of it')
  const missing = await run(['controller', '--token-file', file])
  t.match(missing, { code: 2, stderr: /token-file .*secret can not be read/ })
  t.match(await run(['controller', '--onos-auth-file', file, '--compat-auth']), { code: 2, stderr: /give one of them/ })
})
