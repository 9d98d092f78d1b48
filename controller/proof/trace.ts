// Where a frame goes: from a port of a switch, entry by entry and link by link, until every copy has ended somewhere.
import { ports } from '../../openflow/index.ts'
import type { DatapathId, Endpoint } from '../../topology/topology.ts'
import { endpointKey } from '../../topology/topology.ts'
import type { DataPlane, Use } from './data-plane.ts'
import { forward } from './forward.ts'
import type { Copy, Step } from './forwarded.ts'
import { type Held, heldSteps } from './lookup.ts'
import { openVSwitch, packetOf, plainSwitch } from './packet.ts'

export type Arrival = Endpoint & {
  readonly frame: Buffer
  /** Of a tunnel: the VNI that it came with. */
  readonly tunnelId?: bigint
}

/** A frame at a switch. */
export type Visit = Arrival & {
  /** Number of the visit and copy that it came by; undefined: where the trace began. */
  readonly from?: { readonly visit: number; readonly copy: number }
  readonly steps: readonly Step[]
  readonly copies: readonly TracedCopy[]
  /** Why nothing can be said of what the switch does with it. */
  readonly unknown?: string
}

export type TracedCopy = Copy & { readonly end: End }

/** Where a copy ended. */
export type End =
  | { readonly is: 'link'; readonly to: Endpoint; readonly visit: number }
  /** It left by a port that is no link's; `uses`: what the port is to networks, none: to nobody. */
  | { readonly is: 'port'; readonly uses: readonly Use[] }
  | { readonly is: 'controller' }
  /** To the machine that the switch runs on. */
  | { readonly is: 'local' }
  | { readonly is: 'lost'; readonly why: string }
  /** It has been there, just as it is now. */
  | { readonly is: 'loop'; readonly visit: number }

export type Trace = {
  readonly visits: readonly Visit[]
  /** False: there were too many copies to follow them all. */
  readonly isWhole: boolean
}

/** So many switches a trace looks at, a switch for each copy that comes there. */
const mostVisits = 4096

/**
 * Follows a frame. Yields a switch before its tables are looked at for the first time, so that they can be read first; and nothing, every few
 * thousand entries, for whoever shares the event loop.
 */
export function* traceSteps(plane: DataPlane, start: Arrival): Generator<DatapathId | undefined, Trace> {
  const visits: Mutable[] = [{ ...start, steps: [], copies: [] }]
  const held = new Map<DatapathId, Held | undefined>()
  const keys = new Map<number, string>()
  let isWhole = true
  for (let i = 0; i < visits.length; i++) {
    const visit = visits[i]!
    if (!held.has(visit.dpid)) {
      yield visit.dpid
      const items = plane.switches.get(visit.dpid)?.items()
      held.set(visit.dpid, items && (yield* heldSteps(items)))
    }
    keys.set(i, keyOf(visit))
    const tables = held.get(visit.dpid)
    if (!tables) {
      visit.unknown = `nothing is known of switch ${visit.dpid}`
      continue
    }
    const { steps, copies } = yield* passage(plane, tables, visit)
    visit.steps = steps
    for (const copy of copies) {
      const end = endOf(plane, visit, copy)
      if ('arrival' in end) {
        const key = keyOf(end.arrival)
        const before = ancestors(visits, i).find(v => keys.get(v) === key)
        const isFull = visits.length >= mostVisits
        if (before !== undefined) visit.copies.push({ ...copy, end: { is: 'loop', visit: before } })
        else if (isFull)
          visit.copies.push({
            ...copy,
            end: { is: 'lost', why: `after ${mostVisits} copies it is not followed any further` },
          })
        else
          visit.copies.push({
            ...copy,
            end: { is: 'link', to: { dpid: end.arrival.dpid, port: end.arrival.port }, visit: visits.length },
          })
        if (before === undefined && isFull) isWhole = false
        if (before === undefined && !isFull)
          visits.push({ ...end.arrival, from: { visit: i, copy: visit.copies.length - 1 }, steps: [], copies: [] })
      } else visit.copies.push({ ...copy, end })
    }
  }
  return { visits, isWhole }
}

type Mutable = { -readonly [K in keyof Visit]: Visit[K] } & { copies: TracedCopy[] }

const keyOf = ({ dpid, port, tunnelId = 0n, frame }: Arrival): string =>
  `${dpid}/${port} ${tunnelId} ${frame.toString('latin1')}`

/** The visits that led to this one, itself first. */
function ancestors(visits: readonly Visit[], number: number): readonly number[] {
  const found: number[] = []
  for (let at: number | undefined = number; at !== undefined; at = visits[at]!.from?.visit) found.push(at)
  return found
}

/** The frame through one switch. */
function* passage(plane: DataPlane, tables: Held, { dpid, port, frame, tunnelId = 0n }: Arrival) {
  const { ports: known, isOpenVSwitch } = plane.switches.get(dpid)!
  const model = isOpenVSwitch === false ? plainSwitch : openVSwitch
  const pipeline = new Map([
    ['in_port', BigInt(port)],
    ['tunnel_id', tunnelId],
  ])
  const packet = packetOf(frame, model, pipeline)
  return packet ? yield* forward(tables, packet, model, [...known.keys()]) : { steps: [], copies: [] }
}

/** Where a copy comes to, or how it ends. */
function endOf(plane: DataPlane, { dpid }: Endpoint, { port, packet }: Copy): End | { readonly arrival: Arrival } {
  if (port === ports.controller) return { is: 'controller' }
  if (port === ports.local) return { is: 'local' }
  const here = { dpid, port }
  const { ports: known } = plane.switches.get(dpid)!
  const found = known.get(port)
  // Of a switch that is not connected nobody knows its ports.
  if (!found && known.size > 0) return { is: 'lost', why: `switch ${dpid} has no port ${port}` }
  if (found && !found.up) return { is: 'lost', why: `port ${port} (${found.name}) of switch ${dpid} is down` }
  const link = plane.link(here)
  const uses = plane.at(here)
  if (!link || uses.length > 0) return { is: 'port', uses }
  if (plane.isDead(link))
    return {
      is: 'lost',
      why: `the link from ${endpointKey(here)} to ${endpointKey(link.to)} is dead: probes do not arrive`,
    }
  const vni = link.carries === 'vid' ? 0n : (packet.pipeline.get('tunnel_id') ?? 0n) & 0xff_ffffn
  return { arrival: { ...link.to, frame: packet.bytes, ...(vni > 0n && { tunnelId: vni }) } }
}
