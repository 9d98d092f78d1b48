// What a switch may keep for a while although we do not want it there: what an earlier run of ours knew, and we do not yet.

import type { Store } from '../../store/store.ts'
import { type DatapathId, endpointKey } from '../../topology/topology.ts'
import { type FlowItem, type Item, isLearned } from '../compile/item.ts'
import type { Fabric } from '../compile/local-network.ts'
import { epochOf, goal, pathVersionsOf } from '../compile/rollout.ts'
import type { Compiled, Tables } from '../compile/tables.ts'
import { learnedPort } from './content.ts'
import type { Switch } from './state.ts'

type Known = {
  readonly switches: ReadonlyMap<DatapathId, Switch>
  readonly tables: Tables
  readonly fabric: { current(): Fabric }
  readonly store: Store
}

export function isRetained(known: Known, dpid: DatapathId, item: Item): boolean {
  const network = known.tables.compiled.get(item.owner)
  if (!network) return false
  return isFrozen(known, network, dpid, item) || (item.kind === 'flow' && leadsToUnread(known, network, dpid, item))
}

/** It serves a path version that was in use when we were ended, and leads to no port that has left the network since. */
function isFrozen({ store }: Known, { network, rollout }: Compiled, dpid: DatapathId, item: Item): boolean {
  // Hardly ever is there one: so that is asked before the item is decoded.
  const frozen = pathVersionsOf(rollout).filter(pathVersion => pathVersion.frozen)
  if (frozen.length === 0) return false
  const { members, accessPorts, vlans } = store.state()
  const epoch = epochOf(item, vlans.get(network.number)?.vids)
  if (!frozen.some(pathVersion => pathVersion.epoch === epoch)) return false
  const attached = [...(members.get(network.id)?.values() ?? [])]
  const ends = [...attached, network.vlink?.from, network.vlink?.to].flatMap(end => (end ? [endpointKey(end)] : []))
  const lists = item.kind === 'group' ? item.buckets.map(b => b.actions) : actionsOf(item)
  return lists.flat().every(action => {
    if (action.type !== 'output') return true
    const key = endpointKey({ dpid, port: action.port })
    return ends.includes(key) || !accessPorts.has(key)
  })
}
const actionsOf = (item: Item) =>
  item.kind === 'flow' ? item.instructions.flatMap(i => (i.type === 'apply_actions' ? [i.actions] : [])) : []

/** It leads towards an address that was learned on a switch which has not been read since we started. */
function leadsToUnread(
  { switches, fabric }: Known,
  { rollout, members }: Compiled,
  dpid: DatapathId,
  flow: FlowItem,
): boolean {
  const port = isLearned(flow) ? learnedPort(flow) : undefined
  if (port === undefined) return false
  const unread = (d: DatapathId) => switches.get(d)?.seen !== true
  // Over one hop the link says where; over more, it may be on any switch with members.
  if (!goal(rollout).route.direct) return [...members].some(unread)
  for (const [peer, hop] of fabric.current().paths.mesh.get(dpid) ?? []) if (hop.port === port) return unread(peer)
  return false
}
