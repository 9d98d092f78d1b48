import { appendFile, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type HistoryOptions, openHistory } from '../../../controller/history/history.ts'
import type { EventQuery } from '../../../controller/view/history.ts'
import type { Recorded } from '../../../controller/view/recorded.ts'

const all: EventQuery = { severity: 'debug' }

const opened = async (options: Partial<HistoryOptions> = {}) => {
  const history = await openHistory({ milliseconds: () => 1000, failed: () => {}, ...options })
  const add = (more: Partial<Recorded> = {}) => {
    const event = {
      ...{ kind: 'switch-disconnected', dpid: 'a1', reason: 'echo timed out', id: history.nextId(), revision: 3 },
      ...{ time: '2026-01-01T00:00:00.000Z', severity: 'warn', sentence: 'switch a1 disconnected' },
      ...more,
    } as Recorded
    history.add(event)
    return event.id
  }
  const texts = () => history.read(all, 1000, 'oldest').events.map(({ text }) => text)
  return { history, add, texts, ids: () => history.read(all, 1000, 'oldest').events.map(({ id }) => id) }
}

t.test('what happened is there after a restart, as it was, and ids go on', async t => {
  const path = join(t.testdir(), 'events.jsonl')
  const first = await opened({ path })
  for (let i = 0; i < 500; i++) first.add()
  const texts = first.texts()
  t.match(JSON.parse(texts[0]!), {
    id: 'e1000',
    kind: 'switch-disconnected',
    dpid: 'a1',
    revision: 3,
    severity: 'warn',
  })
  await first.history.close()
  t.equal((await stat(path)).mode & 0o777, 0o600, 'nobody else may read it')

  const second = await opened({ path })
  const later = second.add()
  t.equal(later, 1500, 'also when the clock says the same as before')
  await second.history.loaded
  t.same(second.texts().slice(0, -1), texts)
  t.same(second.history.read({ ...all, after: 1400, dpid: 'a1' }, 1000, 'oldest').events.length, 100)
  await second.history.close()

  const third = await opened({ path, milliseconds: () => 1_000_000 })
  await third.history.loaded
  t.equal(third.ids().length, 501)
  t.equal(third.add(), 1_000_000)
  await third.history.close()
})

t.test('a line that a crash cut off costs that line, and not the next', async t => {
  const path = join(t.testdir(), 'events.jsonl')
  const first = await opened({ path })
  first.add()
  await first.history.close()
  await appendFile(path, '{"id":"e1001","kind":"switch-disc')
  const second = await opened({ path })
  const next = second.add()
  await second.history.close()
  const third = await opened({ path })
  await third.history.loaded
  t.same(third.ids(), [1000, next])
  await third.history.close()
})

t.test('a file of anything is no history, and no harm', async t => {
  const path = join(
    t.testdir({
      'events.jsonl': '\n\nnull\n[]\n{"id":7}\n{"id":"e5"}\n\u0000\u0000{}\n"x"\n{"id":"ex","kind":"write"}',
    }),
    'events.jsonl',
  )
  const { history, add, ids } = await opened({ path })
  await history.loaded
  t.same(ids(), [])
  const id = add()
  t.same(ids(), [id])
  await history.close()
})

t.test('the file is bounded: it is written anew with what is kept', async t => {
  const path = join(t.testdir(), 'events.jsonl')
  const bounds = { events: 1e6, characters: 40_000 }
  let largest = 0
  let last = 0
  // Every close writes what waits.
  for (let round = 0; round < 20; round++) {
    const { history, add, ids } = await opened({ path, bounds })
    await history.loaded
    t.ok(ids().length === 0 || ids().at(-1) === last, 'the newest was kept')
    for (let i = 0; i < 100; i++) last = add()
    await history.close()
    largest = Math.max(largest, (await stat(path)).size)
  }
  t.ok(largest <= 2 * bounds.characters, `${largest} bytes`)
  t.ok(largest > bounds.characters, 'and it is used')
  const lines = (await readFile(path, 'utf8')).split('\n').filter(line => line !== '')
  t.equal(JSON.parse(lines.at(-1)!).id, `e${last}`)
})

t.test('where it cannot be written it is in memory, and says so once', async t => {
  const failures: string[] = []
  const failed = (error: Error) => void failures.push(error.message)
  const { history, add, ids } = await opened({ path: join(t.testdir(), 'no', 'such', 'folder'), failed })
  await history.loaded
  add()
  add()
  t.equal(ids().length, 2)
  t.equal(failures.length, 1)
  t.match(failures[0], /ENOENT/)
  await history.close()
})

t.test('a file that cannot be written anew stays as it was, and that is told once', async t => {
  // The file cannot be written anew while a folder stands where the new one would be made.
  const path = join(t.testdir(), 'events.jsonl')
  const failures: string[] = []
  const bounds = { events: 1e6, characters: 10_000 }
  const first = await opened({ path, bounds, failed: error => void failures.push(error.message) })
  await first.history.loaded
  await mkdir(`${path}.new`)
  for (let i = 0; i < 10; i++) first.add()
  const before = first.texts()
  await first.history.close()
  const second = await opened({ path, bounds, failed: error => void failures.push(error.message) })
  await second.history.loaded
  for (let i = 0; i < 200; i++) second.add()
  await second.history.close()
  t.equal(failures.length, 1)
  t.match(failures[0], /EISDIR/)
  t.same((await readFile(path, 'utf8')).trim().split('\n'), before)
})

t.test('an event without end loses what it was before and after, and says so', async t => {
  const { history, add, texts } = await opened()
  add({ kind: 'write', before: 'x'.repeat(20_000), after: {} } as Partial<Recorded>)
  t.equal(texts()[0]!.length < 2000, true)
  t.match(JSON.parse(texts()[0]!), { kind: 'write', isCut: true })
  await history.close()
})

t.test('who follows is called once for all events of a turn, until it stops', async t => {
  const { history, add } = await opened()
  let calls = 0
  const stop = history.follow(() => void calls++)
  for (let i = 0; i < 100; i++) add()
  t.equal(calls, 0, 'not in the middle of what happens')
  await new Promise(setImmediate)
  t.equal(calls, 1)
  add()
  await new Promise(setImmediate)
  t.equal(calls, 2)
  stop()
  add()
  await new Promise(setImmediate)
  t.equal(calls, 2)
})
