import t from 'tap'
import { auditBudget, auditShare } from '../../../controller/switch/audit-budget.ts'

t.test('audits take their share of a processor in the long run, however long each takes', async t => {
  for (const each of [0.001, 0.08, 1.7]) {
    const budget = auditBudget()
    let taken = 0
    for (let second = 0; second < 1000; second++) {
      budget.passed(1)
      for (let audits = 0; budget.isLeft() && audits < 10_000; audits++) {
        budget.took(each)
        taken += each
      }
    }
    const share = taken / 1000
    t.ok(share >= auditShare && share <= auditShare + 5 / 1000, `${each} s each: ${share}`)
  }
})

t.test('what is not taken is saved up for a minute, and no longer', async t => {
  const budget = auditBudget()
  budget.took(3)
  t.notOk(budget.isLeft())
  budget.passed(3600)
  budget.took(2.9)
  t.ok(budget.isLeft())
  budget.took(0.2)
  t.notOk(budget.isLeft())
})
