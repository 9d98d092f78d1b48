import fc from 'fast-check'
import t from 'tap'
import type { Device } from '../../../agent/node/devices.ts'
import { exhausted, numberOf, range, stockFor } from '../../../agent/node/stock.ts'
import { firstSparePort } from '../../../api/contract/node-schemas.ts'
import { veth } from '../plans.ts'

const bridgePrefix = 'lsabcde'
const prefixes = { bridgePrefix, podPrefix: 'lpabcde' }
const most = 100

const free = (number: number): Device => ({
  ...veth(`${bridgePrefix}${number}`, number),
  peerName: `${prefixes.podPrefix}${number}`,
})
const seen = (loose: readonly number[], live: readonly number[], ports: readonly number[] = [...loose, ...live]) => ({
  devices: new Map<string, Device>([
    ...loose.map(number => [`${bridgePrefix}${number}`, free(number)] as const),
    ...live.map(number => [`${bridgePrefix}${number}`, veth(`${bridgePrefix}${number}`, number, 'elsewhere')] as const),
  ]),
  own: new Set([...loose, ...live].map(number => `${bridgePrefix}${number}`)),
  returned: new Set<string>(),
  ports: new Set(ports),
  taken: new Set<number>(),
})
const wanted = (interfaces: number, spare: number, what: ReturnType<typeof seen>) => [
  ...stockFor({ fixed: interfaces, spare, most, ...prefixes }, what).wanted,
]

t.test('an empty node gets those that are planned', async t => {
  t.same(wanted(3, 0, seen([], [])), [1, 2, 3])
  t.same(wanted(3, 5, seen([], [])), [1, 2, 3, 4096, 4097], 'and more, if more are to be free')
})

t.test('as pods take interfaces, more come; as they leave, most of these go', async t => {
  t.same(wanted(3, 2, seen([2, 3], [1])), [1, 2, 3])
  t.same(wanted(3, 2, seen([3], [1, 2])), [1, 2, 3, 4096])
  t.same(wanted(3, 2, seen([], [1, 2, 3, 4096])), [1, 2, 3, 4096, 4097, 4098])
  t.same(
    wanted(3, 2, seen([1, 2, 4097, 4098], [3, 4096])),
    [1, 2, 3, 4096, 4097, 4098],
    'four are free, which is not too many',
  )
  t.same(wanted(3, 2, seen([1, 2, 3, 4097, 4098], [4096])), [1, 2, 3, 4096, 4097], 'five are one too many')
  t.same(wanted(3, 2, seen([1, 2, 3, 4096, 4097], [])), [1, 2, 3, 4096])
})

t.test('a pair that died keeps its number', async t => {
  t.same(wanted(3, 0, seen([1, 3], [], [1, 2, 3])), [1, 2, 3])
  t.same(wanted(1, 2, seen([], [1, 4099], [1, 4097, 4098, 4099])), [1, 4097, 4098, 4099])
})

t.test('numbers of links are not given to interfaces, not even when more are planned', async t => {
  const there = seen([1, 2, 3], [])
  t.same(
    stockFor({ fixed: 6, spare: 0, most, ...prefixes }, { ...there, taken: new Set([4, 5]) }).wanted,
    [1, 2, 3, 6, 4096, 4097],
  )
})

t.test('what a pod has stays, enough is free, and the answer stands once it was followed', async () => {
  const numbers = fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 4096, max: 4110 })), {
    maxLength: 20,
  })
  fc.assert(
    fc.property(numbers, numbers, numbers, fc.nat(12), fc.nat(6), (free, pods, dead, interfaces, spare) => {
      const live = new Set(pods)
      const loose = free.filter(number => !live.has(number))
      const what = seen(loose, pods, [...free, ...pods, ...dead])
      const first = stockFor({ fixed: interfaces, spare, most, ...prefixes }, what)
      const numbers = new Set(first.wanted)
      const followed = seen(
        first.wanted.filter(number => !live.has(number)),
        pods,
      )
      return (
        pods.every(number => numbers.has(number)) &&
        range(1, interfaces).every(number => numbers.has(number)) &&
        numbers.size === first.wanted.length &&
        (numbers.size - live.size >= spare || numbers.size >= most) &&
        first.wanted.every(number => number <= interfaces || live.has(number) || number >= firstSparePort) &&
        JSON.stringify(wanted(interfaces, spare, followed)) === JSON.stringify(first.wanted)
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('the number of an interface is in its name, and no name of others is taken for one', async t => {
  for (const number of [1, 10, 4096, 14095]) t.equal(numberOf(bridgePrefix, `${bridgePrefix}${number}`), number)
  for (const other of [
    'lpabcde1',
    `${bridgePrefix}x`,
    bridgePrefix,
    `${bridgePrefix}0`,
    `${bridgePrefix}01`,
    `${bridgePrefix}1x`,
    'eth0',
    '',
  ])
    t.equal(numberOf(bridgePrefix, other), undefined, other)
})

t.test('no more than the plan allows', async t => {
  t.same(stockFor({ fixed: 2, spare: 5, most: 4, ...prefixes }, seen([1, 2], [])).wanted, [1, 2, 4096, 4097])
  t.same(stockFor({ fixed: 2, spare: 5, most: 2, ...prefixes }, seen([], [1, 2, 4099])).wanted, [1, 2, 4099])
})

t.test('an interface that came back from a pod is not free, and one of somebody else is none', async t => {
  const there = seen([1, 2, 3], [])
  const stale = (over: Partial<typeof there>) => [
    ...stockFor({ fixed: 3, spare: 0, most, ...prefixes }, { ...there, ...over }).stale,
  ]
  t.same(stale({}), [])
  t.same(stale({ returned: new Set(['lpabcde2', 'eth7']) }), [2])
  const renamed = new Map(there.devices).set('lsabcde3', { ...free(3), peerName: 'eth0' })
  t.same(stale({ devices: renamed }), [], 'one that is on its way to a pod')
  t.same(stale({ devices: renamed, returned: new Set(['eth0']) }), [3], 'whatever it is called now')
  t.same(stale({ own: new Set(), returned: new Set(['lpabcde2']) }), [])
})

t.test('that none is left is said, with what to do', async t => {
  const say = (loose: number[], live: number[]) =>
    exhausted(
      { fixed: 2, spare: 0, most, ...prefixes },
      stockFor({ fixed: 2, spare: 0, most, ...prefixes }, seen(loose, live)),
    )
  t.equal(say([2], [1]), undefined)
  t.match(say([], [1, 2]), /pods have all 2.*interfaceNumber 2/)
})
