// Changes to one switch's part of a network, rule by rule, and which items they touch.
import type { Part, RuleKey } from './compile.ts'
import type { Item } from './item.ts'

/** Items to look at on a switch: what is desired there now, by item key; undefined where nothing is any more. */
export type Touched = Map<string, Item | undefined>

export type PartChange = {
  readonly part: Map<RuleKey, readonly Item[]>
  /** Puts these items in place of those that the rule had made; none: the rule is not there any more. */
  put(key: RuleKey, items: readonly Item[]): void
  /** To be asked once, at the end: what one rule does not make any more, another one may. */
  touched(): Touched
  /** How many flows there are more than before. */
  flows(): number
}

export function partChange(part: Map<RuleKey, readonly Item[]>): PartChange {
  const touched: Touched = new Map()
  const gone: Item[] = []
  let flows = 0
  return {
    part,
    put(key, items) {
      const before = part.get(key)
      if (before === undefined) {
        for (const item of items) touched.set(item.key, item)
        if (items.length > 0) part.set(key, items)
        flows += flowsAmong(items)
        return
      }
      const had = new Map(before.map(item => [item.key, item]))
      let isSame = before.length === items.length
      // An item that is as it was stays the very one that the switch is known to hold: else each would be there twice.
      const now = items.map(item => {
        const old = had.get(item.key)
        had.delete(item.key)
        if (old?.form === item.form) return old
        isSame = false
        touched.set(item.key, item)
        return item
      })
      if (isSame && had.size === 0) return
      if (now.length > 0) part.set(key, now)
      else part.delete(key)
      gone.push(...had.values())
      flows += flowsAmong(items) - flowsAmong(before)
    },
    flows: () => flows,
    touched() {
      // A meter may be two rules': its port's and multicast's.
      for (const { key, kind } of gone)
        if (!touched.has(key)) touched.set(key, kind === 'meter' ? find(part, key) : undefined)
      return touched
    },
  }
}

function flowsAmong(items: readonly Item[]): number {
  let flows = 0
  for (const { kind } of items) if (kind === 'flow') flows += 1
  return flows
}

const find = (part: Part, key: string): Item | undefined => {
  for (const items of part.values()) for (const item of items) if (item.key === key) return item
  return undefined
}
