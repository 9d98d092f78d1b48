// An installation makes its own certificates: the controller, the webhooks and the nodes have them of the operator.
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { createClient } from '../../api/contract/client.ts'
import { run as command } from '../../lab/command.ts'
import type { ControlPlane } from '../../lab/k8s/control-plane.ts'
import { place, type Secret } from '../../operator/kube/objects.ts'
import { l2sm, run, startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { dpidOf, namespace, needsCluster, startCluster } from './cluster.ts'

const base = new URL('../../manifests/base', import.meta.url).pathname

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1', 'n2'], scheduler: false, webhooks: false })
  const { plane, api } = cluster
  await plane.kubectl(['create', 'namespace', 'l2sm-nodes'])
  const agents = ['-f', join(base, 'agent.yaml'), '-f', join(base, 'rbac-certificates.yaml')]
  await plane.kubectl(['apply', '--server-side', ...agents, '-f', join(base, 'webhooks.yaml')])
  // Of agents and of the operator only rights are wanted here.
  await plane.kubectl(['-n', 'l2sm-nodes', 'delete', 'daemonset', 'l2sm-agent'])
  const port = await freePort()
  const url = new URL(`https://localhost:${port}`)
  await startOperator(t, plane, url)
  const secret = (name: string) => api.get<Secret>(place('secrets', { namespace, name }))
  const text = async (name: string, key: string) =>
    Buffer.from((await secret(name))?.data?.[key] ?? '', 'base64').toString()
  await until('the credentials are there', async () => (await secret('l2sm-credentials')) !== undefined, { ms: 60_000 })
  const ca = await text('l2sm-ca', 'tls.crt')

  const folder = join(plane.directory, 'controller-files')
  mkdirSync(folder)
  const file = async (name: string, from: string, key: string) => {
    writeFileSync(join(folder, name), await text(from, key), { mode: 0o600 })
    return join(folder, name)
  }
  const [key, cert, clientCa, credentials] = await Promise.all([
    file('tls.key', 'l2sm-controller-tls', 'tls.key'),
    file('tls.crt', 'l2sm-controller-tls', 'tls.crt'),
    file('ca.crt', 'l2sm-controller-tls', 'ca.crt'),
    file('credentials.yaml', 'l2sm-credentials', 'credentials.yaml'),
  ])
  const controller = await startController(t, [
    ...['--http', `127.0.0.1:${port}`, '--http-key', key, '--http-cert', cert, '--http-client-ca', clientCa],
    ...['--openflow', 'tls:127.0.0.1:0', '--openflow-key', key, '--openflow-cert', cert, '--openflow-ca', clientCa],
    ...['--credentials-file', credentials, '--store', 'memory'],
  ])

  t.test('the CA that signed the webhooks is told to the API server', async t => {
    const configuration = () =>
      api.get<{ webhooks: { clientConfig: { caBundle?: string } }[] }>(
        '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/l2sm-operator',
      )
    const told = async () => (await configuration())!.webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? '')
    await until('all webhooks have a CA', async () => (await told()).every(text => text !== ''), { ms: 20_000 })
    t.same(new Set((await told()).map(each => Buffer.from(each, 'base64').toString())), new Set([ca]))
    const webhooks = new X509Certificate(await text('l2sm-operator-tls', 'tls.crt'))
    t.ok(webhooks.verify(new X509Certificate(ca).publicKey))
    t.equal(webhooks.checkHost('l2sm-operator.l2sm-system.svc'), 'l2sm-operator.l2sm-system.svc')
  })

  const asNode = async (node: string, pod = `agent-${node}`) => {
    const spec = { nodeName: node, serviceAccountName: 'l2sm-agent', containers: [{ name: 'c', image: 'none' }] }
    const metadata = { name: pod, namespace: 'l2sm-nodes' }
    await plane.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec }))
    const token = ['-n', 'l2sm-nodes', 'create', 'token', 'l2sm-agent', '--bound-object-kind=Pod']
    return plane.kubeconfigOf(pod, (await plane.kubectl([...token, `--bound-object-name=${pod}`])).trim())
  }
  const certificateOf = async (node: string, kubeconfig: string, of = node) => {
    const its = join(plane.directory, `etc-${node}-${of}`)
    mkdirSync(its)
    const ended = await run(['node-certificate', '--once', '--node', of, '--folder', its, '--kubeconfig', kubeconfig])
    const read = (name: string) => readFileSync(join(its, name), 'utf8')
    return { ...ended, folder: its, key: read('node.key'), cert: read('node.crt'), ca: read('ca.crt') }
  }

  t.test("a node's certificate opens that node's plan, and no other's", async t => {
    const mine = await certificateOf('n1', await asNode('n1'))
    t.equal(mine.code, 0, mine.stderr)
    t.equal(new X509Certificate(mine.cert).subjectAltName, `URI:l2sm:dpid:${dpidOf('n1')}`)
    const client = createClient({ url, ca: mine.ca, cert: mine.cert, key: mine.key })
    t.teardown(() => client.close())
    const answer = (node: string) => client.getNodePlan({ node }).catch((error: { status?: number }) => error.status)
    t.equal(await answer('n1'), 404, 'asked rightly: no node is declared yet')
    t.equal(await answer('n2'), 403)
    // One bridge's certificate for OpenFlow: the server takes it, and waits for the switch to speak.
    const tls = ['-connect', controller.openflow[0]!.replace('tls:', ''), '-CAfile', join(mine.folder, 'ca.crt')]
    const files = ['-cert', join(mine.folder, 'node.crt'), '-key', join(mine.folder, 'node.key')]
    const shown = await command('sh', ['-c', 'sleep 1 | openssl s_client "$@" 2>&1', 'sh', ...tls, ...files])
    t.match(shown, /Verify return code: 0 \(ok\)/)
  })

  t.test(
    'a request is signed for the node on which the asker runs, whatever it asks for, and for nobody else',
    async t => {
      const request = async (kubeconfig: string) => {
        const { makeRequest } = await import('../../pki/certificates.ts')
        const spec = {
          request: Buffer.from((await makeRequest('node:n1')).request).toString('base64'),
          signerName: 'l2sm.io/node',
          usages: ['digital signature', 'client auth'],
        }
        const object = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' }
        const create = ['--kubeconfig', kubeconfig, 'create', '-o', 'name', '-f', '-']
        const metadata = { generateName: 'try-' }
        const name = await plane.kubectl(create, JSON.stringify({ ...object, metadata, spec }))
        type Status = { certificate?: string; conditions?: { type: string; message: string }[] }
        let status: Status = {}
        await until(
          'the request is answered',
          async () => {
            status = JSON.parse(await plane.kubectl(['get', '-o', 'json', name.trim()])).status
            return status.certificate !== undefined || status.conditions?.[0]?.type === 'Denied'
          },
          { ms: 30_000 },
        )
        return status
      }
      const other = await request(await asNode('n2'))
      const cert = new X509Certificate(Buffer.from(other.certificate!, 'base64').toString())
      t.equal(cert.subject, 'CN=node:n2', 'asked for n1')
      t.equal(cert.subjectAltName, `URI:l2sm:dpid:${dpidOf('n2')}`)
      t.match((await request(plane.kubeconfig)).conditions?.[0]?.message, /asked by admin: only system:serviceaccount/)
      const free = (await plane.kubectl(['-n', 'l2sm-nodes', 'create', 'token', 'l2sm-agent'])).trim()
      const denied = await request(plane.kubeconfigOf('free', free))
      t.match(denied.conditions?.[0]?.message, /does not say on which node the asker runs/)
    },
  )

  t.test(
    'rows that people add to the credentials stay, and a Secret that somebody else made is left alone',
    async t => {
      const rows = async () =>
        parse(await text('l2sm-credentials', 'credentials.yaml')).credentials as { name: string }[]
      const more = [...(await rows()), { name: 'grafana', role: 'read', token: `sha256:${'0'.repeat(64)}` }]
      const data = { 'credentials.yaml': Buffer.from(JSON.stringify({ credentials: more })).toString('base64') }
      await api.patch(place('secrets', { namespace, name: 'l2sm-credentials' }), 'merge', { data })
      await plane.kubectl(
        ['create', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n3' } }),
      )
      await until('n3 has a credential', async () => (await rows()).some(({ name }) => name === 'node-n3'), {
        ms: 20_000,
      })
      t.same(
        (await rows()).map(({ name }) => name),
        ['l2sm-operator', 'node-n1', 'node-n2', 'node-n3', 'grafana'],
      )
      const { ensureCertificates } = await import('../../operator/certificates/authority.ts')
      const labels = { 'app.kubernetes.io/managed-by': 'cert-manager' }
      const at = place('secrets', { namespace, name: 'l2sm-operator-tls' })
      await api.patch(at, 'merge', { metadata: { labels } })
      const far = new Date(Date.now() + 80 * 86_400_000)
      const before = await text('l2sm-operator-tls', 'tls.crt')
      const now = await ensureCertificates(api, namespace, far)
      t.equal(now.webhooks.cert, before, 'not ours: left')
      t.not(now.controller.cert, new X509Certificate(readFileSync(cert, 'utf8')).toString(), 'ours: renewed in time')
      t.equal(now.ca.cert, ca)
    },
  )
}

/** `l2sm operator --certificates`, as its service account, until the test is over. */
async function startOperator(t: Test, plane: ControlPlane, controller: URL): Promise<void> {
  const token = (await plane.kubectl(['-n', namespace, 'create', 'token', 'l2sm-operator', '--duration=3h'])).trim()
  const kubeconfig = plane.kubeconfigOf('operator', token)
  const args = ['operator', '--certificates', '--controller', controller.href, '--kubeconfig', kubeconfig]
  const places = ['--webhooks', '127.0.0.1:0', '--http', '127.0.0.1:0']
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, [l2sm, ...args, ...places], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const kill = () => void child.kill('SIGKILL')
  process.on('exit', kill)
  if (process.env['SHOW']) child.stdout.on('data', text => process.stderr.write(text))
  else child.stdout.resume()
  t.teardown(async () => {
    process.off('exit', kill)
    kill()
    await ended
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
