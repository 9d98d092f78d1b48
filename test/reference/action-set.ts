// Action sets: OpenFlow 1.3.5 §5.10. An entry's are collected along the tables; a bucket is one from the start (§5.6).
import type { Action } from '../../openflow/index.ts'

/** Actions by what may stand in a set once. */
export type ActionSet = Map<string, Action>

function slot(action: Action): string {
  if (action.type === 'set_field') return `set_field ${action.field}`
  if (action.type === 'move') return `move ${action.dst} ${action.dstOffset}`
  return action.type === 'load' ? `load ${action.dst} ${action.range.offset}` : action.type
}

/** A later action takes the place of an earlier one of its kind. */
export function write(set: ActionSet, actions: readonly Action[]): void {
  for (const action of actions) {
    set.delete(slot(action))
    set.set(slot(action), action)
  }
}

/** What is done when. An output counts only where there is no group. */
const order: readonly (readonly Action['type'][])[] = [
  ['pop_vlan'],
  ['push_vlan'],
  ['set_field', 'move', 'load'],
  ['set_queue'],
  ['group'],
  ['output'],
]

export function ordered(set: ActionSet): readonly Action[] {
  if (set.size === 0) return []
  const actions = [...set.values()]
  const all = order.flatMap(types => actions.filter(({ type }) => types.includes(type)))
  return set.has('group') ? all.filter(({ type }) => type !== 'output') : all
}

/** A function of an object, computed once for each: messages do not change once a switch has them. */
export function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>()
  return key => {
    let value = known.get(key)
    if (value === undefined) known.set(key, (value = make(key)))
    return value
  }
}

type BucketActions = {
  readonly actions: readonly Action[]
  /** Whether they change the packet. */
  readonly changes: boolean
}

/** A bucket's actions in the order in which they are done. */
export const bucketActions = once((actions: readonly Action[]): BucketActions => {
  const set: ActionSet = new Map()
  write(set, actions)
  const inOrder = ordered(set)
  return { actions: inOrder, changes: inOrder.some(({ type }) => type !== 'output' && type !== 'group') }
})
