import type { Bucket, EncodedChanges, FlowMod, GroupMod, MeterMod } from '../../openflow/index.ts'
import { changeBatch, flowMod, groupMod, meterMod } from '../../openflow/index.ts'
import { cookieMask } from './cookie.ts'
import { type Content, type FlowItem, type GroupItem, groupItem, type Item } from './item.ts'
import { pipeline } from './pipeline.ts'
import { atOnce, each, type Steps } from './steps.ts'

/** What turns a switch's content into the desired one. All empty: the switch is right, and is sent nothing. */
export type Changes = {
  readonly add: readonly Item[]
  /** Items that stay, with their counters and duration, and do something else. */
  readonly modify: readonly Item[]
  readonly remove: readonly Item[]
}

/**
 * @param actual Everything the switch holds.
 * @param owned Those keys of `actual` that should go when they are not desired: all of it, or what some networks own.
 */
export function* diffSteps(desired: Content, actual: Content, owned: Iterable<string>): Steps<Changes> {
  const add: Item[] = []
  const modify: Item[] = []
  const remove: Item[] = []
  yield* each(desired.values(), item => {
    const has = actual.get(item.key)
    if (has?.form === item.form) return
    if (has && !replaces(item, has)) modify.push(item)
    else add.push(item)
  })
  yield* each(owned, key => {
    const has = actual.get(key)
    if (has && !desired.has(key)) remove.push(has)
  })
  return { add, modify, remove }
}

/** MODIFY changes neither cookie nor time-outs (OpenFlow 1.3.5 §6.4): then the flow is added over the old one. */
export const replaces = (item: Item, has: Item): boolean =>
  has.kind === 'flow' && item.kind === 'flow' && has.head !== item.head

export const diff = (desired: Content, actual: Content, owned: Iterable<string> = actual.keys()): Changes =>
  atOnce(diffSteps(desired, actual, owned))

export const isEmpty = ({ add, modify, remove }: Changes): boolean => add.length + modify.length + remove.length === 0

/** The content of a switch that has taken these changes. */
export function applied(actual: Content, { add, modify, remove }: Changes): Content {
  const content = new Map(actual)
  for (const item of remove) content.delete(item.key)
  for (const item of [...add, ...modify]) content.set(item.key, item)
  return content
}

export type Change = FlowMod | GroupMod | MeterMod
/** One message: about what, whose network that is, and what stands in its place when all that leaves has left (see takeBack). */
export type Step = {
  readonly owner: number
  readonly does: Does
  readonly item: Item
  readonly was?: Item | undefined
}
export type Does = 'add' | 'modify' | 'delete'

/**
 * Changes in an order that keeps every frame in its network after every single message, on a switch without bundles
 * too: first what takes ports out of networks, then (after a barrier) what is new, from the last table to the
 * first, then what is left to delete. Example: port 3 moves from red to blue. Were blue's group given port 3 first,
 * a broadcast of red and one of blue would both come out of it.
 * Meters stand apart because they can't be in a bundle: made before all else, deleted after it.
 */
export type Plan = {
  readonly metersFirst: readonly Step[]
  readonly leave: readonly Step[]
  readonly arrive: readonly Step[]
  readonly clear: readonly Step[]
  readonly metersLast: readonly Step[]
}

export const plan = (changes: Changes, actual: Content): Plan => atOnce(planSteps(changes, actual))

export function* planSteps({ add, modify, remove }: Changes, actual: Content): Steps<Plan> {
  const metersFirst: Step[] = []
  const leave: Step[] = []
  const groups: Step[] = []
  const flows: Step[][] = Object.keys(pipeline).map(() => [])
  const clear: Step[] = []
  const groupsLast: Step[] = []
  const metersLast: Step[] = []
  const left = new Set<string>()
  const arrive = (f: FlowItem, does: 'add' | 'modify', was: Item | undefined) =>
    (flows[f.tableId] ??= []).push(step(f, does, was))
  const goes = (f: FlowItem) => {
    leave.push(step(f, 'delete'))
    for (const place of accessPort(f)) left.add(place)
  }

  yield* each(remove, item => {
    if (item.kind === 'meter') metersLast.push(step(item, 'delete'))
    else if (item.kind === 'group') groupsLast.push(step(item, 'delete'))
    else if (leavesEarly(item)) goes(item)
    else clear.push(step(item, 'delete'))
  })
  yield* each(add, item => {
    if (item.kind === 'meter') metersFirst.push(step(item, 'add'))
    else if (item.kind === 'group') groups.push(step(item, 'add'))
    else {
      const gone = changedOwner(item, actual)
      for (const old of gone) goes(old)
      arrive(item, 'add', gone.length > 0 ? undefined : actual.get(item.key))
    }
  })
  // Only now is it known which ports leave.
  yield* each(modify, item => {
    if (item.kind === 'meter') metersFirst.push(step(item, 'modify'))
    else if (item.kind === 'group') {
      const kept = withoutLeavers(item, actual)
      if (kept.leaves) leave.push(step(kept.group, 'modify'))
      groups.push(step(item, 'modify', kept.group))
    } else {
      const misled = stillOutputs(item, actual, left)
      for (const old of misled) leave.push(step(old, 'delete'))
      if (misled.length > 0) arrive(item, 'add', undefined)
      else arrive(item, 'modify', actual.get(item.key))
    }
  })
  return {
    metersFirst,
    leave,
    arrive: [...groups, ...flows.toReversed().flat()],
    clear: [...clear, ...groupsLast],
    metersLast,
  }
}

const leavesEarly = (f: FlowItem): boolean => f.tableId !== pipeline.guard.id

/** The entry that now stands where another network's will: a port or a VNI that changes hands lets nobody in meanwhile. */
function changedOwner(f: FlowItem, actual: Content): readonly FlowItem[] {
  if (f.tableId !== pipeline.admit.id) return nobody
  const has = actual.get(f.key)
  return has?.kind === 'flow' && has.cookie !== f.cookie ? [has] : nobody
}
const nobody: readonly FlowItem[] = []
const place = (owner: number, port: number): string => `${owner}/${port}`
/** The port that an entry lets in; the one for group addresses beside it may come and go with a limit. */
const accessPort = (f: FlowItem): string[] =>
  f.tableId === pipeline.admit.id && typeof f.match.in_port === 'number' && f.match.eth_dst === undefined
    ? [place(f.owner, f.match.in_port)]
    : []

/** The old form of a flow, if it outputs to a port that leaves its network in this same plan. */
function stillOutputs(f: FlowItem, actual: Content, left: ReadonlySet<string>): FlowItem[] {
  const has = actual.get(f.key)
  if (has?.kind !== 'flow') return []
  const actions = has.instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
  return actions.some(a => a.type === 'output' && left.has(place(has.owner, a.port))) ? [has] : []
}

/** A group that keeps, of its old buckets, those that it will have; and whether some leave. */
function withoutLeavers(group: GroupItem, actual: Content): { group: GroupItem; leaves: boolean } {
  const has = actual.get(group.key)
  if (has?.kind !== 'group') return { group, leaves: false }
  // The one bucket of an indirect group leads to the same mirror, whichever way.
  if (group.groupType === 'indirect') return { group: has, leaves: false }
  const wanted = new Set(group.buckets.map(formOf))
  const before = has.buckets
  const buckets = before.filter(b => wanted.has(formOf(b)))
  return { group: groupItem(group.owner, group.id, group.groupType, buckets), leaves: buckets.length < before.length }
}

/** What tells buckets apart. */
const formOf = (b: Bucket): string => groupItem(0, 0, 'all', [b]).form

const step = (item: Item, does: Does, was?: Item): Step => ({ owner: item.owner, does, item, was })

/**
 * What takes an arrival back, on a switch that would not have all of its network: then nothing stands there that did not
 * when all that leaves had left. (What left stays away: a port that has left a network must not enter it again.)
 */
export function takeBack({ owner, does, item, was }: Step): Step {
  if (was) return { owner, item: was, does: does === 'add' ? 'add' : 'modify' }
  return { owner, item, does: 'delete' }
}

/** The message of a step. */
export const changeOf = ({ item, does }: Step): Change => message(item, does)

/** Steps as bytes, ready to be sent: flows are not decoded for it. */
export function encodeSteps(steps: readonly Step[]): EncodedChanges {
  const batch = changeBatch()
  for (const { item, does } of steps)
    if (item.kind === 'flow') batch.flow(flowCommands[does], item.entry())
    else batch.message(message(item, does) as GroupMod | MeterMod)
  return batch.take()
}
const flowCommands = { add: 'add', modify: 'modify_strict', delete: 'delete_strict' } as const

function message(item: Item, does: Does): Change {
  switch (item.kind) {
    case 'flow': {
      const { tableId, priority, match, instructions, cookie, idleTimeout, hardTimeout, flags } = item
      if (does === 'add')
        return flowMod({
          command: 'add',
          tableId,
          priority,
          match,
          instructions,
          cookie,
          idleTimeout,
          hardTimeout,
          flags,
        })
      if (does === 'modify')
        return flowMod({ command: 'modify_strict', tableId, priority, match, instructions, cookie })
      // With its cookie: what meanwhile stands there under another owner is not ours to delete.
      return flowMod({ command: 'delete_strict', tableId, priority, match, instructions: [], cookie, cookieMask })
    }
    case 'group':
      return groupMod({
        command: does,
        groupType: item.groupType,
        groupId: item.id,
        buckets: does === 'delete' ? [] : item.buckets,
      })
    case 'meter':
      return meterMod({
        command: does,
        flags: item.flags,
        meterId: item.id,
        bands: does === 'delete' ? [] : item.bands,
      })
  }
}
