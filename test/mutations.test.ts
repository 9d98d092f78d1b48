import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mutated, mutations } from './mutations.ts'

const root = new URL('..', import.meta.url).pathname

t.test('every mutation applies to the code as it is', async t => {
  const stale = mutations.flatMap(mutation => {
    try {
      mutated(mutation, readFileSync(join(root, mutation.file), 'utf8'))
      return []
    } catch (error) {
      return [(error as Error).message]
    }
  })
  t.same(stale, [])
})

t.test('every mutation names tests that are there', async t =>
  t.same(
    mutations.flatMap(({ name, tests, proof = [] }) =>
      [...tests, ...proof].filter(path => !existsSync(join(root, path))).map(path => `${name}: ${path}`),
    ),
    [],
  ),
)

t.test('no two mutations have one name', async t => t.equal(new Set(mutations.map(m => m.name)).size, mutations.length))

t.test('a mutation that applies nowhere, or twice, is refused', async t => {
  const mutation = { name: 'x', file: 'a.ts', from: 'one', to: 'two', tests: [] }
  t.equal(mutated(mutation, 'this one'), 'this two')
  t.throws(() => mutated(mutation, 'two'), { message: /a\.ts has 0 times/ })
  t.throws(() => mutated(mutation, 'one one'), { message: /a\.ts has 2 times/ })
})
