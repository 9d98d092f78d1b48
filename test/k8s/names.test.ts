// Names of pods in their networks, as a CoreDNS answers them that reads the file of `l2sm names`.
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { binary } from '../../lab/k8s/binaries.ts'
import { l2sm } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { namespace, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

/** A UDP port of loopback that nobody has. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1'] })
  const { plane, controller } = cluster
  await controller.putMesh({ body: { full: true, nodes: [{ name: 'n1', address: '192.0.2.1' }] } })
  await cluster.operator('a')
  await cluster.connect('n1')
  await cluster.report('n1', 10)
  await until('interfaces are known', async () => (await cluster.list('nads', namespace)).length === 20)

  const file = join(plane.directory, 'hosts')
  const names = spawn(process.execPath, [l2sm, 'names', '--file', file, '--kubeconfig', plane.kubeconfig])
  t.teardown(() => names.kill('SIGKILL'))
  await until('the file is there', () => existsSync(file))
  const port = await freePort()
  const corefile = join(plane.directory, 'Corefile')
  writeFileSync(
    corefile,
    `l2sm:${port} {\n  bind 127.0.0.1\n  errors\n  hosts ${file} {\n    ttl 5\n    reload 100ms\n  }\n}\n`,
  )
  const dns = spawn(binary('coredns'), ['-conf', corefile], { stdio: 'ignore' })
  t.teardown(() => dns.kill('SIGKILL'))
  const resolver = new Resolver({ timeout: 1000, tries: 3 })
  resolver.setServers([`127.0.0.1:${port}`])
  const addresses = async (name: string, type: 'A' | 'AAAA' = 'A') =>
    ((await resolver.resolve(name, type).catch(() => [])) as string[]).sort()
  const answers = (name: string, expected: readonly string[], type: 'A' | 'AAAA' = 'A') =>
    until(
      `${name} is ${expected.join(' ') || 'nothing'}`,
      async () => {
        const found = await addresses(name, type)
        return found.join() === expected.join()
      },
      { ms: 30_000 },
    )

  await cluster.apply(networkYaml('lan', { networkCIDR: '10.101.0.0/16' }))
  await cluster.apply(networkYaml('six', { networkCIDR: 'fd00:101::/64' }))

  t.test('a pod has a name in each of its networks', async () => {
    await cluster.apply(podYaml('ping', { networks: 'lan,six' }))
    await answers('ping.lan.default.l2sm', ['10.101.0.1'])
    await answers('ping.six.default.l2sm', ['fd00:101::1'], 'AAAA')
  })

  t.test('pods that share the label l2sm/app share a name, until one of them is gone', async t => {
    for (const name of ['web-0', 'web-1']) {
      await cluster.apply(podYaml(name, { networks: 'lan' }))
      await plane.kubectl(['label', 'pod', name, 'l2sm/app=web'])
    }
    await answers('web.lan.default.l2sm', ['10.101.0.2', '10.101.0.3'])
    t.same(await addresses('web-0.lan.default.l2sm'), [])
    await plane.kubectl(['delete', 'pod', 'web-0', '--grace-period=0', '--force'])
    await answers('web.lan.default.l2sm', ['10.101.0.3'])
  })

  t.test('a name that nobody has is not answered', async t => {
    t.same(await addresses('nobody.lan.default.l2sm'), [])
    t.same(await addresses('ping.other.default.l2sm'), [])
  })
}
