// The files for OpenFlow over TLS: made, checked at the start, and read again when they change.
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { watchEnd } from '../../cli/certificate-end.ts'
import { readConfig } from '../../cli/config.ts'
import { expiryOf, readTls } from '../../cli/tls.ts'
import { watchTls } from '../../cli/tls-watch.ts'
import { authority, missingOpenssl, type Pem } from '../openflow/certificates.ts'
import { fakeSwitch } from '../openflow/fake-switch.ts'
import { run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

t.test('TLS needs its three files, and files without TLS are warned of', async t => {
  const read = (...argv: readonly string[]) => readConfig({ argv, env: {}, readFile: async () => '' })
  t.same(await read('--openflow', 'tls:127.0.0.1:1', '--openflow-cert', 'c'), {
    is: 'wrong',
    faults: ['openflow tls:127.0.0.1:1 needs --openflow-key FILE and --openflow-ca FILE: l2sm pki makes such files'],
  })
  const files = ['--openflow-key', 'k', '--openflow-cert', 'c', '--openflow-ca', 'a', '--store', 'sqlite:x']
  t.match(await read('--openflow', 'tls:0.0.0.0:1', '--openflow', 'tcp:127.0.0.1:2', ...files), {
    is: 'config',
    config: {
      openflow: [
        { scheme: 'tls', port: 1 },
        { scheme: 'tcp', port: 2 },
      ],
    },
    warnings: [],
  })
  t.match(await read('--openflow', 'tls:0.0.0.0:1', '--openflow', 'tcp:0.0.0.0:2', ...files), {
    warnings: [/^OpenFlow on tcp:0\.0\.0\.0:2 is without TLS/],
  })
  t.match(await read(...files), { warnings: [/openflow-key and openflow-cert and openflow-ca is not used/] })
  t.match(await read('--openflow', 'tls:0.0.0.0:1', '--openflow', 'tcp:0.0.0.0:1', ...files), {
    faults: ['openflow has 0.0.0.0:1 twice: give each address once'],
  })
})

const missing = missingOpenssl()
if (missing !== undefined && process.env['CI']) t.fail(`openssl is needed in CI: ${missing}`)
else if (missing !== undefined) t.test(`SKIPPED: ${missing}`, { skip: missing }, () => undefined)
else {
  t.test('pki makes files for their owner only, keeps what is there, and renews on request', async t => {
    const folder = join(t.testdir(), 'new', 'pki')
    const pki = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await run(['pki', folder, ...args])
      t.equal(code, 0, stderr)
      return stdout
    }
    const text = (name: string) => readFileSync(join(folder, name), 'utf8')
    const certificate = (name: string) => new X509Certificate(text(name))
    const printed = await pki(
      '--switch',
      'a=00000000000000AA',
      '--switch',
      'b',
      '--controller',
      'ctl.example',
      '--controller',
      '::1',
    )
    for (const expected of [
      `--openflow-key ${folder}/controller.key --openflow-cert ${folder}/controller.crt --openflow-ca ${folder}/ca.crt`,
      `ovs-vsctl set-ssl ${folder}/switch-a.key ${folder}/switch-a.crt ${folder}/ca.crt`,
      'ovs-vsctl set-controller br0 ssl:ctl.example:6653',
      'switch a, datapath 00000000000000aa',
      'switch b, no datapath',
    ])
      t.ok(printed.includes(expected), expected)
    const files = ['ca', 'controller', 'switch-a', 'switch-b'].flatMap(name => [`${name}.crt`, `${name}.key`])
    t.same(readdirSync(folder).sort(), files)
    for (const file of files) t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
    t.equal(statSync(folder).mode & 0o777, 0o700)
    const controller = certificate('controller.crt')
    t.ok(controller.checkHost('ctl.example') && controller.checkIP('::1'))
    for (const name of ['controller.crt', 'switch-a.crt'])
      t.ok(certificate(name).verify(certificate('ca.crt').publicKey))

    const before = Object.fromEntries(files.map(name => [name, text(name)]))
    t.match(await pki('--switch', 'a', '--switch', 'c'), /kept .*switch-a\.crt[\s\S]*made .*switch-c\.crt/)
    t.same(Object.fromEntries(files.map(name => [name, text(name)])), before)
    const other = await run(['pki', folder, '--switch', 'a=00000000000000bb'])
    t.match(other, { code: 1, stderr: /is for 00000000000000aa: --renew makes one for 00000000000000bb/ })
    t.match(await run(['pki', folder, '--controller', 'other']), { code: 1, stderr: /is not for other: --renew/ })

    await pki('--renew', '--switch', 'a', '--days', '7')
    for (const name of ['ca.crt', 'ca.key', 'switch-b.key']) t.equal(text(name), before[name], `${name} stays`)
    for (const name of ['controller.key', 'controller.crt', 'switch-a.key'])
      t.not(text(name), before[name], `${name} is new`)
    t.match(certificate('switch-a.crt').subjectAltName, '00000000000000aa', 'and stands for no more than it did')
    t.ok(certificate('controller.crt').checkHost('ctl.example'))
    const days =
      (expiryOf({ key: '', cert: text('controller.crt'), ca: text('ca.crt') }).getTime() - Date.now()) / 86_400_000
    t.ok(days > 6 && days <= 7)
    await pki('--renew', '--switch', 'a=00000000000000bb,00000000000000BC')
    t.equal(
      certificate('switch-a.crt').subjectAltName,
      'URI:l2sm:dpid:00000000000000bb, URI:l2sm:dpid:00000000000000bc',
      'one certificate for all bridges of an Open vSwitch',
    )
    t.same(
      readdirSync(folder).filter(name => name.startsWith('.')),
      [],
      'nothing is left lying about',
    )
  })

  t.test('pki says what is wrong with what it is asked, and what it lacks', async t => {
    const wrong = await run([
      ...['pki', '/nowhere', '--switch', 'a b', '--switch', 'x=1', '--switch', '00000000000000aa=00000000000000bb'],
      ...['--switch', 'y', '--switch', 'y', '--controller', 'ctl:6653', '--days', '0'],
    ])
    t.equal(wrong.code, 2)
    for (const expected of [
      '--switch "a b": expected a name',
      '--switch "x=1": expected 16 hex digits after the =, or several such with commas between, got "1"',
      'the name is a datapath id, but another one',
      'two switches y',
      '--controller "ctl:6653": expected a name or an address, without a port',
      '--days "0": expected 1 to 3650',
    ])
      t.ok(wrong.stderr.includes(expected), `${expected}\n${wrong.stderr}`)
    t.match(await run(['pki', '--switch', 'a']), { code: 2, stderr: /missing required argument 'DIR'/ })
    t.match(await run(['pki', '--help']), { code: 0, stdout: /usage: l2sm pki DIR/ })
    const folder = t.testdir({ 'ca.crt': '' })
    t.match(await run(['pki', folder]), { code: 1, stderr: /one of ca\.key and ca\.crt only/ })
    t.same(readFileSync(join(folder, 'ca.crt'), 'utf8'), '', 'and nothing is touched')
  })

  const ours = await authority(t.testdir())
  const good = await ours.sign({ usage: 'server' })
  const client = await ours.sign({})
  const placed = (t: Test, pem: Pem) => {
    const folder = t.testdir({ key: pem.key, cert: pem.cert, ca: pem.ca })
    return { key: join(folder, 'key'), cert: join(folder, 'cert'), ca: join(folder, 'ca') }
  }
  const text = (path: string) => readFile(path, 'utf8')

  t.test('files that are of no use are refused at the start, by option and name', async t => {
    const expired = await ours.sign({ usage: 'server', days: -1 })
    const cases: readonly (readonly [Pem, ...RegExp[]])[] = [
      [{ ...good, key: 'x' }, /^openflow-key \S+key: expected a private key in PEM/],
      [{ ...good, cert: good.key }, /^openflow-cert \S+cert: expected a certificate in PEM/],
      [{ ...good, ca: '' }, /^openflow-ca \S+ca: expected a certificate in PEM/],
      [{ ...good, ca: `${good.ca}\n${good.ca.slice(0, 300)}` }, /^openflow-ca \S+ca: expected a certificate in PEM/],
      [{ ...good, key: client.key }, /^openflow-cert \S+cert is not the certificate of openflow-key \S+key$/],
      [client, /^openflow-cert \S+cert is not for servers/],
      [expired, /^openflow-cert \S+cert has expired on /],
      [{ ...good, ca: good.cert }, /^openflow-ca \S+ca is none of a CA$/],
    ]
    for (const [pem, expected] of cases) {
      const { faults } = await readTls(placed(t, pem), text, new Date())
      t.equal(faults.length, 1, faults.join())
      t.match(faults[0], expected)
    }
    t.same((await readTls(placed(t, good), text, new Date())).faults, [])
    t.match((await readTls(placed(t, good), text, new Date(0))).faults, [/is not valid before/, /is not valid before/])

    const files = placed(t, client)
    const flags = ['--openflow-key', '/nowhere/key', '--openflow-cert', files.cert, '--openflow-ca', '/nowhere/ca']
    const { code, stdout, stderr } = await run(['controller', '--openflow', 'tls:127.0.0.1:0', ...flags])
    t.match({ code, stdout }, { code: 2, stdout: '' })
    t.match(stderr, /openflow-key \/nowhere\/key can not be read: there is no such file/)
    t.match(stderr, /openflow-ca \/nowhere\/ca can not be read: there is no such file/)
  })

  t.test('files are taken however they are replaced, and those of no use are not', async t => {
    const files = placed(t, good)
    const folder = join(files.key, '..')
    const renewed: Pem[] = []
    const said: string[] = []
    const say = (words: string) => void said.push(words)
    const watch = watchTls({
      ...{ files, credentials: good, readFile: text, every: 5 },
      renew: credentials => void renewed.push(credentials),
      end: { look: () => {} },
      log: { info: say, warn: say, error: say },
    })
    t.teardown(() => watch.close())
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise(resolve => setTimeout(resolve, 5))
    }
    const taken = async (pem: Pem, how: string) => {
      await until(() => renewed.at(-1)?.cert === pem.cert && renewed.at(-1)?.key === pem.key)
      t.pass(how)
    }
    const next = () => ours.sign({ usage: 'server', days: 100 })

    const written = await next()
    writeFileSync(files.key, written.key)
    writeFileSync(files.cert, written.cert)
    await taken(written, 'written over')

    const renamed = await next()
    for (const part of ['key', 'cert'] as const) {
      writeFileSync(`${files[part]}.new`, renamed[part])
      renameSync(`${files[part]}.new`, files[part])
    }
    await taken(renamed, 'renamed')

    const linked = await next()
    mkdirSync(join(folder, '1'))
    for (const part of ['key', 'cert', 'ca'] as const) {
      writeFileSync(join(folder, '1', part), linked[part])
      rmSync(files[part])
      symlinkSync(join('data', part), files[part])
    }
    symlinkSync('1', join(folder, 'data'))
    await taken(linked, 'a link to a folder, as of a Kubernetes Secret')

    const swapped = await next()
    mkdirSync(join(folder, '2'))
    for (const part of ['key', 'cert', 'ca'] as const) writeFileSync(join(folder, '2', part), swapped[part])
    symlinkSync('2', join(folder, 'data.new'))
    renameSync(join(folder, 'data.new'), join(folder, 'data'))
    await taken(swapped, 'that link replaced')

    const count = renewed.length
    const complaints = () => said.filter(words => words.includes('of no use, those read before stay in use'))
    const seen = complaints().length
    writeFileSync(files.cert, client.cert)
    await until(() => complaints().length > seen)
    t.match(complaints().at(-1), 'is not the certificate of openflow-key')
    rmSync(files.ca)
    await until(() => complaints().at(-1)?.includes('can not be read') === true)
    const told = complaints().length
    await new Promise(resolve => setTimeout(resolve, 100))
    t.equal(complaints().length, told, 'once, not at every look')
    await watch.look()
    t.equal(complaints().length, told + 1, 'and again when asked')
    t.equal(renewed.length, count)

    writeFileSync(files.cert, swapped.cert)
    writeFileSync(files.ca, swapped.ca)
    await until(() => said.at(-1) === 'the files for OpenFlow over TLS are those in use')
    t.equal(renewed.length, count, 'what is in use already is not taken again')
    const last = await next()
    writeFileSync(files.key, last.key)
    writeFileSync(files.cert, last.cert)
    await taken(last, 'after all that')
  })

  t.test('a certificate that ends soon is warned of', async t => {
    for (const [days, warned] of [
      [2, true],
      [100, false],
    ] as const) {
      const told: boolean[] = []
      const quiet = () => {}
      const credentials = await ours.sign({ usage: 'server', days })
      const watch = watchTls({
        files: placed(t, credentials),
        credentials,
        readFile: text,
        renew: () => undefined,
        end: watchEnd(
          () => {},
          (ends, isOver) => void told.push(isOver || ends.getTime() < Date.now()),
        ),
        log: { info: quiet, warn: quiet, error: quiet },
      })
      watch.close()
      t.same(told, warned ? [false] : [])
    }
  })

  t.test(
    'a running controller takes new files on its own and on SIGHUP; its switch stays, and then it ends as asked',
    async t => {
      const folder = t.testdir()
      const pki = (...args: readonly string[]) => run(['pki', folder, '--switch', 's=00000000000000aa', ...args])
      t.equal((await pki()).code, 0)
      const at = (name: string) => join(folder, name)
      const flags = [
        '--openflow-key',
        at('controller.key'),
        '--openflow-cert',
        at('controller.crt'),
        '--openflow-ca',
        at('ca.crt'),
      ]
      const where = [
        '--http',
        '127.0.0.1:0',
        '--store',
        'memory',
        '--openflow',
        'tls:127.0.0.1:0',
        '--openflow',
        'tcp:127.0.0.1:0',
      ]
      const { log, openflow, hangUp, stop } = await startController(t, [...where, ...flags])
      t.match(openflow, [/^tls:127\.0\.0\.1:[1-9]/, /^tcp:127\.0\.0\.1:[1-9]/])
      const address = { host: '127.0.0.1', port: Number(openflow[0]!.split(':').at(-1)) }
      const connect = (dpid: bigint) =>
        fakeSwitch(address, {
          dpid,
          tls: { key: readFileSync(at('switch-s.key')), cert: readFileSync(at('switch-s.crt')) },
        })
      const until = async (words: string, count = 1) => {
        while (log.filter(({ msg }) => msg.includes(words)).length < count)
          await new Promise(resolve => setTimeout(resolve, 20))
      }
      const fake = await connect(0xaan)
      await fake.got('bundle_add')
      let gone = false
      void fake.closed.then(() => {
        gone = true
      })
      const shows = async () => {
        const other = await connect(0xbbn)
        await other.closed
        return other.shown
      }
      const first = await shows()
      t.equal(first, fake.shown)

      await pki('--renew')
      await until('uses new files')
      const second = await shows()
      t.not(second, first)
      hangUp()
      await until('are those in use')
      writeFileSync(at('controller.crt'), 'torn')
      await until('of no use, those read before stay in use')
      hangUp()
      await until('of no use, those read before stay in use', 2)
      t.equal(await shows(), second, 'a bad file changes nothing')
      t.notOk(gone, 'the switch was connected all the time')
      fake.say({ type: 'echo_request', xid: 7, payload: Buffer.from('still here') })
      t.match(await fake.got('echo_reply'), { payload: Buffer.from('still here') })
      t.equal(await stop('SIGTERM'), 0)
      t.equal(await fake.closed, undefined)
    },
  )
}
