// How a vlink fares: what keeps its frames from their end, and whether it is what was wished for. Pure.
import type { Vlink } from '../store/state.ts'
import type { DatapathId, Endpoint, Link } from '../topology/topology.ts'
import { getsThrough, type VlinkWays, type Way } from '../topology/vlink-route.ts'
import { canLimit } from './compile/vlink.ts'
import type { Switch } from './switch/reconcile.ts'
import type { Lack, Met, VlinkView, VlinkWay } from './view/view.ts'

type Switches = ReadonlyMap<DatapathId, Switch>

/** The switches that its frames pass, or should. */
export const passed = ({ there, back }: VlinkWays): ReadonlySet<DatapathId> =>
  new Set([there, back].flatMap(way => way.taken ?? way.asked))

/** A path that is broken, or a limit that a switch can't keep. */
export const vlinkLack = (vlink: Vlink, { there, back }: VlinkWays, switches: Switches): Lack | undefined =>
  brokenLack(there, 'the way there') ??
  brokenLack(back, 'the way back') ??
  limitLack(vlink, vlink.from, switches) ??
  limitLack(vlink, vlink.to, switches)

function brokenLack(way: Way, name: string): Lack | undefined {
  if (!way.broken) return undefined
  const { hop, why } = way.broken
  const [a, b] = hop
  const fault = {
    unknown: `no link between switches ${a} and ${b} is known`,
    down: `the link between switches ${a} and ${b} is down`,
    vid: `the link between switches ${a} and ${b} carries networks by VLAN, and a vlink's frames may have tags of their own`,
  }[why]
  const effect = getsThrough(way)
    ? `its frames on ${name} go over ${way.taken!.join(', ')} meanwhile`
    : `its frames on ${name} do not get through`
  return { state: 'degraded', reason: `${fault}: ${effect}` }
}

function limitLack({ bandwidth }: Vlink, { dpid, port }: Endpoint, switches: Switches): Lack | undefined {
  const session = switches.get(dpid)?.session
  if (bandwidth === undefined || !session || canLimit(port, session.can.maxMeter)) return undefined
  const has = session.can.maxMeter === 0 ? 'has no meters' : `has no meter for port ${port}`
  return { state: 'degraded', reason: `switch ${dpid} ${has}, so the bandwidth is not limited there` }
}

/** @param rttMs Milliseconds there and back over a link, as probes measure it; undefined when it is not known. */
export const vlinkView = (
  vlink: Vlink,
  { there, back }: VlinkWays,
  switches: Switches,
  rttMs: (link: Link) => number | undefined,
): VlinkView => ({
  there: wayView(vlink, there, vlink.from, vlink.to, switches, rttMs),
  back: wayView(vlink, back, vlink.to, vlink.from, switches, rttMs),
})

function wayView(
  { bandwidth, latency }: Vlink,
  way: Way,
  from: Endpoint,
  to: Endpoint,
  switches: Switches,
  rttMs: (link: Link) => number | undefined,
): VlinkWay {
  if (!getsThrough(way)) return {}
  const measured = nanoseconds(way.links, rttMs)
  const slowest = slowestPort([from, ...way.links.flatMap(link => [link.from, link.to]), to], switches)
  return {
    path: way.taken!,
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
