// A cluster that today's operator served is taken over: shown first, then done, and no pod is touched.
import t from 'tap'
import { run } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { dpidOf, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1', 'n2'], webhooks: false, scheduler: false })
  const { plane, controller } = cluster
  for (const node of ['n1', 'n2']) await cluster.connect(node)
  const place = ['--kubeconfig', plane.kubeconfig, '--controller', `http://${cluster.controllerProcess.http}`]

  /** As today's operator leaves a pod. */
  const living = (name: string, node: string, port: number, network: string, mac?: string, ips?: readonly string[]) =>
    podYaml(name, {
      networks: JSON.stringify([{ name: network, ...(ips && { ips }) }]),
      annotations: {
        'k8s.v1.cni.cncf.io/networks': JSON.stringify([{ name: `mesh-veth${port}`, ...(ips && { ips }) }]),
        ...(mac && {
          'k8s.v1.cni.cncf.io/network-status': JSON.stringify([
            { name: `default/mesh-veth${port}`, interface: 'net1', mac },
          ]),
        }),
      },
      spec: { nodeName: node },
    })
  await cluster.apply(networkYaml('red'))
  await cluster.apply(networkYaml('blue'))
  await cluster.apply(living('r1', 'n1', 1, 'red', '02:00:00:00:00:01', ['10.0.0.1/24']))
  await cluster.apply(living('r2', 'n2', 10, 'red', '02:00:00:00:00:02', ['10.0.0.2/24']))
  await cluster.apply(living('b1', 'n1', 10, 'blue'))
  await cluster.apply(podYaml('unconnected', { networks: 'red', spec: { nodeName: 'n1' } }))
  const before = await plane.kubectl(['get', 'pods', '-o', 'json'])

  t.test('what would be attached is shown, and nothing is changed', async t => {
    const { code, stdout, stderr } = await run(['import', '--dry-run', ...place])
    t.equal(stderr, '')
    t.equal(code, 1)
    t.match(
      stdout,
      new RegExp(`default/r1 +default\\.red +n1 +1 +${dpidOf('n1')} +02:00:00:00:00:01 +10\\.0\\.0\\.1/24`),
    )
    t.match(stdout, new RegExp(`default/b1 +default\\.blue +n1 +10 +${dpidOf('n1')} +learned +-`))
    t.match(stdout, /not taken over: pod default\/unconnected: it asks for 1 networks, and has 0 interfaces/)
    t.match(stdout, /would take over 3 ports of 3 pods in 2 networks/)
    t.same(await cluster.claims(), [])
    t.same((await controller.listNetworks()).networks, [])
  })

  t.test('who keeps the operator of today feeds the controller once, by the names that it uses', async t => {
    await run(['import', '--keep-operator', ...place])
    const { attachments } = await controller.listAttachments({ network: 'red' })
    t.match(attachments, [{ name: /r[12]/ }, { name: /r[12]/ }])
    t.same(await cluster.claims(), [])
    for (const network of ['red', 'blue']) await controller.deleteNetwork({ network })
  })

  t.test('it is done, and done again without a change; our operator goes on from there', async t => {
    for (let i = 0; i < 2; i++) t.equal((await run(['import', ...place])).code, 1)
    t.equal((await cluster.claims()).length, 5)
    const operator = await cluster.operator('a')
    await until('it leads', () => operator.log.some(({ msg }) => msg === 'the controller knows all networks'), {
      ms: 30_000,
    })
    const red = async () => (await controller.listAttachments({ network: 'default.red' })).attachments
    t.match(
      (await red()).toSorted((a, b) => a.port - b.port),
      [
        { dpid: dpidOf('n1'), port: 1, mac: '02:00:00:00:00:01', guard: 'mac' },
        { dpid: dpidOf('n2'), port: 10 },
      ],
    )
    t.match((await controller.listAttachments({ network: 'default.blue' })).attachments, [{ guard: 'learn', port: 10 }])
    await until(
      'the network tells who has which address',
      async () =>
        /"10.0.0.2":"r2"/.test(
          await plane.kubectl(['get', 'l2network', 'red', '-o', 'jsonpath={.status.assignedIPs}']),
        ),
      { ms: 20_000 },
    )
    const now = JSON.parse(await plane.kubectl(['get', 'pods', '-o', 'json']))
    for (const pod of JSON.parse(before).items) {
      const same = now.items.find((one: { metadata: { uid: string } }) => one.metadata.uid === pod.metadata.uid)
      t.same(same.metadata.annotations, pod.metadata.annotations)
    }
    await plane.kubectl(['delete', 'pod', 'r1', '--grace-period=0', '--force'])
    await until('its port leaves the network', async () => (await red()).length === 1, { ms: 20_000 })
  })

  t.test('what is asked wrongly is said', async t => {
    t.match(await run(['import']), { code: 2, stderr: /controller: expected http/ })
    t.match(await run(['import', ...place, '--nonsense']), { code: 2, stderr: /nonsense/ })
  })
}
