// Who waits for a network looks again when something happens to it, and is left alone by what happens to others.
import t from 'tap'
import { waiting } from '../../controller/waiters.ts'
import { testClock } from './clock.ts'

t.test('whoever waits for a network is asked again for that network only', async t => {
  const clock = testClock()
  const { until, wake, wakeFor } = waiting(clock)
  const looks = { red: 0, blue: 0, all: 0 }
  let isRed = false
  const of = (network: 'red' | 'blue', answer: () => string | undefined) => {
    const look = () => {
      looks[network]++
      return answer()
    }
    return until(look, { timeoutMs: 5000, late: () => 'late', network })
  }
  const red = of('red', () => (isRed ? 'red' : undefined))
  const blue = of('blue', () => undefined)
  let isIdle = false
  const idle = until(() => {
    looks.all++
    return isIdle || undefined
  })
  t.strictSame(looks, { red: 1, blue: 1, all: 1 }, 'each looks when it begins')
  wakeFor(['blue', 'green'])
  t.strictSame(looks, { red: 1, blue: 2, all: 2 })
  wake()
  t.strictSame(looks, { red: 2, blue: 3, all: 3 })
  isRed = true
  wakeFor(['blue'])
  t.equal(looks.red, 2)
  wakeFor(['red'])
  t.equal(await red, 'red')
  wakeFor(['red'])
  t.equal(looks.red, 3, 'who has its answer does not look any more')
  await clock.pass(5000)
  t.equal(await blue, 'late')
  isIdle = true
  wakeFor([])
  t.equal(await idle, true)
})
