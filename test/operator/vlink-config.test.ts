import t from 'tap'
import { isFault } from '../../operator/asked/multus.ts'
import { parseVlinkConfig, vlinkWish } from '../../operator/asked/vlink-config.ts'

const [a, c, d, e] = ['a', 'c', 'd', 'e'].map(letter => letter.padStart(16, '0')) as [string, string, string, string]
const names = {
  endpoint: (name: string) =>
    ({ 'pod-1': { dpid: a, port: 3 }, 'pod-2': { dpid: d, port: 4 }, near: { dpid: a, port: 5 } })[name],
  link: (name: string) =>
    (({ 'link-ac': [a, c], 'link-cd': [d, c], 'link-de': [d, e], 'link-ea': [a, e] }) as const)[name as 'link-ac'],
}
const path = {
  name: 'there',
  FromEndpoint: 'pod-1',
  ToEndpoint: 'pod-2',
  links: ['link-ac', 'link-cd'],
  capabilities: { bandwidthBits: '20M', latencyNanos: '8e5' },
}
const reverse = { name: 'back', fromEndpoint: 'pod-2', toEndpoint: 'pod-1', links: ['link-de', 'link-ea'] }
const config = (parameters: object) => JSON.stringify({ 'overlay-parameters': parameters })

t.test('a config as users write it becomes a wish of datapath ids and ports', async t => {
  const read = parseVlinkConfig(config({ path, 'reverse-path': reverse }))
  t.strictSame(read, {
    from: 'pod-1',
    to: 'pod-2',
    links: ['link-ac', 'link-cd'],
    reverseLinks: ['link-de', 'link-ea'],
    bandwidth: 20_000_000,
    latency: 800_000,
  })
  if (isFault(read)) return
  t.strictSame(vlinkWish(read, names), {
    from: { dpid: a, port: 3 },
    to: { dpid: d, port: 4 },
    path: [a, c, d],
    reversePath: [d, e, a],
    bandwidth: 20_000_000,
    latency: 800_000,
  })
})

t.test('without a way back, without capabilities, and with small letters', async t => {
  const read = parseVlinkConfig(config({ path: { fromEndpoint: 'pod-1', toEndpoint: 'near', links: [] } }))
  t.strictSame(read, { from: 'pod-1', to: 'near', links: [] })
  t.match(isFault(read) || vlinkWish(read, names), { path: [a] })
})

t.test('quantities as Kubernetes spells them, and numbers', async t => {
  for (const [bandwidthBits, bandwidth] of [
    ['20M', 20e6],
    ['1.5G', 1.5e9],
    ['8e5', 8e5],
    ['8E+5', 8e5],
    ['64Ki', 65536],
    ['1000', 1000],
    [2000, 2000],
    ['10k', 10_000],
  ] as const)
    t.match(parseVlinkConfig(config({ path: { ...path, capabilities: { bandwidthBits } } })), { bandwidth })
  for (const bandwidthBits of ['', 'fast', '20 M', '-1', '20MB', {}, true, '1e999'])
    t.match(parseVlinkConfig(config({ path: { ...path, capabilities: { bandwidthBits } } })), {
      fault: /bandwidthBits of path is .*expected such as "20M"/,
    })
})

t.test('what is wrong with a config is said', async t => {
  for (const [text, detail] of [
    ['', /not JSON/],
    ['[]', /expected an object/],
    ['{}', /overlay-parameters/],
    [config({}), /path is missing/],
    [config({ path: { ...path, links: 'link-ac' } }), /links of path is "link-ac": expected a list/],
    [config({ path: { ...path, links: [1] } }), /links of path/],
    [config({ path: { links: [] } }), /names no fromEndpoint/],
    [config({ path: { ...path, FromEndpoint: 7 } }), /fromEndpoint of path is 7/],
    [config({ path: { ...path, capabilities: 'much' } }), /capabilities of path is "much"/],
    [
      config({ path, 'reverse-path': { ...reverse, fromEndpoint: 'near' } }),
      /fromEndpoint of reverse-path is "near": expected "pod-2"/,
    ],
    [
      config({ path, 'reverse-path': { ...reverse, capabilities: { bandwidthBits: '10M' } } }),
      /bandwidthBits of reverse-path is 10000000: expected 20000000/,
    ],
  ] as const)
    t.match(parseVlinkConfig(text), { fault: detail }, text)
})

t.test('names that nobody knows, and links that do not join, are refused by name', async t => {
  const whole = parseVlinkConfig(config({ path }))
  if (isFault(whole)) throw new Error(whole.fault)
  for (const [more, detail] of [
    [{ from: 'nobody' }, /no endpoint "nobody"/],
    [{ to: 'nobody' }, /no endpoint "nobody"/],
    [{ links: ['link-ac', 'link-xy'] }, /no link "link-xy"/],
    [{ links: ['link-cd'] }, /link "link-cd" joins .*d and .*c, and not switch .*a/],
    [{ links: ['link-ac'] }, /lead to switch .*c, and the endpoint is on switch .*d/],
    [{ reverseLinks: ['link-de'] }, /lead to switch .*e, and the endpoint is on switch .*a/],
  ] as const)
    t.match(vlinkWish({ ...whole, ...more }, names), { fault: detail })
})
