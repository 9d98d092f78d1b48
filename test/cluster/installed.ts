// A cluster of three nodes with everything that manifests/ brings, as a person would install it.
import { chownSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildImages } from '../../images/build.ts'
import { type ImageName, images } from '../../images/images.ts'
import { pathOf, requirements, spell } from '../../lab/install.ts'
import { forNodes, forTests } from '../../lab/k8s/binaries.ts'
import { lacks } from '../../lab/k8s/control-plane.ts'
import { type RealCluster, startRealCluster } from '../../lab/k8s/nodes.ts'
import { nodeTools } from '../../lab/k8s/tools.ts'

const root = new URL('../..', import.meta.url).pathname

/** False, and the test is skipped, when there are no kubelets to be had here. */
export const needsNodes = async (t: Test): Promise<boolean> => {
  const tools = requirements(pathOf, nodeTools)
  const binaries = await lacks([...forTests, ...forNodes])
  const missing = [...(tools.length > 0 ? [spell(tools)] : []), ...binaries]
  if (missing.length === 0) return true
  const why = `not run: nodes with kubelets need ${missing.join('; ')}`
  console.error(why)
  t.plan(0, why)
  return false
}

export type Installed = RealCluster & {
  readonly kubectl: RealCluster['plane']['kubectl']
  /** `kubectl` that waits for something, up to ten minutes: less is for its own `--timeout` to say. */
  patient(args: readonly string[]): Promise<string>
  /** Runs a shell command in a pod. */
  exec(pod: string, command: string, its?: string): Promise<string>
  /** Waits until all pods of a namespace run, and their ports are in their networks. */
  running(its: string): Promise<void>
  /** Whether an answer came to one of ten echo requests. */
  reaches(its: string, pod: string, address: string): Promise<boolean>
}

/** Takes minutes: images are built, and each program starts in its container. */
export const install = async (t: Test): Promise<Installed> => {
  t.setTimeout(1_500_000)
  const out = join(process.env['L2SM_LAB_CACHE'] ?? join(homedir(), '.cache', 'l2sm'), 'images')
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const names = Object.keys(images) as ImageName[]
  const built = await buildImages({
    names,
    architecture,
    gzip: false,
    out,
    cache: join(out, 'layers'),
    say: line => t.comment(line),
  })
  const archives = built.map(({ name, path }) => ({ path, repositories: [`networks-it-uc3m/${name}`] }))
  const cluster = await startRealCluster(['n1', 'n2', 'n3'], archives)
  t.teardown(() => cluster.close())
  const { kubectl } = cluster.plane
  await kubectl(['apply', '-f', '-'], JSON.stringify(volume(cluster.scratch)))
  await kubectl(['apply', '--server-side', '-k', join(root, 'manifests/base')])
  await kubectl(['apply', '-f', join(root, 'manifests/mesh.yaml')])
  // One process that watches: many that look would take the time of those that they wait for.
  const ready = ['-n', 'l2sm-system', 'wait', 'overlay/mesh', '--for=jsonpath={.status.nodes}=3/3', '--timeout=10m']
  const patient = (args: readonly string[]) => kubectl(args, undefined, 610_000)
  await patient(ready).catch(async error => {
    const pods = await kubectl(['get', 'pods,overlays', '-A', '-o', 'wide'])
    const events = await kubectl(['get', 'events', '-A', '--field-selector=type=Warning'])
    throw new Error(`the nodes are not as planned: ${error.message}\n${pods}\n${events}`)
  })
  const exec: Installed['exec'] = (pod, command, its = 'default') =>
    kubectl(['-n', its, 'exec', pod, '--', '/bin/sh', '-c', command])
  return {
    ...{ ...cluster, kubectl, patient, exec },
    running: async its => {
      for (const condition of ['Ready', 'l2sm.io/networks-ready'])
        await patient(['-n', its, 'wait', `--for=condition=${condition}`, 'pod', '--all', '--timeout=4m'])
    },
    reaches: async (its, pod, address) =>
      /[1-9]\d* packets received/.test(await exec(pod, `ping -c 10 -W 1 -A ${address} || true`, its)),
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
