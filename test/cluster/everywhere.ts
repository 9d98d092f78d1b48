// A network with a pod on each node, and Open vSwitch of one of them replaced.
import type { Test } from 'tap'
import { held } from './held.ts'
import type { Installed } from './installed.ts'

const its = 'everywhere'
const objects = `
apiVersion: l2sm.l2sm.k8s.local/v1
kind: L2Network
metadata: {name: lan, namespace: ${its}}
spec: {type: vnet, networkCIDR: 10.9.0.0/24}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: pods, namespace: ${its}}
spec:
  selector: {matchLabels: {app: pods}}
  template:
    metadata:
      labels: {app: pods, l2sm: "true"}
      annotations: {l2sm/networks: lan}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: shell, image: "alpine:latest"}]
`
const system = ['-n', 'l2sm-system']
const onNodes = ['-n', 'l2sm-nodes']

export const everywhere = async (t: Test, cluster: Installed): Promise<void> => {
  const { kubectl, patient, running, reaches } = cluster
  await kubectl(['create', 'namespace', its])
  await kubectl(['apply', '-f', '-'], objects)
  await patient(['-n', its, 'rollout', 'status', 'daemonset/pods', '--timeout=4m'])
  await running(its)
  const names = (await kubectl(['-n', its, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}'])).split(' ')
  const addresses = await Promise.all(
    names.map(async name => /inet ([\d.]+)/.exec(await cluster.exec(name, 'ip -4 addr show net1', its))![1]!),
  )

  await t.test('pods of a network on all nodes reach each other', async t => {
    t.equal(names.length, cluster.nodes.length)
    for (const name of names)
      for (const address of addresses) t.ok(await reaches(its, name, address), `${name} reaches ${address}`)
  })

  await t.test(
    'without a controller, Open vSwitch of a node is replaced, and its flows are in the new one',
    async t => {
      const before = await held(cluster)
      await kubectl([...system, 'scale', 'deployment/l2sm-controller', '--replicas=0'])
      await patient([
        ...system,
        'wait',
        '--for=delete',
        'pod',
        '-l',
        'app.kubernetes.io/name=l2sm-controller',
        '--timeout=4m',
      ])
      const node = cluster.nodes[0]!.name
      const which = ['-l', 'app.kubernetes.io/name=l2sm-openvswitch', '--field-selector', `spec.nodeName=${node}`]
      await patient([...onNodes, 'delete', 'pod', ...which, '--timeout=4m'])
      // The agent takes the question away when it has answered it with flows in the next Open vSwitch.
      await cluster.nodes[0]!.run('sh', ['-c', 'while [ -e /run/openvswitch/replacing ]; do sleep 0.2; done'])
      t.same(await held(cluster), before, 'flows, without anybody to write them')
      for (const name of names)
        for (const address of addresses) t.ok(await reaches(its, name, address), `${name} reaches ${address}`)
      await kubectl([...system, 'scale', 'deployment/l2sm-controller', '--replicas=1'])
      await patient([...system, 'rollout', 'status', 'deployment/l2sm-controller', '--timeout=8m'])
      await connected(cluster)
      t.same(await held(cluster), before, 'and a controller that comes back changes nothing')
    },
  )

  await patient(['delete', 'namespace', its, '--wait=true', '--timeout=4m'])
}

/** Each switch has its controller again, and the operator has said so. */
const connected = async ({ patient, nodes }: Installed): Promise<void> => {
  for (const { run } of nodes)
    await run('sh', [
      '-c',
      'until ovs-vsctl --db=unix:/run/openvswitch/db.sock --columns=is_connected --bare list controller | grep -q true; do sleep 0.5; done',
    ])
  await patient(['-n', 'l2sm-system', 'wait', 'overlay/mesh', '--for=jsonpath={.status.nodes}=3/3', '--timeout=8m'])
}
