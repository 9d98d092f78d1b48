// Which path version each network goes to next, and which switches could not be told of one.
import type { Network, State } from '../../store/state.ts'
import { compatible, datapathsOf, type Route } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { routeOfVlink, type VlinkPaths } from '../../topology/vlink-route.ts'
import { isIntact } from './intact.ts'
import { keptRoutes } from './kept-routes.ts'
import type { Fabric } from './local-network.ts'
import { begin, inUse, keeps, pathVersionsOf, persisted, type Rollout, steer } from './rollout.ts'
import type { Steps } from './steps.ts'

type Sources = {
  state(): State
  fabric(): Fabric
  /** Switches that can be told something now. */
  connected(dpid: DatapathId): boolean
  /** Such a switch takes several changes as one. */
  atomic(dpid: DatapathId): boolean
  /** Those that have not been connected for a while. */
  readonly unreachable: ReadonlySet<DatapathId>
  /** Milliseconds of a monotonic clock. */
  now(): number
}

/** Where a network's rollout stands, and where it leads in the end. */
export type Standing = {
  readonly rollout: Rollout
  readonly wanted: Route
  readonly vlinkPaths?: VlinkPaths | undefined
}

export type Rollouts = {
  /** Numbers of the networks that are on their way from one route to another, or should be. */
  readonly rollingOut: ReadonlySet<number>
  /** Switches that could not be told that a path version of this network is built or gone. */
  readonly outdated: ReadonlyMap<number, ReadonlySet<DatapathId>>
  /** Such a switch has been told. Answers whether it was one. */
  returned(number: number, dpid: DatapathId): boolean
  /** Works out in steps what `next` will ask for. */
  prepare(network: Network, members: ReadonlySet<DatapathId>, before: Standing | undefined): Steps<void>
  /** Where the network goes from here, given its members or a vlink's paths. `serial`: of the compile that this is for. */
  next(
    network: Network,
    members: ReadonlySet<DatapathId>,
    vlinkPaths: VlinkPaths | undefined,
    before: Standing | undefined,
    serial: number,
  ): Standing
  /** Notes whether the network rests where it is. */
  keep(it: Standing & { readonly network: Network }): void
  /** Frames of a switch that can't be told now get through on the path version in use: nothing is changed without it. */
  isHeld(rollout: Rollout, dpid: DatapathId): boolean
  /** A path version goes, or is built without them: switches that can't be told hold what was before. */
  leaveBehind(number: number, dpids: Iterable<DatapathId>): void
  forget(number: number): void
}

export function keptRollouts({ state, fabric, connected, atomic, unreachable, now }: Sources): Rollouts {
  const rollingOut = new Set<number>()
  const outdated = new Map<number, Set<DatapathId>>()
  const routes = keptRoutes()

  const leaveBehind = (number: number, dpids: Iterable<DatapathId>) => {
    const left = outdated.get(number) ?? new Set()
    for (const dpid of dpids) if (!connected(dpid)) left.add(dpid)
    if (left.size > 0) outdated.set(number, left)
  }
  const isHeld = (rollout: Rollout, dpid: DatapathId): boolean => {
    const { route, frozen } = inUse(rollout)
    // Of what an earlier run of ours has left, only the switches know by which links it goes.
    return frozen ? !unreachable.has(dpid) : isIntact(route, fabric(), state())
  }
  /** A vlink's path is what was asked for, whatever others hold of an earlier one. */
  const nextOfVlink = (network: Network, paths: VlinkPaths, before: Standing | undefined, serial: number): Standing => {
    const wanted = before && before.vlinkPaths === paths ? before.wanted : routeOfVlink(paths)
    const rollout = before
      ? steer(before.rollout, wanted, network.target, serial)
      : begin(network, wanted, serial, now())
    return { rollout, wanted }
  }
  /**
   * While a path version is drained no third one can be built. If the one that frames enter has broken meanwhile, they go back to the
   * one that is drained, where that leads where they should go now, or theirs is mended where it stands; the best one comes after.
   */
  const inHaste = (rollout: Rollout, wanted: Route, members: ReadonlySet<DatapathId>, serial: number): Rollout => {
    if (rollout.is !== 'draining') return rollout
    const { from, to } = rollout
    if (to.frozen || to.route === wanted || isIntact(to.route, fabric(), state())) return rollout
    if (!from.frozen && compatible(from.route, wanted))
      return { is: 'preparing', serial, from: to, to: { epoch: from.epoch, route: wanted } }
    const { paths } = fabric()
    const absent = new Set([...paths.mesh.keys()].filter(dpid => !connected(dpid)))
    const route = routes.mended(to.route, members, paths, absent)
    const told = route ? [route.floodTree, route.nextHops, route.ingressPorts].flatMap(hops => [...hops.keys()]) : []
    return route && route.id !== to.route.id && told.every(atomic)
      ? { ...rollout, serial, to: { ...to, route } }
      : rollout
  }
  return {
    rollingOut,
    outdated,
    isHeld,
    leaveBehind,
    returned(number, dpid) {
      const lost = outdated.get(number)
      if (!lost?.delete(dpid)) return false
      if (lost.size === 0) outdated.delete(number)
      return true
    },
    *prepare({ number, vlink }, members, before) {
      if (vlink) return
      const was = before ? pathVersionsOf(before.rollout).map(({ route }) => route) : []
      yield* routes.prepare(number, members, fabric().paths, was)
    },
    next(network, members, vlinkPaths, before, serial) {
      if (vlinkPaths) return nextOfVlink(network, vlinkPaths, before, serial)
      const { number, target } = network
      const want = (left: ReadonlySet<DatapathId>) => routes.of(number, members, fabric().paths, left)
      const all = want(nobody)
      if (!before) return { rollout: begin(network, all, serial, now()), wanted: all }
      const was = before.rollout
      if (inUse(was).route === all) return { rollout: steer(was, all, target, serial), wanted: all }
      // While frames get through on the path version in use, a new one waits for every switch that it passes; else those
      // that can't be told of it are left out, and come back in when they connect.
      const absent = [...datapathsOf(all)].filter(dpid => !connected(dpid))
      const left = new Set(absent.filter(dpid => !isHeld(was, dpid)))
      const wanted = left.size > 0 ? want(left) : all
      const rollout = inHaste(steer(was, wanted, target, serial), wanted, members, serial)
      if (rollout.is === 'preparing' && rollout.to.route === wanted) leaveBehind(number, left)
      return { rollout, wanted }
    },
    keep({ network, rollout, wanted }) {
      const rests =
        rollout.is === 'steady' && rollout.pathVersion.route === wanted && keeps(network, persisted(rollout, wanted))
      if (rests) rollingOut.delete(network.number)
      else rollingOut.add(network.number)
    },
    forget(number) {
      rollingOut.delete(number)
      outdated.delete(number)
      routes.forget(number)
    },
  }
}

const nobody: ReadonlySet<DatapathId> = new Set()
