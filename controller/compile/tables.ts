// The desired tables of every network, kept so that a change to one network recompiles that network only.

import { isDeepStrictEqual } from 'node:util'
import type { Attachment, Network, State } from '../../store/state.ts'
import { datapathsOf, type Route } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { type VlinkPaths, vlinkPathsOf } from '../../topology/vlink-route.ts'
import { addressItems } from './address-items.ts'
import type { Part } from './compile.ts'
import { keptTunnels } from './kept-routes.ts'
import type { Fabric, Location, Withheld } from './local-network.ts'
import { networkParts, type Parts, type Touched, vlinkParts } from './parts.ts'
import { isCovered, plainEnds } from './plain-links.ts'
import { advance, type Confirmation, type PathVersions, pathVersionsOf, type Rollout } from './rollout.ts'
import { keptRollouts } from './rollouts.ts'
import type { Snooped } from './snoop.ts'
import type { Steps } from './steps.ts'

export type Compiled = {
  readonly network: Network
  /** Store revision that it was compiled from. */
  readonly revision: number
  /** Counts compiles, of all networks: what a switch has confirmed is at least as new as the compile with this serial. */
  readonly serial: number
  /** By switch, what it must hold. */
  readonly parts: ReadonlyMap<DatapathId, Part>
  /** How many of that are flows. */
  readonly flows: ReadonlyMap<DatapathId, number>
  /** Switches with an attachment or the mirror, whether or not they have a part yet. */
  readonly members: ReadonlySet<DatapathId>
  /** Those, and the switches that their frames pass. */
  readonly datapaths: ReadonlySet<DatapathId>
  /** Switches at the ends of plain links that its frames cross. */
  readonly plainEnds: ReadonlySet<DatapathId>
  readonly rollout: Rollout
  /** Where the rollout leads in the end; while a path version is drained, it may be towards an earlier one. */
  readonly wanted: Route
  /** Of a vlink: where its frames should go, and where they do. */
  readonly vlinkPaths?: VlinkPaths | undefined
}

/** What switches must look at again of one network: the items named, or all that it owns there. */
export type Looks = { readonly number: number; readonly at: ReadonlyMap<DatapathId, Touched | 'all'> }

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
  /** Brings a network's tables up to date, or drops it if it is gone. Answers which switches must look again, and at what. */
  refresh(id: string): Steps<readonly Looks[]>
  /** A step of this network waits for a switch that is not connected, or slow: frames get through as it is. */
  waitsFor(number: number, dpid: DatapathId): boolean
  /** Takes the next step of a network that is moving, if it is due: then it is to be compiled again. */
  step(number: number, confirmation: Confirmation): Rollout | undefined
}

type Sources = {
  state(): State
  fabric(): Fabric
  learned: {
    at(number: number, mac: string): Location | undefined
    forget(number: number, location: Location): void
    /** Addresses that were learned, moved or forgotten since it was last asked. */
    takeChanged(number: number): Iterable<string>
  }
  suppressed: ReadonlySet<string>
  /** Members that are not let in for now, by placeOf. */
  withheld: Withheld
  /** Switches that can be told something now. */
  connected(dpid: DatapathId): boolean
  /** Such a switch takes several changes as one. */
  atomic(dpid: DatapathId): boolean
  /** Those that have not been connected for a while. */
  readonly unreachable: ReadonlySet<DatapathId>
  snooped(network: Network, attachments: Iterable<Attachment>): Snooped | undefined
  /** Milliseconds of a monotonic clock. */
  now(): number
}

export function desiredTables(sources: Sources): Tables {
  const { state, fabric, learned, suppressed, withheld, connected, atomic, unreachable, snooped, now } = sources
  const compiled = new Map<number, Compiled>()
  const kept = new Map<number, Parts>()
  const numbers = new Map<string, number>()
  const byDatapath = new Map<DatapathId, Set<string>>()
  const wanting = new Map<number, ReadonlySet<DatapathId>>()
  /** Networks of which any switch may hold something that we do not know. */
  const unknownHolders = new Set<number>()
  const rollouts = keptRollouts({ state, fabric, connected, atomic, unreachable, now })
  let serial = 0

  const index = (id: string, before: ReadonlySet<DatapathId>, now: ReadonlySet<DatapathId>) => {
    for (const dpid of before) if (!now.has(dpid)) byDatapath.get(dpid)?.delete(id)
    for (const dpid of now) byDatapath.set(dpid, (byDatapath.get(dpid) ?? new Set()).add(id))
  }
  const drop = (id: string, number: number): Looks[] => {
    const was = compiled.get(number)
    compiled.delete(number)
    wanting.delete(number)
    rollouts.forget(number)
    if (!was) return []
    kept.delete(number)
    index(id, was.datapaths, new Set())
    return [everything(number, was.parts.keys()), ...mirrorOf(was)]
  }
  /** What takes long and can be worked out beforehand: the route, if it is another. */
  const prepare = function* (id: string): Steps<void> {
    const { networks, members, revision } = state()
    const network = networks.get(id)
    if (!network) return
    const was = compiled.get(network.number)
    const isSame = was?.revision === revision && was.network === network
    yield* rollouts.prepare(network, isSame ? was.members : membersOf(network, members.get(id) ?? nobody), was)
  }
  const tunnels = keptTunnels()
  const itemsOf = addressItems()
  /** The same object as long as nothing of it is another. */
  const keptVlinkPaths = ({ vlink }: Network, was: VlinkPaths | undefined): VlinkPaths | undefined => {
    const vlinkPaths = vlink && vlinkPathsOf(vlink, tunnels(fabric().paths), fabric().known)
    return isDeepStrictEqual(vlinkPaths, was) ? was : vlinkPaths
  }
  return {
    compiled,
    rollingOut: rollouts.rollingOut,
    outdated: rollouts.outdated,
    wanting,
    numberOf: id => numbers.get(id),
    at: dpid => byDatapath.get(dpid) ?? [],
    returned: rollouts.returned,
    *refresh(id) {
      const current = state()
      yield* prepare(id)
      // From here to where its rules are asked nothing else happens.
      const network = current.networks.get(id)
      const before = numbers.get(id)
      const dropped = before !== undefined && before !== network?.number ? drop(id, before) : []
      if (!network) return dropped
      const { number } = network
      numbers.set(id, number)
      const was = compiled.get(number)
      // What is committed while this is compiled in slices, is not compiled yet.
      const { revision } = current
      const attachments = current.members.get(id) ?? nobody
      const members = was?.revision === revision ? was.members : membersOf(network, attachments)
      serial += 1
      const vlinkPaths = keptVlinkPaths(network, was?.vlinkPaths)
      const { rollout, wanted } = rollouts.next(network, members, vlinkPaths, was, serial)
      const pathVersions = pathVersionsOf(rollout)
      const vlans = current.vlans.get(number)
      // An address that was learned changes none of these, however large the network is.
      const isSame = was !== undefined && was.rollout === rollout && was.members === members && was.network === network
      const ends = isSame ? was.plainEnds : plainEnds(network, pathVersions)
      if (isCovered(vlans, ends)) wanting.delete(number)
      else wanting.set(number, ends)
      const datapaths = isSame ? was.datapaths : datapathsPassed(network, members, pathVersions)
      const parts = kept.get(number) ?? (network.vlink ? vlinkParts() : networkParts(itemsOf))
      // Should it throw, its parts are made anew the next time, and every switch is looked at.
      kept.delete(number)
      const isDoubtful = unknownHolders.has(number)
      unknownHolders.add(number)
      const touched = yield* parts.update({
        ...{ network, datapaths: fabric().datapaths, pathVersions, vlans, suppressed, withheld, attachments, revision },
        snooped: snooped(network, attachments.values()),
        learned: {
          at: (mac: string) => learned.at(number, mac),
          forget: (location: Location) => learned.forget(number, location),
          moved: learned.takeChanged(number),
        },
      })
      kept.set(number, parts)
      unknownHolders.delete(number)
      const it = {
        ...{ network, revision, serial, parts: parts.parts, flows: parts.flows },
        ...{ members, datapaths, plainEnds: ends, rollout, wanted, vlinkPaths },
      }
      compiled.set(number, it)
      rollouts.keep(it)
      if (!isSame) index(id, was?.datapaths ?? none, datapaths)
      // Who holds something of a path version that we never knew, only they know.
      const isUnknown = isDoubtful || (was && pathVersionsOf(was.rollout).some(({ frozen }) => frozen))
      const looks = isUnknown ? everything(number, fabric().datapaths.keys()) : { number, at: touched }
      const mirrorChanged = was && was.network.mirror?.number !== network.mirror?.number
      return [...dropped, looks, ...(mirrorChanged ? mirrorOf(was) : [])]
    },
    waitsFor(number, dpid) {
      const at = compiled.get(number)
      return at !== undefined && rollouts.isHeld(at.rollout, dpid)
    },
    step(number, confirmation) {
      const at = compiled.get(number)
      // It is in force from its next compile on.
      const rollout = at && advance(at.rollout, { confirmation, now: now(), serial: serial + 1 })
      if (!rollout) return undefined
      if (rollout.is === 'steady') {
        for (const { route, frozen } of pathVersionsOf(at.rollout)) {
          rollouts.leaveBehind(number, datapathsOf(route))
          // What an earlier run of ours has left there, only the switches know.
          if (frozen) unknownHolders.add(number)
        }
      }
      compiled.set(number, { ...at, rollout })
      rollouts.keep({ ...at, rollout })
      return rollout
    },
  }
}

const none: ReadonlySet<DatapathId> = new Set()
const nobody: ReadonlyMap<string, Attachment> = new Map()

const everything = (number: number, dpids: Iterable<DatapathId>): Looks => ({
  number,
  at: new Map([...dpids].map(dpid => [dpid, 'all'])),
})

/** A mirror's groups are under a number of their own. */
const mirrorOf = ({ network, parts }: Compiled): Looks[] =>
  network.mirror ? [everything(network.mirror.number, parts.keys())] : []

/** Members, and the switches that frames of the network pass or were asked to pass. */
function datapathsPassed(
  { vlink }: Network,
  members: ReadonlySet<DatapathId>,
  pathVersions: PathVersions,
): ReadonlySet<DatapathId> {
  const datapaths = new Set([...members, ...(vlink?.path ?? []), ...(vlink?.reversePath ?? [])])
  for (const { route } of pathVersions) for (const dpid of datapathsOf(route)) datapaths.add(dpid)
  return datapaths
}

/** Switches with an attachment, the mirror, or an end of a vlink. */
function membersOf({ mirror, vlink }: Network, attachments: ReadonlyMap<string, Attachment>): ReadonlySet<DatapathId> {
  const members = new Set<DatapathId>()
  for (const { dpid } of attachments.values()) members.add(dpid)
  for (const end of [mirror, vlink?.from, vlink?.to]) if (end) members.add(end.dpid)
  return members
}
