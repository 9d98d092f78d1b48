// Objects that are valid in today's L2S-M are valid, and come back as they were written.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { namespace, needsCluster, networkYaml, startCluster } from './cluster.ts'

const examples = new URL('./upstream-examples', import.meta.url).pathname

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { scheduler: false, webhooks: false, nodes: [] })
  const { plane } = cluster

  t.test('examples of L2S-M are applied by the server, and served unchanged', async t => {
    const files = globSync('**/*.yaml', { cwd: examples })
    t.ok(files.length >= 3)
    for (const file of files)
      for (const document of parseAllDocuments(readFileSync(join(examples, file), 'utf8'))) {
        const written = document.toJSON()
        const its = `example-${file.split('/')[0]!.replace(/\W/g, '-')}`
        await plane.kubectl(['create', 'namespace', its]).catch(() => '')
        const got = JSON.parse(
          await plane.kubectl(['-n', its, 'apply', '--server-side', '-o', 'json', '-f', '-'], JSON.stringify(written)),
        )
        t.match(got.spec, written.spec, file)
        t.match(got.metadata, written.metadata, file)
      }
  })

  const refuses = async (t: Test, text: string, why: RegExp) => t.rejects(cluster.apply(text), { message: why })

  t.test('defaults are those of L2S-M', async () => {
    await cluster.apply(networkYaml('ext', { type: 'ext-vnet', provider: { name: 'p', domain: ['p.example'] } }))
    const [network] = await cluster.list<never>('l2networks', 'default')
    t.match(network, {
      spec: { provider: { sdnPort: '30808', ofPort: '6633', dnsPort: '30053', dnsGrpcPort: '30818' } },
    })
  })

  t.test('what is new is checked, and what is wrong refused', async t => {
    await refuses(t, networkYaml('a', { type: 'lan' }), /Unsupported value: "lan"/)
    await refuses(
      t,
      networkYaml('a', { type: 'vlink', multicast: 'snoop' }),
      /multicast is not for networks of type vlink/,
    )
    await refuses(t, networkYaml('a', { guard: 'none' }), /Unsupported value: "none"/)
    await refuses(t, networkYaml('a', { guard: 'strict' }), /guard strict needs networkCIDR/)
    await cluster.apply(networkYaml('a', { guard: 'strict', networkCIDR: '10.1.0.0/16' }))
    await cluster.apply(networkYaml('a', { guard: 'learn', multicast: 'snoop' }))
  })

  t.test('an Overlay of twenty thousand links is refused', async t => {
    const links = Array.from({ length: 20_000 }, (_, i) => ({ endpointA: `n${i}`, endpointB: 'm' }))
    const spec = { provider: { name: 'p', domain: [] }, topology: { nodes: ['m'], links } }
    await refuses(
      t,
      JSON.stringify({
        apiVersion: 'l2sm.l2sm.k8s.local/v1',
        kind: 'Overlay',
        metadata: { name: 'big', namespace: 'default' },
        spec,
      }),
      /must have at most 16384 items/,
    )
  })

  t.test('columns tell how a network is', async t => {
    const text = await plane.kubectl(['get', 'l2networks', 'a'])
    t.match(text, /NAME +AVAILABILITY +CONNECTED_PODS +READY +REASON +PODS +MTU +AGE/)
  })

  t.test('a tenant who may edit the namespace may not write claims', async t => {
    const may = (verb: string, what: string) =>
      plane.kubectl(['auth', 'can-i', verb, what, '--as=tenant', '--as-group=system:authenticated']).then(
        answer => answer.trim(),
        error => error.stdout.trim(),
      )
    t.equal(await may('create', 'claims.l2sm.l2sm.k8s.local'), 'no')
    const operator = `--as=system:serviceaccount:${namespace}:l2sm-operator`
    t.equal((await plane.kubectl(['auth', 'can-i', 'create', 'claims.l2sm.l2sm.k8s.local', operator])).trim(), 'yes')
  })
}
