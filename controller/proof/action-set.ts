// Action sets (OpenFlow 1.3.5 §5.10): written along the tables, or a group's bucket.
import type { Action } from '../../openflow/index.ts'

/** In the order in which they are done; then one of `last`. */
const order: readonly (readonly string[])[] = [
  ['copy_ttl_in'],
  ['pop_vlan', 'pop_mpls', 'pop_pbb', 'nx_pop_mpls'],
  ['push_mpls', 'nx_push_mpls'],
  ['push_pbb'],
  ['push_vlan'],
  ['copy_ttl_out'],
  ['dec_nw_ttl', 'dec_mpls_ttl', 'nx_dec_ttl'],
  ['set_field', 'move', 'load', 'load2', 'set_nw_ttl', 'set_mpls_ttl', 'set_tunnel', 'set_tunnel64'],
  ['set_queue'],
]

/** A set has one action of each kind; a later one takes the place of an earlier one. */
function slot(action: Action): string {
  if (action.type === 'set_field') return `set_field ${action.field}`
  if (action.type === 'move') return `move ${action.dst} ${action.dstOffset}`
  return action.type === 'load' ? `load ${action.dst} ${action.range.offset}` : action.type
}

export function written(set: readonly Action[], actions: readonly Action[]): readonly Action[] {
  const slots = new Map(set.map(action => [slot(action), action]))
  for (const action of actions) {
    slots.delete(slot(action))
    slots.set(slot(action), action)
  }
  return [...slots.values()]
}

/** Of these the first kind that there is: a group takes the place of an output, and so on (§5.10; the last two are Open vSwitch's). */
const last: readonly (readonly string[])[] = [['group', 'nx_group'], ['output'], ['resubmit', 'resubmit_table'], ['ct']]

/** What is done of a set, in the order in which it is done. All else has no effect there, as Open vSwitch has it. */
export function inOrder(set: readonly Action[]): readonly Action[] {
  const of = (types: readonly string[]) => set.filter(({ type }) => types.includes(type))
  const leaves = last.map(of).find(actions => actions.length > 0) ?? []
  return [...order.flatMap(of), ...leaves.slice(-1)]
}

/** Actions of a set that are not done. */
export const leftOut = (set: readonly Action[]): readonly Action[] => {
  const done = inOrder(set)
  return set.filter(action => !done.includes(action))
}
