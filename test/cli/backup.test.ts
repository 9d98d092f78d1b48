import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const put = async (base: string, ...ids: readonly string[]) => {
  for (const id of ids) await fetch(`${base}/v1/networks/${id}`, { method: 'PUT' })
}
const networks = async (base: string): Promise<readonly string[]> => {
  const { networks } = (await (await fetch(`${base}/v1/networks`)).json()) as { networks: { id: string }[] }
  return networks.map(({ id }) => id).sort()
}
const args = (path: string) => ['--http', '127.0.0.1:0', '--openflow', '127.0.0.1:0', '--store', `sqlite:${path}`]

t.test('a backup is taken from a controller that runs, and put back into it', async t => {
  const folder = t.testdir()
  const [path, file] = [join(folder, 'l2sm.db'), join(folder, 'one.l2sm-backup')]
  const { base, stop } = await startController(t, args(path))
  await put(base, 'red', 'blue')
  const taken = await run(['backup', file, '--controller', base])
  t.match(
    taken,
    { code: 0, stdout: /one\.l2sm-backup: whole; store [0-9a-f]{10}, revision 2, 2 networks, 0 attachments/ },
    taken.stderr,
  )
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(await run(['backup', file, '--controller', base]), { code: 1, stderr: /is there already/ })
  t.match(await run(['backup', `${file}2`, '--store', `sqlite:${path}`]), {
    code: 1,
    stderr: /is open in another process/,
  })

  await put(base, 'green')
  await fetch(`${base}/v1/networks/blue`, { method: 'DELETE' })
  t.same(await networks(base), ['green', 'red'])
  const back = await run(['restore', file, '--controller', base])
  t.match(back, { code: 0, stdout: /as revision 5/ }, back.stderr)
  t.same(await networks(base), ['blue', 'red'])
  t.equal(await stop('SIGTERM'), 0)
  const again = await startController(t, args(path))
  t.same(await networks(again.base), ['blue', 'red'], 'it is on disk')
})

t.test('a backup that is not whole, or of another store, changes nothing', async t => {
  const folder = t.testdir()
  const [path, other, file] = ['l2sm.db', 'other.db', 'one.l2sm-backup'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const first = await startController(t, args(other))
  await put(first.base, 'theirs')
  t.match(await run(['backup', file, '--controller', first.base]), { code: 0 })
  const { base, stop } = await startController(t, args(path))
  await put(base, 'ours')
  t.match(await run(['restore', file, '--controller', base]), {
    code: 1,
    stderr: /409 the backup is of store .*l2sm restore FILE --store/,
  })
  const bytes = readFileSync(file)
  bytes[bytes.indexOf('theirs')] = 0x54
  writeFileSync(file, bytes)
  chmodSync(file, 0o600)
  t.match(await run(['restore', file, '--controller', base]), { code: 1, stderr: /is damaged/ })
  t.same(await networks(base), ['ours'])
  await stop('SIGTERM')
  t.match(await run(['restore', file, '--store', `sqlite:${path}`]), { code: 1, stderr: /is damaged/ })
  const again = await startController(t, args(path))
  t.same(await networks(again.base), ['ours'])
})

t.test('without a controller a backup takes the place of the file, which is kept', async t => {
  const folder = t.testdir()
  const [path, file] = [join(folder, 'l2sm.db'), join(folder, 'one.l2sm-backup')]
  const { base, stop } = await startController(t, args(path))
  await put(base, 'red')
  t.match(await run(['restore', file, '--store', `sqlite:${path}`]), { code: 1, stderr: /there is no store at/ })
  t.match(await run(['backup', file, '--controller', base]), { code: 0 })
  await put(base, 'blue')
  t.match(await run(['restore', file, '--store', `sqlite:${path}`]), { code: 1, stderr: /is open in another process/ })
  await stop('SIGKILL')
  const restored = await run(['restore', file, '--store', `sqlite:${path}`])
  t.match(restored, { code: 0, stdout: /1 networks.*before-restore/ }, restored.stderr)
  t.ok(existsSync(`${path}.before-restore`))
  const again = await startController(t, args(path))
  t.same(await networks(again.base), ['red'])
})

t.test('what is asked for wrongly is told', async t => {
  t.match(await run(['backup']), { code: 2, stderr: /missing required argument 'FILE'/ })
  t.match(await run(['backup', 'x', '--store', 'memory']), { code: 2, stderr: /expected sqlite:PATH/ })
  t.match(await run(['restore', 'x', '--store', 'sqlite:y', '--controller', 'http://z']), {
    code: 2,
    stderr: /give no --controller/,
  })
  t.match(await run(['backup', 'x', '--controller', 'z']), { code: 2, stderr: /expected http:/ })
  t.match(await run(['restore', '--help']), { code: 0, stdout: /usage: l2sm restore FILE/ })
})

t.test('a new credential is printed as a row of the file, its secret apart from it', async t => {
  const folder = t.testdir()
  const out = join(folder, 'token')
  const made = await run(['token', 'worker-1', '--role', 'node:worker-1', '--out', out])
  t.match(made, {
    code: 0,
    stdout: /^- \{name: worker-1, role: 'node:worker-1', token: sha256:[0-9a-f]{64}\}\n$/,
    stderr: '',
  })
  t.equal(statSync(out).mode & 0o777, 0o600)
  t.match(await run(['token', 'x', '--out', out]), { code: 1, stderr: /EEXIST/ })
  const secret = join(folder, 'admin')
  const row = await run(['token', 'admin', '--role', 'admin', '--out', secret])
  const credentials = join(folder, 'credentials.yaml')
  writeFileSync(credentials, `credentials:\n  ${row.stdout}`, { mode: 0o600 })
  const { base } = await startController(t, [...args(join(folder, 'l2sm.db')), '--credentials-file', credentials])
  t.equal((await fetch(`${base}/v1/networks`)).status, 401)
  const authorization = `Bearer ${readFileSync(secret, 'utf8').trim()}`
  t.equal((await fetch(`${base}/v1/networks`, { headers: { authorization } })).status, 200)
  const backup = join(folder, 'b')
  t.match(await run(['backup', backup, '--controller', base]), { code: 1, stderr: /401/ })
  t.match(await run(['backup', backup, '--controller', base, '--token-file', secret]), { code: 0 })
  t.match(await run(['token', 'x', '--role', 'root']), { code: 2, stderr: /expected read, write, admin or node:NODE/ })
  t.match(await run(['token', 'a b']), { code: 2, stderr: /no name of a credential/ })
})
