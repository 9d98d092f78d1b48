// Where a set of frames gets to: from switch to switch, until every copy has left by a port without a link.
import type { DatapathId, Endpoint, Link, PortNo } from '../../topology/topology.ts'
import {
  arriving,
  type Copy,
  type Emission,
  type Flight,
  nothing,
  type Outcome,
  type Passage,
  pass,
  type Unknown,
} from './flight.ts'
import type { FrameSet, FrameSpace } from './frame-sets.ts'
import type { ModelSwitch } from './model.ts'

/** Frames that came out. */
export type Arrival = { readonly at: Endpoint; readonly flight: Flight }
/** Frames of a switch that went where they should not have to be looked for: to us, or into a circle, or we cannot tell. */
export type Journey = {
  readonly arrivals: readonly Arrival[]
  readonly copies: readonly (Copy & { readonly dpid: DatapathId })[]
  readonly unknown: readonly (Unknown & { readonly dpid: DatapathId })[]
  readonly loops: readonly Arrival[]
}

export type Fabric = {
  readonly space: FrameSpace
  readonly switches: ReadonlyMap<DatapathId, ModelSwitch>
  link(from: Endpoint): Link | undefined
  /** Who is told what frames meet. */
  readonly watch: Watch
}
export type Watch = Pick<Passage, 'meets' | 'knows' | 'records' | 'met'> & {
  /** Told of every port that frames leave by. */
  leaves?(at: Endpoint): void
}

/** What one network's frames do, remembered while nothing changes. */
export type Memory = {
  readonly journeys: Map<string, Journey>
  readonly switches: Map<DatapathId, Map<string, Outcome>>
}
export const newMemory = (): Memory => ({ journeys: new Map(), switches: new Map() })

export type Travel = {
  /** Frames that come in by a port, with what the tunnel's header says. */
  from(at: Endpoint, tunnel: bigint, flight: Flight): Journey
  /** Frames that have left one switch. `inPort`: where they had come in. */
  on(dpid: DatapathId, inPort: PortNo, outcome: Outcome): Journey
  readonly memory: Memory
}

export function travel(fabric: Fabric, memory: Memory): Travel {
  const { space, switches, link, watch } = fabric
  const under = new Set<string>()

  function from(at: Endpoint, tunnel: bigint, flight: Flight): Journey {
    const sw = switches.get(at.dpid)
    if (!sw) return nowhere
    const { set, pushed, popped, rewritten } = flight
    const key = `${at.dpid} ${at.port} ${tunnel} ${set} ${pushed.length > 0 ? pushed : ''} ${popped} ${rewritten.size > 0 ? [...rewritten].flat().join() : ''}`
    const known = memory.journeys.get(key)
    if (known) return known
    if (under.has(key)) return { ...nowhere, loops: [{ at, flight }] }
    under.add(key)
    const out = nothing()
    pass({ ...watch, space, sw, memory: memoryOf(at.dpid) }, 0, arriving(sw, at.port, tunnel, flight), out)
    const journey = on(at.dpid, at.port, out)
    under.delete(key)
    // What was found below a loop is not all that there is.
    if (journey.loops.length === 0) memory.journeys.set(key, journey)
    return journey
  }

  function on(dpid: DatapathId, inPort: PortNo, out: Outcome): Journey {
    const arrivals: Arrival[] = []
    const copies = out.copies.map(copy => ({ ...copy, dpid }))
    const unknown = out.unknown.map(it => ({ ...it, dpid }))
    const loops: Arrival[] = []
    for (const emission of out.emissions) {
      const at = leaves(dpid, inPort, emission)
      if (!at) continue
      watch.leaves?.(at)
      const over = link(at)
      if (!over) {
        arrivals.push({ at, flight: emission.flight })
        continue
      }
      const further = from(over.to, over.carries === 'vid' ? 0n : emission.tunnel, emission.flight)
      for (const it of further.arrivals) arrivals.push(it)
      if (further.copies.length > 0) copies.push(...further.copies)
      if (further.unknown.length > 0) unknown.push(...further.unknown)
      if (further.loops.length > 0) loops.push(...further.loops)
    }
    return { arrivals, copies, unknown, loops }
  }

  /** The port that frames leave by, if they do: never by that which they came from (§7.2.1), but by IN_PORT. */
  function leaves(dpid: DatapathId, inPort: PortNo, { port, back }: Emission): Endpoint | undefined {
    if (back) return { dpid, port: inPort }
    if (port === inPort) return undefined
    const { ports } = switches.get(dpid)!
    return ports.size > 0 && !ports.has(port) ? undefined : { dpid, port }
  }
  const memoryOf = (dpid: DatapathId) => {
    let of = memory.switches.get(dpid)
    if (!of) memory.switches.set(dpid, (of = new Map()))
    return of
  }
  return { from, on, memory }
}
const nowhere: Journey = { arrivals: [], copies: [], unknown: [], loops: [] }

/** All frames of the journey's sets, together. */
export const union = (space: FrameSpace, sets: Iterable<FrameSet>): FrameSet => {
  let all = 0
  for (const set of sets) all = space.or(all, set)
  return all
}
