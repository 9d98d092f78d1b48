// Pods get their interfaces and addresses in the write that binds them, whoever is away meanwhile.
import t from 'tap'
import type { L2Network } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { attached, dpidOf, namespace, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1', 'n2'] })
  const { plane, api, controller } = cluster
  await controller.putMesh({
    body: { full: true, nodes: ['n1', 'n2'].map((name, i) => ({ name, address: `192.0.2.${i + 1}` })) },
  })
  let operator = await cluster.operator('a')
  for (const node of ['n1', 'n2']) {
    await cluster.connect(node)
    await cluster.report(node, 10)
  }
  await until('interfaces are known', async () => (await cluster.list('nads', namespace)).length === 40)
  const bound = (name: string, its = 'default') =>
    until(`${name} is bound`, async () => (await cluster.pod(name, its))?.spec.nodeName !== undefined, {
      ms: 30_000,
      why: () => JSON.stringify(operator.log.slice(-8)),
    })
  const remove = (name: string) => plane.kubectl(['delete', 'pod', name, '--grace-period=0', '--force'])

  t.test('a pod gets an interface, an address and a MAC as it is bound', async t => {
    await cluster.apply(networkYaml('lan', { networkCIDR: '10.101.0.0/16', podAddressRange: '10.101.2.0/24' }))
    await cluster.apply(podYaml('first', { networks: 'lan' }))
    await bound('first')
    const pod = await cluster.pod('first')
    const [element] = attached(pod)
    t.match(element, { namespace, ips: ['10.101.2.1/16'], mac: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/ })
    t.equal(element!.name.startsWith(`if-${dpidOf(pod.spec.nodeName!)}-`), true)
    await until(
      'the controller has its port',
      async () => (await controller.listAttachments({ network: 'default.lan' })).attachments.length === 1,
    )
    const { attachments } = await controller.listAttachments({ network: 'default.lan' })
    t.match(attachments, [
      {
        dpid: dpidOf(pod.spec.nodeName!),
        mac: element!.mac,
        ips: ['10.101.2.1/16'],
        name: 'default/first',
        guard: 'mac',
      },
    ])
    const condition = async () =>
      (await cluster.pod('first')).status?.conditions?.find(({ type }) => type === 'l2sm.io/networks-ready')
    await until('the switch has it', async () => (await condition())?.status === 'True')
    const told = async () => (await cluster.events('first')).join('; ')
    await until('it is told', async () => /NetworksAttached/.test(await told()))
    t.match(await told(), /network default\.lan: port \d+ of node n[12], MAC .*, 10\.101\.2\.1\/16/)
    const line = () => plane.kubectl(['get', 'l2network', 'lan'])
    await until('the network tells, too', async () => /lan +Available +1 +True +Programmed +1\/1/.test(await line()))
    const network = async () =>
      (await cluster.list<L2Network>('l2networks', 'default')).find(({ metadata }) => metadata.name === 'lan')
    t.match(await network(), { status: { assignedIPs: { '10.101.2.1': 'first' }, lastAssignedIP: '10.101.2.1' } })
  })

  t.test('both forms of the annotation, several networks, addresses of its own', async t => {
    await cluster.apply(networkYaml('plain'))
    await cluster.apply(
      podYaml('both', { networks: '[{"name": "plain", "ips": ["10.0.0.1/24", "fd00::1/64"]}, {"name": "lan"}]' }),
    )
    await bound('both')
    t.match(attached(await cluster.pod('both')), [{ ips: ['10.0.0.1/24', 'fd00::1/64'] }, { ips: ['10.101.2.2/16'] }])
    await cluster.apply(podYaml('bare', { networks: 'plain' }))
    await bound('bare')
    const [element] = attached(await cluster.pod('bare'))
    t.match(element!.name, /-l2$/)
    t.equal(element!.ips, undefined)
  })

  t.test('an address that somebody has, and a network that is not there: the pod waits, and is told why', async t => {
    await cluster.apply(podYaml('late', { networks: '[{"name": "plain", "ips": ["10.0.0.1/24"]}]' }))
    await until('it is told', async () =>
      (await cluster.events('late')).some(text =>
        /AddressTaken: network plain: address 10\.0\.0\.1 is held by pod default\/both/.test(text),
      ),
    )
    await cluster.apply(podYaml('early', { networks: 'tomorrow' }))
    await until('it is told', async () =>
      (await cluster.events('early')).some(text =>
        /NetworkMissing: network tomorrow does not exist in namespace default/.test(text),
      ),
    )
    t.equal((await cluster.pod('early')).spec.nodeName, undefined)
    await cluster.apply(networkYaml('tomorrow'))
    await remove('both')
    await bound('early')
    await bound('late')
    t.match(attached(await cluster.pod('late')), [{ ips: ['10.0.0.1/24'] }])
  })

  t.test('what can not be is refused at once, and said why', async t => {
    const refused = (why: RegExp, yaml: string) => t.rejects(cluster.apply(yaml), { message: why })
    await refused(
      /hostNetwork has the interfaces of its node/,
      podYaml('x', { networks: 'lan', spec: { hostNetwork: true } }),
    )
    await refused(/network lan is asked for twice/, podYaml('x', { networks: 'lan, lan' }))
    await refused(/network other\/lan is in another namespace/, podYaml('x', { networks: 'other/lan' }))
    await refused(/"10.0.0" is no address/, podYaml('x', { networks: '[{"name": "lan", "ips": ["10.0.0"]}]' }))
    await refused(/annotation l2sm\/networks: it is no JSON/, podYaml('x', { networks: '[{"name": ' }))
  })

  t.test('nobody else may name an interface: with our label, without it, and later', async t => {
    const annotations = { 'k8s.v1.cni.cncf.io/networks': `${namespace}/if-${dpidOf('n1')}-1` }
    await t.rejects(cluster.apply(podYaml('thief', { annotations })), {
      message: /is an interface that the operator gives out/,
    })
    await t.rejects(cluster.apply(podYaml('thief', { annotations, labels: { l2sm: 'no' } })), {
      message: /given out by the operator/,
    })
    const change = [
      'annotate',
      '--overwrite',
      'pod',
      'bare',
      `k8s.v1.cni.cncf.io/networks=${namespace}/if-${dpidOf('n1')}-1`,
    ]
    await t.rejects(plane.kubectl(change), { message: /given out by the operator/ })
  })

  t.test('a dry run claims nothing', async t => {
    const before = (await cluster.claims()).length
    await plane.kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], podYaml('dry', { networks: 'lan' }))
    await cluster.apply(podYaml('gated', { networks: 'lan', spec: { schedulerName: 'nobody' } }))
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'gated' },
      target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
    }
    await api.create('/api/v1/namespaces/default/pods/gated/binding', binding, { dryRun: 'All' })
    t.equal((await cluster.claims()).length, before)
    await remove('gated')
  })

  t.test('networks in the oldest form, beside what is only for Multus', async t => {
    const nad = (name: string, config: object) =>
      JSON.stringify({
        apiVersion: 'k8s.cni.cncf.io/v1',
        kind: 'NetworkAttachmentDefinition',
        metadata: { name, namespace: 'default' },
        spec: { config: JSON.stringify(config) },
      })
    await cluster.apply(nad('oldest', { cniVersion: '0.3.0', type: 'host-device', device: 'l2sm-vNet' }))
    await cluster.apply(nad('foreign', { cniVersion: '0.3.0', type: 'macvlan' }))
    await until('it is a network', async () =>
      (await controller.listNetworks()).networks.some(({ id }) => id === 'default.oldest'),
    )
    await cluster.apply(
      podYaml('old', { annotations: { 'k8s.v1.cni.cncf.io/networks': 'foreign, default/oldest@eth7' } }),
    )
    await bound('old')
    t.match(attached(await cluster.pod('old')), [{ name: 'foreign' }, { namespace, interface: 'eth7' }])
    t.equal(
      (await cluster.pod('old')).metadata.annotations?.['l2sm.io/multus-networks'],
      'foreign, default/oldest@eth7',
    )
    await plane.kubectl(['delete', 'net-attach-def', 'oldest'])
    await until(
      'it is none any more',
      async () => !(await controller.listNetworks()).networks.some(({ id }) => id === 'default.oldest'),
    )
  })

  t.test('all that a pod had is free when it is gone', async t => {
    for (const name of ['first', 'bare', 'early', 'late', 'old']) await remove(name)
    await until('no claim is left', async () => (await cluster.claims()).length === 0, {
      ms: 30_000,
      why: () => JSON.stringify(operator.log.slice(-8)),
    })
    t.same((await controller.listAttachments({ network: 'default.lan' })).attachments, [])
  })

  t.test(
    'without the webhooks, pods of others start, ours are refused, and those that slipped through are healed',
    async t => {
      await operator.stop('SIGKILL')
      await plane.kubectl(['run', 'other', '--image=none'])
      await bound('other')
      await t.rejects(cluster.apply(podYaml('ours', { networks: 'lan' })), {
        message: /failed calling webhook "pods.l2sm.io"/,
      })
      operator = await cluster.operator('b')
      await cluster.apply(podYaml('gated', { networks: 'lan', spec: { schedulerName: 'nobody' } }))
      await operator.stop('SIGKILL')
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: 'gated' },
        target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
      }
      await api.create('/api/v1/namespaces/default/pods/gated/binding', binding)
      t.match(attached(await cluster.pod('gated')), [{ name: `${namespace}/waits-for-l2sm-operator` }])
      operator = await cluster.operator('c')
      await until('it is healed', async () => attached(await cluster.pod('gated'))[0]?.ips !== undefined, {
        ms: 40_000,
        why: () => JSON.stringify(operator.log.slice(-8)),
      })
      t.match(attached(await cluster.pod('gated')), [{ ips: ['10.101.2.1/16'] }])
      await cluster.apply(podYaml('named', { networks: 'lan', spec: { nodeName: 'n2' } }))
      await until(
        'one that names its node, too',
        async () => attached(await cluster.pod('named'))[0]?.ips !== undefined,
      )
    },
  )
}
