// A cluster of three nodes with everything that manifests/ brings, as a person would install it.
import { chownSync, existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildImages } from '../../images/build.ts'
import { type ImageName, images } from '../../images/images.ts'
import { pathOf } from '../../lab/install.ts'
import { forNodes, forTests } from '../../lab/k8s/binaries.ts'
import { lacks } from '../../lab/k8s/control-plane.ts'
import { type RealCluster, startRealCluster } from '../../lab/k8s/nodes.ts'
import { until } from '../controller/watching.ts'

const root = new URL('../..', import.meta.url).pathname
const tools = ['containerd', 'runc', 'mmdebstrap', 'iptables', 'busybox']

/** False, and the test is skipped, when there are no kubelets to be had here. */
export const needsNodes = async (t: Test): Promise<boolean> => {
  const missing = [...(await lacks([...forTests, ...forNodes])), ...tools.filter(tool => !pathOf(tool))]
  if (!existsSync('/bin/busybox')) missing.push('busybox-static')
  if (missing.length === 0) return true
  t.plan(0, `three kubelets need ${missing.join(', ')}`)
  return false
}

export type Installed = RealCluster & {
  readonly kubectl: RealCluster['plane']['kubectl']
  /** Runs a shell command in a pod. */
  exec(pod: string, command: string, its?: string): Promise<string>
}

export const install = async (t: Test): Promise<Installed> => {
  const out = join(process.env['L2SM_LAB_CACHE'] ?? join(homedir(), '.cache', 'l2sm'), 'images')
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const names = Object.keys(images) as ImageName[]
  const built = await buildImages({ names, architecture, gzip: false, out, say: line => t.comment(line) })
  const archives = built.map(({ name, path }) => ({ path, repositories: [`networks-it-uc3m/${name}`] }))
  const cluster = await startRealCluster(['n1', 'n2', 'n3'], archives)
  t.teardown(() => cluster.close())
  const { kubectl } = cluster.plane
  await kubectl(['apply', '-f', '-'], JSON.stringify(volume(cluster.scratch)))
  await kubectl(['apply', '--server-side', '-k', join(root, 'manifests/base')])
  await kubectl(['apply', '-f', join(root, 'manifests/mesh.yaml')])
  const overlay = ['-n', 'l2sm-system', 'get', 'overlay', 'mesh', '-o', 'jsonpath={.status.nodes}']
  const why = () => ''
  await until('all nodes are as planned', async () => (await kubectl(overlay)) === '3/3', { ms: 240_000, why })
  return {
    ...{ ...cluster, kubectl },
    exec: (pod, command, its = 'default') => kubectl(['-n', its, 'exec', pod, '--', '/bin/sh', '-c', command]),
  }
}

/** A volume that every node reaches: here, all nodes are one machine. */
const volume = (scratch: string) => {
  const path = join(scratch, 'volume')
  mkdirSync(path)
  chownSync(path, 65532, 65532)
  return {
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'store' } },
    spec: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path } },
  }
}
