import { isDeepStrictEqual } from 'node:util'
import { type DatapathId, endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import type { State } from '../change.ts'
import { type Collection, counted, unique } from '../collection.ts'
import { pairKey } from '../keys.ts'
import { maxDiscoveredBetween, maxDiscoveredLinks, maxDiscoveredOnSwitch } from '../limits.ts'
import { isMeshLinkKey, isUnplanned } from '../overlay.ts'
import { hasFields, isEndpoint, isNumber, isOneOf, isTrue } from '../row-check.ts'

/** Links as an operator declared them, as LLDP found them, and which of all links probes say are dead. One entry a direction. */

declare module '../change.ts' {
  interface Kinds {
    declared: Link
    discovered: Link
    /** Milliseconds since 1970 when it died; 0 when that is not known. */
    dead: number
  }
  interface Tables {
    /** Links that an operator declared, by linkKey. */
    readonly declaredLinks: Map<string, Link>
    /** Declared link by the endpointKey of its `from`. */
    readonly declaredAt: Map<string, Link>
    /** Links found by LLDP, by linkKey: kept so that a restart does not forget the mesh. */
    readonly discoveredLinks: Map<string, Link>
    /** The discovered link that begins at this endpointKey: a port leads to one place. */
    readonly discoveredFrom: Map<string, Link>
    /** How many discovered links, of either direction, end at this endpointKey. */
    readonly discoveredAt: Map<string, number>
    /** How many discovered links lead from one switch to another, by pairKey; none with zero. */
    readonly discoveredBetween: Map<string, number>
    /** How many discovered links begin at a switch; none with zero. */
    readonly discoveredOn: Map<DatapathId, number>
    /** Links that probes say are dead, by linkKey, and since when: kept so that a restart does not use them again. Each is known. */
    readonly deadLinks: Map<string, number>
  }
  interface Writers extends DeclaredWriters, DiscoveredWriters, DeadWriters {}
}

type DeclaredWriters = {
  putDeclaredLink(link: Link): void
  /** By linkKey. What is not known any more is not dead either. */
  deleteDeclaredLink(key: string): void
}
type DiscoveredWriters = {
  /**
   * Takes the place of another one from its port. False: there are too many (maxDiscovered...), and nothing is kept; a switch that
   * forges links fills no disk.
   */
  putDiscoveredLink(link: Link): boolean
  /** By linkKey. What is not known any more is not dead either. */
  deleteDiscoveredLink(key: string): void
  /** Of links that are not known any more, or not in the mesh, nothing is kept: to be called when nodes or their links have changed. */
  forgetUnplanned(): void
}
type DeadWriters = {
  /** What probes say of a link, in one direction; of one that is not known nothing is kept. */
  setDead(key: string, dead: boolean): void
  /** Links that LLDP found, and that have been dead for longer than this (milliseconds), are not known any more. */
  forgetDeadLinks(longer: number): void
}

const isLink = (v: unknown, key: string): boolean =>
  hasFields(v, { from: isEndpoint, to: isEndpoint }, { cost: isNumber, carries: isOneOf('vni', 'vid') }) &&
  linkKey(v as Link) === key

/** Declared, found by probes, or planned for the mesh. */
export const isKnownLink = (t: State, key: string): boolean =>
  t.declaredLinks.has(key) || t.discoveredLinks.has(key) || isMeshLinkKey(t, key)

/** One more than these makes no mesh better: a port that shows it is broken, or somebody's who forges probes. */
const isCrowded = (t: State, { from, to }: Link): boolean =>
  t.discoveredLinks.size >= maxDiscoveredLinks ||
  (t.discoveredOn.get(from.dpid) ?? 0) >= maxDiscoveredOnSwitch ||
  (t.discoveredBetween.get(pairKey(from.dpid, to.dpid)) ?? 0) >= maxDiscoveredBetween

const begin = (link: Link): string => endpointKey(link.from)

export const declared: Collection<'declared', DeclaredWriters> = {
  table: 'declaredLinks',
  shape: { is: 'map' },
  indexes: [unique('declaredAt', (link: Link) => [[begin(link), link]])],
  isRow: isLink,
  violation: (state, { key, after }) => after && badDeclared(state, key, after),
  marks: () => 'links',
  writers: ({ draft, step }) => ({
    putDeclaredLink(link) {
      const key = linkKey(link)
      const before = draft.declaredLinks.get(key)
      if (!isDeepStrictEqual(before, link)) step({ kind: 'declared', key, before, after: link })
    },
    deleteDeclaredLink(key) {
      const before = draft.declaredLinks.get(key)
      if (!before) return
      step({ kind: 'declared', key, before, after: undefined })
      if (!isKnownLink(draft, key)) draft.setDead(key, false)
    },
  }),
}

export const discovered: Collection<'discovered', DiscoveredWriters> = {
  table: 'discoveredLinks',
  shape: { is: 'map' },
  indexes: [
    unique('discoveredFrom', (link: Link) => [[begin(link), link]]),
    counted('discoveredAt', ({ from, to }: Link) => [[endpointKey(from)], [endpointKey(to)]]),
    counted('discoveredBetween', ({ from, to }: Link) => [[pairKey(from.dpid, to.dpid)]]),
    counted('discoveredOn', ({ from }: Link) => [[from.dpid]]),
  ],
  isRow: isLink,
  violation: (state, { key, after }) => after && badDiscovered(state, key, after),
  marks: () => 'links',
  writers: ({ draft, step }) => ({
    putDiscoveredLink(link) {
      const key = linkKey(link)
      const before = draft.discoveredLinks.get(key)
      if (isDeepStrictEqual(before, link)) return true
      const other = draft.discoveredFrom.get(begin(link))
      if (other && other !== before) draft.deleteDiscoveredLink(linkKey(other))
      if (!before && isCrowded(draft, link)) return false
      step({ kind: 'discovered', key, before, after: link })
      return true
    },
    deleteDiscoveredLink(key) {
      const before = draft.discoveredLinks.get(key)
      if (!before) return
      step({ kind: 'discovered', key, before, after: undefined })
      if (!isKnownLink(draft, key)) draft.setDead(key, false)
    },
    forgetUnplanned() {
      for (const [key, link] of [...draft.discoveredLinks])
        if (isUnplanned(draft, link)) step({ kind: 'discovered', key, before: link, after: undefined })
      for (const key of [...draft.deadLinks.keys()]) if (!isKnownLink(draft, key)) draft.setDead(key, false)
    },
  }),
}

export const dead: Collection<'dead', DeadWriters> = {
  table: 'deadLinks',
  shape: { is: 'map' },
  // `true` in files of before schema 3.
  isRow: v => isTrue(v) || isNumber(v),
  fromRow: v => (v === true ? 0 : (v as number)),
  marks: () => 'links',
  writers: ({ draft, step, at }) => ({
    setDead(key, dead) {
      if (draft.deadLinks.has(key) === dead || (dead && !isKnownLink(draft, key))) return
      step({ kind: 'dead', key, before: draft.deadLinks.get(key), after: dead ? at : undefined })
    },
    forgetDeadLinks(longer) {
      for (const [key, since] of [...draft.deadLinks])
        if (since === 0) step({ kind: 'dead', key, before: since, after: at })
        else if (at - since > longer) draft.deleteDiscoveredLink(key)
    },
  }),
}

const badDeclared = (t: State, key: string, link: Link): string | undefined => {
  const port = begin(link)
  const vlink = t.vlinkEnds.get(port)
  if (vlink !== undefined) return `port ${port} of declared link ${key} is an end of vlink ${vlink}`
  const other = t.declaredAt.get(port)
  if (!other || linkKey(other) === key) return undefined
  return `port ${port} of declared link ${key} is an end of ${linkKey(other)}`
}

const badDiscovered = (t: State, key: string, link: Link): string | undefined => {
  const other = t.discoveredFrom.get(begin(link))
  if (!other || linkKey(other) === key) return undefined
  return `port ${begin(link)} of discovered link ${key} leads to ${endpointKey(other.to)}`
}
