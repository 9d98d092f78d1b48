import t from 'tap'
import { putNetwork } from '../../store/desired.ts'
import { maxNetworkNumber } from '../../store/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { numberAt, numberOf } from '../../store/numbers.ts'

t.test('each index has one number, and each number one index', async t => {
  const many = Array.from({ length: 5_000 }, (_, i) => numberAt('key', i))
  t.equal(new Set(many).size, many.length)
  t.ok(many.every(n => n >= 1 && n <= maxNetworkNumber))
})

t.test('a number that was seen does not tell the next', async t => {
  const numbers = Array.from({ length: 1000 }, (_, i) => numberAt('key', i))
  const steps = new Set(numbers.slice(1).map((n, i) => n - numbers[i]!))
  t.ok(steps.size > 990, 'no step from one to the next comes again and again')
  t.notSame(
    numbers.slice(0, 10),
    Array.from({ length: 10 }, (_, i) => numberAt('other', i)),
  )
  const store = openMemory()
  await store.write(draft => ['a', 'b', 'c'].map(id => putNetwork(draft, id)))
  const [a, b, c] = [...store.state().networks.values()].map(n => n.number)
  t.not(b! - a!, 1)
  t.not(c! - b!, 1)
})

t.test('numbers from before there was a key are not given out again', async t => {
  const numbering = { firstNumber: maxNetworkNumber - 2, numberKey: 'key', sequential: 2_000_000 }
  const given = Array.from({ length: 3000 }, (_, i) => numberOf(numbering, i))
  const old = (n: number) => (n - numbering.firstNumber + maxNetworkNumber) % maxNetworkNumber < numbering.sequential
  t.ok(given.includes(undefined), 'a quarter of them')
  t.notOk(given.some(n => n !== undefined && old(n)))
  t.strictSame(
    [0, 1, 3].map(i => numberOf({ firstNumber: maxNetworkNumber - 1 }, i)),
    [maxNetworkNumber - 1, maxNetworkNumber, 2],
  )
})
