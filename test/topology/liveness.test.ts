import fc from 'fast-check'
import t from 'tap'
import {
  answered,
  asked,
  calmMs,
  excused,
  failed,
  isDoubtful,
  type Liveness,
  longestHoldMs,
  looked,
  patienceMs,
  pauseMs,
  shortestHoldMs,
  unproven,
} from '../../topology/liveness.ts'

const stepMs = 20
const intervalMs = 250
type Change = { readonly at: number; readonly is: Liveness['is'] }

/**
 * One link on a clock of its own: probes leave when they are due and arrive after `transitMs`, unless `isLost` says so of the time
 * at which they leave. Its switches always prove that they are there. Answers what it was, from when on.
 */
function live(
  untilMs: number,
  isLost: (ms: number) => boolean,
  { transitMs = 1, start = unproven(false, 0) } = {},
): Change[] {
  let link = start
  let askedAt = Number.NEGATIVE_INFINITY
  let doubtAt: number | undefined
  const onTheWay: number[] = []
  const changes: Change[] = [{ at: 0, is: link.is }]
  const become = (next: Liveness, at: number) => {
    if (next.is !== link.is) changes.push({ at, is: next.is })
    link = next
  }
  for (let now = 0; now <= untilMs; now += stepMs) {
    while (onTheWay.length > 0 && onTheWay[0]! <= now) {
      onTheWay.shift()
      become(answered(link, now), now)
    }
    become(looked(link, now, transitMs), now)
    if (!isDoubtful(link)) doubtAt = undefined
    else if (now - (doubtAt ??= now) >= patienceMs + transitMs) become(failed(link, now), now)
    if (now - askedAt < pauseMs(link, intervalMs)) continue
    askedAt = now
    become(asked(link, now), now)
    if (!isLost(now)) onTheWay.push(now + transitMs)
  }
  return changes
}
const downs = (changes: readonly Change[]) => changes.filter(({ is }) => is === 'down')
const last = (changes: readonly Change[]) => changes.at(-1)!
const transit = fc.integer({ min: 1, max: 400 })

t.test('a link that falls silent is down within a second, however long its frames take', async () =>
  fc.assert(
    fc.property(fc.integer({ min: 2000, max: 4000 }), transit, (at, transitMs) => {
      const [down, ...more] = downs(live(at + 5000, ms => ms >= at, { transitMs }))
      return more.length === 0 && down !== undefined && down.at > at && down.at <= at + 1000 + 3 * transitMs
    }),
  ),
)

t.test('a link that always answers is never doubted', async () =>
  fc.assert(fc.property(transit, transitMs => live(60_000, () => false, { transitMs }).length === 1)),
)

t.test('single lost probes are no failure, nor two in a row', async () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 10 }), transit, (gaps, transitMs) => {
      const lost = new Set(gaps.map(gap => gap * 1000))
      const isLost = (ms: number) => lost.has(ms - (ms % 1000)) && ms % 1000 < 300
      return downs(live(70_000, isLost, { transitMs })).length === 0
    }),
  ),
)

/** Numbers from 0 to 1 that look random, the same for the same seed: fast-check's own are not even. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    const mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    return ((mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

t.test('one frame in ten lost at random takes no link down, one in two does', async t => {
  const failures = (share: number) => {
    const roll = dice(share * 1000)
    return downs(live(600_000, () => roll() < share)).length
  }
  t.ok(failures(0.1) <= 1, 'it takes five lost in a row: once in seven hours, by chance')
  t.ok(failures(0.5) > 2)
})

t.test('whatever happened, a link that answers again for a minute is up, and one that does not is down', async () =>
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 60 }),
      fc.boolean(),
      transit,
      (periods, ends, transitMs) => {
        let over = 0
        const turns = [0, ...periods.map(ms => (over += ms))]
        const isLost = (ms: number) => (ms >= over ? !ends : turns.filter(at => at <= ms).length % 2 === 0)
        return last(live(over + 60_000, isLost, { transitMs })).is === (ends ? 'up' : 'down')
      },
    ),
  ),
)

t.test('a link that flaps goes down ever more rarely, and stays down the longer', async () =>
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 5000 }), halfMs => {
      const changes = live(600_000, ms => Math.floor(ms / halfMs) % 2 === 1)
      const at = downs(changes).map(change => change.at)
      const early = at.filter(ms => ms < 60_000).length
      const late = at.filter(ms => ms >= 120_000 && ms < 180_000).length
      return early <= 10 && late <= 2
    }),
  ),
)

t.test('hold-downs double up to the longest, and start anew after a calm time', async t => {
  const holds: number[] = []
  let link = unproven(false, 0)
  let now = 0
  const recover = () => {
    const { since, holdMs } = link
    link = { is: 'up', since: now, holdMs }
    return since
  }
  for (let i = 0; i < 9; i++) {
    link = failed(link, (now += 1000))
    holds.push(link.holdMs)
    recover()
  }
  t.strictSame(holds, [500, 1000, 2000, 4000, 8000, 16_000, longestHoldMs, longestHoldMs, longestHoldMs])
  t.equal(failed(link, now + calmMs).holdMs, shortestHoldMs)
})

t.test('it comes back only after several probes in a row, over at least its hold-down', async t => {
  const start = failed(unproven(false, 0), 0)
  let link: Liveness = start
  for (const at of [100, 350]) link = answered(asked(link, at), at)
  t.match(link, { is: 'down', answers: 2 })
  t.equal(answered(link, 599).is, 'down')
  t.equal(answered(link, 600).is, 'up')
  t.match(looked(asked(link, 600), 600 + patienceMs, 0), { is: 'down', answers: 0 }, 'one lost, and all begins again')
})

t.test('while nothing can be told, everything stays as it is', async t => {
  const link = unproven(false, 0)
  const suspect = looked(asked(link, 0), 1000, 0)
  t.equal(suspect.is, 'suspect')
  t.match(excused(suspect), { is: 'up' })
  t.notOk('askedAt' in excused(asked(link, 0)))
  t.match(excused(answered(failed(link, 0), 1)), { is: 'down', answers: 0 })
  t.match(unproven(true, 0), { is: 'down' }, 'what was dead before a restart is dead after it')
  t.equal(excused(link), link, 'and is the same object')
})
