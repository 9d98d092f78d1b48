/** A whole cluster on this machine: a control plane, nodes with kubelets that run containers, a registry, DNS. */

import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { layerOf, tarOf, writeArchive } from '../../images/oci.ts'
import { run } from '../command.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { serveDns } from './dns.ts'
import { type Node, startNode } from './node.ts'
import { type NodeNetwork, openNetwork } from './node-network.ts'
import { type Archive, serveImages } from './registry.ts'

export type RealCluster = {
  readonly plane: ControlPlane
  readonly nodes: readonly (Node & { readonly network: NodeNetwork })[]
  /** A folder for what its user makes; it goes with the cluster. */
  readonly scratch: string
  close(): Promise<void>
}

/** `archives`: images beside `library/alpine` (busybox) and `library/pause`. When it rejects, nothing is left behind. */
export const startRealCluster = async (
  names: readonly string[],
  archives: readonly Archive[],
): Promise<RealCluster> => {
  const closing: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end().catch(() => {})
    sweepGroups()
  }
  const settings = await machineSettings()
  try {
    const network = await openNetwork(names)
    closing.push(network.close)
    closing.push(() => run('sysctl', ['-qw', ...settings]))
    const plane = await startControlPlane({
      address: network.address,
      kubelets: true,
      // Services lead to the API server; and the API server calls webhooks at their pods, as no kube-proxy runs beside it.
      apiFlags: ['--endpoint-reconciler-type=lease', '--enable-aggregator-routing=true'],
    })
    closing.push(plane.close)
    const scratch = mkdtempSync(join(plane.directory, 'nodes-'))
    const busybox = await busyboxImage(scratch)
    const more = [{ path: busybox, repositories: ['library/alpine', 'library/pause'] }]
    const registry = await serveImages([...archives, ...more], scratch, network.address)
    closing.push(registry.close)
    const dns = await serveDns(network.address, async (namespace, name) => {
      const asked = ['-n', namespace, 'get', 'service', name, '-o', 'jsonpath={.spec.clusterIP}']
      return (await plane.kubectl(asked)) || undefined
    })
    closing.push(dns.close)
    const nodes: RealCluster['nodes'][number][] = []
    for (const each of network.nodes) {
      const directory = join(scratch, each.name)
      mkdirSync(directory)
      const options = { plane, network: each, directory, registry: registry.url, dns: network.address }
      const node = await startNode({ ...options, pauseImage: 'docker.io/library/pause:lab' })
      closing.push(node.close)
      nodes.push({ ...node, network: each })
    }
    await plane.kubectl(['apply', '-f', join(import.meta.dirname, 'nad-crd.json')])
    await allReady(plane, names.length)
    return { plane, nodes, scratch, close }
  } catch (error) {
    await close()
    throw error
  }
}

const allReady = async ({ kubectl }: ControlPlane, count: number): Promise<void> => {
  for (let tries = 0; ; tries++) {
    const lines = (await kubectl(['get', 'nodes', '--no-headers'])).split('\n')
    if (lines.filter(line => / Ready /.test(line)).length === count) return
    if (tries > 300) throw new Error(`${count} nodes were to be ready, and are: ${lines.join('; ')}`)
    await sleep(500)
  }
}

/** A kubelet sets these for the whole machine. */
const machineSettings = async (): Promise<string[]> => {
  const names = [
    'vm.overcommit_memory',
    'vm.panic_on_oom',
    'kernel.panic',
    'kernel.panic_on_oops',
    'kernel.keys.root_maxkeys',
  ]
  const lines = (await run('sysctl', names)).trim().split('\n')
  return lines.map(line => line.replaceAll(' ', ''))
}

/** Groups of containers that are no more. Those of others are not empty, or not removed in a way that harms. */
const sweepGroups = (): void => {
  for (const kind of readdirSync('/sys/fs/cgroup')) {
    const parent = join('/sys/fs/cgroup', kind, 'k8s.io')
    for (const name of entries(parent))
      try {
        rmdirSync(join(parent, name))
      } catch {
        // A process lives there.
      }
    try {
      rmdirSync(parent)
    } catch {
      // It is not there, or not empty.
    }
  }
}

const entries = (folder: string): string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap(entry => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

/** As much of a system as examples need: busybox under all of its names. Sleeps when nothing else is asked. */
const busyboxImage = async (scratch: string): Promise<string> => {
  const folder = mkdtempSync(join(scratch, 'busybox-'))
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root']) mkdirSync(join(folder, name))
  await run('cp', ['/bin/busybox', join(folder, 'bin/busybox')])
  const applets = (await run('/bin/busybox', ['--list'])).trim().split('\n')
  await run('sh', [
    '-ec',
    `cd '${folder}/bin'; for a in ${applets.filter(a => a !== 'busybox').join(' ')}; do ln -s busybox $a; done`,
  ])
  const tar = join(scratch, 'busybox-layer.tar')
  await tarOf(folder, tar)
  rmSync(folder, { recursive: true })
  const path = join(scratch, 'busybox.tar')
  await writeArchive(path, 'docker.io/library/alpine:latest', [await layerOf(tar, false)], {
    ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', user: '0:0', labels: {} },
    entrypoint: ['/bin/sleep', '2147483647'],
  })
  return path
}
