import t from 'tap'
import { attach, deleteNetwork, putNetwork } from '../../store/desired.ts'
import { openDraft } from '../../store/draft.ts'
import { maxNetworkNumber } from '../../store/state.ts'
import { type Batch, createStore, StoreError } from '../../store/store.ts'
import { copyTables, emptyTables } from '../../store/tables.ts'
import { counting, dpid, snapshot } from './backends.ts'

/** A store whose commits end when the test says so, and how. */
const stepwise = () => {
  const commits: { batch: Batch; succeed(): void; fail(error: Error): void }[] = []
  const { seen, record } = counting()
  const store = createStore(
    '0123456789',
    emptyTables({ firstNumber: 1 }),
    {
      commit: batch => new Promise((succeed, fail) => void commits.push({ batch, succeed, fail })),
      close: async () => {},
    },
    record,
  )
  return { store, commits, seen }
}
const turn = () => new Promise(resolve => setImmediate(resolve))
const full = new StoreError('disk-full', 'no space left', 'ENOSPC')

t.test('writes that come while a batch is being committed wait for the next one', async t => {
  const { store, commits } = stepwise()
  const first = [store.write(d => putNetwork(d, 'a')), store.write(d => putNetwork(d, 'b'))]
  await turn()
  const second = [store.write(d => putNetwork(d, 'c')), store.write(d => putNetwork(d, 'd'))]
  await turn()
  t.equal(commits.length, 1)
  t.equal(store.state().networks.size, 0, 'nobody sees what is not on disk yet')
  commits[0]!.succeed()
  await Promise.all(first)
  t.strictSame([...store.state().networks.keys()], ['a', 'b'])
  await turn()
  t.match(commits[1]!.batch, { from: 2, to: 4 })
  commits[1]!.succeed()
  await Promise.all(second)
  t.strictSame([...store.state().networks.keys()], ['a', 'b', 'c', 'd'])
})

t.test('when a commit fails, every write of its batch rejects and the state is as it was', async t => {
  const { store, commits, seen } = stepwise()
  const made = store.write(d => {
    putNetwork(d, 'old', { mirror: { dpid: dpid(2), port: 2 } })
    attach(d, { network: 'old', dpid: dpid(1), port: 1, mac: '02:00:00:00:00:01' })
  })
  await turn()
  commits[0]!.succeed()
  await made
  const before = snapshot(store)
  let told = 0
  store.watch(() => told++)

  const lost = [
    store.write(d => putNetwork(d, 'old')),
    store.write(d => deleteNetwork(d, 'old')),
    store.write(d => putNetwork(d, 'new')),
    // These two change nothing themselves, but what they answer is true only if those before them are.
    store.write(d => putNetwork(d, 'new')),
    store.write(d => attach(d, { network: 'old', dpid: dpid(1), port: 2 })),
  ]
  const settled = Promise.allSettled(lost)
  await turn()
  commits[1]!.fail(full)
  const results = await settled
  t.match(results[0], { status: 'fulfilled', value: { created: false } }, 'a repeat of what is on disk needs no disk')
  for (const result of results.slice(1)) t.strictSame(result, { status: 'rejected', reason: full })
  t.strictSame(snapshot(store), before)
  t.equal(told, 0)
  t.strictSame(seen, { commits: 1, writes: 1, failures: ['disk-full'] })

  t.comment('later writes try again, on the state that is on disk')
  const again = store.write(d => attach(d, { network: 'old', dpid: dpid(1), port: 2, mac: '02:00:00:00:00:02' }))
  await turn()
  t.match(commits[2]!.batch, { from: 1, to: 2 })
  commits[2]!.succeed()
  t.match(await again, { created: true, attachment: { revision: 2 } })
  t.strictSame([...store.state().members.get('old')!.keys()], [`${dpid(1)}/1`, `${dpid(1)}/2`])
})

t.test('a watcher that throws does not keep the write or other watchers from their due', async t => {
  const { store, commits } = stepwise()
  const uncaught = new Promise<unknown>(resolve => process.once('uncaughtException', resolve))
  let told = 0
  store.watch(() => {
    throw new Error('a bug in a watcher')
  })
  store.watch(() => told++)
  const write = store.write(d => putNetwork(d, 'a'))
  await turn()
  commits[0]!.succeed()
  t.match(await write, { created: true })
  t.equal(told, 1)
  t.match(await uncaught, { message: 'a bug in a watcher' }, 'its error is not hidden')
})

t.test('a thousand writes in one turn are decided in portions', async t => {
  const { store, commits } = stepwise()
  const writes = Promise.all(Array.from({ length: 1000 }, (_, i) => store.write(d => putNetwork(d, `n${i}`))))
  for (let i = 0; i < 4; i++) {
    await turn()
    t.equal(commits.length, i + 1)
    commits[i]!.succeed()
  }
  await writes
  t.strictSame(
    commits.map(({ batch }) => batch.to),
    [256, 512, 768, 1000],
  )
})

t.test('numbers go up from the start of the instance, wrap, skip those in use, and end', async t => {
  const tables = emptyTables({ firstNumber: maxNetworkNumber - 1 })
  const next = () => openDraft(tables).draft.nextNumber()
  t.strictSame([next(), next(), next()], [maxNetworkNumber - 1, maxNetworkNumber, 1])
  openDraft(tables).draft.putNetwork({ id: 'given', number: 2, mirror: { dpid: dpid(1), port: 1, number: 3 } })
  t.equal(next(), 4)
  tables.allocated = maxNetworkNumber - 2
  t.strictSame([next(), next(), next(), next()], [maxNetworkNumber - 3, maxNetworkNumber - 2, undefined, undefined])
  const { draft } = openDraft(tables)
  const refused = putNetwork(draft, 'late')
  t.match(refused, { refused: 'number-space-exhausted', detail: /network late gets no number.*8388605/ })
  t.notOk(draft.networks.has('late'))
  t.match(putNetwork(draft, 'given', { mirror: { dpid: dpid(1), port: 2 } }), { refused: 'number-space-exhausted' })
  t.match(putNetwork(draft, 'given'), { created: false }, 'what has its number is not refused')
})

t.test('a copy of the tables does not change with them', async t => {
  const tables = emptyTables({ firstNumber: 1 })
  const fill = (from: number) => {
    const { draft } = openDraft(tables)
    for (let i = from; i < from + 3; i++) {
      putNetwork(draft, `n${i}`, { mirror: { dpid: dpid(9), port: i } })
      attach(draft, { network: 'n1', dpid: dpid(1), port: i, mac: `02:00:00:00:00:0${i}` })
      draft.putDeclaredLink({ from: { dpid: dpid(3), port: i }, to: { dpid: dpid(4), port: i } })
      draft.putDiscoveredLink({ from: { dpid: dpid(5), port: 1 }, to: { dpid: dpid(6), port: i } })
    }
  }
  fill(1)
  const copy = copyTables(tables)
  const asItWas = structuredClone(tables)
  t.strictSame(copy, asItWas)
  fill(4)
  t.strictSame(copy, asItWas)
  t.notSame(tables, asItWas)
})
