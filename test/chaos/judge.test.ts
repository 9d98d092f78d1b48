import t from 'tap'
import { judge, type Loss, pinOf, wayOf } from './judge.ts'
import { isJoined, isPossible, planOf } from './plan.ts'

const before = [
  [1, 2, false],
  [1, 2, true],
  [2, 3, false],
  [2, 3, true],
] as const
const loss = (more: Partial<Loss>): Loss => ({ what: 'red', from: 1, to: 3, sentAt: 1000, legs: [], before, ...more })

t.test('a frame is lost where it was seen last', async t => {
  t.same(wayOf(1, 3, before), [1, 2, 3])
  t.same(pinOf(loss({ legs: [] })), { is: 'switch', node: 1 })
  t.same(pinOf(loss({ legs: [[1, 2, false]] })), { is: 'link', link: [1, 2] })
  t.same(pinOf(loss({ legs: before.slice(0, 2) })), { is: 'switch', node: 2 })
  t.same(pinOf(loss({ legs: before.slice(0, 3) })), { is: 'link', link: [2, 3] })
  t.same(pinOf(loss({ legs: before })), { is: 'switch', node: 3 })
})

t.test('an event explains what was lost at its place and in its time, and nothing else', async t => {
  const window = { why: 'silence', where: { is: 'link', link: [2, 1] }, from: 900, until: 1500 } as const
  const legs = [[1, 2, false]] as const
  t.same([...judge([loss({ legs })], [window], 0).explained], [['silence', { count: 1, lastMs: 100 }]])
  t.same(judge([loss({ legs, sentAt: 1600 })], [window], 0).faults, [
    '1 copies red from 1, lost on link 1-2, on the way to 3, sent 1.60 to 1.60 s; before, frames to 3 took 1-2-3',
  ])
  t.equal(judge([loss({})], [window], 0).faults.length, 1)
})

t.test('a seed makes one plan, whose mesh is in one piece whatever a round breaks', async t => {
  for (let seed = 0; seed < 200; seed++) {
    const plan = planOf(seed)
    t.ok(plan.nodes >= 5 && plan.nodes <= 9)
    t.ok(
      isJoined(
        Array.from({ length: plan.nodes }, (_, i) => i + 1),
        plan.links,
      ),
    )
    const { events } = plan.round(seed)
    t.ok(events.length > 0 && isPossible(events, plan.nodes, plan.links))
    t.same(planOf(seed).round(seed), plan.round(seed))
  }
})
