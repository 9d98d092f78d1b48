import t from 'tap'
import { newLimits } from '../../../controller/history/limits.ts'

t.test('one thing that says the same without end is heard ten times, then once in ten seconds', async t => {
  let now = 0
  const limits = newLimits(() => now)
  const admitted = (times: number) =>
    Array.from({ length: times }, () => limits.admit('link-down', 'a', 'warn')).filter(Boolean).length
  t.equal(admitted(1000), 10)
  now += 10_000
  t.equal(admitted(1000), 1)
  now += 5_000
  t.equal(admitted(10), 0)
  now += 5_000
  t.equal(admitted(10), 1)
  now += 3_600_000
  t.equal(admitted(1000), 10, 'after a quiet hour it is as new')
})

t.test('a flood about many things is bounded as one, and other kinds are not touched by it', async t => {
  let now = 0
  const limits = newLimits(() => now)
  const admitted = Array.from({ length: 50_000 }, (_, i) => limits.admit('link-down', `link ${i}`, 'warn'))
  t.equal(admitted.filter(Boolean).length, 1000)
  t.ok(limits.admit('switch-emptied', 'a', 'error'))
  now += 1000
  const later = Array.from({ length: 1000 }, (_, i) => limits.admit('link-down', `another ${i}`, 'warn'))
  t.equal(later.filter(Boolean).length, 50, 'fifty a second')
})

t.test('what is left out is counted, by kind, with what it was about, and told once', async t => {
  const limits = newLimits(() => 0)
  for (let i = 0; i < 20; i++) limits.admit('link-down', 'a', 'warn')
  for (let i = 0; i < 13; i++) limits.admit('write', 'b', 'info')
  for (let i = 0; i < 12; i++) limits.admit('write', 'c', 'info')
  t.same(limits.leftOut(), [
    { of: 'link-down', about: 'a', count: 10, as: 'warn' },
    { of: 'write', about: 'of 2 subjects', count: 5, as: 'info' },
  ])
  t.same(limits.leftOut(), [])
})
