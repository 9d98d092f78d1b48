import t from 'tap'
import type { Device } from '../../../agent/node/devices.ts'
import { making, pairSteps } from '../../../agent/node/pairs.ts'
import { veth } from '../plans.ts'

const names = { bridgePrefix: 'lsabcde', podPrefix: 'lpabcde' }
const mark = 'l2sm:br-0a1b2c3d:n1'
const devices = (...all: Device[]) => new Map(all.map(device => [device.name, device]))
const pair = (number: number, over: Partial<Device> = {}, peer: Device['peer'] = 'here') => [
  { ...veth(`lsabcde${number}`, number, peer), ...over },
  ...(peer === 'here' ? [{ ...veth(`lpabcde${number}`, 100 + number), up: false, ...over }] : []),
]
const steps = (wanted: number[], live: number[], ...all: Device[]) => stepsOf({ wanted, live, stale: [] }, ...all)
const stepsOf = (stock: { wanted: number[]; live: number[]; stale: number[] }, ...all: Device[]) =>
  pairSteps(
    {
      names,
      mark,
      devices: devices(...all),
      mtu: 1450,
      settled: new Set([2]),
      own: new Set(all.map(({ name }) => name).filter(n => !n.endsWith('9'))),
    },
    { wanted: stock.wanted, live: new Set(stock.live), stale: new Set(stock.stale) },
  )

t.test('what is missing is made, and what is right is left alone', async t => {
  t.match(steps([1, 2], [], ...pair(1)), {
    make: [{ bridgeEnd: 'lsabcde2', podEnd: 'lpabcde2' }],
    adjust: [],
    surplus: [],
  })
  t.same(steps([1, 2], [], ...pair(1), ...pair(2)).changes, [])
  t.match(making(steps([1], []), mark, 1450), [
    'link add name lsabcde1 mtu 1450 type veth peer name lsabcde1.x mtu 1450',
    `link set lsabcde1 alias ${mark}`,
  ])
})

t.test('a pair whose maker was killed is finished, not made again', async t => {
  const { make, finish, adjust } = steps([1], [], veth('lsabcde1', 1), veth('lsabcde1.x', 2))
  t.same([make, finish.map(({ bridgeEnd }) => bridgeEnd), adjust], [[], ['lsabcde1'], []])
})

t.test('a free pair gets the MTU of today; one whose end is in a pod keeps its own', async t => {
  t.same(steps([1], [], ...pair(1, { mtu: 1400 })).adjust, ['link set lsabcde1 mtu 1450', 'link set lpabcde1 mtu 1450'])
  t.same(steps([1], [1], ...pair(1, { mtu: 1400 }, 'elsewhere')).adjust, [])
  t.same(steps([1], [1], ...pair(1, { up: false }, 'elsewhere')).adjust, ['link set lsabcde1 up'])
})

t.test('only free pairs of this bridge are too many', async t => {
  const others = [veth('lsabcdf7', 7), { ...veth('lsabcde8', 8), kind: 'dummy', peer: undefined }, veth('eth0', 9)]
  t.same(steps([1], [1], ...pair(1, {}, 'elsewhere'), ...pair(5), ...pair(6, {}, 'elsewhere'), ...others).surplus, [
    'lsabcde5',
  ])
})

t.test('whatever the numbers, names fit into the 15 characters that Linux takes', async t => {
  const [{ bridgeEnd, podEnd, unfinished } = { bridgeEnd: '', podEnd: '', unfinished: '' }] = steps([14095], []).make
  for (const name of [bridgeEnd, podEnd, unfinished]) t.ok(name.length > 0 && name.length <= 15, name)
})

t.test('one that came back from a pod goes, and is made again in the same step', async t => {
  const anew = stepsOf({ wanted: [1, 2], live: [], stale: [2] }, ...pair(1), ...pair(2, { mac: '02:66:66:66:66:66' }))
  t.same([anew.discard, anew.make.map(({ bridgeEnd }) => bridgeEnd), anew.adjust], [['lsabcde2'], ['lsabcde2'], []])
  t.same(making(anew, mark, 1450)[0], 'link del lsabcde2')
  t.match(anew.changes, [/lsabcde2 made anew: came back from a pod/])
})

t.test('a device of somebody else is not touched, whatever it is called', async t => {
  const { make, discard, adjust, surplus, faults } = steps([1, 9], [], ...pair(1), ...pair(9, { mtu: 9000 }))
  t.same([make, discard, adjust, surplus], [[], [], [], []])
  t.match(faults, [/device lsabcde9 exists and was not made by this agent/])
  t.same(steps([1], [], ...pair(1), ...pair(9)).surplus, [])
})
