// The whole of it with real packets: manifests, operator, controller, agents, Open vSwitch and Multus; only the kubelet is ours.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CommandFailed, run } from '../../lab/command.ts'
import { requirements } from '../../lab/install.ts'
import { type Cni, openCni } from '../../lab/k8s/cni.ts'
import type { Pod } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { makeAgents, nameOf } from '../ovs/agents.ts'
import { openflowPort } from '../ovs/stage.ts'
import { attached, type Cluster, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

// Three nodes, and pods that come and go.
t.setTimeout(600_000)
const missing = requirements(undefined, [
  { command: '../lib/cni/host-device', package: 'containernetworking-plugins', why: 'plugins of CNI' },
])
if (missing.length > 0) t.plan(0, `real switches need ${missing.map(({ need }) => need).join(', ')}`)
else if (await needsCluster(t)) {
  let place = { directory: '', address: '' }
  const tokenFile = () => join(place.directory, 'token')
  const source = (node: number) => [
    '--node',
    nameOf(node),
    '--controller',
    `http://${place.address}:8181`,
    '--token-file',
    tokenFile(),
  ]
  const agents = await makeAgents(t, { nodes: 3, start: false, source })
  const { mesh } = agents.stage
  place = { directory: mesh.directory, address: mesh.ctl.address }
  writeFileSync(tokenFile(), 'a-token-of-this-test\n', { mode: 0o600 })
  const cluster: Cluster = await startCluster(t, {
    address: mesh.ctl.address,
    nodes: mesh.nodes.map(({ number }) => nameOf(number)),
    addressOf: name => mesh.node(Number(name.slice(1))).address,
    tokenFile: tokenFile(),
    controllerArgs: [
      ...['--openflow', `tcp:${mesh.ctl.address}:${openflowPort}`, '--http', `${mesh.ctl.address}:8181`],
      ...['--token-file', tokenFile(), '--store', `sqlite:${join(mesh.directory, 'l2sm.db')}`],
    ],
  })
  const { plane, controller } = cluster
  const operator = await cluster.operator('a')
  const cni: Cni = openCni(plane.directory, plane.kubeconfig)
  const why = () =>
    `\n${[...agents.log.slice(-4), ...operator.log.slice(-12)].map(line => JSON.stringify(line)).join('\n')}`

  const nodeOf = ({ spec }: Pod) => {
    const { number, netns } = mesh.node(Number(spec.nodeName!.slice(1)))
    return { name: nameOf(number), netns }
  }
  const sandbox = ({ metadata: { namespace = '', name, uid } }: Pod) => ({
    namespace,
    name,
    uid,
    netns: `${mesh.prefix}-pod-${name}`,
  })
  const bound = async (name: string, its = 'default'): Promise<Pod> => {
    await until(`${name} is bound`, async () => (await cluster.pod(name, its))?.spec.nodeName !== undefined, {
      ms: 30_000,
      why,
    })
    return cluster.pod(name, its)
  }
  /** As a kubelet: until Multus has given the pod its networks. */
  const start = async (name: string, its = 'default'): Promise<Pod> => {
    await bound(name, its)
    const pod = () => cluster.pod(name, its)
    await until(
      `${name} has its networks`,
      async () => {
        const now = await pod()
        return cni.add(nodeOf(now), sandbox(now)).then(
          () => true,
          () => false,
        )
      },
      { ms: 20_000, why },
    )
    return pod()
  }
  const stop = async (pod: Pod) => {
    await cni.remove(nodeOf(pod), sandbox(pod))
    await plane.kubectl([
      '-n',
      pod.metadata.namespace!,
      'delete',
      'pod',
      pod.metadata.name,
      '--grace-period=0',
      '--force',
    ])
  }
  const ready = (name: string, its = 'default') =>
    until(
      `the networks of ${name} are ready`,
      async () => {
        const { status } = await cluster.pod(name, its)
        return (
          status?.conditions?.some(({ type, status: is }) => type === 'l2sm.io/networks-ready' && is === 'True') ??
          false
        )
      },
      { ms: 20_000, why },
    )
  const within = (pod: Pod, command: string, ...args: string[]) => run(command, args, { netns: sandbox(pod).netns })
  const reaches = async (from: Pod, address: string): Promise<boolean> =>
    within(from, 'ping', '-n', '-q', '-c', '3', '-i', '0.05', '-W', '1', address).then(
      text => / [1-3] received/.test(text),
      error => {
        if (error instanceof CommandFailed && error.code === 1) return false
        throw error
      },
    )
  /** Until the kernel has made sure that nobody else has its IPv6 addresses (RFC 4862 §5.4). */
  const settled = (pod: Pod) =>
    until(
      'no address is tentative',
      async () => !/tentative/.test(await within(pod, 'ip', '-6', 'addr', 'show', 'net1')),
    )
  const on = (node: number) => ({ nodeSelector: { 'kubernetes.io/hostname': nameOf(node) } })

  t.test('an Overlay is made a mesh by agents', async t => {
    await Promise.all([1, 2, 3].map(node => agents.start(node)))
    const nodes = [1, 2, 3].map(nameOf)
    const links = [
      ['n1', 'n2'],
      ['n2', 'n3'],
      ['n1', 'n3'],
    ].map(([endpointA, endpointB]) => ({ endpointA, endpointB }))
    const spec = {
      provider: { name: 'l2sm-controller', domain: ['controller.l2sm-system.svc'] },
      topology: { nodes, links },
      interfaceNumber: 4,
      monitor: { metrics: [{ name: 'rtt' }] },
    }
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'l2sm.l2sm.k8s.local/v1',
        kind: 'Overlay',
        metadata: { name: 'mesh', namespace: 'default' },
        spec,
      }),
    )
    await until(
      'it is ready',
      async () => /mesh +True +AsPlanned +3\/3/.test(await plane.kubectl(['get', 'overlay', 'mesh'])),
      { ms: 40_000, why },
    )
    const measured = async () =>
      (await cluster.list<never>('overlays', 'default'))[0] as unknown as {
        status: { linkMetrics?: { metrics: unknown[] }[] }
      }
    await until(
      'links are measured',
      async () => {
        const metrics = (await measured()).status.linkMetrics ?? []
        return metrics.length === 6 && metrics.every(({ metrics: its }) => its.length === 2)
      },
      { ms: 20_000, why },
    )
    t.pass()
  })

  const example = (file: string) => readFileSync(new URL(`./upstream-examples/${file}`, import.meta.url), 'utf8')

  t.test('the example ping-pong, unchanged: who must reach whom does, others do not', async t => {
    for (const file of ['network', 'ping', 'pong']) await cluster.apply(example(`ping-pong/${file}.yaml`))
    await cluster.apply(networkYaml('other', { networkCIDR: '10.0.0.0/24' }))
    await cluster.apply(podYaml('stranger', { networks: '[{"name": "other", "ips": ["10.0.0.9/24"]}]' }))
    const [ping, pong, stranger] = [await start('ping-intra'), await start('pong-intra'), await start('stranger')]
    for (const name of ['ping-intra', 'pong-intra', 'stranger']) await ready(name)
    t.match(await within(ping!, 'ip', '-4', 'addr', 'show', 'net1'), /10\.0\.0\.1\/24/)
    t.match(await within(ping!, 'ip', 'link', 'show', 'net1'), new RegExp(attached(ping!)[0]!.mac!))
    t.notMatch(await within(pong!, 'ip', '-4', 'addr', 'show', 'net1'), /inet/)
    t.match(await within(pong!, 'ip', '-6', 'addr', 'show', 'net1'), /fe80::/)
    await within(pong!, 'ip', 'addr', 'add', '10.0.0.2/24', 'dev', 'net1')
    t.ok(await reaches(ping!, '10.0.0.2'))
    t.notOk(await reaches(stranger!, '10.0.0.1'))
    t.notOk(await reaches(stranger!, '10.0.0.2'))
    for (const pod of [ping!, pong!, stranger!]) await stop(pod)
    for (const file of ['ping', 'network'])
      await plane.kubectl(['delete', '--ignore-not-found', '-f', '-'], example(`ping-pong/${file}.yaml`))
  })

  t.test(
    'pods on all nodes get addresses and reach each other; interfaces are used again by other networks',
    async t => {
      await cluster.apply(networkYaml('lan', { networkCIDR: '10.101.0.0/16,fd00::/64' }))
      for (const round of [1, 2]) {
        for (const node of [1, 2, 3]) await cluster.apply(podYaml(`p${node}`, { networks: 'lan', spec: on(node) }))
        const pods = await Promise.all([1, 2, 3].map(node => start(`p${node}`)))
        for (const node of [1, 2, 3]) await ready(`p${node}`)
        await Promise.all(pods.map(settled))
        const addresses = pods.map(pod => attached(pod)[0]!.ips!.map(ip => ip.split('/')[0]!))
        t.strictSame(
          addresses.map(([four]) => four).toSorted(),
          ['10.101.0.1', '10.101.0.2', '10.101.0.3'],
          `round ${round}`,
        )
        for (const from of pods)
          for (const [four, six] of addresses) t.ok((await reaches(from, four!)) && (await reaches(from, six!)))
        for (const pod of pods) await stop(pod)
        await until('all is free', async () => (await cluster.claims()).length === 0, { ms: 40_000, why })
      }
      for (const { networks } of [await controller.listNetworks()])
        for (const { id, attachments } of networks) t.equal(attachments, 0, id)
    },
  )

  t.test('more pods than a node had interfaces: more come', async t => {
    await cluster.apply(networkYaml('crowd', { networkCIDR: '10.5.0.0/24' }))
    const names = Array.from({ length: 7 }, (_, i) => `crowd-${i}`)
    for (const name of names) await cluster.apply(podYaml(name, { networks: 'crowd', spec: on(1) }))
    const pods = []
    for (const name of names) pods.push(await start(name))
    for (const name of names) await ready(name)
    t.ok(await reaches(pods[0]!, '10.5.0.7'))
    for (const pod of pods) await stop(pod)
  })
}
