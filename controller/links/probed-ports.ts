// Every port out of which we send probes, and what is known of where it leads.
import { type Liveness, unproven } from '../../topology/liveness.ts'
import { newSearch, type Search } from '../../topology/mtu.ts'
import { newProbeStatistics, type ProbeStatistics } from '../../topology/probe-statistics.ts'
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
/** A pod's is not probed, and looked at now and then only: it may have become another's. */
export type Ring = Kind | 'access'

export type ProbedPort = {
  readonly from: Endpoint
  /** endpointKey of `from`. */
  readonly key: string
  /** Where the store says that it leads; what follows is about that link. */
  link: Link | undefined
  linkKey: string
  /** endpointKey of where it leads. */
  toKey: string
  live: Liveness
  probeStatistics: ProbeStatistics
  /** Probes that were lost before the link was doubted last. */
  lost: number
  mtu: Search
  kind: Ring
  /** Networks go over the link. */
  carries: boolean
  /** A pod's, at either end: not probed, not believed. */
  access: boolean
  /** When the last probe left, and when the store was last asked about this port (milliseconds). */
  askedAt: number
  knownAt: number
}

export type HopsBySwitch = {
  at(end: Endpoint): ProbedPort | undefined
  /** The way of this port, made if need be. */
  put(from: Endpoint): { readonly probedPort: ProbedPort; readonly isNew: boolean }
  /** Forgets the ports of a switch that are not among these; answers them. */
  keep(dpid: DatapathId, ports: ReadonlyMap<PortNo, unknown>): readonly ProbedPort[]
  /** Switches that have ports, or had when they were connected. */
  dpids(): Iterable<DatapathId>
  /** So many of a kind in turn, round and round. */
  next(kind: Ring, count: number): Iterable<ProbedPort>
  /** Ways of a kind. */
  count(kind: Ring): number
  setKind(probedPort: ProbedPort, kind: Ring): void
}

const ago = Number.NEGATIVE_INFINITY

export function newProbedPorts(): HopsBySwitch {
  const probedPorts = new Map<DatapathId, Map<PortNo, ProbedPort>>()
  const rings: { readonly [R in Ring]: ReturnType<typeof ring<ProbedPort>> } = {
    ...{ carrying: ring(), idle: ring(), unknown: ring(), access: ring() },
  }
  return {
    at: ({ dpid, port }) => probedPorts.get(dpid)?.get(port),
    put(from) {
      const here = probedPorts.get(from.dpid) ?? new Map<PortNo, ProbedPort>()
      probedPorts.set(from.dpid, here)
      const before = here.get(from.port)
      if (before) return { probedPort: before, isNew: false }
      const key = endpointKey(from)
      const [live, probeStatistics, mtu] = [unproven(false, 0), newProbeStatistics(), newSearch()]
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
      const probedPort: ProbedPort = { from, key, live, probeStatistics, mtu, ...unknown }
      here.set(from.port, probedPort)
      rings.unknown.all.add(probedPort)
      return { probedPort, isNew: true }
    },
    keep(dpid, ports) {
      const gone = [...(probedPorts.get(dpid)?.values() ?? [])].filter(probedPort => !ports.has(probedPort.from.port))
      for (const probedPort of gone) {
        probedPorts.get(dpid)?.delete(probedPort.from.port)
        rings[probedPort.kind].all.delete(probedPort)
      }
      return gone
    },
    dpids: () => probedPorts.keys(),
    next: (kind, count) => rings[kind].next(count),
    count: kind => rings[kind].all.size,
    setKind(probedPort, kind) {
      rings[probedPort.kind].all.delete(probedPort)
      rings[kind].all.add(probedPort)
      probedPort.kind = kind
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
export function lead(probedPort: ProbedPort, link: Link | undefined, dead: boolean, now: number): boolean {
  const key = link ? linkKey(link) : ''
  // What is said of it, its cost and what it carries, may be another.
  probedPort.link = link
  if (probedPort.linkKey === key) return false
  probedPort.linkKey = key
  probedPort.toKey = link ? endpointKey(link.to) : ''
  probedPort.live = unproven(dead, now)
  probedPort.probeStatistics = {
    ...newProbeStatistics(),
    sequence: probedPort.probeStatistics.sequence,
    lost: probedPort.probeStatistics.lost,
  }
  probedPort.mtu = newSearch()
  return true
}
