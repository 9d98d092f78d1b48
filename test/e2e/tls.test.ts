// Real Open vSwitch and the real command, by TLS, with the files that `l2sm pki` makes and the lines that it prints.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { run, startController } from '../cli/command.ts'
import { missingOpenssl } from '../openflow/certificates.ts'
import { missingOvs, startDummyOvs } from '../ovs/dummy-ovs.ts'

t.setTimeout(180_000)

const exec = promisify(execFile)
const dpid = '00000000000000aa'

/** The controller, and Open vSwitch with access ports 1 and 2, told to connect to it by the printed lines. */
async function stage(t: Test) {
  const folder = t.testdir()
  const pki = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(['pki', folder, '--switch', `br0=${dpid}`, ...args])
    t.equal(code, 0, stderr)
    return stdout
  }
  const printed = await pki()
  const own = printed.match(/--openflow-key .*/)?.[0].split(' ') ?? []
  const args = ['--http', '127.0.0.1:0', '--store', 'memory', '--openflow', 'tls:127.0.0.1:0', ...own]
  const controller = await startController(t, args)
  const ovs = await startDummyOvs([1, 2], [])
  t.teardown(() => ovs.close())
  const vsctl = async (...words: readonly string[]) => {
    const { stdout } = await exec('ovs-vsctl', [
      `--db=unix:${join(ovs.directory, 'db.sock')}`,
      '--timeout=30',
      ...words,
    ])
    return stdout.trim()
  }
  const line = (command: string) => printed.match(new RegExp(`ovs-vsctl (${command} .*)`))?.[1]?.split(' ') ?? []
  const port = controller.openflow[0]!.split(':').at(-1)!
  await vsctl('set', 'bridge', 'br0', `other_config:datapath-id=${dpid}`)
  await vsctl(...line('set-ssl'))
  const connect = () => vsctl(...line('set-controller').map(word => word.replace(/6653$/, port)))
  await connect()
  const counted = async (result: string) => {
    const metrics = await (await fetch(`${controller.base}/metrics`)).text()
    return Number(metrics.match(new RegExp(`connections_total\\{result="${result}"\\} (\\d+)`))?.[1] ?? 0)
  }
  return {
    ...{ folder, pki, controller, vsctl, connect, counted },
    /** Resolves when so many connections went so. */
    async until(result: string, count: number) {
      while ((await counted(result)) < count) await new Promise(resolve => setTimeout(resolve, 50))
    },
    async flows() {
      const { stdout } = await exec('ovs-ofctl', ['-O', 'OpenFlow13', 'dump-flows', `unix:${ovs.directory}/br0.mgmt`])
      return stdout.split('\n').filter(text => text.includes('cookie=')).length
    },
    async attach(port: number) {
      const path = `/v1/networks/red/attachments/${dpid}/${port}?wait=60s`
      return JSON.parse(await (await fetch(`${controller.base}${path}`, { method: 'PUT' })).text())
    },
  }
}

const missing = (await missingOvs()) ?? missingOpenssl()
if (missing !== undefined && process.env['CI']) t.fail(`real Open vSwitch and openssl are needed in CI: ${missing}`)
else if (missing !== undefined) t.test(`SKIPPED: ${missing}`, { skip: missing }, () => undefined)
else {
  t.test('Open vSwitch connects by TLS and is programmed; new certificates do not disconnect it', async t => {
    const { controller, ...s } = await stage(t)
    await s.until('up', 1)
    await fetch(`${controller.base}/v1/networks/red`, { method: 'PUT' })
    t.match(await s.attach(1), { state: 'programmed' })
    const before = await s.flows()
    t.ok(before > 0, 'it has flows')

    await s.pki('--renew')
    while (!controller.log.some(({ msg }) => msg.includes('uses new files'))) await new Promise(r => setTimeout(r, 50))
    t.match(await s.attach(2), { state: 'programmed' }, 'and is still programmed')
    t.ok((await s.flows()) > before)
    t.same([await s.counted('up'), await s.counted('closed'), await s.counted('lost')], [1, 0, 0])
    // Open vSwitch writes this column every few seconds only.
    const connected = () => s.vsctl('get', 'controller', 'br0', 'is_connected')
    while ((await connected()).trim() !== 'true') await new Promise(r => setTimeout(r, 100))

    await s.vsctl('del-controller', 'br0')
    await s.until('closed', 1)
    await s.connect()
    await s.until('up', 2)
    t.equal(await s.counted('certificate'), 0, 'with the new certificates on both sides')
    t.equal(await controller.stop('SIGTERM'), 0)
  })

  t.test('Open vSwitch with a datapath that its certificate does not name is refused', async t => {
    const s = await stage(t)
    await s.until('up', 1)
    await s.vsctl('set', 'bridge', 'br0', 'other_config:datapath-id=00000000000000bb')
    await s.until('wrong_dpid', 1)
    t.equal(await s.counted('up'), 1)
    t.match(await (await fetch(`${s.controller.base}/v1/switches`)).text(), /^(?!.*00000000000000bb)/s)
    await s.vsctl('set', 'bridge', 'br0', `other_config:datapath-id=${dpid}`)
    await s.until('up', 2)
  })

  t.test('Open vSwitch without TLS, or with a certificate of somebody else, is refused', async t => {
    const s = await stage(t)
    await s.until('up', 1)
    const strangers = mkdtempSync(join(tmpdir(), 'l2sm-pki-'))
    t.teardown(() => rmSync(strangers, { recursive: true, force: true }))
    t.equal((await run(['pki', strangers, '--switch', 'x'])).code, 0)
    const at = (name: string) => join(strangers, name)
    const [target = ''] = (await s.vsctl('get-controller', 'br0')).split('\n')
    await s.vsctl('del-controller', 'br0')
    await s.vsctl('set-controller', 'br0', target.replace('ssl:', 'tcp:'))
    await s.until('tls_failed', 1)
    await s.vsctl('del-controller', 'br0', '--', 'del-ssl')
    // It trusts the controller: so it is the controller that refuses.
    const [key, cert, ca] = [at('switch-x.key'), at('switch-x.crt'), `${s.folder}/ca.crt`]
    await s.vsctl('set-ssl', key, cert, ca, '--', 'set-controller', 'br0', target)
    await s.until('certificate', 1)
    t.equal(await s.counted('up'), 1)
  })
}
