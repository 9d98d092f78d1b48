import t from 'tap'
import { startApi } from '../harness.ts'

/** What the API offers, as design.md and today's operator have it: a route that goes missing fails here. */
const offered = [
  'GET /v1/networks',
  'GET /v1/networks/{network}',
  'PUT /v1/networks/{network}',
  'DELETE /v1/networks/{network}',
  'GET /v1/networks/{network}/attachments',
  'GET /v1/networks/{network}/attachments/{dpid}/{port}',
  'PUT /v1/networks/{network}/attachments/{dpid}/{port}',
  'DELETE /v1/networks/{network}/attachments/{dpid}/{port}',
  'GET /v1/switches',
  'DELETE /v1/switches/{dpid}',
  'GET /v1/switches/{dpid}',
  'POST /v1/networks/{network}/attachments/{dpid}/{port}/move',
  'POST /v1/switches/{dpid}/takeover',
  'GET /v1/links',
  'GET /v1/links/{fromDpid}/{fromPort}/{toDpid}/{toPort}',
  'PUT /v1/links/{fromDpid}/{fromPort}/{toDpid}/{toPort}',
  'DELETE /v1/links/{fromDpid}/{fromPort}/{toDpid}/{toPort}',
  'GET /v1/nodes',
  'GET /v1/nodes/{node}',
  'PUT /v1/nodes/{node}',
  'DELETE /v1/nodes/{node}',
  'GET /v1/nodes/{node}/plan',
  'PUT /v1/nodes/{node}/report',
  'GET /v1/mesh',
  'PUT /v1/mesh',
  'GET /v1/state',
  'PUT /v1/state',
  'POST /v1/backup',
  'PUT /v1/backup',
  'GET /v1/events',
  'GET /v1/trace',
  'GET /v1/explain',
  'GET /v1/proof',
  'GET /livez',
  'GET /readyz',
  'GET /metrics',
  'GET /openapi.json',
  'GET /onos/ui',
  'GET /onos/vnets/api/status',
  'POST /onos/vnets/api',
  'GET /onos/vnets/api/{networkId}',
  'DELETE /onos/vnets/api/{networkId}',
  'POST /onos/vnets/api/port',
  'DELETE /onos/vnets/api/port',
  'POST /onos/vnets/api/mirror-port',
  'GET /onos/vlinks/api/status',
  'POST /onos/vlinks/api',
  'GET /onos/vlinks/api/{networkId}',
  'DELETE /onos/vlinks/api/{networkId}',
  'GET /onos/idco/mscs/status',
  'POST /onos/idco/mscs',
  'GET /onos/idco/mscs/{networkId}',
  'DELETE /onos/idco/mscs/{networkId}',
]

type Operation = {
  readonly summary?: string
  readonly security?: readonly Record<string, unknown>[]
  readonly responses: { readonly [status: string]: { readonly content?: { readonly [type: string]: unknown } } }
}

t.test('/openapi.json describes every route, and no other', async t => {
  const { call } = await startApi(t)
  const { body } = await call('GET', '/openapi.json')
  t.match(body, { openapi: '3.1.0', info: { title: 'l2sm' } })
  const operations = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  )
  t.same(
    operations
      .map(([name]) => name)
      .filter(name => !name.startsWith('HEAD '))
      .sort(),
    [...offered].sort(),
  )
  for (const [name, { summary, responses }] of operations) {
    t.match(summary, /./, `${name} says what it does`)
    t.ok(responses['default']?.content?.['application/problem+json'], `${name} says how it refuses`)
  }
})

t.test('it says which credential a route wants', async t => {
  const { call } = await startApi(t)
  const { paths } = (await call('GET', '/openapi.json')).body
  t.same(paths['/v1/networks'].get.security, [{ token: [] }])
  t.same(paths['/onos/vnets/api'].post.security, [{ login: [] }])
  for (const path of ['/livez', '/readyz', '/onos/ui']) t.equal(paths[path].get.security, undefined, path)
})
