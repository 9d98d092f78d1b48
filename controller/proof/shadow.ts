// Entries that can never match: all that they would take, entries of a higher priority take before.

import { untouched } from './flight.ts'
import { slots } from './frame-bits.ts'
import { all, type FrameSet, type FrameSpace, none } from './frame-sets.ts'
import type { ModelSwitch } from './model.ts'
import { matched, type Rule } from './rule.ts'

/** What is not of the frame itself: behind the bits of frames. */
const end = Math.max(...Object.values(slots).map(({ at, width }) => at + width))
const places = {
  inPort: { at: end, width: 32 },
  metadata: { at: end + 32, width: 64 },
  tunnel: { at: end + 96, width: 64 },
}

/** Of these rules of a switch, those that can never match. `every`: all frames that there are. */
export function shadowed(space: FrameSpace, every: FrameSet, sw: ModelSwitch, rules: Iterable<Rule>): Rule[] {
  const found: Rule[] = []
  const headers = { pushed: [], popped: 0, seen: sw.isOpenVSwitch ? 1 : 2, rewritten: untouched }
  const whole = (rule: Rule): FrameSet | undefined => {
    const set = matched(space, rule, headers)
    if (set === undefined) return undefined
    const { inPort, metadata, tunnel } = places
    const port = rule.inPort === undefined ? all : space.field(inPort.at, 32, BigInt(rule.inPort), 0xffff_ffffn)
    return [
      port,
      space.field(metadata.at, 64, rule.metadata.value, rule.metadata.mask),
      space.field(tunnel.at, 64, rule.tunnel.value, rule.tunnel.mask),
    ].reduce(space.and, set)
  }
  for (const rule of rules) {
    let left = whole(rule)
    // What a frame is inside a switch, where tags were taken off, is not all that it may be outside.
    if (left === undefined || (rule.entry.tableId === 0 && space.and(left, every) === none)) continue
    for (const other of sw.tables.get(rule.entry.tableId)?.rules() ?? []) {
      if (left === none) break
      if (other.entry.priority > rule.entry.priority && mayMeet(rule, other))
        left = space.minus(left, whole(other) ?? none)
    }
    if (left === none) found.push(rule)
  }
  return found
}

const mayMeet = (a: Rule, b: Rule): boolean =>
  (a.inPort === undefined || b.inPort === undefined || a.inPort === b.inPort) &&
  agree(a.metadata, b.metadata) &&
  agree(a.tunnel, b.tunnel) &&
  (a.dst === undefined || b.dst === undefined || a.dst === b.dst)
type Masked = { readonly value: bigint; readonly mask: bigint }
const agree = (a: Masked, b: Masked): boolean => ((a.value ^ b.value) & a.mask & b.mask) === 0n
