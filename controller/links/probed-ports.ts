// Every port out of which we send probes, and what is known of where it leads.
import { type Liveness, unproven } from '../../topology/liveness.ts'
import { newSearch, type Search } from '../../topology/mtu.ts'
import { newTally, type Tally } from '../../topology/tally.ts'
import {
  type DatapathId,
  type Endpoint,
  endpointKey,
  type Link,
  linkKey,
  type PortNo,
} from '../../topology/topology.ts'

/** How often it is probed: a link over which networks go, one over which none does, or a port that leads nowhere that answers. */
export type Kind = 'carrying' | 'idle' | 'unknown'

export type Way = {
  readonly from: Endpoint
  /** endpointKey of `from`. */
  readonly key: string
  /** Where the store says that it leads; what follows is about that link. */
  link: Link | undefined
  linkKey: string
  /** endpointKey of where it leads. */
  toKey: string
  live: Liveness
  tally: Tally
  /** Probes that were lost before the link was doubted last. */
  lost: number
  mtu: Search
  kind: Kind
  /** Networks go over the link. */
  carries: boolean
  /** A pod's, at either end: not probed, not believed. */
  access: boolean
  /** When the last probe left, and when the store was last asked about this port (milliseconds). */
  askedAt: number
  knownAt: number
}

export type Ways = {
  at(end: Endpoint): Way | undefined
  /** The way of this port, made if need be. */
  put(from: Endpoint): { readonly way: Way; readonly isNew: boolean }
  /** Forgets the ports of a switch that are not among these; answers them. */
  keep(dpid: DatapathId, ports: ReadonlyMap<PortNo, unknown>): readonly Way[]
  /** Switches that have ports, or had when they were connected. */
  dpids(): Iterable<DatapathId>
  /** So many of a kind in turn, round and round. */
  next(kind: Kind, count: number): Iterable<Way>
  /** Ways of a kind. */
  count(kind: Kind): number
  setKind(way: Way, kind: Kind): void
}

const ago = Number.NEGATIVE_INFINITY

export function newWays(): Ways {
  const ways = new Map<DatapathId, Map<PortNo, Way>>()
  const rings = { carrying: ring<Way>(), idle: ring<Way>(), unknown: ring<Way>() }
  return {
    at: ({ dpid, port }) => ways.get(dpid)?.get(port),
    put(from) {
      const here = ways.get(from.dpid) ?? new Map<PortNo, Way>()
      ways.set(from.dpid, here)
      const before = here.get(from.port)
      if (before) return { way: before, isNew: false }
      const key = endpointKey(from)
      const [live, tally, mtu] = [unproven(false, 0), newTally(), newSearch()]
      const unknown = {
        link: undefined,
        linkKey: '',
        toKey: '',
        kind: 'unknown',
        carries: false,
        access: false,
        lost: 0,
        askedAt: ago,
        knownAt: ago,
      } as const
      const way: Way = { from, key, live, tally, mtu, ...unknown }
      here.set(from.port, way)
      rings.unknown.all.add(way)
      return { way, isNew: true }
    },
    keep(dpid, ports) {
      const gone = [...(ways.get(dpid)?.values() ?? [])].filter(way => !ports.has(way.from.port))
      for (const way of gone) {
        ways.get(dpid)?.delete(way.from.port)
        rings[way.kind].all.delete(way)
      }
      return gone
    },
    dpids: () => ways.keys(),
    next: (kind, count) => rings[kind].next(count),
    count: kind => rings[kind].all.size,
    setKind(way, kind) {
      rings[way.kind].all.delete(way)
      rings[kind].all.add(way)
      way.kind = kind
    },
  }
}

/** Things that have their turn one after the other, round and round. */
function ring<T>() {
  const all = new Set<T>()
  let turns = all.values()
  return {
    all,
    *next(count: number): Iterable<T> {
      for (let left = Math.min(count, all.size); left > 0; left--) {
        let turn = turns.next()
        if (turn.done) {
          turns = all.values()
          turn = turns.next()
        }
        if (turn.done) return
        yield turn.value
      }
    },
  }
}

/** The way leads there from now on; what was measured of another link is forgotten. False: it did before. */
export function lead(way: Way, link: Link | undefined, dead: boolean, now: number): boolean {
  const key = link ? linkKey(link) : ''
  // What is said of it, its cost and what it carries, may be another.
  way.link = link
  if (way.linkKey === key) return false
  way.linkKey = key
  way.toKey = link ? endpointKey(link.to) : ''
  way.live = unproven(dead, now)
  way.tally = { ...newTally(), sequence: way.tally.sequence, lost: way.tally.lost }
  way.mtu = newSearch()
  return true
}
