// How a vlink fares: what keeps its frames from their end, and whether it is what was wished for. Pure.

import type { Vlink } from '../store/state.ts'
import type { DatapathId, Endpoint, Link } from '../topology/topology.ts'
import { getsThrough, type VlinkPath, type VlinkPaths } from '../topology/vlink-route.ts'
import { canLimit } from './compile/vlink.ts'
import type { Switch } from './switch/state.ts'
import type { Condition, Met, VlinkPathView, VlinkView } from './view/view.ts'

type Switches = ReadonlyMap<DatapathId, Switch>

/** The switches that its frames pass, or should. */
export const passed = ({ there, back }: VlinkPaths): ReadonlySet<DatapathId> =>
  new Set([there, back].flatMap(vlinkPath => vlinkPath.taken ?? vlinkPath.asked))

/** A path that is broken, or a limit that a switch can't keep. */
export const vlinkCondition = (vlink: Vlink, { there, back }: VlinkPaths, switches: Switches): Condition | undefined =>
  brokenCondition(there, 'the way there') ??
  brokenCondition(back, 'the way back') ??
  limitCondition(vlink, vlink.from, switches) ??
  limitCondition(vlink, vlink.to, switches)

function brokenCondition(vlinkPath: VlinkPath, name: string): Condition | undefined {
  if (!vlinkPath.broken) return undefined
  const { hop, why } = vlinkPath.broken
  const [a, b] = hop
  const fault = {
    unknown: `no link between switches ${a} and ${b} is known`,
    down: `the link between switches ${a} and ${b} is down`,
    vid: `the link between switches ${a} and ${b} carries networks by VLAN, and a vlink's frames may have tags of their own`,
  }[why]
  const effect = getsThrough(vlinkPath)
    ? `its frames on ${name} go over ${vlinkPath.taken!.join(', ')} meanwhile`
    : `its frames on ${name} do not get through`
  return { state: 'degraded', reason: `${fault}: ${effect}` }
}

function limitCondition({ bandwidth }: Vlink, { dpid, port }: Endpoint, switches: Switches): Condition | undefined {
  const session = switches.get(dpid)?.session
  if (bandwidth === undefined || !session || canLimit(port, session.can.maxMeter)) return undefined
  const has = session.can.maxMeter === 0 ? 'has no meters' : `has no meter for port ${port}`
  return { state: 'degraded', reason: `switch ${dpid} ${has}, so the bandwidth is not limited there` }
}

/** @param rttMs Milliseconds there and back over a link, as probes measure it; undefined when it is not known. */
export const vlinkView = (
  vlink: Vlink,
  { there, back }: VlinkPaths,
  switches: Switches,
  rttMs: (link: Link) => number | undefined,
): VlinkView => ({
  there: vlinkPathView(vlink, there, vlink.from, vlink.to, switches, rttMs),
  back: vlinkPathView(vlink, back, vlink.to, vlink.from, switches, rttMs),
})

function vlinkPathView(
  { bandwidth, latency }: Vlink,
  vlinkPath: VlinkPath,
  from: Endpoint,
  to: Endpoint,
  switches: Switches,
  rttMs: (link: Link) => number | undefined,
): VlinkPathView {
  if (!getsThrough(vlinkPath)) return {}
  const measured = nanoseconds(vlinkPath.links, rttMs)
  const slowest = slowestPort([from, ...vlinkPath.links.flatMap(link => [link.from, link.to]), to], switches)
  return {
    path: vlinkPath.taken!,
    latency: {
      ...(measured !== undefined && { measured }),
      ...(latency !== undefined && { met: measured === undefined ? 'unknown' : measured <= latency }),
    },
    ...(bandwidth !== undefined && {
      bandwidth: {
        limited: canLimit(from.port, switches.get(from.dpid)?.session?.can.maxMeter ?? 0),
        ...(slowest.known !== undefined && { slowest: slowest.known }),
        met: isFastEnough(slowest, bandwidth),
      },
    }),
  }
}

/** One way: half of what there and back takes. */
function nanoseconds(links: readonly Link[], rttMs: (link: Link) => number | undefined): number | undefined {
  let milliseconds = 0
  for (const link of links) {
    const both = rttMs(link)
    if (both === undefined) return undefined
    milliseconds += both / 2
  }
  return Math.round(milliseconds * 1e6)
}

type Slowest = { readonly known: number | undefined; readonly all: boolean }

/** Bits a second. Tunnels say 0: their speed is nobody's. */
function slowestPort(ports: readonly Endpoint[], switches: Switches): Slowest {
  const speeds = ports.map(({ dpid, port }) => switches.get(dpid)?.session?.ports().get(port)?.currSpeed ?? 0)
  const known = speeds.filter(speed => speed > 0)
  return { known: known.length > 0 ? Math.min(...known) * 1000 : undefined, all: known.length === speeds.length }
}
const isFastEnough = ({ known, all }: Slowest, bandwidth: number): Met =>
  known !== undefined && known < bandwidth ? false : all ? true : 'unknown'
