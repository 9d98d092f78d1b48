/**
 * What a kubelet's runtime does for the networks of a pod: a namespace, and the real Multus called with the real API server. No
 * container runs in it.
 */

import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { ipBatch, run } from '../command.ts'
import { binary } from './binaries.ts'

export type CniNode = { readonly name: string; readonly netns: string }
export type CniPod = { readonly namespace: string; readonly name: string; readonly uid: string; readonly netns: string }

export type Cni = {
  /** Makes the pod's namespace and all its interfaces. Rejects with what Multus says. */
  add(node: CniNode, pod: CniPod): Promise<void>
  /** Takes the interfaces back, and the namespace away. */
  remove(node: CniNode, pod: CniPod): Promise<void>
}

/** Where Debian has the plugins (containernetworking-plugins). */
const plugins = '/usr/lib/cni'

export const openCni = (directory: string, kubeconfig: string): Cni => {
  const bin = join(directory, 'cni-bin')
  mkdirSync(bin, { recursive: true })
  for (const plugin of readdirSync(plugins)) symlinkSync(join(plugins, plugin), join(bin, plugin))
  symlinkSync(binary('multus'), join(bin, 'multus'))
  const call = (command: string, node: CniNode, pod: CniPod): Promise<string> => {
    const place = join(directory, `cni-${node.name}`)
    mkdirSync(place, { recursive: true })
    const words = { K8S_POD_NAMESPACE: pod.namespace, K8S_POD_NAME: pod.name, K8S_POD_UID: pod.uid }
    const env = {
      ...{
        CNI_COMMAND: command,
        CNI_CONTAINERID: pod.uid,
        CNI_NETNS: `/run/netns/${pod.netns}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: bin,
      },
      CNI_ARGS: ['IgnoreUnknown=1', ...Object.entries(words).map(([key, value]) => `${key}=${value}`)].join(';'),
    }
    return run(join(bin, 'multus'), [], {
      netns: node.netns,
      env,
      input: JSON.stringify(configuration(place, bin, kubeconfig)),
    })
  }
  return {
    add: async (node, pod) => {
      await ipBatch([`netns add ${pod.netns}`])
      // containerd calls the plugin loopback itself.
      await ipBatch(['link set lo up'], pod.netns)
      try {
        await call('ADD', node, pod)
      } catch (error) {
        await ipBatch([`netns del ${pod.netns}`])
        const { stdout = '' } = error as { stdout?: string }
        throw new Error(`${(error as Error).message} ${stdout}`)
      }
    },
    remove: async (node, pod) => {
      await call('DEL', node, pod)
      await ipBatch([`netns del ${pod.netns}`])
    },
  }
}

/** Multus, and as the pod's own network a bridge that leads nowhere. */
const configuration = (place: string, bin: string, kubeconfig: string) => ({
  ...{ cniVersion: '0.3.1', name: 'multus-cni-network', type: 'multus', kubeconfig },
  ...{ confDir: place, cniDir: join(place, 'state'), binDir: bin, logToStderr: false },
  capabilities: { portMappings: true, ips: true, mac: true },
  delegates: [
    {
      ...{ cniVersion: '0.3.1', name: 'own', type: 'bridge', bridge: 'cni0' },
      ipam: { type: 'host-local', dataDir: join(place, 'addresses'), ranges: [[{ subnet: '10.244.0.0/24' }]] },
    },
  ],
})
