import fc from 'fast-check'
import t from 'tap'
import { type Counts, intervals, linkMs, probesPerSecond, unknownMs } from '../../topology/budget.ts'

const counts = fc.record({
  carrying: fc.nat(1_000_000),
  idle: fc.nat(1_000_000),
  unknown: fc.nat(1_000_000),
})
const perSecond = (of: Counts) => {
  const every = intervals(of)
  return (['carrying', 'idle', 'unknown'] as const).reduce((sum, kind) => sum + (of[kind] * 1000) / every[kind], 0)
}

t.test('up to 100 links all are probed four times a second', async () =>
  fc.assert(
    fc.property(fc.nat(200), fc.nat(1_000_000), (carrying, unknown) => {
      const every = intervals({ carrying, idle: 200 - carrying, unknown })
      return every.carrying === linkMs && every.idle === linkMs && every.unknown >= unknownMs
    }),
  ),
)

t.test('the budget is never exceeded, and a part of it is left to ask again', async () =>
  fc.assert(fc.property(counts, of => perSecond(of) <= 0.98001 * probesPerSecond)),
)

t.test('links that carry networks are probed at least as often as others, and the others are not forgotten', async () =>
  fc.assert(
    fc.property(counts, of => {
      const every = intervals(of)
      const stretched = (of.idle * 1000) / 80
      return (
        (every.carrying <= every.idle || of.idle < of.carrying / 9) && every.idle <= Math.max(linkMs, stretched + 0.001)
      )
    }),
  ),
)

t.test('it stretches as its description says', async t => {
  const every = (carrying: number, idle: number) => intervals({ carrying: 2 * carrying, idle: 2 * idle, unknown: 0 })
  t.equal(Math.round(every(100, 900).carrying), 278)
  t.equal(every(100, 900).idle, 22_500)
  t.equal(every(1000, 0).carrying, 2500)
  t.equal(every(0, 499_500).idle, 1_248_750, 'a full mesh of 1,000 switches that carries nothing: 21 minutes')
})
