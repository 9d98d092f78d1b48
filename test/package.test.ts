// What is published runs where Node strips no types: under node_modules.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'

/** Without the loaders that tap puts into every Node process which is started below it. */
const plain = (...command: string[]): [string, string[]] => ['env', ['-u', 'NODE_OPTIONS', ...command]]
const root = new URL('..', import.meta.url).pathname
const skipped = new Set(['node_modules', '.git', '.tap', 'dist', 'test', 'bench'])

/** Packs a copy of the project and lays the tarball out as npm would; answers the installed package's folder. */
function install(scratch: string): string {
  const copy = join(scratch, 'copy')
  cpSync(root, copy, { recursive: true, filter: path => path === root || !skipped.has(basename(path)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  execFileSync(...plain('npm', 'pack', '--pack-destination', scratch), { cwd: copy, stdio: 'pipe' })
  const installed = join(scratch, 'node_modules', 'l2sm')
  mkdirSync(installed, { recursive: true })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  execFileSync('tar', ['-xzf', join(scratch, `l2sm-${version}.tgz`), '-C', installed, '--strip-components=1'])
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'))
  return installed
}

/** What the command is to an old Node, as far as it gets there: it reads the version before anything else. */
const asOldNode = `Object.defineProperty(process.versions, 'node', { value: '18.19.0' }); require(process.argv[1])`

t.test('npx l2sm is the command of the checkout', async t => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.equal(
    execFileSync(...plain('npx', 'l2sm', '--version'), { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim(),
    version,
  )
})

t.test('the end of npm start is the end of the controller', async t => {
  const scratch = mkdtempSync(join(tmpdir(), 'l2sm-start-'))
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }))
  const place = ['--http', '127.0.0.1:0', '--openflow', '127.0.0.1:0', '--store', `sqlite:${join(scratch, 'x.db')}`]
  const npm = spawn(...plain('npm', 'start', '--', ...place), { cwd: root })
  const ended = once(npm, 'exit')
  let said = ''
  npm.stdout.setEncoding('utf8')
  for await (const text of npm.stdout) {
    said += text
    if (said.includes('"msg":"ready"')) break
  }
  npm.kill('SIGTERM')
  await ended
  const pid = Number(/"pid":(\d+)/.exec(said)?.[1])
  t.ok(pid > 1, said)
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'nothing is left running')
})

t.test('the package installs and its command runs, store and all', { timeout: 180_000 }, async t => {
  const scratch = mkdtempSync(join(tmpdir(), 'l2sm-package-'))
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }))
  const installed = install(scratch)
  const { bin, version, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  const command = join(installed, bin.l2sm)
  t.equal(execFileSync(...plain(process.execPath, command, '--version'), { encoding: 'utf8' }).trim(), version)

  const files = [
    'docs/architecture.md',
    'docs/operations.md',
    'docs/threat-model.md',
    'openflow/README.md',
    'SECURITY.md',
  ]
  for (const file of [...files, 'docs/l2sm-controller.service']) t.ok(existsSync(join(installed, file)), file)
  const old = spawnSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', asOldNode, command], {
    encoding: 'utf8',
  })
  t.match(old, {
    status: 1,
    stderr: /^l2sm: needs Node 24 or newer, and this is Node 18\.19\.0 \(.*\): install one[^\n]*\n$/,
  })

  const { decode, encode } = await import(join(installed, exports['./openflow']))
  t.match(decode(encode({ type: 'barrier_request', xid: 7 })), { type: 'barrier_request', xid: 7 })

  const made = execFileSync(...plain(process.execPath, command, 'pki', join(scratch, 'pki')), { encoding: 'utf8' })
  t.match(made, /made .*controller\.crt/)

  const options = [
    '--http',
    '127.0.0.1:0',
    '--openflow',
    'tcp:127.0.0.1:0',
    '--store',
    `sqlite:${join(scratch, 'x.db')}`,
  ]
  const controller = spawn(...plain(process.execPath, command, 'controller', ...options))
  const ended = once(controller, 'exit')
  t.teardown(() => controller.kill('SIGKILL'))
  let said = ''
  controller.stdout.on('data', data => {
    const before = said.includes('"msg":"ready"')
    said += data
    if (!before && said.includes('"msg":"ready"')) controller.kill('SIGTERM')
  })
  controller.stderr.on('data', data => {
    said += data
  })
  const [status] = await ended
  t.equal(status, 0, said)
  t.match(said, /"msg":"ready"/)
})
