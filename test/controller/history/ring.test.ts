import fc from 'fast-check'
import t from 'tap'
import { newRing } from '../../../controller/history/ring.ts'
import { severities } from '../../../controller/view/event.ts'
import type { EventQuery, Kept } from '../../../controller/view/history.ts'

const kept = (id: number, more: Partial<Kept> = {}): Kept => ({
  ...{ id, revision: id, kind: 'link-up', severity: 'info', dpids: [], text: `event ${id}` },
  ...more,
})
const unbounded = { events: 1e6, characters: 1e9 }
const all: EventQuery = { severity: 'debug' }
const ids = (events: readonly Kept[]) => events.map(({ id }) => id)

const someKept = fc.record({
  kind: fc.constantFrom('link-up', 'write', 'defect'),
  severity: fc.constantFrom(...severities),
  network: fc.constantFrom(undefined, 'red', 'blue'),
  dpids: fc.subarray(['a1', 'b2']),
})
const someQuery = fc.record({
  after: fc.option(fc.nat(40), { nil: undefined }),
  revision: fc.option(fc.nat(40), { nil: undefined }),
  kinds: fc.option(
    fc.subarray(['link-up', 'write', 'defect']).map(kinds => new Set(kinds)),
    { nil: undefined },
  ),
  network: fc.constantFrom(undefined, 'red', 'green'),
  dpid: fc.constantFrom(undefined, 'a1', 'c3'),
  severity: fc.constantFrom(...severities),
})

t.test('a query finds what looking at all events one by one finds, in order, from either end', async t => {
  const law = fc.property(fc.array(someKept, { maxLength: 40 }), someQuery, fc.nat(20), (events, query, most) => {
    const ring = newRing(unbounded)
    const put = events.map((event, i) => kept(i + 1, event))
    for (const event of put) ring.put(event)
    const wanted = put.filter(
      ({ id, revision, kind, severity, network, dpids }) =>
        (query.after === undefined || id > query.after) &&
        (query.revision === undefined || revision >= query.revision) &&
        (query.kinds === undefined || query.kinds.has(kind)) &&
        (query.network === undefined || network === query.network) &&
        (query.dpid === undefined || dpids.includes(query.dpid)) &&
        severities.indexOf(severity) >= severities.indexOf(query.severity),
    )
    const oldest = ring.read(query, most, 'oldest')
    const newest = ring.read(query, most, 'newest')
    t.same(ids(oldest.events), ids(wanted.slice(0, most)))
    t.same(ids(newest.events), ids(most === 0 ? [] : wanted.slice(-most)))
    t.same([oldest.isMore, newest.isMore], [wanted.length > most, wanted.length > most])
    t.equal(
      oldest.isGap,
      (query.after ?? 0) > events.length,
      'nothing was dropped; but nobody may come from the future',
    )
  })
  fc.assert(law, {
    examples: [
      [
        [{ kind: 'write', severity: 'info', network: undefined, dpids: [] }],
        { ...all, after: undefined, revision: undefined, kinds: undefined, network: undefined, dpid: undefined },
        0,
      ],
    ],
  })
})

t.test('pages that begin where the one before ended have every event once', async t => {
  const ring = newRing(unbounded)
  for (let id = 1; id <= 95; id++) ring.put(kept(id, { kind: id % 3 === 0 ? 'write' : 'link-up' }))
  const seen: number[] = []
  let after = 0
  for (let page = ring.read({ ...all, after }, 10, 'oldest'); ; page = ring.read({ ...all, after }, 10, 'oldest')) {
    seen.push(...ids(page.events))
    after = page.last
    if (!page.isMore) break
  }
  t.same(
    seen,
    Array.from({ length: 95 }, (_, i) => i + 1),
  )
  t.same(ring.read({ ...all, after }, 10, 'oldest').events, [], 'and then none')
})

t.test('a flood of one kind pushes out its own events, and no others', async t => {
  const ring = newRing({ events: 100, characters: 1e6 })
  ring.put(kept(1, { kind: 'switch-emptied', severity: 'error' }))
  for (let id = 2; id <= 50_000; id++) ring.put(kept(id, { severity: 'debug' }))
  const page = ring.read(all, 1000, 'oldest')
  t.equal(page.events.length, 100)
  t.equal(page.events[0]?.id, 1)
  t.equal(page.events[1]?.id, 50_000 - 98)
})

t.test('texts are bounded, too, but one event is always kept', async t => {
  const ring = newRing({ events: 100, characters: 1000 })
  for (let id = 1; id <= 10; id++) ring.put(kept(id, { text: 'x'.repeat(300) }))
  t.same(ids(ring.read(all, 100, 'oldest').events), [8, 9, 10])
  ring.put(kept(11, { text: 'x'.repeat(5000) }))
  t.same(ids(ring.read(all, 100, 'oldest').events), [11])
})

t.test('who asks since when is told that some are gone; who asks for what is not gone is not', async t => {
  const ring = newRing({ events: 10, characters: 1e6 })
  for (let id = 1; id <= 20; id++) ring.put(kept(id, { severity: 'info' }))
  ring.put(kept(21, { kind: 'write' }))
  const isGap = (query: Partial<EventQuery>) => ring.read({ ...all, ...query }, 100, 'oldest').isGap
  t.ok(isGap({ after: 5 }))
  t.ok(isGap({ revision: 5 }))
  t.notOk(isGap({ after: 15 }))
  t.notOk(isGap({ after: 5, kinds: new Set(['write']) }), 'of this kind all are there')
  t.notOk(isGap({ after: 5, severity: 'warn' }), 'those that are gone did not matter that much')
  t.notOk(isGap({}), 'the newest are the newest')
})

t.test('events of earlier runs come before those of this one', async t => {
  const ring = newRing({ events: 4, characters: 1e6 })
  ring.put(kept(10))
  ring.putBefore([kept(1), kept(2, { kind: 'write' }), kept(3)])
  t.same(ids(ring.all()), [1, 2, 3, 10])
  ring.put(kept(11))
  t.equal(ring.all().length, 4)
  t.same(ids(ring.read(all, 2, 'newest').events), [10, 11])
})
