// Running pods are moved to another network, with their interface, MAC and addresses.
import t from 'tap'
import type { Quarantine } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { attached, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1'] })
  const { plane, controller } = cluster
  await controller.putMesh({ body: { full: true, nodes: [{ name: 'n1', address: '192.0.2.1' }] } })
  await cluster.connect('n1')
  await cluster.report('n1', 10)
  const operator = await cluster.operator('a')
  const why = () => JSON.stringify(operator.log.slice(-8))
  const bound = (name: string) =>
    until(`${name} is bound`, async () => (await cluster.pod(name))?.spec.nodeName !== undefined, { ms: 30_000, why })
  const members = async (network: string) =>
    ((await controller.listAttachments({ network }).catch(() => undefined))?.attachments ?? []).map(
      ({ name, mac, port, state }) => ({
        name,
        mac,
        port,
        state,
      }),
    )
  const labelled = (name: string, labels: object, spec: object = {}) =>
    JSON.stringify({ ...JSON.parse(networkYaml(name, spec)), metadata: { name, namespace: 'default', labels } })
  const request = (name: string, target: string) =>
    JSON.stringify({
      ...{
        apiVersion: 'l2sm.l2sm.k8s.local/v1',
        kind: 'QuarantinePodRequest',
        metadata: { name, namespace: 'default' },
      },
      spec: {
        targetL2Network: target,
        selector: {
          podLabelSelector: { matchLabels: { bad: 'yes' } },
          l2NetworkSelector: { matchLabels: { zone: 'work' } },
        },
      },
    })
  const status = async (name: string) =>
    (await cluster.list<Quarantine>('quarantines', 'default')).find(({ metadata }) => metadata.name === name)?.status as
      | Record<string, unknown>
      | undefined

  await cluster.apply(labelled('work', { zone: 'work' }, { networkCIDR: '10.1.0.0/24' }))
  for (const [name, labels] of [
    ['bad-1', { bad: 'yes' }],
    ['bad-2', { bad: 'yes' }],
    ['good', {}],
  ] as const) {
    await cluster.apply(podYaml(name, { networks: name === 'bad-2' ? '[{"name":"work"}]' : 'work', labels }))
    await bound(name)
  }
  await until(
    'all are in',
    async () => (await members('default.work')).filter(({ state }) => state === 'programmed').length === 3,
    { why },
  )
  const before = await members('default.work')

  t.test('a target that does not exist moves nobody, and says so', async t => {
    await cluster.apply(request('early', 'jail'))
    await until('it is told', async () => JSON.stringify((await status('early')) ?? {}).includes('TargetMissing'), {
      why,
    })
    t.match(await status('early'), {
      matchedPodCount: 2,
      movedPodCount: 0,
      conditions: [{ type: 'Ready', status: 'False', message: /network jail does not exist/ }],
    })
    t.equal((await members('default.work')).length, 3)
  })

  t.test('when it exists, the pods that are meant are moved, and no others', async t => {
    await cluster.apply(networkYaml('jail'))
    await until(
      'they are there',
      async () => (await members('default.jail')).filter(({ state }) => state === 'programmed').length === 2,
      { why, ms: 20_000 },
    )
    t.same(
      (await members('default.work')).map(({ name }) => name),
      ['default/good'],
    )
    const moved = before.filter(({ name }) => name !== 'default/good')
    t.same(await members('default.jail'), moved)
    await until('the count is right', async () => (await status('early'))?.['movedPodCount'] === 2, { why })
    t.match(await status('early'), {
      matchedPodCount: 2,
      sourceL2NetworkName: 'work',
      targetL2NetworkName: 'jail',
      conditions: [{ status: 'True', message: '2 of 2 pods moved' }],
    })
    t.equal((await cluster.pod('bad-1')).metadata.annotations?.['l2sm/networks'], 'jail')
    t.equal((await cluster.pod('bad-2')).metadata.annotations?.['l2sm/networks'], '[{"name":"jail"}]')
    t.match(attached(await cluster.pod('bad-1')), [{ ips: ['10.1.0.1/24'] }])
    t.match((await cluster.events('bad-1')).join(), /Quarantined: moved from network work to network jail/)
  })

  t.test('who takes its place has its address and its MAC: neighbours need not learn anything', async t => {
    const mac = before.find(({ name }) => name === 'default/bad-1')!.mac
    await cluster.apply(podYaml('honeypot', { networks: '[{"name":"work","ips":["10.1.0.1/24"]}]' }))
    await bound('honeypot')
    t.match(attached(await cluster.pod('honeypot')), [{ ips: ['10.1.0.1/24'], mac }])
  })

  t.test('a network that goes while pods are in it, and pods after it: nothing sticks', async t => {
    await plane.kubectl(['delete', 'l2network', 'work', 'jail', '--timeout=5s'])
    await until('the controller has neither', async () => (await controller.listNetworks()).networks.length === 0, {
      why,
    })
    const condition = async () =>
      (await cluster.pod('good')).status?.conditions?.find(({ type }) => type === 'l2sm.io/networks-ready')
    await until('its pods say so', async () => (await condition())?.status === 'False', { why })
    t.match(await condition(), { message: /network default\.work does not exist any more/ })
    await plane.kubectl(['delete', 'pods', '--all', '--grace-period=0', '--force'])
    await until('no claim is left', async () => (await cluster.claims()).length === 0, { ms: 30_000, why })
  })
}
