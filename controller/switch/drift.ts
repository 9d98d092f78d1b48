// What an audit found on a switch, before and after it was put right.
import type { Changes } from '../compile/diff.ts'
import type { Content, Item } from '../compile/item.ts'
import type { Drift } from '../view/event.ts'
import { itemText } from './item-text.ts'

/** Items that are told one by one. */
const most = 20

/** With the network that it belongs to, by number. */
export type Found = { readonly owner: number; readonly drift: Drift }

/** @param held What the switch was found with. */
export function driftOf({ add, modify, remove }: Changes, held: Content): readonly Found[] {
  const wanted = [...modify, ...add].slice(0, most)
  const lost = remove.slice(0, most - wanted.length)
  const before = (item: Item) => {
    const found = held.get(item.key)
    return found && { before: itemText(found) }
  }
  return [
    ...wanted.map(item => ({ owner: item.owner, drift: { ...before(item), after: itemText(item) } })),
    ...lost.map(item => ({ owner: item.owner, drift: { ...before(item) } })),
  ]
}
