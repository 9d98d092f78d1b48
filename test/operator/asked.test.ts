// What a pod asks for, in all the forms in which it may be written.
import t from 'tap'
import { askedBy } from '../../operator/asked/asked.ts'
import { isFault, parseMultus } from '../../operator/asked/multus.ts'
import { isNetworkNad } from '../../operator/asked/oldest.ts'
import type { Pod } from '../../operator/kube/objects.ts'
import { podVerdict } from '../../operator/webhook/review.ts'

const multus = 'k8s.v1.cni.cncf.io/networks'
const own = (name: string) => name.startsWith('net')
const ask = (annotations: Record<string, string>) =>
  askedBy({ namespace: 'default', annotations }, (_, name) => own(name), 'l2sm-system')
const names = (annotations: Record<string, string>) => {
  const asked = ask(annotations)
  return isFault(asked) ? asked.fault : asked.map(one => `${one.is} ${one.element.name}`)
}

t.test('names with commas, and a JSON list', async t => {
  t.strictSame(names({ 'l2sm/networks': 'a, b ,c' }), ['network a', 'network b', 'network c'])
  t.strictSame(names({ 'l2sm/networks': '[{"name":"a","ips":["10.0.0.1/24"]},{"name":"b"}]' }), [
    'network a',
    'network b',
  ])
  t.strictSame(names({ 'l2sm/networks': 'default/a' }), ['network a'])
  t.strictSame(names({ 'l2sm/networks': '' }), [])
  t.strictSame(names({}), [])
})

t.test("Multus's own forms: what is a network of ours is, the rest is left to Multus", async t => {
  t.strictSame(names({ [multus]: 'x, net-a@eth5, default/net-b' }), ['foreign x', 'network net-a', 'network net-b'])
  t.strictSame(names({ [multus]: '[{"name":"net-a","interface":"eth5","cni-args":{"x":1}}]' }), ['network net-a'])
  t.strictSame(parseMultus('ns/a@eth1'), [{ name: 'a', namespace: 'ns', interface: 'eth1' }])
})

t.test(
  'both at once: ours come first; and what was asked is found again under the annotation that took its place',
  async t => {
    const annotations = {
      'l2sm/networks': 'a',
      'l2sm.io/multus-networks': 'x',
      [multus]: '[{"name":"if-1","namespace":"l2sm-system"}]',
    }
    t.strictSame(names(annotations), ['network a', 'foreign x'])
  },
)

t.test('what can not be is refused in words', async t => {
  for (const [annotations, why] of [
    [{ 'l2sm/networks': 'a,a' }, /network a is asked for twice/],
    [{ 'l2sm/networks': 'a', 'l2sm.io/multus-networks': 'net-a, net-a' }, /net-a is asked for twice/],
    [{ 'l2sm/networks': 'other/a' }, /another namespace/],
    [{ 'l2sm/networks': 'A' }, /"A" is not the name of a network/],
    [{ 'l2sm/networks': '[{"name":7}]' }, /element 1: name is 7/],
    [{ 'l2sm/networks': '[{"name":"a","ips":"10.0.0.1"}]' }, /ips: expected a list/],
    [{ 'l2sm/networks': '[{"name":"a","mac":"x"}]' }, /mac is "x"/],
    [{ 'l2sm/networks': '{"name":"a"}' }, /not the name of a network/],
    [{ [multus]: '[' }, /it is no JSON/],
    [{ [multus]: 'l2sm-system/if-1' }, /is an interface that the operator gives out/],
  ] as const)
    t.match(names(annotations as unknown as Record<string, string>), why, JSON.stringify(annotations))
})

t.test('only a host-device of l2sm-vNet is a network in the oldest form', async t => {
  const nad = (config: string) => isNetworkNad({ spec: { config } })
  t.ok(nad('{"cniVersion":"0.3.0","type":"host-device","device":"l2sm-vNet"}'))
  for (const config of [
    '',
    '{',
    '{"type":"bridge","device":"l2sm-vNet"}',
    '{"type":"host-device","device":"l2sm-vNet1"}',
    '"l2sm-vNet"',
    'null',
  ])
    t.notOk(nad(config))
})

t.test('a pod that is created waits; asked again, nothing changes', async t => {
  const pod = (metadata: object, spec: object = {}) =>
    ({ metadata: { name: 'p', labels: { l2sm: 'true' }, ...metadata }, spec }) as unknown as Pod
  const verdict = (metadata: object, spec?: object) =>
    podVerdict(pod(metadata, spec), 'default', (_, name) => own(name), 'l2sm-system')
  const waiting = { 'l2sm/networks': 'a', [multus]: 'l2sm-system/waits-for-l2sm-operator' }
  t.strictSame(verdict({ annotations: { 'l2sm/networks': 'a' } }), {
    is: 'allowed',
    patch: [{ op: 'add', path: '/metadata/annotations', value: waiting }],
  })
  t.strictSame(verdict({ annotations: waiting }), { is: 'allowed' })
  t.strictSame(verdict({}), { is: 'allowed' })
  t.strictSame(verdict({ annotations: { [multus]: 'foreign' } }), { is: 'allowed' })
  t.match(verdict({ annotations: { [multus]: 'net-a' }, labels: {} }), {
    patch: [{ value: { 'l2sm.io/multus-networks': 'net-a' } }, { path: '/metadata/labels', value: { l2sm: 'true' } }],
  })
  t.match(verdict({ annotations: { 'l2sm/networks': 'a' } }, { hostNetwork: true }), {
    is: 'denied',
    message: /hostNetwork/,
  })
  t.strictSame(verdict({}, { hostNetwork: true }), { is: 'allowed' })
})
