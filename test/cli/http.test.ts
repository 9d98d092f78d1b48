// The controller with HTTPS, credentials in a file and probes of their own, as somebody would start it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createClient, RefusedError } from '../../api/contract/client.ts'
import { newToken } from '../../api/http/credentials.ts'
import { authority, missingOpenssl } from '../openflow/certificates.ts'
import { run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const alone = ['--openflow', 'tcp:127.0.0.1:0', '--store', 'memory', '--http', '127.0.0.1:0']
const file = (name: string, role: string, kept: string) =>
  `credentials:\n  - name: ${name}\n    role: ${role}\n    token: ${kept}\n`
const soon = async (isSo: () => Promise<boolean>) => {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 50))
}

t.test(
  'HTTPS, a role for each credential, and both taken anew while it runs',
  {
    skip: missingOpenssl() ?? false,
  },
  async t => {
    const folder = t.testdir()
    const at = (name: string) => join(folder, name)
    const put = (name: string, text: string) => writeFileSync(at(name), text, { mode: 0o600 })
    const [before, after] = [await authority(folder, 'before'), await authority(folder, 'after')]
    const certificate = async (of: typeof before, days = 100) => {
      const { key, cert } = await of.sign({ commonName: 'controller', usage: 'server', names: ['IP:127.0.0.1'], days })
      put('key', key)
      put('cert', cert)
    }
    await certificate(before)
    const [reader, writer] = [newToken(), newToken()]
    put('who.yaml', file('reader', 'read', reader.kept))
    const own = ['--http-cert', at('cert'), '--http-key', at('key'), '--credentials-file', at('who.yaml')]
    const { http, log, hangUp } = await startController(t, [...alone, ...own, '--probes', '127.0.0.1:0'])
    const client = (ca: string, token: string) => {
      const made = createClient({ url: new URL(`https://${http}`), ca, token })
      t.teardown(made.close)
      return made
    }
    const mine = client(before.ca, reader.secret)
    t.match(await mine.listNetworks(), { networks: [] })
    const refused = await mine.putNetwork({ network: 'a', body: {} }).catch((error: unknown) => error)
    t.ok(refused instanceof RefusedError && refused.code === 'forbidden', String(refused))

    put('who.yaml', file('writer', 'write', writer.kept))
    const other = client(before.ca, writer.secret)
    await soon(() =>
      other.putNetwork({ network: 'a', body: {} }).then(
        () => true,
        () => false,
      ),
    )
    t.ok((await mine.listNetworks().catch((error: unknown) => error)) instanceof RefusedError)
    const written = () => log.find(({ kind, actor }) => kind === 'write' && actor === 'writer')
    await soon(async () => written() !== undefined)
    t.match(written(), { object: 'network', network: 'a', msg: /by writer/ })
    t.notMatch(JSON.stringify(log), writer.secret)

    await certificate(after)
    t.notOk(
      log.some(({ kind }) => kind === 'certificate-ending'),
      'the first one lasts',
    )
    hangUp()
    const fresh = client(after.ca, writer.secret)
    await soon(() =>
      fresh.listNetworks().then(
        () => true,
        () => false,
      ),
    )
    t.match(await other.listNetworks(), { networks: [{ id: 'a' }] }, 'the connection that was there goes on')

    await certificate(after, 2)
    hangUp()
    const told = () => log.find(({ kind }) => kind === 'certificate-ending')
    await soon(async () => told() !== undefined)
    t.match(told(), { what: 'HTTPS', isOver: false, level: 40 }, 'one that ends in two days is told of')

    put('who.yaml', 'credentials: 7\n')
    hangUp()
    await soon(async () => log.some(({ level, msg }) => level === 50 && /file\/credentials: expected a list/.test(msg)))
    t.match(await fresh.listNetworks(), { networks: [{ id: 'a' }] }, 'a file of no use changes nothing')

    const { probes } = log.find(({ msg }) => msg === 'ready') as unknown as { readonly probes: string }
    t.equal((await fetch(`http://${probes}/livez`)).status, 200, 'probes need neither TLS nor a credential')
  },
)

t.test('a secret that everybody may read is refused, with the command that mends it', async t => {
  const path = join(t.testdir(), 'token')
  writeFileSync(path, 'a-token-of-some-length\n', { mode: 0o644 })
  for (const option of ['--token-file', '--onos-auth-file', '--credentials-file']) {
    const { code, stderr } = await run(['controller', ...alone, option, path])
    t.equal(code, 2)
    t.match(stderr, `everybody on this machine may read it; chmod 600 ${path} mends that`)
  }
})

t.test('options for HTTPS that do not fit together are refused', async t => {
  const rows: readonly (readonly [args: readonly string[], words: RegExp])[] = [
    [['--http-cert', 'c'], /http-cert and http-key belong together/],
    [['--http-client-ca', 'c'], /http-client-ca is for HTTPS/],
    [
      ['--http-cert', '/nowhere/c', '--http-key', '/nowhere/k'],
      /http-key \/nowhere\/k cannot be read: there is no such file/,
    ],
    [['--credentials-file', '/nowhere/c'], /credentials-file \/nowhere\/c: it cannot be read: there is no such file/],
  ]
  for (const [args, words] of rows) t.match(await run(['controller', ...alone, ...args]), { code: 2, stderr: words })
})
