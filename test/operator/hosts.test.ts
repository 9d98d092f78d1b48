import t from 'tap'
import type { PodRef } from '../../operator/kube/objects.ts'
import { hostsOf } from '../../operator/names/hosts.ts'

const pod = (name: string, namespace = 'default'): PodRef => ({ namespace, name, uid: `uid-${name}` })

t.test('a pod has a name in each network in which it has an address; pods of one label share one', async t => {
  const claims = [
    { pod: pod('cache'), network: 'default.edge', address: '10.0.0.2' },
    { pod: pod('cache'), network: 'default.core', address: '10.1.0.2' },
    { pod: pod('cache'), network: 'default.core', address: 'fd00::2' },
    { pod: pod('web-0', 'shop'), network: 'shop.edge', address: '10.0.0.2' },
    { pod: pod('web-1', 'shop'), network: 'shop.edge', address: '10.0.0.3' },
  ]
  const label = new Map([
    ['web-0', 'web'],
    ['web-1', 'web'],
  ])
  t.equal(
    hostsOf(claims, ({ name }) => label.get(name) ?? name),
    [
      '10.0.0.2 cache.edge.default.l2sm',
      '10.0.0.2 web.edge.shop.l2sm',
      '10.0.0.3 web.edge.shop.l2sm',
      '10.1.0.2 cache.core.default.l2sm',
      'fd00::2 cache.core.default.l2sm',
      '',
    ].join('\n'),
  )
})

t.test('a pod that is gone has no name, though its address may be kept for the next one', async t => {
  const claims = [{ pod: pod('db-0'), network: 'default.lan', address: '10.0.0.9' }]
  t.equal(
    hostsOf(claims, () => undefined),
    '',
  )
})
