// What docs/operations.md tells to do leaves no trace of us, neither in the cluster nor on its nodes.
import type { Test } from 'tap'
import { until } from '../controller/watching.ts'
import type { Installed } from './installed.ts'
import { shellOf, typed } from './typed.ts'

/** What a node has of ours: bridges, and devices by their names. */
const traces = (node: Installed['nodes'][number]) =>
  node.run('sh', [
    '-c',
    'ovs-vsctl --db=unix:/run/openvswitch/db.sock --timeout=5 list-br; ip -o link | grep -oE "(ls|lp|vx)[0-9a-f]{5,}[0-9]*|br-[0-9a-f]{8}|br-phy" || true',
  ])

export const uninstall = async (t: Test, cluster: Installed): Promise<void> => {
  await t.test('uninstalling as docs/operations.md says leaves no trace', async t => {
    const { kubectl, patient, nodes } = cluster
    for (const node of nodes) t.match(await traces(node), /br-/, `${node.name} has bridges of ours before`)
    await kubectl(['-n', 'l2sm-system', 'delete', 'overlay', 'mesh'])
    const [block = ''] = shellOf('docs/operations.md', 'To uninstall without a trace')
    const [patch = '', logs = '', remove = ''] = block.trim().split('\n')
    await typed(cluster, patch)
    // An agent that has ended is started again, and says it again.
    const said = new Set<string>()
    await until(
      'each agent has removed its bridge',
      async () => {
        const text = await typed(cluster, logs).catch(() => '')
        for (const [, pod] of text.matchAll(/\[pod\/(\S+)\/agent\].*removed: \d+ bridge/g)) said.add(pod!)
        return said.size >= nodes.length
      },
      { ms: 300_000, why: () => [...said].join() },
    )
    for (const node of nodes) t.equal((await traces(node)).trim(), '', `nothing of ours is left on ${node.name}`)
    await typed(cluster, remove)
    for (const kind of [
      'namespaces',
      'crds',
      'clusterroles',
      'clusterrolebindings',
      'mutatingwebhookconfigurations',
      'validatingadmissionpolicies',
    ])
      t.notMatch(await patient(['get', kind, '-o', 'name']), /l2sm/)
    // The nodes reach each other as before.
    for (const node of nodes) {
      for (const { network } of nodes) await node.run('ping', ['-c', '1', '-W', '5', network.address])
      t.match(await node.run('ip', ['-4', 'addr', 'show', 'eth0']), node.network.address)
    }
  })
}
