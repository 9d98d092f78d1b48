import t from 'tap'
import { rowsFor } from '../../../operator/certificates/credentials.ts'
import { commonNameOf, datapathNames, verdictOn } from '../../../operator/certificates/nodes.ts'
import type { SigningRequest } from '../../../operator/kube/objects.ts'
import { bridgeName, datapathOf } from '../../../topology/names.ts'

const asker = 'system:serviceaccount:l2sm-nodes:l2sm-agent'
const isNode = (name: string) => name === 'n1'
const asked = (more: Partial<SigningRequest['spec']>): SigningRequest => ({
  metadata: { name: 'r', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    ...{ request: '', signerName: 'l2sm.io/node', username: asker, usages: ['client auth'] },
    extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
    ...more,
  },
})

t.test('a node is who the API server says it is; whoever else asks is refused, saying why', async t => {
  t.same(verdictOn(asked({}), asker, isNode), { is: 'sign', node: 'n1' })
  const refused: readonly (readonly [Partial<SigningRequest['spec']>, RegExp])[] = [
    [{ username: 'system:serviceaccount:default:l2sm-agent' }, /asked by system:serviceaccount:default:l2sm-agent/],
    [{ extra: {} }, /does not say on which node/],
    [{ extra: { 'authentication.kubernetes.io/node-name': ['n2'] } }, /there is no node n2/],
    [{ usages: ['client auth', 'server auth'] }, /got also server auth/],
  ]
  for (const [more, why] of refused) t.match(verdictOn(asked(more), asker, isNode), { is: 'deny', why })
})

t.test("a certificate names the node's bridges, one for each provider, and has a name that fits", async t => {
  const dpid = (provider: string) => `URI:l2sm:dpid:${datapathOf(bridgeName('n1', provider))}`
  t.same(datapathNames('n1', ['other', 'l2sm-controller']), [dpid('l2sm-controller'), dpid('other')])
  t.equal(commonNameOf('n1'), 'node:n1')
  const long = `${'a'.repeat(80)}.example`
  t.ok(commonNameOf(long).length <= 64)
  t.not(commonNameOf(long), commonNameOf(`${long}.org`))
})

t.test('credentials: one for each node; of nodes that are gone none; rows of people stay', async t => {
  const before = rowsFor(['n1', 'n2'], [{ name: 'grafana', role: 'read', token: 'sha256:0' }])
  const rows = rowsFor(['n3', 'n1'], before)
  t.same(rows, [
    { name: 'l2sm-operator', role: 'admin', certificate: 'l2sm-operator' },
    { name: 'node-n1', role: 'node:n1', certificate: 'node:n1' },
    { name: 'node-n3', role: 'node:n3', certificate: 'node:n3' },
    { name: 'grafana', role: 'read', token: 'sha256:0' },
  ])
})
