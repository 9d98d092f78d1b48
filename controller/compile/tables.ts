// The desired tables of every network, kept so that a change to one network recompiles that network only.

import { isDeepStrictEqual } from 'node:util'
import type { Attachment, Network, State } from '../../store/state.ts'
import { without } from '../../topology/mesh.ts'
import { type Paths, paths as pathsOf } from '../../topology/paths.ts'
import { datapathsOf, type Route, route } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { routeOfVlink, tunnelsOnly, type VlinkPaths, vlinkPathsOf } from '../../topology/vlink-route.ts'
import { compile } from './compile.ts'
import type { Item } from './item.ts'
import type { Fabric, Location } from './local-network.ts'
import { isCovered, plainEnds } from './plain-links.ts'
import { advance, begin, keeps, type PathVersions, pathVersionsOf, persisted, type Rollout, steer } from './rollout.ts'
import type { Snooped } from './snoop.ts'
import { compileVlink } from './vlink.ts'

export type Compiled = {
  readonly network: Network
  /** Store revision that it was compiled from. */
  readonly revision: number
  /** Counts compiles, of all networks: what a switch has confirmed is at least as new as the compile with this serial. */
  readonly serial: number
  readonly parts: ReadonlyMap<DatapathId, readonly Item[]>
  /** Switches with an attachment or the mirror, whether or not they have a part yet. */
  readonly members: ReadonlySet<DatapathId>
  /** Those, and the switches that their frames pass. */
  readonly datapaths: ReadonlySet<DatapathId>
  readonly rollout: Rollout
  /** Where the rollout leads in the end; while a path version is drained, it may be towards an earlier one. */
  readonly wanted: Route
  /** Of a vlink: where its frames should go, and where they do. */
  readonly vlinkPaths?: VlinkPaths | undefined
}

export type Tables = {
  /** By network number. */
  readonly compiled: ReadonlyMap<number, Compiled>
  /** Number of a network by its id; of a deleted one too, so that its leaving can be followed. */
  numberOf(id: string): number | undefined
  /** Ids of the networks that have something on this switch, or will. */
  at(dpid: DatapathId): Iterable<string>
  /** Numbers of the networks that are on their way from one route to another, or should be. */
  readonly rollingOut: ReadonlySet<number>
  /** Numbers of the networks that cross plain links, and the switches there that are not told of their VLANs yet. */
  readonly wanting: ReadonlyMap<number, ReadonlySet<DatapathId>>
  /** Switches that could not be told that a path version of this network is built or gone: no way leads there until they are. */
  readonly outdated: ReadonlyMap<number, ReadonlySet<DatapathId>>
  /** Such a switch has been told. Answers whether it was one. */
  returned(number: number, dpid: DatapathId): boolean
  /** Compiles a network anew, or drops it if it is gone. Answers which switches must look again at which network number. */
  refresh(id: string): readonly { readonly number: number; readonly dpids: ReadonlySet<DatapathId> }[]
  /** Takes the next step of a network that is moving, if it is due: then it is to be compiled again. */
  step(number: number, confirmed: boolean): Rollout | undefined
}

type Sources = {
  state(): State
  fabric(): Fabric
  learned(network: Network, attachments: readonly Attachment[]): readonly Location[]
  suppressed: ReadonlySet<string>
  /** Switches that can be told something now. */
  connected(dpid: DatapathId): boolean
  snooped(network: Network, attachments: readonly Attachment[]): Snooped | undefined
  /** Milliseconds of a monotonic clock. */
  now(): number
}

export function desiredTables({ state, fabric, learned, suppressed, connected, snooped, now }: Sources): Tables {
  const compiled = new Map<number, Compiled>()
  const numbers = new Map<string, number>()
  const byDatapath = new Map<DatapathId, Set<string>>()
  const rollingOut = new Set<number>()
  const outdated = new Map<number, Set<DatapathId>>()
  const wanting = new Map<number, ReadonlySet<DatapathId>>()
  const routes = keptRoutes()
  let serial = 0

  const index = (id: string, before: ReadonlySet<DatapathId>, now: ReadonlySet<DatapathId>) => {
    for (const dpid of before) if (!now.has(dpid)) byDatapath.get(dpid)?.delete(id)
    for (const dpid of now) byDatapath.set(dpid, (byDatapath.get(dpid) ?? new Set()).add(id))
  }
  const drop = (id: string, number: number) => {
    const was = compiled.get(number)
    compiled.delete(number)
    rollingOut.delete(number)
    outdated.delete(number)
    wanting.delete(number)
    routes.forget(number)
    if (!was) return []
    index(id, was.datapaths, new Set())
    return [{ number, dpids: new Set(was.parts.keys()) }, ...mirrorOf(was)]
  }
  /** Of these path versions, one is built or goes: switches that can't be told may hold what was before. Answers whether there are any. */
  const lose = (number: number, pathVersions: PathVersions): boolean => {
    const lost = outdated.get(number) ?? new Set()
    const before = lost.size
    for (const { route } of pathVersions) for (const dpid of datapathsOf(route)) if (!connected(dpid)) lost.add(dpid)
    if (lost.size > 0) outdated.set(number, lost)
    return lost.size > before
  }
  const tunnels = keptTunnels()
  /** The same object as long as nothing of it is another. */
  const keptVlinkPaths = ({ vlink }: Network, was: VlinkPaths | undefined): VlinkPaths | undefined => {
    const vlinkPaths = vlink && vlinkPathsOf(vlink, tunnels(fabric().paths), fabric().known)
    return isDeepStrictEqual(vlinkPaths, was) ? was : vlinkPaths
  }
  const rolloutOf = (
    network: Network,
    members: ReadonlySet<DatapathId>,
    vlinkPaths: VlinkPaths | undefined,
    before: Compiled | undefined,
  ): Pick<Compiled, 'rollout' | 'wanted'> => {
    const { number, target } = network
    const want = () => {
      // A vlink's path is what was asked for, whatever others hold of an earlier one.
      if (vlinkPaths) return before && before.vlinkPaths === vlinkPaths ? before.wanted : routeOfVlink(vlinkPaths)
      return routes.of(number, members, fabric().paths, new Set(outdated.get(number)))
    }
    let wanted = want()
    if (!before) return { rollout: begin(network, wanted, serial, now()), wanted }
    const was = before.rollout
    let rollout = steer(was, wanted, target, serial)
    const turns = (was.is === 'steady') !== (rollout.is === 'steady')
    if (turns && lose(number, pathVersionsOf(was.is === 'steady' ? rollout : was)) && !vlinkPaths)
      rollout = steer(was, (wanted = want()), target, serial)
    return { rollout, wanted }
  }
  const keep = ({ network, rollout, wanted }: Compiled) => {
    const rests =
      rollout.is === 'steady' && rollout.pathVersion.route === wanted && keeps(network, persisted(rollout, wanted))
    if (rests) rollingOut.delete(network.number)
    else rollingOut.add(network.number)
  }
  return {
    compiled,
    rollingOut,
    outdated,
    wanting,
    numberOf: id => numbers.get(id),
    at: dpid => byDatapath.get(dpid) ?? [],
    returned(number, dpid) {
      const lost = outdated.get(number)
      if (!lost?.delete(dpid)) return false
      if (lost.size === 0) outdated.delete(number)
      return true
    },
    refresh(id) {
      const current = state()
      const network = current.networks.get(id)
      const before = numbers.get(id)
      const dropped = before !== undefined && before !== network?.number ? drop(id, before) : []
      if (!network) return dropped
      const { number } = network
      numbers.set(id, number)
      const was = compiled.get(number)
      const attachments = [...(current.members.get(id)?.values() ?? [])]
      const subject = {
        network,
        attachments,
        learned: learned(network, attachments),
        suppressed,
        snooped: snooped(network, attachments),
        vlans: current.vlans.get(number),
      }
      const members = new Set(attachments.map(a => a.dpid))
      for (const end of [network.mirror, network.vlink?.from, network.vlink?.to]) if (end) members.add(end.dpid)
      serial += 1
      const vlinkPaths = keptVlinkPaths(network, was?.vlinkPaths)
      const { rollout, wanted } = rolloutOf(network, members, vlinkPaths, was)
      const pathVersions = pathVersionsOf(rollout)
      const ends = network.vlink || current.declaredLinks.size === 0 ? none : plainEnds(pathVersions)
      if (isCovered(subject.vlans, ends)) wanting.delete(number)
      else wanting.set(number, ends)
      const asked = [...(network.vlink?.path ?? []), ...(network.vlink?.reversePath ?? [])]
      const datapaths = new Set([
        ...members,
        ...asked,
        ...pathVersions.flatMap(pathVersion => [...datapathsOf(pathVersion.route)]),
      ])
      const parts = network.vlink
        ? compileVlink(network, network.vlink, fabric().datapaths, pathVersions)
        : compile(subject, fabric().datapaths, pathVersions)
      const { revision } = current
      const it = { network, revision, serial, parts, members, datapaths, rollout, wanted, vlinkPaths }
      compiled.set(number, it)
      keep(it)
      index(id, was?.datapaths ?? none, datapaths)
      // Who holds something of a path version that we never knew, only they know.
      const unknown =
        was && pathVersionsOf(was.rollout).some(pathVersion => pathVersion.frozen) ? fabric().datapaths.keys() : []
      const dpids = new Set([...(was?.parts.keys() ?? []), ...parts.keys(), ...members, ...asked, ...unknown])
      const mirrorChanged = was && was.network.mirror?.number !== network.mirror?.number
      return [...dropped, { number, dpids }, ...(mirrorChanged ? mirrorOf(was) : [])]
    },
    step(number, confirmed) {
      const at = compiled.get(number)
      // It is in force from its next compile on.
      const rollout = at && advance(at.rollout, { confirmed, now: now(), serial: serial + 1 })
      if (!rollout) return undefined
      if (rollout.is === 'steady') lose(number, pathVersionsOf(at.rollout))
      compiled.set(number, { ...at, rollout })
      keep({ ...at, rollout })
      return rollout
    },
  }
}

const none: ReadonlySet<DatapathId> = new Set()

/** A mirror's groups are under a number of their own. */
const mirrorOf = ({ network, parts }: Compiled) =>
  network.mirror ? [{ number: network.mirror.number, dpids: new Set(parts.keys()) }] : []

/** Paths over tunnels alone, worked out once for all vlinks. */
function keptTunnels(): (paths: Paths) => Paths {
  let kept: { readonly of: Paths; readonly tunnels: Paths } | undefined
  return paths => {
    if (kept?.of !== paths) kept = { of: paths, tunnels: tunnelsOnly(paths) }
    return kept.tunnels
  }
}

/** Routes are kept until the mesh, the members or what is left out is another: an address that is learned changes none of them. */
function keptRoutes() {
  type Kept = { paths: Paths; members: ReadonlySet<DatapathId>; left: ReadonlySet<DatapathId>; route: Route }
  const kept = new Map<number, readonly Kept[]>()
  let narrowed: { readonly of: Paths; readonly by: Map<string, Paths> } | undefined
  const leaving = (paths: Paths, left: ReadonlySet<DatapathId>): Paths => {
    if (left.size === 0) return paths
    if (narrowed?.of !== paths) narrowed = { of: paths, by: new Map() }
    const key = [...left].sort().join()
    const known = narrowed.by.get(key) ?? pathsOf(without(paths.mesh, left))
    narrowed.by.set(key, known)
    return known
  }
  const same = (a: ReadonlySet<DatapathId>, b: ReadonlySet<DatapathId>) =>
    a.size === b.size && [...a].every(dpid => b.has(dpid))
  return {
    of(number: number, members: ReadonlySet<DatapathId>, paths: Paths, left: ReadonlySet<DatapathId>): Route {
      const current = (kept.get(number) ?? []).filter(k => k.paths === paths && same(k.members, members))
      const found = current.find(k => same(k.left, left))
      if (found) return found.route
      const it = { paths, members, left, route: route(members, leaving(paths, left)) }
      kept.set(number, [it, ...current].slice(0, 2))
      return it.route
    },
    forget: (number: number) => kept.delete(number),
  }
}
