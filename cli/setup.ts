/** `npm run setup`: installs what the demo and the tests need, if it is missing. Needs root. */

import { ensureInstalled } from '../lab/install.ts'

/** Without these some tests are skipped, and say so. */
const more = [
  { command: 'tshark', package: 'tshark', why: 'somebody else reads what we write' },
  { command: 'strace', package: 'strace', why: 'a write is on disk before it is answered' },
  { command: 'promtool', package: 'prometheus', why: 'metrics are as Prometheus wants them' },
  { command: 'etcd', package: 'etcd-server', why: 'a real Kubernetes API server keeps its objects there' },
  {
    command: '../lib/cni/host-device',
    package: 'containernetworking-plugins',
    why: 'Multus gives pods interfaces with them',
  },
  { command: 'openssl', package: 'openssl', why: 'certificates that are not ours, and old versions of TLS' },
  { command: 'faketime', package: 'faketime', why: 'a clock that jumps' },
]

try {
  await ensureInstalled({ say: line => console.log(line), more })
} catch (error) {
  console.error(`setup: ${(error as Error).message}`)
  process.exitCode = 1
}
