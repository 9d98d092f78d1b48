// What compile may know of the switches: their ports and the mesh between them, kept current.
import type { Session } from '../../openflow/session/session.ts'
import type { State } from '../../store/state.ts'
import { type Hop, type Mesh, meshSteps } from '../../topology/mesh.ts'
import { type Paths, paths } from '../../topology/paths.ts'
import {
  type DatapathId,
  type Endpoint,
  endpointKey,
  type Link,
  linkKey,
  type PortNo,
} from '../../topology/topology.ts'
import { metersFor } from '../compile/cookie.ts'
import type { SwitchFacts } from '../compile/default-flows.ts'
import type { Datapath, Fabric } from '../compile/local-network.ts'
import type { Steps } from '../compile/steps.ts'
import { missingFields } from '../switch/strict-fields.ts'
import { cannotLimit, matchesNoTunnels, unsupported } from '../switch/unsupported.ts'
import type { Planned } from './planned-links.ts'

export type KnownFabric = {
  current(): Fabric
  /** Takes a switch's ports as they are now; answers those that came, went or have another name, and whether a link begins or ends at one. */
  ports(session: Session): { readonly changed: readonly PortNo[]; readonly ofLinks: boolean }
  /** Works out the mesh again; answers whether it is another one. Until it has, the one before stays. */
  remesh(): Steps<boolean>
  /** A switch refused a meter: it has no limits as long as it is connected. Answers whether that is news. */
  meterRefused(session: Session, words: string): boolean
  /** What a switch holds for itself follows from this. */
  switchFacts(dpid: DatapathId): SwitchFacts
  /** The declared plain link that begins here. */
  plain(end: Endpoint): Link | undefined
  /** Switches of which that has become another; each is told once. */
  factsChanged(): readonly DatapathId[]
}

/**
 * @param planned Links of the mesh that was declared.
 * @param away Switches that have not been connected for a while.
 */
export function knownFabric(
  state: () => State,
  planned: Planned,
  unreachable: ReadonlySet<DatapathId> = new Set(),
): KnownFabric {
  // A switch that went away is remembered with the ports that it had: its flows still run.
  const datapaths = new Map<DatapathId, Datapath>()
  let joined: Paths = paths(new Map())
  let known: Mesh = joined.mesh
  /** Where links begin, as of the last remesh: a link counts in both directions, so that is where they end too. */
  let ends: ReadonlyMap<DatapathId, ReadonlySet<PortNo>> = new Map()
  const usable = (dpid: DatapathId, port: PortNo) => datapaths.get(dpid)?.ports.has(port) ?? true
  const ofPods = (key: string) => state().accessPorts.has(key) || state().attachments.has(key)
  const switchFacts = newSwitchFacts()
  const refusedMeters = new WeakMap<Session, string>()
  return {
    switchFacts: switchFacts.of,
    plain: switchFacts.linkAt,
    factsChanged: switchFacts.changed,
    current: () => ({ paths: joined, known, datapaths }),
    ports(session) {
      const known = datapaths.get(session.dpid)
      const before = known?.ports ?? new Set<PortNo>()
      // A switch that can't run our pipeline has no port that a frame could take.
      const now = new Set(unsupported(session) === undefined ? session.ports().keys() : [])
      const meteredPacketIns = session.can.nicira && session.can.maxMeter >= metersFor(now.size)
      switchFacts.tunnels(session)
      switchFacts.meters(session, refusedMeters.has(session))
      const names = new Map([...session.ports()].map(([port, { name }]) => [port, name]))
      const { maxMeter, tables = [] } = session.can
      const unmetered = refusedMeters.get(session) ?? cannotLimit(tables)
      datapaths.set(session.dpid, {
        ...{ ports: now, names, meteredPacketIns, maxMeter, ...(unmetered !== undefined && { unmetered }) },
        ...{ missing: missingFields(tables), answers: session.can.nicira },
      })
      const isNew = (p: PortNo) => !before.has(p) || known?.names?.get(p) !== names.get(p)
      const changed = [...now].filter(isNew).concat([...before].filter(p => !now.has(p)))
      // Of a switch that nobody has seen yet we had thought that all its links are there.
      const linked = [...(ends.get(session.dpid) ?? [])]
      const ofLinks = known ? linked.some(p => before.has(p) !== now.has(p)) : linked.some(p => !now.has(p))
      return { changed, ofLinks: planned.ports(session) || ofLinks }
    },
    meterRefused(session, words) {
      const before = datapaths.get(session.dpid)
      if (!before || before.unmetered !== undefined) return false
      const unmetered = `it refused a meter: ${words}`
      refusedMeters.set(session, unmetered)
      switchFacts.meters(session, true)
      datapaths.set(session.dpid, { ...before, unmetered })
      return true
    },
    *remesh() {
      yield* planned.prepare()
      const { declaredLinks, discoveredLinks, deadLinks } = state()
      const begins = new Map<DatapathId, Set<PortNo>>()
      function* all(): Iterable<Link> {
        for (const link of discoveredLinks.values())
          if (!ofPods(endpointKey(link.from)) && !ofPods(endpointKey(link.to))) yield link
        // What an operator says of a link counts more than what was found.
        yield* planned.links()
        yield* declaredLinks.values()
      }
      function* alive(): Iterable<Link> {
        for (const link of all()) {
          const { dpid, port } = link.from
          const ports = begins.get(dpid)
          if (ports) ports.add(port)
          else begins.set(dpid, new Set([port]))
          if (deadLinks.size === 0 || !deadLinks.has(linkKey(link))) yield link
        }
      }
      const now = yield* meshSteps(alive(), { usable, unreachable })
      ends = begins
      switchFacts.plainLinks(declaredLinks.values())
      const before = known
      known = deadLinks.size === 0 ? now : yield* meshSteps(all(), { usable, unreachable })
      if (yield* same(now, joined.mesh)) return !(yield* same(known, before))
      joined = paths(now)
      return true
    },
  }
}

/** What switches hold for themselves: which of them have plain links, and which no tunnels. */
function newSwitchFacts() {
  const tunnelless = new Set<DatapathId>()
  const loopProbes = new Map<DatapathId, SwitchFacts['loopProbes']>()
  const changed = new Set<DatapathId>()
  let plain = new Map<DatapathId, Map<PortNo, Link>>()
  const portsOf = (dpid: DatapathId): readonly PortNo[] => [...(plain.get(dpid)?.keys() ?? [])].sort((a, b) => a - b)
  return {
    of: (dpid: DatapathId): SwitchFacts => ({
      plainLinks: portsOf(dpid),
      tunnels: !tunnelless.has(dpid),
      loopProbes: loopProbes.get(dpid),
    }),
    linkAt: ({ dpid, port }: Endpoint): Link | undefined => plain.get(dpid)?.get(port),
    changed(): readonly DatapathId[] {
      const notified = [...changed]
      changed.clear()
      return notified
    },
    tunnels({ dpid, can }: Session): void {
      if (matchesNoTunnels(can.tables ?? [])) tunnelless.add(dpid)
      else tunnelless.delete(dpid)
    },
    meters({ dpid, can }: Session, areRefused: boolean): void {
      const none = areRefused || can.maxMeter === 0
      loopProbes.set(dpid, none ? undefined : can.nicira ? 'metered' : 'together')
    },
    plainLinks(declared: Iterable<Link>): void {
      const dpids = new Set(plain.keys())
      const before = new Map([...dpids].map(dpid => [dpid, portsOf(dpid).join()]))
      plain = new Map()
      for (const link of declared) {
        const { from, carries } = link
        if (carries !== 'vid') continue
        dpids.add(from.dpid)
        plain.set(from.dpid, (plain.get(from.dpid) ?? new Map()).set(from.port, link))
      }
      for (const dpid of dpids) if ((before.get(dpid) ?? '') !== portsOf(dpid).join()) changed.add(dpid)
    },
  }
}

function* same(a: Mesh, b: Mesh): Steps<boolean> {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [from, to] of a) {
    if (!sameHops(to, b.get(from) ?? new Map())) return false
    yield
  }
  return true
}
function sameHops(a: ReadonlyMap<DatapathId, Hop>, b: ReadonlyMap<DatapathId, Hop>): boolean {
  if (a.size !== b.size) return false
  for (const [peer, hop] of a) if (!sameHop(hop, b.get(peer))) return false
  return true
}
const sameHop = (a: Hop, b: Hop | undefined): boolean =>
  b !== undefined && a.port === b.port && a.cost === b.cost && a.carries === b.carries
