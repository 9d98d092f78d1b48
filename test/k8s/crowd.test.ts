// Many pods at once, two replicas, one of which dies in the middle: nobody gets what somebody else has, and nobody is left out.
import t from 'tap'
import type { KubeObject, Pod } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { attached, namespace, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

const nodes = ['n1', 'n2', 'n3', 'n4']
const count = 200
/** Interfaces of each node: more than its share of the pods, however the scheduler spreads them. */
const interfaces = 80

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes })
  const { plane, controller } = cluster
  await controller.putMesh({
    body: {
      full: true,
      interfaceNumber: interfaces,
      nodes: nodes.map((name, i) => ({ name, address: `192.0.2.${i + 1}` })),
    },
  })
  for (const node of nodes) {
    await cluster.connect(node, interfaces)
    await cluster.report(node, interfaces)
  }
  const first = await cluster.operator('first')
  const second = await cluster.operator('second')
  const why = () => JSON.stringify([...first.log.slice(-5), ...second.log.slice(-5)])
  const all = async () => cluster.list<never>('pods', 'default') as Promise<readonly Pod[]>

  t.test('one of two replicas is the leader', async t => {
    const leaders = () =>
      [first, second].filter(({ log }) => log.some(({ msg }) => msg === 'this replica is the leader'))
    await until('one leads', () => leaders().length > 0)
    t.equal(leaders().length, 1)
    await until(
      'interfaces are known',
      async () => (await cluster.list('nads', namespace)).length === nodes.length * interfaces * 2,
      { ms: 60_000, why },
    )
  })

  t.test('two hundred pods at once, and the leader killed meanwhile', async t => {
    await cluster.apply(networkYaml('crowd', { networkCIDR: '10.9.0.0/16' }))
    const text = Array.from({ length: count }, (_, i) => podYaml(`p${i}`, { networks: 'crowd' })).join('\n---\n')
    const applied = plane.kubectl(['create', '-f', '-'], text)
    await until('some are bound', async () => (await all()).filter(({ spec }) => spec.nodeName).length > count / 4, {
      ms: 60_000,
      why,
    })
    const leader = first.log.some(({ msg }) => msg === 'this replica is the leader') ? first : second
    await leader.stop('SIGKILL')
    // Of those that are created in the very moment the API server says so: as a controller of pods, ask again.
    await applied.catch(() => '')
    for (let tries = 0; tries < 10 && (await all()).length < count; tries++)
      await plane.kubectl(['create', '-f', '-'], text).catch(() => '')
    const isServed = (pod: Pod) => pod.spec.nodeName !== undefined && attached(pod)[0]?.ips !== undefined
    await until('all have their interface', async () => (await all()).filter(isServed).length === count, {
      ms: 90_000,
      why,
    })
    const pods = await all()
    const ports = pods.map(pod => attached(pod)[0]!.name)
    const addresses = pods.map(pod => attached(pod)[0]!.ips![0]!)
    t.equal(new Set(ports).size, count)
    t.equal(new Set(addresses).size, count)
    t.same(
      addresses.filter(ip => !/^10\.9\.0\.\d+\/16$/.test(ip)),
      [],
    )
  })

  t.test('the other replica takes over: every port is in the network', async t => {
    await until(
      'all ports are',
      async () => {
        const { attachments } = await controller
          .listAttachments({ network: 'default.crowd' })
          .catch(() => ({ attachments: [] }))
        return attachments.length === count
      },
      { ms: 60_000, why },
    )
    const claims = await cluster.claims()
    await until(
      'claims that a dead replica left are collected',
      async () => (await cluster.claims()).length === 2 * count,
      { ms: 60_000, why },
    )
    t.comment(`${claims.length - 2 * count} claims were too many`)
  })

  t.test('when all are gone, nothing is left', async t => {
    await plane.kubectl(['delete', 'pods', '--all', '--grace-period=0', '--force', '--wait=false'])
    await until('no claim is left', async () => (await cluster.claims()).length === 0, { ms: 60_000, why })
    t.same((await controller.listAttachments({ network: 'default.crowd' })).attachments, [])
  })

  t.test('a node that is gone is collected', async t => {
    await cluster.apply(
      podYaml('stays', { networks: 'crowd', spec: { nodeSelector: { 'kubernetes.io/hostname': 'n4' } } }),
    )
    await until('it is served', async () => (await cluster.claims()).length === 2, { ms: 20_000, why })
    await plane.kubectl(['delete', 'node', 'n4'])
    await controller.deleteNode({ node: 'n4' })
    const began = performance.now()
    await plane.kubectl(['delete', 'pod', 'stays', '--grace-period=0', '--force'])
    await until(
      'its claims and interfaces are gone',
      async () => {
        const nads = await cluster.list<KubeObject>('nads', namespace)
        return (
          (await cluster.claims()).length === 0 &&
          nads.every(({ metadata }) => metadata.annotations!['l2sm.io/node'] !== 'n4')
        )
      },
      { ms: 60_000, why },
    )
    t.comment(`after ${Math.round(performance.now() - began)} ms`)
  })
}
