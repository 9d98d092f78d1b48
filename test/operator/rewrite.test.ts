// What becomes of a pod's annotations when it is moved, and whom a selector means.
import t from 'tap'
import { askingInstead } from '../../operator/asked/rewrite.ts'
import { selects } from '../../operator/asked/selector.ts'

t.test('only the network that was left is named otherwise', async t => {
  const rewrite = (text: string) => askingInstead({ 'l2sm/networks': text }, 'a', 'b')['l2sm/networks']
  t.equal(rewrite('a'), 'b')
  t.equal(rewrite('x, a ,aa'), 'x, b ,aa')
  t.equal(rewrite('default/a@eth1'), 'default/b@eth1')
  t.equal(
    rewrite('[{"name":"a","ips":["10.0.0.1/24"]},{"name":"aa"}]'),
    '[{"name":"b","ips":["10.0.0.1/24"]},{"name":"aa"}]',
  )
  t.equal(rewrite('aa'), undefined)
  t.strictSame(askingInstead({ 'l2sm.io/multus-networks': 'a', other: 'a' }, 'a', 'b'), {
    'l2sm.io/multus-networks': 'b',
  })
})

t.test('selectors mean what Kubernetes means', async t => {
  const labels = { tier: 'web', zone: 'x' }
  for (const [selector, matches] of [
    [{}, true],
    [{ matchLabels: { tier: 'web' } }, true],
    [{ matchLabels: { tier: 'db' } }, false],
    [{ matchExpressions: [{ key: 'tier', operator: 'In', values: ['web', 'db'] }] }, true],
    [{ matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['web'] }] }, false],
    [{ matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['web'] }] }, true],
    [{ matchExpressions: [{ key: 'zone', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] }, false],
    [{ matchExpressions: [{ key: 'zone', operator: 'Gt', values: ['1'] }] }, false],
    [{ matchLabels: { tier: 'web' }, matchExpressions: [{ key: 'none', operator: 'Exists' }] }, false],
  ] as const)
    t.equal(selects(selector, labels), matches, JSON.stringify(selector))
})
