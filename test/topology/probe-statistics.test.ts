import fc from 'fast-check'
import t from 'tap'
import {
  arrive,
  forgive,
  inFlight,
  leave,
  loss,
  lossWindow,
  newProbeStatistics,
  newShortest,
  note,
  shortestMs,
} from '../../topology/probe-statistics.ts'

t.test('loss is the share of the last probes that did not arrive, and each is lost once', async () =>
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 40, maxLength: 200 }), fates => {
      const probeStatistics = newProbeStatistics()
      for (const arrives of fates) {
        const sequence = leave(probeStatistics, true)
        if (arrives) arrive(probeStatistics, sequence, 1)
      }
      const told = fates.slice(-inFlight - lossWindow, -inFlight)
      const lost = (of: readonly boolean[]) => of.filter(arrives => !arrives).length
      return (
        loss(probeStatistics) === lost(told) / lossWindow && probeStatistics.lost === lost(fates.slice(0, -inFlight))
      )
    }),
  ),
)

t.test('what is lost while a switch is away is not the fault of the link', async t => {
  const probeStatistics = newProbeStatistics()
  for (let i = 0; i < 100; i++) leave(probeStatistics, false)
  t.equal(loss(probeStatistics), undefined)
  for (let i = 0; i < 20; i++) arrive(probeStatistics, leave(probeStatistics, true), 1)
  t.equal(loss(probeStatistics), 0)
  t.equal(probeStatistics.lost, 0)
})

t.test('what was lost for another reason can be taken back, and only that', async t => {
  const probeStatistics = newProbeStatistics()
  for (let i = 0; i < 40; i++) {
    const sequence = leave(probeStatistics, true)
    if (i % 4 !== 0) arrive(probeStatistics, sequence, 1)
  }
  const [before, lost] = [loss(probeStatistics), probeStatistics.lost]
  for (let i = 0; i < 12; i++) leave(probeStatistics, true)
  t.ok(probeStatistics.lost > lost)
  forgive(probeStatistics, lost)
  t.equal(probeStatistics.lost, lost)
  for (let i = 0; i < 2 * inFlight; i++) arrive(probeStatistics, leave(probeStatistics, true), 1)
  t.ok(loss(probeStatistics)! <= before!)
  const never = newProbeStatistics()
  for (let i = 0; i < 20; i++) leave(never, true)
  forgive(never, 0)
  t.equal(never.lost, 0)
  t.equal(loss(never), undefined)
})

t.test('a probe is believed once, and not when it comes too late or never left', async t => {
  const probeStatistics = newProbeStatistics()
  for (let i = 1; i <= 10; i++) leave(probeStatistics, true)
  t.notOk(arrive(probeStatistics, 11, 1))
  t.ok(arrive(probeStatistics, 10, 1))
  t.notOk(arrive(probeStatistics, 10, 1), 'a replay')
  t.ok(arrive(probeStatistics, 3, 1), 'late, and out of order')
  t.notOk(arrive(probeStatistics, 2, 1), `${inFlight} others have left since`)
  t.notOk(arrive(probeStatistics, 10 - 32, 1), 'not even when the bits wrap')
})

t.test('the shortest time is that of the last one or two windows', async () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
      (window, times) => {
        const shortest = newShortest(window)
        for (const ms of times) note(shortest, ms)
        const known = shortestMs(shortest)!
        const recent = Math.min(...times.slice(-window))
        const all = Math.min(...times.slice(-2 * window))
        return known >= all && known <= recent
      },
    ),
  ),
)
