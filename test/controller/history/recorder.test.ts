import t from 'tap'
import { openHistory } from '../../../controller/history/history.ts'
import { newRecorder } from '../../../controller/history/recorder.ts'
import type { Event } from '../../../controller/view/event.ts'

const dpid = '00000000000000a1'

const recording = async () => {
  const history = await openHistory({ milliseconds: () => 1, failed: () => {} })
  const lines: { level: string; fields: object; words: string }[] = []
  const observed: Event[] = []
  const write = (level: string) => (fields: object, words: string) => void lines.push({ level, fields, words })
  let look = () => {}
  const now = 0
  const recorder = newRecorder({
    revision: () => 7,
    date: () => new Date(0),
    clock: {
      now: () => now,
      every: (_, work) => {
        look = work
        return () => {}
      },
    },
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    observe: event => void observed.push(event),
    history,
  })
  const kept = () => history.read({ severity: 'debug' }, 1000, 'oldest').events.map(({ text }) => JSON.parse(text))
  return { ...recorder, lines, observed, kept, look: () => look() }
}

t.test('one event is one line, one entry of the history, and counted', async t => {
  const { emit, lines, observed, kept } = await recording()
  emit({ kind: 'switch-phase', dpid, from: 'comparing', to: 'unsafe', reason: '3 flows are not ours' })
  const sentence = `switch ${dpid} went from comparing to unsafe: 3 flows are not ours`
  t.match(lines, [{ level: 'warn', fields: { kind: 'switch-phase', dpid, from: 'comparing' }, words: sentence }])
  t.match(kept(), [
    {
      ...{ id: 'e1', time: '1970-01-01T00:00:00.000Z', revision: 7, severity: 'warn', kind: 'switch-phase' },
      ...{ sentence, dpid, from: 'comparing', to: 'unsafe' },
    },
  ])
  t.equal(observed.length, 1)
})

t.test('a flood fills neither the log nor the history; what is left out is counted, and said', async t => {
  const { emit, lines, observed, kept, look, stop } = await recording()
  for (let i = 0; i < 5000; i++) emit({ kind: 'network-refused', dpid, network: `n${i}`, words: 'TABLE_FULL' })
  t.equal(lines.length, 10)
  t.equal(kept().length, 10)
  t.equal(observed.length, 5000, 'counted are all')
  emit({ kind: 'switch-disconnected', dpid, reason: 'closed' })
  t.equal(lines.length, 11, 'another kind is not touched')
  look()
  t.match(lines.at(-1), { level: 'error', words: `4990 more events of kind network-refused were left out (${dpid})` })
  t.match(kept().at(-1), { kind: 'events-left-out', of: 'network-refused', count: 4990 })
  stop()
  t.equal(lines.length, 12, 'what was said is not said again')
})

t.test('what is long stands in the history, not in the log', async t => {
  const { emit, lines, kept } = await recording()
  const items = [{ before: 'table=0 actions=drop', after: 'table=0 actions=output:1' }]
  emit({ kind: 'switch-drift', dpid, count: 1, items })
  t.notOk('items' in lines[0]!.fields)
  t.same(kept()[0].items, items)
})

t.test('an event that cannot be told does no harm to who told it', async t => {
  const { emit, lines } = await recording()
  t.doesNotThrow(() => emit({ kind: 'no-such-kind' } as unknown as Event))
  t.match(lines, [{ level: 'error' }])
})
