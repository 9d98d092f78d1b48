/**
 * A real control plane in this machine's own namespace, on loopback: etcd, API server, and as asked controller-manager and
 * scheduler. There is no kubelet here: pods are bound, and nobody runs them, unless nodes.ts brings some.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment, run } from '../command.ts'
import { ownerPrefix, sweep } from '../leftovers.ts'
import { waitForEnd } from '../proc.ts'
import { type Binary, binary } from './binaries.ts'
import { makePki, type Pki, sign, writeKubeconfig, writeTokenKubeconfig } from './certs.ts'

export type ControlPlaneOptions = {
  /** The controller-manager makes ServiceAccounts, ReplicaSets and collects garbage; the scheduler binds pods. Default true. */
  readonly controllers?: boolean
  readonly scheduler?: boolean
  /** Nodes have kubelets: one without a heartbeat is tainted, and its pods end. Default false. */
  readonly kubelets?: boolean
  /** Where the API server listens, an address of this machine's namespace. Default 127.0.0.1. */
  readonly address?: string
  /** Flags of the API server, beside ours. */
  readonly apiFlags?: readonly string[]
}

export type ControlPlane = {
  readonly directory: string
  readonly pki: Pki
  /** `https://127.0.0.1:PORT` */
  readonly server: string
  /** Of a user who may do everything. */
  readonly kubeconfig: string
  /** Of somebody with a bearer token, NAME for the file. */
  kubeconfigOf(name: string, token: string): string
  /** Resolves with what it printed. It is killed after `timeout` milliseconds: default 30,000. */
  kubectl(args: readonly string[], input?: string, timeout?: number): Promise<string>
  /** Ends the API server as a crash would; `start` brings it back at the same port. */
  readonly api: { kill(): Promise<void>; start(): Promise<void>; readonly pid: () => number }
  readonly etcd: string
  close(): Promise<void>
}

/** Needs the binaries to be built (binaries.ts) and etcd. When it rejects, nothing is left behind. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  sweep()
  const directory = join(tmpdir(), `${ownerPrefix(randomBytes(3).toString('hex'))}-k8s`)
  mkdirSync(directory, { mode: 0o700 })
  const children: ChildProcess[] = []
  const close = async () => {
    const alive = children.filter(child => child.exitCode === null && child.signalCode === null)
    for (const child of alive) child.kill('SIGKILL')
    await Promise.all(alive.map(child => waitForEnd(child.pid!)))
    rmSync(directory, { recursive: true, force: true })
    process.off('exit', atExit)
  }
  const atExit = () => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  process.on('exit', atExit)
  try {
    return { ...(await build(directory, options, children)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function build(directory: string, options: ControlPlaneOptions, children: ChildProcess[]) {
  const { controllers = true, scheduler = true, kubelets = false, apiFlags = [], address = '127.0.0.1' } = options
  const [port, etcdPort, etcdPeers, kcmPort, schedulerPort] = await freePorts(5)
  const server = `https://${address}:${port}`
  const etcd = `http://127.0.0.1:${etcdPort}`
  const pki = await makePki(directory)
  await sign(pki, 'apiserver', '/CN=kube-apiserver', [
    `IP:${address}`,
    'IP:10.96.0.1',
    'DNS:localhost',
    'DNS:kubernetes.default.svc',
  ])
  await Promise.all(
    Object.entries({
      admin: '/O=system:masters/CN=admin',
      kcm: '/CN=system:kube-controller-manager',
      'kubelet-client': '/O=system:masters/CN=apiserver-kubelet-client',
      scheduler: '/CN=system:kube-scheduler',
    }).map(async ([name, subject]) => sign({ directory: await own(directory, name) }, name, subject)),
  )
  const kubeconfigs = ['admin', 'kcm', 'scheduler'].map(name =>
    writeKubeconfig({ directory: join(directory, name) }, name, server),
  )
  const [admin = '', kcm = '', sched = ''] = kubeconfigs
  const start = (name: string, command: string, args: readonly string[]) =>
    launch(directory, children, name, command, args)

  start('etcd', 'etcd', [
    ...[`--data-dir=${directory}/etcd`, '--unsafe-no-fsync', '--logger=zap', '--log-level=warn'],
    ...[`--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`],
    ...[
      `--listen-peer-urls=http://127.0.0.1:${etcdPeers}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${etcdPeers}`,
    ],
    `--initial-cluster=default=http://127.0.0.1:${etcdPeers}`,
  ])
  const startApi = async () => {
    const child = start('kube-apiserver', binary('kube-apiserver'), [
      ...[
        `--etcd-servers=${etcd}`,
        `--bind-address=${address}`,
        `--advertise-address=${address}`,
        `--secure-port=${port}`,
      ],
      ...[`--tls-cert-file=${directory}/apiserver.crt`, `--tls-private-key-file=${directory}/apiserver.key`],
      ...[`--client-ca-file=${directory}/ca.crt`, `--service-account-key-file=${directory}/sa.pub`],
      ...[
        `--service-account-signing-key-file=${directory}/sa.key`,
        '--service-account-issuer=https://kubernetes.default.svc',
      ],
      ...[
        `--kubelet-client-certificate=${directory}/kubelet-client/kubelet-client.crt`,
        `--kubelet-client-key=${directory}/kubelet-client/kubelet-client.key`,
        // Names of nodes are in no DNS.
        '--kubelet-preferred-address-types=InternalIP',
      ],
      ...['--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=Node,RBAC', '--allow-privileged=true'],
      ...[
        '--enable-admission-plugins=NodeRestriction',
        '--endpoint-reconciler-type=none',
        `--cert-dir=${directory}/apiserver`,
      ],
      ...apiFlags,
    ])
    await ready(directory, server, child)
    return child
  }
  let api = await startApi()
  const client = (name: string, path: string) => [
    `--kubeconfig=${path}`,
    `--authentication-kubeconfig=${path}`,
    `--authorization-kubeconfig=${path}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--cert-dir=${directory}/${name}`,
  ]
  if (controllers)
    start('kube-controller-manager', binary('kube-controller-manager'), [
      ...client('kcm', kcm),
      ...[
        `--service-account-private-key-file=${directory}/sa.key`,
        `--root-ca-file=${directory}/ca.crt`,
        `--secure-port=${kcmPort}`,
      ],
      // Nodes without a kubelet have no heartbeat: they would be tainted, and their pods ended.
      ...['--use-service-account-credentials', `--controllers=*${kubelets ? '' : ',-node-lifecycle-controller'}`],
    ])
  if (scheduler)
    start('kube-scheduler', binary('kube-scheduler'), [...client('scheduler', sched), `--secure-port=${schedulerPort}`])
  return {
    ...{ directory, pki, server, etcd, kubeconfig: admin },
    kubeconfigOf: (name: string, token: string) => writeTokenKubeconfig(pki, name, server, token),
    kubectl: (args: readonly string[], input?: string, timeout = 30_000) =>
      run(binary('kubectl'), [`--kubeconfig=${admin}`, `--cache-dir=${directory}/kubectl`, ...args], {
        ...{ timeout, ...(input !== undefined && { input }) },
      }),
    api: {
      kill: async () => {
        api.kill('SIGKILL')
        await waitForEnd(api.pid!)
      },
      start: async () => void (api = await startApi()),
      pid: () => api.pid!,
    },
  }
}

/** A folder with the CA, so that certificates can be signed side by side. */
async function own(directory: string, name: string): Promise<string> {
  const path = join(directory, name)
  await run('sh', ['-ec', `mkdir '${path}'; cp '${directory}/ca.crt' '${directory}/ca.key' '${path}'`])
  return path
}

function launch(
  directory: string,
  children: ChildProcess[],
  name: string,
  command: string,
  args: readonly string[],
): ChildProcess {
  const out = openSync(join(directory, `${name}.log`), 'a')
  // They must end with us, however we end.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    env: environment(),
    stdio: ['ignore', out, out],
  })
  children.push(child)
  return child
}

async function ready(directory: string, server: string, child: ChildProcess): Promise<void> {
  const admin = join(directory, 'admin')
  const curl = [
    '-sf',
    '--cacert',
    `${directory}/ca.crt`,
    '--cert',
    `${admin}/admin.crt`,
    '--key',
    `${admin}/admin.key`,
    `${server}/readyz`,
  ]
  for (let tries = 0; ; tries++) {
    if (await run('curl', curl).catch(() => undefined)) return
    if (child.exitCode !== null || tries > 600)
      throw new Error(
        `the API server did not become ready: ${readFileSync(join(directory, 'kube-apiserver.log'), 'utf8').slice(-2000)}`,
      )
    await sleep(100)
  }
}

const freePorts = async (count: number): Promise<number[]> => {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

/** What is missing on this machine to run one. */
export const lacks = async (names: readonly Binary[]): Promise<string[]> => {
  const { goIsThere, missing } = await import('./binaries.ts')
  const absent = missing(names)
  const etcd = await run('etcd', ['--version']).then(
    () => [],
    () => ['etcd (apt-get install etcd-server)'],
  )
  return [...etcd, ...(absent.length > 0 && !goIsThere() ? [`Go, to build ${absent.join(', ')}`] : [])]
}
