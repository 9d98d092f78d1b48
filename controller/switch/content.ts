// What a switch holds, as we last read it or had it confirmed, with an index by owner.
import type { FlowStats, GroupDesc, MeterConfig } from '../../openflow/index.ts'
import type { PortNo } from '../../topology/topology.ts'
import { groupOwner, isOurMeter, owner } from '../compile/cookie.ts'
import type { Changes } from '../compile/diff.ts'
import { type Content, type FlowItem, flowItem, groupItem, type Item, meterItem } from '../compile/item.ts'
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
}

export function holdings(): Holdings {
  const items = new Map<string, Item>()
  const byOwner = new Map<number, Set<string>>()
  let flows = 0
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
  }
  const put = (item: Item) => {
    const before = items.get(item.key)
    items.set(item.key, item)
    if (!before && item.kind === 'flow') flows += 1
    if (before?.owner === item.owner) return
    if (before) disown(before)
    const keys = byOwner.get(item.owner)
    if (keys) keys.add(item.key)
    else byOwner.set(item.owner, new Set([item.key]))
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
  /** Who gets which multicast, by network. */
  readonly multicast: ReadonlyMap<number, Recalled>
}

/** The owner under which others' flows and groups are kept: no network has it. */
export const foreignOwner = -1

const lastTable = Object.keys(pipeline).length - 1

type Found = {
  readonly flows: readonly FlowStats[]
  readonly groups: readonly GroupDesc[]
  readonly meters: readonly MeterConfig[]
}

export function* readSteps(dpid: string, { flows, groups, meters }: Found): Steps<Reading> {
  const ours: Item[] = []
  const foreign: Item[] = []
  const learned: (Location & { network: number })[] = []
  const suppressed: { network: number; port: PortNo }[] = []
  let instance: string | undefined
  yield* each(flows, flow => {
    const whose = owner(flow.cookie)
    if (whose.is === 'foreign') {
      // Only a foreign flow of an earlier table could send a frame to a later one than ours.
      if (flow.tableId <= lastTable) foreign.push(flowItem(foreignOwner, flow))
      return
    }
    if (whose.is === 'marker') instance = whose.instance
    const item = flowItem(whose.is === 'marker' ? 0 : whose.network, flow)
    ours.push(item)
    if (whose.is === 'learned') learned.push(...learnedHere(dpid, whose.network, item))
    const port = item.match.in_port
    if (whose.is === 'suppressed' && typeof port === 'number') suppressed.push({ network: whose.network, port })
  })
  yield* each(groups, ({ groupId, groupType, buckets }) => {
    const network = groupOwner(groupId)
    const item = groupItem(network ?? foreignOwner, groupId, groupType, buckets)
    ;(network === undefined ? foreign : ours).push(item)
  })
  for (const { meterId, flags, bands } of meters)
    if (isOurMeter(meterId)) ours.push(meterItem(0, meterId, flags, bands))
  const multicast = yield* recallSteps(ours)
  return { ours, foreign, instance, learned, suppressed, multicast }
}

/** Learned state lives in the switches: port and MAC come back from the guard's match, the network from its cookie. */
function learnedHere(dpid: string, network: number, { tableId, match }: FlowItem): (Location & { network: number })[] {
  const { in_port: port, eth_src: mac } = match
  return tableId === pipeline.guard.id && typeof port === 'number' && typeof mac === 'string'
    ? [{ mac, dpid, port, network }]
    : []
}

/** The port towards another switch by which a learned address is reached, if this is such an entry. */
export function learnedPort({ tableId, cookie, instructions }: FlowItem): PortNo | undefined {
  if (tableId !== pipeline.deliver.id || owner(cookie).is !== 'learned') return undefined
  const actions = instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
  // What goes to a port of this switch goes as it is; only a link needs the frame marked.
  if (actions.every(a => a.type === 'output')) return undefined
  return actions.flatMap(a => (a.type === 'output' ? [a.port] : []))[0]
}
