import fc from 'fast-check'
import t from 'tap'
import {
  arrive,
  forgive,
  inFlight,
  leave,
  loss,
  lossWindow,
  newShortest,
  newTally,
  note,
  shortestMs,
} from '../../topology/tally.ts'

t.test('loss is the share of the last probes that did not arrive, and each is lost once', async () =>
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 40, maxLength: 200 }), fates => {
      const tally = newTally()
      for (const arrives of fates) {
        const sequence = leave(tally, true)
        if (arrives) arrive(tally, sequence, 1)
      }
      const told = fates.slice(-inFlight - lossWindow, -inFlight)
      const lost = (of: readonly boolean[]) => of.filter(arrives => !arrives).length
      return loss(tally) === lost(told) / lossWindow && tally.lost === lost(fates.slice(0, -inFlight))
    }),
  ),
)

t.test('what is lost while a switch is away is not the fault of the link', async t => {
  const tally = newTally()
  for (let i = 0; i < 100; i++) leave(tally, false)
  t.equal(loss(tally), undefined)
  for (let i = 0; i < 20; i++) arrive(tally, leave(tally, true), 1)
  t.equal(loss(tally), 0)
  t.equal(tally.lost, 0)
})

t.test('what was lost for another reason can be taken back, and only that', async t => {
  const tally = newTally()
  for (let i = 0; i < 40; i++) {
    const sequence = leave(tally, true)
    if (i % 4 !== 0) arrive(tally, sequence, 1)
  }
  const [before, lost] = [loss(tally), tally.lost]
  for (let i = 0; i < 12; i++) leave(tally, true)
  t.ok(tally.lost > lost)
  forgive(tally, lost)
  t.equal(tally.lost, lost)
  for (let i = 0; i < 2 * inFlight; i++) arrive(tally, leave(tally, true), 1)
  t.ok(loss(tally)! <= before!)
  const never = newTally()
  for (let i = 0; i < 20; i++) leave(never, true)
  forgive(never, 0)
  t.equal(never.lost, 0)
  t.equal(loss(never), undefined)
})

t.test('a probe is believed once, and not when it comes too late or never left', async t => {
  const tally = newTally()
  for (let i = 1; i <= 10; i++) leave(tally, true)
  t.notOk(arrive(tally, 11, 1))
  t.ok(arrive(tally, 10, 1))
  t.notOk(arrive(tally, 10, 1), 'a replay')
  t.ok(arrive(tally, 3, 1), 'late, and out of order')
  t.notOk(arrive(tally, 2, 1), `${inFlight} others have left since`)
  t.notOk(arrive(tally, 10 - 32, 1), 'not even when the bits wrap')
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
