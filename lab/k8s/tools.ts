import type { Tool } from '../install.ts'

const plugins = 'Multus gives pods interfaces with them'

/** What nodes with kubelets need of the machine, besides what every lab needs. */
export const nodeTools: readonly Tool[] = [
  { command: 'etcd', package: 'etcd-server', why: 'the API server keeps its objects there' },
  { command: 'openssl', package: 'openssl', why: 'programs of a cluster have certificates' },
  { command: '../lib/cni/host-device', package: 'containernetworking-plugins', why: plugins },
  { command: 'containerd', package: 'containerd', why: 'it runs the containers of nodes' },
  { command: 'runc', package: 'runc', why: 'containerd starts containers with it' },
  { command: 'mmdebstrap', package: 'mmdebstrap', why: 'images are made of Debian packages' },
  { command: 'iptables', package: 'iptables', why: 'kube-proxy leads Services to pods with it' },
  { command: 'busybox', package: 'busybox-static', why: 'pods of the examples run it' },
]
