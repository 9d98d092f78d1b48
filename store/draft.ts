import type { Change, Draft, Tables, Writers } from './change.ts'
import type { Writing } from './collection.ts'
import { collections, kinds } from './collections.ts'
import { maxNetworkNumber } from './limits.ts'
import { numberOf } from './numbers.ts'
import { apply, inverse, violation } from './tables.ts'

export type { Draft } from './change.ts'

/** A draft on tables at a time (milliseconds since 1970), and what is done when it is over. Each step is applied to the tables at once, and recorded. */
export const openDraft = (tables: Tables, at = 0): { draft: Draft; seal(): Change[] } => {
  const changes: Change[] = []
  const revision = tables.revision + 1
  let sealed = false
  const record = (change: Change): void => {
    apply(tables, change)
    changes.push(change)
  }
  const step = (change: Change): void => {
    if (sealed) throw new Error('a draft was written to after its decision was over: decide must not be async')
    const wrong = violation(tables, change)
    if (wrong) throw new Error(wrong)
    if (tables.revision !== revision) record({ kind: 'revision', before: tables.revision, after: revision })
    record(change)
  }
  // What is not its own it has of the tables: so it reads what they hold at that moment.
  const draft: Draft = Object.create(tables)
  const writing: Writing = { draft, step, revision, at }
  Object.assign(draft, counters(writing))
  for (const kind of kinds) Object.assign(draft, collections[kind].writers(writing))
  return {
    draft,
    seal() {
      sealed = true
      return changes
    },
  }
}

/** Takes the steps back, last first. */
export const undo = (tables: Tables, changes: readonly Change[]): void => {
  for (const change of changes.toReversed()) apply(tables, inverse(change))
}

const counters = ({ draft, step }: Writing): Pick<Writers, 'setComplete' | 'nextNumber' | 'skipNumbers'> => ({
  setComplete(complete) {
    if (draft.complete !== complete) step({ kind: 'complete', before: draft.complete, after: complete })
  },
  nextNumber() {
    for (let taken = draft.allocated; taken < maxNetworkNumber; taken++) {
      const number = numberOf(draft.numbering, taken)
      if (number === undefined || draft.numbers.has(number)) continue
      step({ kind: 'allocated', before: draft.allocated, after: taken + 1 })
      return number
    }
    return undefined
  },
  skipNumbers(count) {
    step({ kind: 'allocated', before: draft.allocated, after: Math.min(maxNetworkNumber, draft.allocated + count) })
  },
})
