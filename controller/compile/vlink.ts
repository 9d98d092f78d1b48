// What every switch must hold for a vlink. All of it stands in the first table, above all that drops there: a frame goes straight
// from an end to its next hop, and is never looked into.
import type { Action } from '../../openflow/index.ts'
import { meterFlags } from '../../openflow/index.ts'
import type { Network, Vlink } from '../../store/state.ts'
import type { Route } from '../../topology/route.ts'
import type { DatapathId, Endpoint, PortNo } from '../../topology/topology.ts'
import { cookie, limitMeterId, maxMeteredPort } from './cookie.ts'
import { entry, type Item, type MeterItem, meterItem } from './item.ts'
import type { Datapath, Datapaths } from './local-network.ts'
import { vniOf } from './pipeline.ts'
import type { PathVersions } from './rollout.ts'

/** A switch on the way of a frame: the ports by which it comes and goes. */
type Pass = { readonly dpid: DatapathId; readonly comes: PortNo; readonly goes: PortNo }

/** Same arguments, same answer. Frames enter by the first path version; those that are in another one still get to their end. */
export function compileVlink(
  network: Network,
  vlink: Vlink,
  datapaths: Datapaths,
  pathVersions: PathVersions,
): ReadonlyMap<DatapathId, readonly Item[]> {
  const compiled = new Map<DatapathId, Item[]>()
  const put = (dpid: DatapathId, item: Item) => {
    const items = compiled.get(dpid)
    if (items) items.push(item)
    else compiled.set(dpid, [item])
  }
  const { from, to, reverseNumber } = vlink
  // Also while no path version of ours enters there, for without its meter a flow that stays would go.
  for (const { dpid, port } of [from, to]) {
    const meter = limitOf(network, vlink, port, datapaths.get(dpid))
    if (meter) put(dpid, meter)
  }
  for (const [number, first, last] of [
    [network.number, from, to],
    [reverseNumber, to, from],
  ] as const)
    for (const [i, { epoch, route }] of pathVersions.entries()) {
      const passes = trail(route, first, last)
      const vni = vniOf(number, epoch)
      for (const [at, { dpid, comes, goes }] of passes.entries()) {
        const datapath = datapaths.get(dpid)
        const enters = at === 0
        if (!datapath?.ports.has(comes) || !datapath.ports.has(goes) || (enters && i > 0)) continue
        const apply = at === passes.length - 1 ? [output(goes)] : [mark(vni), output(goes)]
        put(dpid, enters ? enter(network, vlink, comes, datapath, apply) : pass(network, comes, vni, apply))
      }
    }
  return compiled
}

/** Whether a switch can hold a vlink to its bandwidth at this port. @param maxMeter How many meters it can hold; any id will do. */
export const canLimit = (port: PortNo, maxMeter: number): boolean => port <= maxMeteredPort && maxMeter > 0

/** The switches that a route leads over from one end to the other; none when it does not lead there. */
function trail({ nextHops, ingressPorts }: Route, first: Endpoint, last: Endpoint): readonly Pass[] {
  const passes: Pass[] = []
  let comes = first.port
  for (let dpid = first.dpid; dpid !== last.dpid; ) {
    const hop = nextHops.get(dpid)?.get(last.dpid)
    const next = hop && ingressPorts.get(hop.to)?.get(dpid)
    if (!hop || !next) return []
    passes.push({ dpid, comes, goes: hop.port })
    dpid = hop.to
    comes = next.port
  }
  return [...passes, { dpid: last.dpid, comes, goes: last.port }]
}

const output = (port: PortNo): Action => ({ type: 'output', port, maxLen: 0 })
const mark = (value: bigint): Action => ({ type: 'set_field', field: 'tunnel_id', value })

function enter(network: Network, vlink: Vlink, port: PortNo, datapath: Datapath, apply: readonly Action[]): Item {
  const { number } = network
  const meter = limitOf(network, vlink, port, datapath)?.id
  const wish = { match: { in_port: port }, apply, cookie: cookie('network', number) }
  return entry(number, 'admit', 'vlink', { ...wish, ...(meter !== undefined && { meter }) })
}

/** Better without its limit than not at all; that it has none is said (vlink-state.ts). */
function limitOf(
  { number }: Network,
  { bandwidth }: Vlink,
  port: PortNo,
  datapath: Datapath | undefined,
): MeterItem | undefined {
  if (bandwidth === undefined || !datapath?.ports.has(port) || !canLimit(port, datapath.maxMeter)) return undefined
  return limit(number, limitMeterId(port), bandwidth)
}

/** On a link, by its VNI: no other network's frames have it. */
const pass = ({ number }: Network, in_port: PortNo, vni: bigint, apply: readonly Action[]): Item =>
  entry(number, 'admit', 'passing', { match: { in_port, tunnel_id: vni }, apply, cookie: cookie('network', number) })

/** What comes at once may be a tenth of a second's worth, and at least some large frames. */
function limit(owner: number, id: number, bandwidth: number): MeterItem {
  const rate = Math.round(bandwidth / 1000)
  const burstSize = Math.min(0xffff_ffff, Math.max(Math.ceil(rate / 10), leastBurst))
  return meterItem(owner, id, meterFlags.kbps | meterFlags.burst, [{ type: 'drop', rate, burstSize }])
}
/** Kilobits: two frames of 9,000 bytes. */
const leastBurst = 144
