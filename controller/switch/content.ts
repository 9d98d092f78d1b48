// What a switch holds, as we last read it or had it confirmed, with an index by owner.
import { canonical, eachEntry, type GroupDesc, type MeterConfig, WireError } from '../../openflow/index.ts'
import type { FlowReading } from '../../openflow/session/session.ts'
import type { PortNo } from '../../topology/topology.ts'
import { groupOwner, isOurMeter, owner } from '../compile/cookie.ts'
import type { Changes } from '../compile/diff.ts'
import {
  type Content,
  type FlowItem,
  flowOf,
  groupItem,
  type Item,
  keyOfForm,
  meterItem,
  packed,
} from '../compile/item.ts'
import type { Location } from '../compile/local-network.ts'
import { pipeline } from '../compile/pipeline.ts'
import { type Recalled, recallSteps } from '../compile/snoop.ts'
import { each, type Steps } from '../compile/steps.ts'

export type Holdings = {
  readonly items: Content
  /** Keys of what these networks own here. */
  keysOf(owners: Iterable<number>): Iterable<string>
  owners(): Iterable<number>
  holds(owner: number): boolean
  /** How many of the items are flows. */
  flows(): number
  put(item: Item): void
  remove(key: string): void
  /** Is told whose items change, from now on. */
  watch(changed: (owner: number) => void): void
}

export function holdings(): Holdings {
  const items = new Map<string, Item>()
  const byOwner = new Map<number, Set<string>>()
  let flows = 0
  let changed: ((owner: number) => void) | undefined
  const disown = ({ key, owner }: Item) => {
    const keys = byOwner.get(owner)!
    keys.delete(key)
    if (keys.size === 0) byOwner.delete(owner)
  }
  const remove = (key: string) => {
    const item = items.get(key)
    if (!item) return
    items.delete(key)
    if (item.kind === 'flow') flows -= 1
    disown(item)
    changed?.(item.owner)
  }
  const put = (item: Item) => {
    const { key, owner } = item
    const before = items.get(key)
    items.set(key, item)
    if (!before && item.kind === 'flow') flows += 1
    changed?.(owner)
    if (before?.owner === owner) return
    if (before) {
      disown(before)
      changed?.(before.owner)
    }
    const keys = byOwner.get(owner)
    if (keys) keys.add(key)
    else byOwner.set(owner, new Set([key]))
  }
  return {
    items,
    *keysOf(owners) {
      for (const o of owners) yield* byOwner.get(o) ?? []
    },
    owners: () => byOwner.keys(),
    holds: owner => byOwner.has(owner),
    flows: () => flows,
    put,
    remove,
    watch: listener => void (changed = listener),
  }
}

export function* applySteps(held: Holdings, { add, modify, remove }: Changes): Steps<void> {
  yield* each(remove, item => held.remove(item.key))
  yield* each(add, held.put)
  yield* each(modify, held.put)
}

/** A switch as it was found. */
export type Reading = {
  readonly ours: readonly Item[]
  /** Flows in our tables and groups without our mark: a frame could meet them. Meters of others harm nobody. */
  readonly foreign: readonly Item[]
  /** Whose marker stands there: undefined if none. */
  readonly instance: string | undefined
  readonly learned: readonly (Location & { readonly network: number })[]
  readonly suppressed: readonly { readonly network: number; readonly port: PortNo }[]
  /** Members that an earlier run of ours has cut off. */
  readonly cut: readonly { readonly network: number; readonly port: PortNo }[]
  /** Ports that are let into a network by an entry that should not stand there. */
  readonly admitted: readonly { readonly network: number; readonly port: PortNo; readonly vlan: number | undefined }[]
  /** Who gets which multicast, by network. */
  readonly multicast: ReadonlyMap<number, Recalled>
}

/** The owner under which others' flows and groups are kept: no network has it. */
export const foreignOwner = -1

const lastTable = Object.keys(pipeline).length - 1

type Found = {
  /** Flow entries as the switch answered them. */
  readonly flows: FlowReading
  readonly groups: readonly GroupDesc[]
  readonly meters: readonly MeterConfig[]
}

/**
 * What was read, as items. `expected`: what the switch should hold, or held when it was read last, by key; what is as expected
 * is not decoded, nor kept a second time.
 */
export function* readSteps(dpid: string, { flows, groups, meters }: Found, expected: Expected): Steps<Reading> {
  const ours: Item[] = []
  const foreign: Item[] = []
  const learned: (Location & { network: number })[] = []
  const suppressed: { network: number; port: PortNo }[] = []
  const cut: { network: number; port: PortNo }[] = []
  const admitted: { network: number; port: PortNo; vlan: number | undefined }[] = []
  let instance: string | undefined
  const take = (item: FlowItem) => {
    const whose = owner(item.cookie)
    if (whose.is === 'foreign') {
      // Only a foreign flow of an earlier table could send a frame to a later one than ours.
      if (item.tableId <= lastTable) foreign.push(item)
      return
    }
    if (whose.is === 'marker') instance = whose.instance
    ours.push(item)
    if (whose.is === 'learned') learned.push(...learnedHere(dpid, whose.network, item))
    if (whose.is === 'network' && item.tableId === pipeline.admit.id && expected(item.key) !== item)
      admitted.push(...admittedBy(whose.network, item))
    if (whose.is === 'cut' && typeof item.match.in_port === 'number')
      cut.push({ network: whose.network, port: item.match.in_port })
    const port = whose.is === 'suppressed' ? item.match.in_port : undefined
    if (whose.is === 'suppressed' && typeof port === 'number') suppressed.push({ network: whose.network, port })
  }
  for (const body of flows.bodies) {
    eachEntry(body, (bytes, at, length) => take(itemOf(bytes, at, length, expected)))
    yield
  }
  yield* each(groups, ({ groupId, groupType, buckets }) => {
    const network = groupOwner(groupId)
    const read = groupItem(network ?? foreignOwner, groupId, groupType, buckets)
    const known = expected(read.key)
    const item = known?.form === read.form && known.owner === read.owner ? known : read
    ;(network === undefined ? foreign : ours).push(item)
  })
  for (const { meterId, flags, bands } of meters)
    if (isOurMeter(meterId)) ours.push(meterItem(0, meterId, flags, bands))
  const multicast = yield* recallSteps(ours)
  return { ours, foreign, instance, learned, suppressed, cut, admitted, multicast }
}

export type Expected = (key: string) => Item | undefined

/** An entry as an item: the one that is expected, if it is the same. */
function itemOf(bytes: Buffer, at: number, length: number, expected: Expected): FlowItem {
  const raw = packed(bytes, at, length)
  const known = expected(keyOfForm(raw))
  if (known?.form === raw && known.kind === 'flow') return known
  // Another switch has its own order of fields and instructions.
  const form = canonicalForm(bytes, at, length) ?? raw
  const same = form === raw ? known : expected(keyOfForm(form))
  if (same?.form === form && same.kind === 'flow') return same
  const whose = owner(flowOf(0, form).cookie)
  return flowOf(whose.is === 'foreign' ? foreignOwner : whose.is === 'marker' ? 0 : whose.network, form)
}

/** Undefined: the entry has a part that we cannot read, so its form stays the switch's own. */
function canonicalForm(bytes: Buffer, at: number, length: number): string | undefined {
  try {
    const entry = canonical(bytes, at, length)
    return packed(entry, 0, entry.length)
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

/** Learned state lives in the switches: port and MAC come back from the guard's match, the network from its cookie. */
function learnedHere(dpid: string, network: number, { tableId, match }: FlowItem): (Location & { network: number })[] {
  const { in_port: port, eth_src: mac } = match
  return tableId === pipeline.guard.id && typeof port === 'number' && typeof mac === 'string'
    ? [{ mac, dpid, port, network }]
    : []
}

/** The port that an entry lets into its network, if it is one of an access port. */
function admittedBy(network: number, { match, instructions }: FlowItem): Reading['admitted'] {
  const { in_port: port, vlan_vid: tag } = match
  const enters = instructions.some(i => i.type === 'goto_table' && i.tableId === pipeline.guard.id)
  if (typeof port !== 'number' || !enters) return []
  return [{ network, port, vlan: typeof tag === 'number' ? tag & 0xfff || undefined : undefined }]
}

/** The port towards another switch by which a learned address is reached, if this is such an entry. */
export function learnedPort({ tableId, cookie, instructions }: FlowItem): PortNo | undefined {
  if (tableId !== pipeline.deliver.id || owner(cookie).is !== 'learned') return undefined
  const actions = instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
  // What goes to a port of this switch goes as it is; only a link needs the frame marked.
  if (actions.every(a => a.type === 'output')) return undefined
  return actions.flatMap(a => (a.type === 'output' ? [a.port] : []))[0]
}
