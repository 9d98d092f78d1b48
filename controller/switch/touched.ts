// What differs among the items that compiles have named: each is looked up once, and nothing else that the switch holds.
import type { Changes } from '../compile/diff.ts'
import { replaces } from '../compile/diff.ts'
import type { Item } from '../compile/item.ts'
import type { Touched } from '../compile/part-change.ts'
import { each, type Steps } from '../compile/steps.ts'
import type { Holdings } from './content.ts'

/** @param dirty By network, what to look at. @param owned Keys of what may go if nobody desires it (any more). */
export function* touchedSteps(
  dirty: ReadonlyMap<number, Touched>,
  held: Holdings,
  owned: readonly string[],
): Steps<Changes> {
  const add: Item[] = []
  const modify: Item[] = []
  const remove: Item[] = []
  const shared = new Map<string, Item>()
  const look = (item: Item) => {
    const has = held.items.get(item.key)
    if (has?.form !== item.form) (has && !replaces(item, has) ? modify : add).push(item)
    // A meter does not say whose it is, and stays when its port moves to another network: it has its new owner from now on. Else
    // the next look at the former one would take it away.
    else if (has.owner !== item.owner) held.put(item)
  }
  for (const touched of dirty.values())
    yield* each(touched.values(), item => {
      if (item === undefined) return
      // Two networks may name one meter or group.
      if (item.kind === 'flow') look(item)
      else shared.set(item.key, item)
    })
  yield* each(shared.values(), look)
  const isDesired = (key: string) => {
    for (const touched of dirty.values()) if (touched.get(key) !== undefined) return true
    return false
  }
  yield* each(owned, key => {
    const has = held.items.get(key)
    if (has && !isDesired(key)) remove.push(has)
  })
  return { add, modify, remove }
}
