// Routes, worked out once for all that ask for the same.
import { mended } from '../../topology/mended.ts'
import { without } from '../../topology/mesh.ts'
import { type Paths, paths as pathsOf } from '../../topology/paths.ts'
import { compatibleSteps, type Route, route, routeSteps } from '../../topology/route.ts'
import type { Steps } from '../../topology/steps.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { tunnelsOnly } from '../../topology/vlink-route.ts'

/** Paths over tunnels alone, worked out once for all vlinks. */
export function keptTunnels(): (paths: Paths) => Paths {
  let kept: { readonly of: Paths; readonly tunnels: Paths } | undefined
  return paths => {
    if (kept?.of !== paths) kept = { of: paths, tunnels: tunnelsOnly(paths) }
    return kept.tunnels
  }
}

export type KeptRoutes = {
  /** Works out in steps what `of` answers when nothing is left out: then it takes no time. @param before Routes that it will be held against. */
  prepare(number: number, members: ReadonlySet<DatapathId>, paths: Paths, before: readonly Route[]): Steps<void>
  /** The route between these members. @param left Switches that it must not pass. */
  of(number: number, members: ReadonlySet<DatapathId>, paths: Paths, left: ReadonlySet<DatapathId>): Route
  /** A route of which links have died, mended in place; undefined where that cannot be done. @param left As above. */
  mended(
    broken: Route,
    members: ReadonlySet<DatapathId>,
    paths: Paths,
    left: ReadonlySet<DatapathId>,
  ): Route | undefined
  forget(number: number): void
}

/** Routes are kept until the mesh, the members or what is left out is another: an address that is learned changes none of them. */
export function keptRoutes(): KeptRoutes {
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
  const find = (number: number, members: ReadonlySet<DatapathId>, paths: Paths, left: ReadonlySet<DatapathId>) =>
    kept.get(number)?.find(k => k.paths === paths && same(k.left, left) && same(k.members, members))
  const keep = (number: number, it: Kept) => {
    const current = (kept.get(number) ?? []).filter(k => k.paths === it.paths && same(k.members, it.members))
    kept.set(number, [it, ...current].slice(0, 2))
  }
  return {
    *prepare(number, members, paths, before) {
      if (find(number, members, paths, nobody)) return
      const found = yield* routeSteps(members, paths)
      keep(number, { paths, members, left: nobody, route: found })
      for (const one of before) yield* compatibleSteps(one, found)
    },
    of(number, members, paths, left) {
      const found = find(number, members, paths, left)
      if (found) return found.route
      const it = { paths, members, left, route: route(members, leaving(paths, left)) }
      keep(number, it)
      return it.route
    },
    mended: (broken, members, paths, left) => mended(broken, members, leaving(paths, left)),
    forget: number => void kept.delete(number),
  }
}

const nobody: ReadonlySet<DatapathId> = new Set()
