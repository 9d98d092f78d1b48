/**
 * A node: containerd, kubelet and kube-proxy in the node's network namespace and in mount and process namespaces of their own. What they
 * write to /etc, /var, /run and /opt stays in the node's folder; when its first process ends, everything on the node does.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment, run } from '../command.ts'
import { waitForEnd } from '../proc.ts'
import { binary } from './binaries.ts'
import { sign, writeKubeconfig } from './certs.ts'
import type { ControlPlane } from './control-plane.ts'
import type { NodeNetwork } from './node-network.ts'

export type NodeOptions = {
  readonly plane: ControlPlane
  readonly network: NodeNetwork
  readonly directory: string
  /** Where images come from: `http://HOST:PORT`, for every registry's name. */
  readonly registry: string
  /** Of the cluster's DNS. */
  readonly dns: string
  readonly pauseImage: string
}

export type Node = {
  readonly name: string
  readonly directory: string
  /** Runs a command as if it were typed on the node. */
  run(command: string, args: readonly string[]): Promise<string>
  close(): Promise<void>
}

export const startNode = async (options: NodeOptions): Promise<Node> => {
  const { network, directory } = options
  for (const folder of ['etc', 'var', 'opt', 'lib'])
    for (const part of ['upper', 'work']) mkdirSync(join(directory, folder, part), { recursive: true })
  for (const folder of ['cni-bin', 'cni', 'certs.d']) mkdirSync(join(directory, folder))
  await configure(options)
  const child = launch(options)
  const close = async () => {
    child.kill('SIGKILL')
    await waitForEnd(child.pid!)
  }
  const inside = async (command: string, args: readonly string[]) => {
    const first = readFileSync(join(directory, 'first.pid'), 'utf8').trim()
    return run('nsenter', ['--target', first, '--mount', '--net', '--pid', command, ...args], { timeout: 300_000 })
  }
  const node = { name: network.name, directory, run: inside, close }
  await ready(node, child)
  return node
}

const configure = async ({ plane, network, directory, registry, dns, pauseImage }: NodeOptions): Promise<void> => {
  const { name, pods } = network
  await sign({ directory: await withCa(plane, directory) }, 'node', `/O=system:nodes/CN=system:node:${name}`)
  writeKubeconfig({ directory }, 'node', plane.server)
  await sign({ directory }, 'proxy', '/CN=system:kube-proxy')
  writeKubeconfig({ directory }, 'proxy', plane.server)
  for (const plugin of readdirSync('/usr/lib/cni'))
    symlinkSync(join('/usr/lib/cni', plugin), join(directory, 'cni-bin', plugin))
  symlinkSync(binary('multus'), join(directory, 'cni-bin/multus'))
  const at = (path: string) => join(directory, path)
  mkdirSync(at('certs.d/_default'))
  writeFileSync(at('certs.d/_default/hosts.toml'), `[host."${registry}"]\n  capabilities = ["pull", "resolve"]\n`)
  writeFileSync(at('containerd.toml'), containerd(directory, pauseImage))
  writeFileSync(at('kubelet.json'), JSON.stringify(kubelet(plane, directory, dns)))
  writeFileSync(at('proxy.json'), JSON.stringify(proxy(directory, name)))
  writeFileSync(at('cni/00-multus.conf'), JSON.stringify(multus(plane, directory, pods)))
}

const withCa = async (plane: ControlPlane, directory: string): Promise<string> => {
  await run('cp', [join(plane.directory, 'ca.crt'), join(plane.directory, 'ca.key'), directory])
  return directory
}

const containerd = (directory: string, pauseImage: string): string => `version = 2
root = "${directory}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE nobody may make a process less likely to be killed.
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${directory}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${directory}/cni-bin"
    conf_dir = "${directory}/cni"
    max_conf_num = 1
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "/usr/sbin/runc"
`

const kubelet = (plane: ControlPlane, directory: string, dns: string) => ({
  ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
  authentication: {
    ...{ anonymous: { enabled: false }, webhook: { enabled: true } },
    x509: { clientCAFile: join(plane.directory, 'ca.crt') },
  },
  authorization: { mode: 'Webhook' },
  containerRuntimeEndpoint: 'unix:///run/containerd.sock',
  ...{ cgroupDriver: 'cgroupfs', cgroupsPerQOS: false, enforceNodeAllocatable: [], failCgroupV1: false },
  ...{ failSwapOn: false, clusterDNS: [dns], clusterDomain: 'cluster.local', resolvConf: '' },
  // The machine's disk is not the cluster's matter.
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '1%',
    'imagefs.available': '1%',
    'nodefs.inodesFree': '1%',
  },
  ...{ imageGCHighThresholdPercent: 100, imageMinimumGCAge: '24h', serializeImagePulls: true },
  ...{ healthzBindAddress: '127.0.0.1', makeIPTablesUtilChains: true, protectKernelDefaults: false },
  ...{ podLogsDir: join(directory, 'pod-logs'), volumePluginDir: join(directory, 'volume-plugins') },
  // Volumes of Secrets and ConfigMaps are looked at as often.
  ...{ syncFrequency: '5s', configMapAndSecretChangeDetectionStrategy: 'Watch' },
})

const proxy = (directory: string, name: string) => ({
  ...{ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'iptables' },
  clientConnection: { kubeconfig: join(directory, 'proxy.kubeconfig') },
  hostnameOverride: name,
  ...{ healthzBindAddress: '', metricsBindAddress: '127.0.0.1:10249' },
  // Pods of one bridge answer each other past the node: an answer must come back by it.
  iptables: { masqueradeAll: true },
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
})

/** Multus, and as the pods' own network a bridge, which leads to the other nodes. */
const multus = (plane: ControlPlane, directory: string, pods: string) => ({
  ...{ cniVersion: '0.3.1', name: 'multus-cni-network', type: 'multus', kubeconfig: plane.kubeconfig },
  ...{ confDir: join(directory, 'cni'), cniDir: join(directory, 'multus'), binDir: join(directory, 'cni-bin') },
  ...{ logFile: join(directory, 'multus.log'), logLevel: 'error', logToStderr: false },
  // Interfaces of nodes are given out from l2sm-system to pods of all namespaces.
  capabilities: { portMappings: true, ips: true, mac: true },
  delegates: [
    {
      ...{ cniVersion: '0.3.1', name: 'own', type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false },
      ipam: {
        ...{ type: 'host-local', dataDir: join(directory, 'addresses'), ranges: [[{ subnet: pods }]] },
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
})

const launch = ({ network, directory }: NodeOptions): ChildProcess => {
  const overlay = (path: string, folder: string) =>
    `mount -t overlay overlay -o lowerdir=${path},upperdir=${directory}/${folder}/upper,workdir=${directory}/${folder}/work ${path}`
  const daemon = (name: string, command: string) =>
    `(while :; do ${command} >>${directory}/${name}.log 2>&1; sleep 1; done) &`
  const script = [
    // The number by which this machine knows us: in our own namespace we are 1.
    'mount --make-rprivate /',
    ...[overlay('/etc', 'etc'), overlay('/var/lib', 'var'), overlay('/opt', 'opt'), overlay('/usr/lib', 'lib')],
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /run/netns /run/lock',
    'mount --make-rshared /',
    'mkdir -p /var/log/containers',
    daemon('containerd', `containerd -c ${directory}/containerd.toml`),
    'until ctr -a /run/containerd.sock version >/dev/null 2>&1; do sleep 0.2; done',
    daemon('proxy', `${binary('kube-proxy')} --config=${directory}/proxy.json`),
    daemon(
      'kubelet',
      `${binary('kubelet')} --config=${directory}/kubelet.json --kubeconfig=${directory}/node.kubeconfig --root-dir=${directory}/kubelet ` +
        `--hostname-override=${network.name} --node-ip=${network.address} --cert-dir=${directory}/kubelet-pki`,
    ),
    'wait',
  ].join('\n')
  const out = openSync(join(directory, 'node.log'), 'a')
  // nsenter: `ip netns exec` would hide /sys/fs/cgroup. Who kills unshare kills the first process, and with it all of the node.
  const enter = [
    '--pdeathsig',
    'KILL',
    'nsenter',
    `--net=/run/netns/${network.netns}`,
    'unshare',
    '--mount',
    '--pid',
    '--fork',
  ]
  return spawn('setpriv', [...enter, '--kill-child=KILL', '--mount-proc', 'sh', '-ec', script], {
    env: environment(),
    stdio: ['ignore', out, out],
  })
}

const ready = async ({ name, directory }: Node, child: ChildProcess): Promise<void> => {
  for (let tries = 0; ; tries++) {
    const [first] = (await run('pgrep', ['-P', String(child.pid)]).catch(() => '')).trim().split('\n')
    if (first) {
      writeFileSync(join(directory, 'first.pid'), first)
      return
    }
    if (child.exitCode !== null || tries > 300)
      throw new Error(`node ${name} did not start: ${readFileSync(join(directory, 'node.log'), 'utf8').slice(-1000)}`)
    await sleep(100)
  }
}
