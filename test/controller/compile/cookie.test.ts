import fc from 'fast-check'
import t from 'tap'
import {
  cookie,
  groupId,
  groupOwner,
  isOurMeter,
  limitOfMeter,
  markerCookie,
  maxMeteredPort,
  meterId,
  owner,
  portLimitMeterId,
} from '../../../controller/compile/cookie.ts'
import { maxNetworkNumber } from '../../../store/state.ts'

const numbers = fc.integer({ min: 1, max: maxNetworkNumber })

t.test('a dumped flow names its owner', async t => {
  for (const kind of ['network', 'learned', 'suppressed'] as const)
    fc.assert(
      fc.property(numbers, n => JSON.stringify(owner(cookie(kind, n))) === JSON.stringify({ is: kind, network: n })),
    )
  t.same(owner(markerCookie('00ff00ff01')), { is: 'marker', instance: '00ff00ff01' })
})

t.test("a cookie without our mark is somebody else's", async t => {
  for (const value of [0n, 1n, 0xffff_ffff_ffff_ffffn, 0x6c33_0000_0000_0000n]) t.same(owner(value), { is: 'foreign' })
})

t.test('a group id names its network, and no two are alike', async t => {
  fc.assert(
    fc.property(
      numbers,
      fc.constantFrom('flood' as const, 'remote' as const),
      (n, part) => groupOwner(groupId(n, part)) === n,
    ),
  )
  t.not(groupId(7, 'flood'), groupId(7, 'remote'))
  for (const id of [0, 1, 0x4bff_ffff, 0x4e00_0000, 0xffff_ff00]) t.equal(groupOwner(id), undefined)
})

t.test('a meter id is ours for every port that has one, and small enough for Open vSwitch (2^18)', async t => {
  for (const port of [1, 4096, maxMeteredPort]) {
    t.ok(isOurMeter(meterId(port)))
    t.ok(meterId(port) < 2 ** 18)
  }
  t.notOk(isOurMeter(1))
})

t.test('a meter of a limit says what it limits, and no two are alike', async t => {
  const ids = new Set<number>()
  for (const kind of ['broadcast', 'send', 'receive'] as const)
    for (const port of [1, 4096, maxMeteredPort])
      for (const vlan of [undefined, 1, 4094]) {
        const id = portLimitMeterId(kind, port, vlan)
        t.same(limitOfMeter(id), { kind, port, vlan })
        t.ok(isOurMeter(id))
        ids.add(id)
      }
  t.equal(ids.size, 27)
  for (const id of [1, meterId(7), 0x2_0007, 0x3000_0000, 0x6000_0001, 0xffff_fffd])
    t.equal(limitOfMeter(id), undefined)
})
