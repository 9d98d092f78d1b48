import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../cli/config.ts'
import { optionNames, variableOf } from '../../cli/options.ts'
import { run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const nowhere = ['--openflow', 'tcp:127.0.0.1:0', '--store', 'memory']

t.test('help is told on request, for every option, and is no error', async t => {
  const { code, stdout, stderr } = await run(['controller', '--help'])
  t.equal(code, 0)
  t.equal(stderr, '')
  for (const name of optionNames) {
    t.ok(stdout.includes(`--${name}`), name)
    t.ok(stdout.includes(variableOf(name)), variableOf(name))
  }
  t.match(stdout, /default\s+127\.0\.0\.1:8181/)
  t.match(stdout, /default\s+tcp:127\.0\.0\.1:6653\s+and\s+tcp:127\.0\.0\.1:6633/)
  t.match(stdout, /default\s+2-4000/)
  t.notMatch(stdout, '[object')
  const all = await run(['--help'])
  t.match(all, { code: 0, stdout: /controller/ })
})

t.test('the version is told', async t => {
  t.match(await run(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
})

t.test('no command, or an unknown one, is an error that lists what there is', async t => {
  t.match(await run([]), { code: 2, stdout: '', stderr: /controller/ })
  t.match(await run(['contoller']), { code: 2, stdout: '', stderr: /'contoller'[\s\S]*controller/ })
})

t.test('wrong flags are all told of at once: what, from where, and what is allowed', async t => {
  const { code, stdout, stderr } = await run([
    'controller',
    ...['--http', '8181', '--openflow', '6653', '--openflow', 'ssl:127.0.0.1:6654', '--openflow=tcp:h:65536'],
    ...['--store', 'postgres:x', '--log-level', 'loud', '--profile', 'odl', '--takeover=maybe'],
    ...['--adopt', '--adopt', '--token-file'],
  ])
  t.equal(code, 2)
  t.equal(stdout, '')
  for (const expected of [
    'http can not be "8181" (from flag --http): expected HOST:PORT, such as 127.0.0.1:8181',
    'openflow can not be "6653" (from flag --openflow): expected HOST:PORT, tls:HOST:PORT or tcp:HOST:PORT',
    'openflow can not be "ssl:127.0.0.1:6654" (from flag --openflow): expected HOST:PORT',
    'What Open vSwitch calls ssl: is tls: here',
    'openflow can not be "tcp:h:65536"',
    'store can not be "postgres:x" (from flag --store): expected sqlite:PATH or memory',
    'log-level can not be "loud" (from flag --log-level): expected trace, debug, info, warn, error, fatal',
    'profile can not be "odl" (from flag --profile): expected onos',
    'takeover can not be "maybe" (from flag --takeover): expected true or false',
    '--adopt is given twice',
    "option '--token-file <FILE>' argument missing",
    'l2sm controller --help',
  ])
    t.ok(stderr.includes(expected), `${expected}\n${stderr}`)
  t.match(await run(['controller', '--htpp', '1']), {
    code: 2,
    stderr: /unknown option '--htpp' \(Did you mean --http\?\)/,
  })
  t.match(await run(['controller', 'extra']), { code: 2, stderr: /too many arguments/ })
})

t.test('a wrong variable is named, one that is empty is not set, one that looks misspelt is warned of', async t => {
  const { code, stderr } = await run(['controller'], {
    L2SM_HTTP: 'localhost',
    L2SM_OPENFLOW: 'tcp:127.0.0.1:1, nonsense',
    L2SM_ADOPT: 'yes',
    L2SM_STORE: '',
  })
  t.equal(code, 2)
  for (const expected of [
    'http can not be "localhost" (from variable L2SM_HTTP)',
    'openflow can not be "nonsense" (from variable L2SM_OPENFLOW)',
    'adopt can not be "yes" (from variable L2SM_ADOPT): expected true or false',
  ])
    t.ok(stderr.includes(expected), `${expected}\n${stderr}`)
  t.notMatch(stderr, 'store')

  const env = { L2SM_HTPP: 'x', L2SM_CONTROLLER_SERVICE_HOST: '10.0.0.1', L2SM_PORT: 'tcp://10.0.0.1:80' }
  const { log } = await startController(t, ['--http', '127.0.0.1:0', ...nowhere], env)
  const warned = log.filter(line => line.level === 40).map(line => line.msg)
  t.ok(warned.some(msg => msg.includes('L2SM_HTPP') && msg.includes('L2SM_HTTP')))
  t.notOk(
    warned.some(msg => msg.includes('SERVICE') || msg.includes('L2SM_PORT')),
    'what Kubernetes sets is not',
  )
})

t.test('a wrong file is told of by line, with what was probably meant', async t => {
  const file = join(t.testdir(), 'l2sm.yaml')
  const complaint = async (text: string) => {
    writeFileSync(file, text)
    const { code, stderr } = await run(['controller', '--config', file])
    t.equal(code, 2, text)
    return stderr
  }
  const many = await complaint(
    '# ours\nhttp: 8181\nstor: memory\nopenflow:\n  - tcp:127.0.0.1:1\n  - 7\nadopt: yes please\nconfig: other.yaml\n',
  )
  for (const expected of [
    `http can not be "8181" (from ${file}:2 http)`,
    `${file}:3: "stor" is no key of this file: did you mean store?`,
    `openflow can not be "7" (from ${file}:6 openflow)`,
    `adopt can not be "yes please" (from ${file}:7 adopt)`,
    `${file}:8: "config" is no key of this file`,
  ])
    t.ok(many.includes(expected), `${expected}\n${many}`)
  t.match(await complaint('- http\n'), `${file}:1: expected options as keys`)
  t.match(await complaint('http: 127.0.0.1:1\nhttp: 127.0.0.1:2\n'), `${file}:2: not YAML`)
  t.match(await complaint('http: [127.0.0.1:1]\n'), 'expected HOST:PORT')
  t.match(await complaint('http:\n'), `${file}:1 http: expected HOST:PORT, got null`)
  const missing = await run(['controller', '--config', join(t.testdirName, 'nowhere.yaml')])
  t.match(missing, { code: 2, stderr: /can not read .*nowhere\.yaml.*flag --config.*ENOENT/ })
})

t.test('a flag beats its variable, which beats its key in the file, which beats the default', async t => {
  const file = join(t.testdir(), 'l2sm.yaml')
  writeFileSync(
    file,
    'http: 127.0.0.4:0\nopenflow: [tcp:127.0.0.5:0, tcp:127.0.0.6:0]\nstore: memory\nlog-level: info\n',
  )
  const host = (address: string) => address.replace(/:\d+$/, '')
  const inFile = await startController(t, ['--config', file])
  t.equal(host(inFile.http), '127.0.0.4')
  t.same(inFile.openflow.map(host), ['tcp:127.0.0.5', 'tcp:127.0.0.6'])

  const env = { L2SM_CONFIG: file, L2SM_HTTP: '127.0.0.3:0', L2SM_OPENFLOW: 'tcp:127.0.0.7:0 tcp:127.0.0.8:0' }
  const inVariables = await startController(t, [], env)
  t.equal(host(inVariables.http), '127.0.0.3')
  t.same(inVariables.openflow.map(host), ['tcp:127.0.0.7', 'tcp:127.0.0.8'])

  const inFlags = await startController(t, ['--http', '127.0.0.2:0', '--openflow=tcp:[::1]:0'], env)
  t.equal(host(inFlags.http), '127.0.0.2')
  t.same(inFlags.openflow.map(host), ['tcp:[::1]'], 'a list is replaced as a whole')
})

t.test('every option can be given in every way, and reads the same', async t => {
  const values: { readonly [name: string]: string } = {
    openflow: 'tls:127.0.0.9:1',
    'openflow-key': '/etc/l2sm/controller.key',
    'openflow-cert': '/etc/l2sm/controller.crt',
    'openflow-ca': '/etc/l2sm/ca.crt',
    'openflow-any-dpid': 'true',
    http: '127.0.0.9:2',
    'http-cert': '/etc/l2sm/http.crt',
    'http-key': '/etc/l2sm/http.key',
    'http-client-ca': '/etc/l2sm/clients.crt',
    probes: '127.0.0.9:3',
    store: 'sqlite:/var/lib/l2sm.db',
    'vlan-range': '100-199',
    'token-file': '/run/token',
    'credentials-file': '/run/credentials',
    'onos-auth-file': '/run/login',
    'compat-auth': 'false',
    profile: 'onos',
    takeover: 'true',
    adopt: '1',
    prove: 'enforce',
    'log-level': 'debug',
  }
  const names = optionNames.filter(name => name !== 'config')
  t.same(Object.keys(values).sort(), [...names].sort(), 'this test knows every option')
  const yaml = names.map(name => `${name}: ${values[name]}\n`).join('')
  const readFile = async () => yaml
  const read = (argv: readonly string[], env: { readonly [name: string]: string }) =>
    readConfig({ argv, env, readFile })
  const byFlag = await read(
    names.map(name => `--${name}=${values[name]}`),
    {},
  )
  const byVariable = await read([], Object.fromEntries(names.map(name => [variableOf(name), values[name]!])))
  const byFile = await read(['--config', 'x.yaml'], {})
  t.match(byFlag, {
    is: 'config',
    config: {
      openflow: [{ scheme: 'tls', host: '127.0.0.9', port: 1 }],
      'openflow-key': '/etc/l2sm/controller.key',
      'openflow-cert': '/etc/l2sm/controller.crt',
      'openflow-ca': '/etc/l2sm/ca.crt',
      'openflow-any-dpid': true,
      http: { host: '127.0.0.9', port: 2 },
      'http-cert': '/etc/l2sm/http.crt',
      'http-key': '/etc/l2sm/http.key',
      'http-client-ca': '/etc/l2sm/clients.crt',
      probes: { host: '127.0.0.9', port: 3 },
      store: { kind: 'sqlite', path: '/var/lib/l2sm.db' },
      'vlan-range': { first: 100, last: 199 },
      'token-file': '/run/token',
      'credentials-file': '/run/credentials',
      'compat-auth': false,
      profile: 'onos',
      takeover: true,
      adopt: true,
      prove: 'enforce',
      'log-level': 'debug',
    },
  })
  t.same(byVariable, byFlag)
  if (byFile.is !== 'config' || byFlag.is !== 'config') return t.fail('both are read')
  t.same({ ...byFile.config, config: undefined }, byFlag.config)
})

t.test(
  'without anything said it listens on loopback; as ONOS it listens where ONOS does, and says what that means',
  async t => {
    const read = (argv: readonly string[]) => readConfig({ argv, env: {}, readFile: async () => '' })
    t.match(await read([]), {
      is: 'config',
      config: {
        http: { host: '127.0.0.1', port: 8181 },
        openflow: [
          { host: '127.0.0.1', port: 6653 },
          { host: '127.0.0.1', port: 6633 },
        ],
        store: { kind: 'sqlite', path: 'l2sm.db' },
        'compat-auth': false,
      },
      warnings: [],
    })
    const onos = await read(['--profile', 'onos'])
    t.match(onos, {
      config: {
        http: { host: '0.0.0.0', port: 8181 },
        openflow: [
          { host: '0.0.0.0', port: 6633 },
          { host: '0.0.0.0', port: 6653 },
        ],
        'compat-auth': true,
      },
    })
    const warnings = onos.is === 'config' ? onos.warnings.join('\n') : ''
    for (const about of ['karaf:karaf', 'without TLS', '--token-file']) t.ok(warnings.includes(about), about)
    t.match(await read(['--profile', 'onos', '--onos-auth-file', 'f']), { config: { 'compat-auth': false } })
    t.match(await read(['--profile', 'onos', '--http', '127.0.0.1:1']), {
      config: { http: { host: '127.0.0.1', port: 1 } },
    })
  },
)

t.test('OpenFlow beyond loopback is with TLS, unless tcp: asks for none, which is warned of', async t => {
  const read = (...argv: readonly string[]) => readConfig({ argv, env: {}, readFile: async () => '' })
  t.match(await read('--openflow', '127.0.0.1:1'), { config: { openflow: [{ scheme: 'tcp' }] }, warnings: [] })
  const files = ['--openflow-key', 'k', '--openflow-cert', 'c', '--openflow-ca', 'a']
  for (const place of ['0.0.0.0:6653', '[::]:6653', '192.0.2.1:6653', 'controller.example:6653']) {
    t.match(
      await read('--openflow', place, ...files),
      { config: { openflow: [{ scheme: 'tls' }] }, warnings: [] },
      place,
    )
    t.match(await read('--openflow', place), { is: 'wrong', faults: [/needs --openflow-key FILE/] }, place)
  }
  t.match(await read('--openflow', 'tcp:0.0.0.0:6653'), { warnings: [/without TLS/] })
})
