// A real control plane, a controller and operators as they are run. There is no kubelet: who wants a pod's packets calls Multus.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { type Client, createClient } from '../../api/contract/client.ts'
import { forTests } from '../../lab/k8s/binaries.ts'
import { sign } from '../../lab/k8s/certs.ts'
import { type ControlPlane, type ControlPlaneOptions, lacks, startControlPlane } from '../../lab/k8s/control-plane.ts'
import { type Api, connect } from '../../operator/kube/api.ts'
import {
  type Claim,
  type Collection,
  collection,
  type KubeObject,
  type Pod,
  place,
} from '../../operator/kube/objects.ts'
import { bridgeName, datapathOf, interfaceNames } from '../../topology/names.ts'
import { l2sm, startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { newPeer, newSwitch, type Peer } from '../reference/index.ts'

const root = new URL('../..', import.meta.url).pathname
export const namespace = 'l2sm-system'

/** False, and the test is skipped, when there is no control plane to be had here. */
export const needsCluster = async (t: Test): Promise<boolean> => {
  const missing = await lacks(forTests)
  if (missing.length === 0) return true
  t.plan(0, `a real API server needs ${missing.join(', ')}`)
  return false
}

export type Cluster = {
  readonly plane: ControlPlane
  readonly api: Api
  readonly controller: Client
  readonly controllerProcess: Awaited<ReturnType<typeof startController>>
  /** Starts a replica; it is told to the webhooks when it is ready. */
  operator(name: string): Promise<Replica>
  /** Says that a node's agent keeps interfaces 1 to `count`, of which some are in pods. */
  report(node: string, count: number, used?: readonly number[]): Promise<void>
  /** The node's switch, in this process, connects to the controller. */
  connect(node: string, ports?: number): Promise<Peer>
  apply(yaml: string): Promise<string>
  list<T extends KubeObject>(of: Collection, its?: string): Promise<readonly T[]>
  pod(name: string, its?: string): Promise<Pod>
  claims(): Promise<readonly Claim[]>
  /** Texts of the events about an object. */
  events(name: string, its?: string): Promise<readonly string[]>
}

export type Replica = {
  readonly name: string
  readonly log: readonly Line[]
  readonly http: string
  stop(signal: NodeJS.Signals): Promise<void>
}
type Line = { readonly level: number; readonly msg: string; readonly [field: string]: unknown }

export type ClusterOptions = ControlPlaneOptions & {
  readonly nodes?: readonly string[]
  /** Options of the controller. */
  readonly controllerArgs?: readonly string[]
  readonly webhooks?: boolean
  /** The InternalIP of each node. */
  readonly addressOf?: (node: string) => string
  /** A file with the controller's token. */
  readonly tokenFile?: string
}

export const startCluster = async (t: Test, options: ClusterOptions = {}): Promise<Cluster> => {
  const { nodes = ['n1', 'n2', 'n3'], webhooks = true } = options
  const plane = await startControlPlane(options)
  t.teardown(() => plane.close())
  const api = connect(plane.kubeconfig)
  t.teardown(() => api.close())
  await install(plane, nodes, options.addressOf ?? (name => `192.0.2.${name.replace(/\D/g, '')}`))
  const args = options.controllerArgs ?? ['--openflow', 'tcp:127.0.0.1:0', '--http', '127.0.0.1:0', '--store', 'memory']
  const controllerProcess = await startController(t, args)
  const controller = createClient({
    url: new URL(`http://${controllerProcess.http}`),
    token: options.tokenFile && readFileSync(options.tokenFile, 'utf8').trim(),
  })
  t.teardown(() => controller.close())
  const balancer = await balance(t)
  await sign(plane.pki, 'webhook', '/CN=webhook', ['IP:127.0.0.1'])
  if (webhooks) await admission(plane, balancer.port)
  const token = (await plane.kubectl(['-n', namespace, 'create', 'token', 'l2sm-operator', '--duration=3h'])).trim()
  const kubeconfig = plane.kubeconfigOf('operator', token)
  const list: Cluster['list'] = async (of, its) => {
    const found = await api.get<{ items: never[] }>(collection(of, its))
    return found!.items
  }
  return {
    ...{ plane, api, controller, controllerProcess, list },
    operator: async name => {
      const files = [
        '--webhook-key',
        join(plane.directory, 'webhook.key'),
        '--webhook-cert',
        join(plane.directory, 'webhook.crt'),
      ]
      const places = [
        '--webhooks',
        '127.0.0.1:0',
        '--http',
        '127.0.0.1:0',
        '--controller',
        `http://${controllerProcess.http}`,
      ]
      const secret = options.tokenFile === undefined ? [] : ['--token-file', options.tokenFile]
      const replica = await startReplica(t, name, [
        ...secret,
        ...files,
        ...places,
        '--kubeconfig',
        kubeconfig,
        '--log-level',
        'debug',
      ])
      balancer.add(replica.webhooks)
      return {
        ...replica,
        stop: async signal => {
          balancer.remove(replica.webhooks)
          await replica.stop(signal)
        },
      }
    },
    connect: async (node, ports = 10) => {
      const sw = newSwitch({ dpid: dpidOf(node), ports: Array.from({ length: ports }, (_, i) => i + 1) })
      const port = Number(controllerProcess.openflow[0]!.split(':').at(-1))
      const peer = newPeer({ sw, host: '127.0.0.1', port })
      await peer.connect()
      t.teardown(() => peer.hangUp())
      return peer
    },
    report: (node, count, used = []) => tellReport(controller, node, count, used),
    apply: yaml => plane.kubectl(['apply', '--server-side', '-f', '-'], yaml),
    pod: async (name, its = 'default') => (await api.get<Pod>(place('pods', { namespace: its, name })))!,
    claims: () => list<Claim>('claims'),
    events: async (name, its = 'default') => {
      const all = await list<KubeObject & { involvedObject: { name: string }; reason: string; message: string }>(
        'events',
        its,
      )
      return all.filter(event => event.involvedObject.name === name).map(event => `${event.reason}: ${event.message}`)
    },
  }
}

const install = async (
  { kubectl }: ControlPlane,
  nodes: readonly string[],
  address: (node: string) => string,
): Promise<void> => {
  await kubectl(['create', 'namespace', namespace])
  await kubectl([
    'apply',
    '--server-side',
    '-f',
    join(root, 'manifests/base/crds'),
    '-f',
    join(root, 'lab/k8s/nad-crd.json'),
  ])
  await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s'])
  await kubectl([
    'apply',
    '--server-side',
    '-f',
    join(root, 'manifests/base/rbac.yaml'),
    '-f',
    join(root, 'manifests/base/policy.yaml'),
  ])
  const items = nodes.map(name => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  }))
  if (nodes.length > 0) await kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  for (const name of nodes) {
    const resources = { cpu: '64', memory: '64Gi', pods: '1000' }
    const status = {
      ...{ capacity: resources, allocatable: resources, addresses: [{ type: 'InternalIP', address: address(name) }] },
      conditions: [{ type: 'Ready', status: 'True', reason: 'Lab', message: 'there is no kubelet' }],
    }
    await kubectl(['patch', 'node', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
    await kubectl(['taint', 'node', name, 'node.kubernetes.io/not-ready-', '--overwrite']).catch(() => '')
  }
  await untilKubectl(kubectl, ['get', 'serviceaccount', 'default'])
}

const untilKubectl = (kubectl: ControlPlane['kubectl'], args: readonly string[]) =>
  until(
    args.join(' '),
    () =>
      kubectl(args).then(
        () => true,
        () => false,
      ),
    { ms: 30_000 },
  )

/** The webhooks as they are shipped, at an address of this machine in place of a service. */
const admission = async ({ kubectl, directory }: ControlPlane, port: number): Promise<void> => {
  const shipped = await kubectl([
    'create',
    '--dry-run=client',
    '-o',
    'json',
    '-f',
    join(root, 'manifests/base/webhooks.yaml'),
  ])
  const configuration = JSON.parse(shipped)
  const caBundle = readFileSync(join(directory, 'ca.crt')).toString('base64')
  for (const webhook of configuration.webhooks)
    webhook.clientConfig = { url: `https://127.0.0.1:${port}${webhook.clientConfig.service.path}`, caBundle }
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(configuration))
}

/** As a Service: each connection goes to one of the replicas. */
const balance = async (t: Test) => {
  const replicas: number[] = []
  const open = new Map<number, Set<Socket>>()
  let turn = 0
  const server = createServer(from => {
    const port = replicas[turn++ % Math.max(1, replicas.length)]
    from.on('error', () => {})
    if (port === undefined) return void from.destroy()
    const to = dial(port, '127.0.0.1')
    to.on('error', () => from.destroy())
    open.get(port)?.add(from)
    from.pipe(to).pipe(from)
    from.on('close', () => to.destroy())
    to.on('close', () => from.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const sockets of open.values()) for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as { port: number }).port,
    add: (port: number) => {
      replicas.push(port)
      open.set(port, new Set())
    },
    remove: (port: number) => {
      replicas.splice(replicas.indexOf(port), 1)
    },
  }
}

const startReplica = async (t: Test, name: string, args: readonly string[]) => {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child: ChildProcess = spawn(process.execPath, [l2sm, 'operator', '--identity', name, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  const kill = () => void child.kill('SIGKILL')
  process.on('exit', kill)
  t.teardown(async () => {
    process.off('exit', kill)
    kill()
    await ended
  })
  const log: Line[] = []
  const ready = Promise.withResolvers<Line>()
  createInterface(child.stdout!).on('line', text => {
    const line: Line = JSON.parse(text)
    log.push(line)
    if (process.env['SHOW']) console.error(name, text)
    if (line.msg === 'ready') ready.resolve(line)
  })
  let complaint = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    complaint += text
    if (process.env['SHOW']) console.error(name, text)
  })
  const line = await Promise.race([
    ready.promise,
    ended.then(() => {
      throw new Error(`the operator ended before it was ready: ${complaint} ${log.at(-1)?.msg}`)
    }),
  ])
  const http = `http://${line['http']}`
  const isReady = () =>
    fetch(`${http}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    )
  await until('the operator is ready', isReady, { ms: 20_000, why: () => JSON.stringify(log.slice(-5)) })
  const webhooks = Number(String(line['webhooks']).split(':').at(-1))
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  return { name, log, http, webhooks, stop }
}

const provider = 'l2sm-controller'

/** As an agent does; the node must be declared. */
const tellReport = async (controller: Client, node: string, count: number, used: readonly number[]): Promise<void> => {
  const plan = await controller.getNodePlan({ node })
  const { bridgePrefix } = plan.interfaces
  const ports = Array.from({ length: count }, (_, i) => ({
    name: `${bridgePrefix}${i + 1}`,
    port: i + 1,
    role: 'interface' as const,
    used: used.includes(i + 1),
  }))
  await controller.putNodeReport({
    node,
    body: {
      ...{
        node,
        time: new Date().toISOString(),
        agent: { version: 'test' },
        plan: plan.version,
        bridge: plan.bridge,
        dpid: plan.dpid,
      },
      ...{
        underlay: { address: plan.underlay.address },
        openvswitch: { version: '3.1.0', datapath: 'userspace', connected: false },
      },
      ...{ ports, health: { state: 'ok', reasons: [] } },
    },
  })
}

export const dpidOf = (node: string): string => datapathOf(bridgeName(node, provider))
export const deviceOf = (node: string, number: number): string =>
  `${interfaceNames(bridgeName(node, provider)).podPrefix}${number}`

/** A pod as people write it. */
export const podYaml = (
  name: string,
  more: {
    readonly networks?: string
    readonly annotations?: object
    readonly labels?: object
    readonly spec?: object
    readonly namespace?: string
  } = {},
): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace: more.namespace ?? 'default', labels: { l2sm: 'true', ...more.labels } },
      annotations: { ...(more.networks !== undefined && { 'l2sm/networks': more.networks }), ...more.annotations },
    },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'none' }], ...more.spec },
  })

export const networkYaml = (name: string, spec: object = {}, its = 'default'): string =>
  JSON.stringify({
    apiVersion: 'l2sm.l2sm.k8s.local/v1',
    kind: 'L2Network',
    metadata: { name, namespace: its },
    spec: { type: 'vnet', ...spec },
  })

/** What Multus will do for a pod; nothing while there is none. */
export const attached = (
  pod: Pod | undefined,
): readonly {
  readonly name: string
  readonly namespace?: string
  readonly ips?: readonly string[]
  readonly mac?: string
}[] => {
  const text = pod?.metadata.annotations?.['k8s.v1.cni.cncf.io/networks'] ?? '[]'
  return text.startsWith('[') ? JSON.parse(text) : [{ name: text }]
}
