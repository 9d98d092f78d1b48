import fc from 'fast-check'
import t from 'tap'
import {
  doubted,
  leastMtu,
  missed,
  mostMtu,
  newSearch,
  padded,
  passed,
  renewed,
  type Search,
} from '../../topology/mtu.ts'

/** Runs a search to its end on a link that carries `mtu`; answers it, and how many probes that took. */
function run(search: Search, mtu: number, isLost: () => boolean = () => false): { search: Search; probes: number } {
  let probes = 0
  for (let now = 0; search.size !== undefined; now++) {
    if (++probes > 200) throw new Error(`no end: ${JSON.stringify(search)}`)
    const { size } = search
    search = padded(search, now)
    search = size <= mtu && !isLost() ? passed(search, size, now) : missed(search, now)
  }
  return { search, probes }
}
const anyMtu = fc.integer({ min: leastMtu, max: mostMtu })

t.test('the largest size that passes is found, to the byte', async () =>
  fc.assert(
    fc.property(anyMtu, mtu => {
      const { search, probes } = run(newSearch(), mtu)
      return search.known === mtu && probes < 60
    }),
  ),
)

t.test('what is usual takes few probes', async t => {
  for (const [mtu, most] of [
    [1450, 8],
    [1500, 9],
    [8950, 10],
  ] as const) {
    const { search, probes } = run(newSearch(), mtu)
    t.equal(search.known, mtu)
    t.ok(probes <= most, `${mtu} took ${probes} probes`)
  }
})

t.test('measured again it takes four probes to say that all is as it was, and finds out when it is not', async () =>
  fc.assert(
    fc.property(anyMtu, anyMtu, (before, after) => {
      const first = run(newSearch(), before).search
      t.equal(renewed(first).known, before, 'meanwhile what was found before is told')
      const { search, probes } = run(renewed(first), after)
      return search.known === after && (before !== after || probes <= 4)
    }),
  ),
)

t.test("a link that comes back in the middle of a search, over another underlay, has that one's", async () =>
  fc.assert(
    fc.property(anyMtu, anyMtu, fc.nat({ max: 60 }), (before, after, steps) => {
      let search = newSearch()
      for (let now = 0; now < steps && search.size !== undefined; now++)
        search =
          search.size <= before ? passed(padded(search, now), search.size, now) : missed(padded(search, now), now)
      return run(renewed(doubted(search)), after).search.known === after
    }),
  ),
)

t.test('a link on which not even the least passes has none, until it does', async t => {
  const { search } = run(newSearch(), leastMtu - 1)
  t.equal(search.known, 0)
  t.equal(run(renewed(search), 1500).search.known, 1500)
})

t.test('whatever probes are lost, an MTU is never larger than what passes', async () =>
  fc.assert(
    fc.property(anyMtu, fc.infiniteStream(fc.boolean()), (mtu, dice) => {
      const { search } = run(newSearch(), mtu, () => dice.next().value!)
      return search.known <= mtu
    }),
  ),
)

t.test('a probe that arrives when it was given up already counts', async t => {
  const { search } = run(newSearch(), 1499)
  t.equal(search.known, 1499)
  t.equal(run(passed(search, 1500, 1), 1500).search.known, 1500)
  t.equal(run(passed(padded(newSearch(), 0), 9000, 1), 9000).search.known, 9000)
})

t.test('an answer that says nothing new changes nothing', async t => {
  const { search: found } = run(newSearch(), 1500)
  for (const size of [1450, 1500, mostMtu + 1]) t.equal(passed(found, size, 1), found)
})
