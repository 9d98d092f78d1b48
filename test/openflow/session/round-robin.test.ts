import fc from 'fast-check'
import t from 'tap'
import { roundRobin } from '../../../openflow/session/round-robin.ts'

/** Rounds over jobs with so many units of work, each of which takes 1 ms of a clock that only they move. */
function jobs(work: readonly number[], slice: number, budget: number) {
  const left = [...work]
  const done: number[] = []
  const turns: (() => void)[] = []
  let now = 0
  const rounds = roundRobin<number>({
    work(job, until) {
      do {
        done.push(job)
        left[job]!--
        now++
      } while (left[job]! > 0 && now < until)
      return left[job]! > 0
    },
    exact: () => now,
    later: go => void turns.push(go),
    slice,
    budget,
  })
  return { rounds, done, turns, left, time: () => now }
}

t.test('all work is done, in turns that none may hold for longer than a budget and a slice', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), work => {
      const { rounds, turns, left, time } = jobs(work, 2, 5)
      for (const job of work.keys()) rounds.add(job)
      for (let go = turns.shift(); go !== undefined; go = turns.shift()) {
        const before = time()
        go()
        if (time() - before > 7 || turns.length > 1) return false
      }
      return left.every(each => each === 0)
    }),
  )
})

t.test('who has little to do is done before who has much, however much was there before', async t => {
  const { rounds, done, turns } = jobs([1_000, 1], 2, 5)
  rounds.add(0)
  turns.shift()?.()
  rounds.add(1)
  while (turns.length > 0) turns.shift()?.()
  t.ok(done.indexOf(1) < 10, `after ${done.indexOf(1)} others`)
})

t.test('what is removed is not worked on, and what is added twice is there once', async t => {
  const { rounds, done, turns } = jobs([3, 3], 10, 100)
  rounds.add(0)
  rounds.add(1)
  rounds.add(1)
  rounds.remove(0)
  while (turns.length > 0) turns.shift()?.()
  t.same(done, [1, 1, 1])
})
