// What else an L2Network can be: one that is watched by an IDS, and a vlink; and an edge device.
import t from 'tap'
import { parse } from 'yaml'
import type { EdgeDevice, KubeObject } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { attached, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1'] })
  const { plane, controller, api } = cluster
  await controller.putMesh({ body: { full: true, nodes: [{ name: 'n1', address: '192.0.2.1' }] } })
  await cluster.connect('n1')
  await cluster.report('n1', 10)
  const operator = await cluster.operator('a')
  const why = () => JSON.stringify(operator.log.slice(-8))
  const network = (id: string) => controller.getNetwork({ network: id }).catch(() => undefined)
  const ready = (name: string) =>
    until(
      `${name} is ready`,
      async () =>
        (await cluster.pod(name))?.status?.conditions?.some(
          ({ type, status }) => type === 'l2sm.io/networks-ready' && status === 'True',
        ) ?? false,
      { ms: 30_000, why },
    )

  t.test('an IDS gets copies of all frames of its network, and is no member', async t => {
    const ids = {
      ...{
        enabled: true,
        node: 'n1',
        profile: 'suricata',
        useEmergingThreatsOpen: false,
        homeNetCidr: ['10.0.0.0/8'],
        ignorePorts: [22],
      },
      customRuleSources: [
        { name: 'own', inline: 'alert icmp any any -> any any (msg:"ping"; sid:1; rev:1;)' },
        { name: 'more', configMapRef: { name: 'rules' } },
      ],
    }
    await cluster.apply(networkYaml('watched', { ids }))
    const deployment = async () =>
      api.get<KubeObject & { spec: { template: unknown } }>('/apis/apps/v1/namespaces/default/deployments/watched-ids')
    await until('its objects are there', async () => (await deployment()) !== undefined, { ms: 20_000, why })
    t.match(await deployment(), {
      metadata: { ownerReferences: [{ kind: 'L2Network', name: 'watched' }] },
      spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': 'n1' } } } },
    })
    const config = parse(await plane.kubectl(['get', 'configmap', 'watched-ids-cm', '-o', 'yaml']))
    t.match(config.data['custom.rules'], /^alert icmp/)
    t.match(config.data['start.sh'], /exec suricata -i net1 .*HOME_NET=\[10\.0\.0\.0\/8\].* 'not port 22'/)
    await until('its pod has the mirror port', async () => (await network('default.watched'))?.mirror !== undefined, {
      ms: 40_000,
      why,
    })
    t.same((await controller.listAttachments({ network: 'default.watched' })).attachments, [])
    const [claim] = await cluster.claims()
    t.match((await network('default.watched'))?.mirror, {
      port: (claim!.spec as { interface: { port: number } }).interface.port,
    })
    await ready(claim!.spec.pod.name)
    await plane.kubectl(['patch', 'l2network', 'watched', '--type=merge', '-p', '{"spec":{"ids":{"enabled":false}}}'])
    await until(
      'all of it goes',
      async () => (await deployment()) === undefined && (await network('default.watched'))?.mirror === undefined,
      { ms: 20_000, why },
    )
  })

  t.test('who only carries the label of an IDS is a member as any other', async t => {
    await plane.kubectl(['patch', 'l2network', 'watched', '--type=merge', '-p', '{"spec":{"ids":{"enabled":true}}}'])
    await cluster.apply(podYaml('sniffer', { networks: 'watched', labels: { 'l2sm.io/ids': 'watched' } }))
    await ready('sniffer')
    const { attachments } = await controller.listAttachments({ network: 'default.watched' })
    t.match(attachments, [{ name: 'default/sniffer' }])
    await plane.kubectl(['delete', 'l2network', 'watched'])
  })

  t.test('a vlink joins two pods, named in its config, once both are there', async t => {
    const path = {
      name: 'there',
      FromEndpoint: 'left',
      ToEndpoint: 'right',
      links: [],
      capabilities: { bandwidthBits: '20M' },
    }
    await cluster.apply(
      networkYaml('wire', { type: 'vlink', config: JSON.stringify({ 'overlay-parameters': { path } }) }),
    )
    await cluster.apply(podYaml('left', { networks: 'wire' }))
    const condition = () =>
      plane.kubectl(['get', 'l2network', 'wire', '-o', 'jsonpath={.status.conditions[0].message}'])
    await until('it says what is missing', async () => /there is no endpoint "right"/.test(await condition()), {
      ms: 20_000,
      why,
    })
    await cluster.apply(podYaml('other', { networks: 'wire', labels: { 'l2sm/app': 'right' } }))
    await until('it is there', async () => (await network('default.wire'))?.type === 'vlink', { ms: 20_000, why })
    t.match(await network('default.wire'), { bandwidth: 20_000_000 })
  })

  t.test('a pod in the oldest form without the label is told that it gets no network', async t => {
    const config = JSON.stringify({ cniVersion: '0.3.0', type: 'host-device', device: 'l2sm-vNet' })
    const metadata = { name: 'oldest', namespace: 'default' }
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'k8s.cni.cncf.io/v1',
        kind: 'NetworkAttachmentDefinition',
        metadata,
        spec: { config },
      }),
    )
    await until('it is a network', async () => (await network('default.oldest')) !== undefined, { why })
    await cluster.apply(
      podYaml('unlabelled', { annotations: { 'k8s.v1.cni.cncf.io/networks': 'oldest' }, labels: { l2sm: 'no' } }),
    )
    const told = async () => (await cluster.events('unlabelled')).join()
    await until('it is told', async () => /NoLabel: it asks for network oldest/.test(await told()), { why, ms: 20_000 })
    t.pass()
  })

  t.test('the pods of a StatefulSet keep their addresses if they ask for it, until it is scaled down', async t => {
    await cluster.apply(networkYaml('kept', { networkCIDR: '10.7.0.0/24' }))
    const labels = { l2sm: 'true', app: 'set' }
    const template = {
      metadata: { labels, annotations: { 'l2sm/networks': 'kept', 'l2sm.io/keep-addresses': 'true' } },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'none' }] },
    }
    const spec = {
      replicas: 2,
      serviceName: 'none',
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'set' } },
      template,
    }
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'set', namespace: 'default' },
        spec,
      }),
    )
    const ipOf = async (name: string) => {
      await until(`${name} has its address`, async () => attached(await cluster.pod(name))[0]?.ips !== undefined, {
        ms: 30_000,
        why,
      })
      return attached(await cluster.pod(name))[0]!.ips![0]
    }
    const [zero, one] = [await ipOf('set-0'), await ipOf('set-1')]
    const uid = (await cluster.pod('set-0')).metadata.uid
    for (const name of ['set-0', 'set-1']) await plane.kubectl(['delete', 'pod', name, '--grace-period=0', '--force'])
    await until('it is another pod', async () => ((await cluster.pod('set-0'))?.metadata.uid ?? uid) !== uid, {
      ms: 20_000,
    })
    await until('the second, too', async () => (await cluster.pod('set-1')) !== undefined, { ms: 20_000 })
    t.strictSame([await ipOf('set-0'), await ipOf('set-1')], [zero, one])
    const addresses = async () =>
      (await cluster.claims()).flatMap(({ spec: its }) =>
        'address' in its && its.network === 'default.kept' ? [its.address] : [],
      )
    await plane.kubectl(['scale', 'statefulset', 'set', '--replicas=1'])
    await plane.kubectl(['delete', 'pod', 'set-1', '--grace-period=0', '--force', '--ignore-not-found'])
    await until('only one is kept', async () => (await addresses()).length === 1, { ms: 30_000, why })
    await plane.kubectl(['delete', 'statefulset', 'set'])
    await plane.kubectl(['delete', 'pod', 'set-0', '--grace-period=0', '--force', '--ignore-not-found'])
    await until('none is', async () => (await addresses()).length === 0, { ms: 30_000, why })
  })

  t.test('an edge device says that it is not served, and what its switch would be called', async t => {
    const spec = {
      provider: { name: 'provider', domain: ['p.example'] },
      nodeConfig: { nodeName: 'n1', ipAddress: '192.0.2.1' },
      neighbors: [{ node: 'x', domain: 'x.example' }],
    }
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'l2sm.l2sm.k8s.local/v1',
        kind: 'NetworkEdgeDevice',
        metadata: { name: 'ned', namespace: 'default' },
        spec,
      }),
    )
    const device = async () => (await cluster.list<EdgeDevice>('edgeDevices', 'default'))[0]!
    await until('it is told', async () => (await device()).status?.conditions !== undefined, { why })
    t.match(await device(), {
      status: { availability: 'Unavailable', openflowId: /^of:[0-9a-f]{16}$/, conditions: [{ reason: 'NotServed' }] },
    })
  })
}
