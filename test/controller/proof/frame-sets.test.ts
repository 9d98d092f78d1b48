// Laws of frame sets, held against sets of numbers of 8 bits.
import fc from 'fast-check'
import t from 'tap'
import { all, type FrameSet, type FrameSpace, frameSpace, none } from '../../../controller/proof/frame-sets.ts'

type Term =
  | { readonly is: 'field'; readonly value: number; readonly mask: number }
  | { readonly is: 'and' | 'or' | 'minus'; readonly a: Term; readonly b: Term }
const term: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>(tie => ({
  term: fc.oneof(
    { maxDepth: 5 },
    fc.record({ is: fc.constant('field' as const), value: fc.nat(255), mask: fc.nat(255) }),
    fc.record({ is: fc.constantFrom('and', 'or', 'minus' as const), a: tie('term'), b: tie('term') }),
  ),
})).term
const isIn = (it: Term, n: number): boolean => {
  if (it.is === 'field') return (n & it.mask) === (it.value & it.mask)
  const [a, b] = [isIn(it.a, n), isIn(it.b, n)]
  return it.is === 'and' ? a && b : it.is === 'or' ? a || b : a && !b
}
const setOf = (space: FrameSpace, it: Term): FrameSet =>
  it.is === 'field'
    ? space.field(3, 8, BigInt(it.value & it.mask), BigInt(it.mask))
    : space[it.is](setOf(space, it.a), setOf(space, it.b))
const numbers = (it: Term): string => Array.from({ length: 256 }, (_, n) => (isIn(it, n) ? '1' : '0')).join('')
/** A space that has to grow, and forgets a lot. */
const small = () => frameSpace(3)

t.test(
  'two sets are one number exactly when they hold the same frames',
  async () =>
    void fc.assert(
      fc.property(term, term, (a, b) => {
        const space = small()
        return (setOf(space, a) === setOf(space, b)) === (numbers(a) === numbers(b))
      }),
    ),
)
t.test(
  'a frame of a set is in it, and there is one unless the set is empty',
  async () =>
    void fc.assert(
      fc.property(term, fc.nat(255), (it, liked) => {
        const space = small()
        const bits = space.one(setOf(space, it), bit => ((liked >> (10 - bit)) & 1) as 0 | 1)
        if (!bits) return !numbers(it).includes('1')
        let n = 0
        for (let bit = 3; bit < 11; bit++) n = n * 2 + (bits.get(bit) ?? 0)
        return isIn(it, n)
      }),
    ),
)
t.test(
  'whatever some bits are, a set holds what it held with any of them',
  async () =>
    void fc.assert(
      fc.property(term, fc.nat(8), fc.nat(8), (it, a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const space = small()
        const free = ((1 << (to - from)) - 1) << (8 - to)
        const found = space.whatever(setOf(space, it), 3 + from, 3 + to)
        for (let n = 0; n < 256; n++) {
          const wanted = Array.from({ length: 256 }, (_, m) => m).some(m => ((m ^ n) & ~free) === 0 && isIn(it, m))
          const has = space.and(found, space.field(3, 8, BigInt(n), 255n)) !== none
          if (has !== wanted) return false
        }
        return true
      }),
      { numRuns: 20 },
    ),
)
t.test('a space that was cleared starts again', async t => {
  const space = small()
  const before = space.field(3, 8, 5n, 255n)
  space.clear()
  t.equal(space.size(), 2)
  t.equal(space.field(3, 8, 5n, 255n), before)
  t.equal(space.or(space.bit(1), space.minus(all, space.bit(1))), all)
})
