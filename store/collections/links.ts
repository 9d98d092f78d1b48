import { isDeepStrictEqual } from 'node:util'
import { endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import type { State } from '../change.ts'
import { type Collection, counted, unique } from '../collection.ts'
import { isMeshLinkKey, isUnplanned } from '../overlay.ts'
import { hasFields, isEndpoint, isNumber, isOneOf, isTrue } from '../row-check.ts'

/** Links as an operator declared them, as LLDP found them, and which of all links probes say are dead. One entry a direction. */

declare module '../change.ts' {
  interface Kinds {
    declared: Link
    discovered: Link
    dead: true
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
    /** Links that probes say are dead, by linkKey: kept so that a restart does not use them again. Each is known. */
    readonly deadLinks: Set<string>
  }
  interface Writers extends DeclaredWriters, DiscoveredWriters, DeadWriters {}
}

type DeclaredWriters = {
  putDeclaredLink(link: Link): void
  /** By linkKey. What is not known any more is not dead either. */
  deleteDeclaredLink(key: string): void
}
type DiscoveredWriters = {
  /** Takes the place of another one from its port. */
  putDiscoveredLink(link: Link): void
  /** By linkKey. What is not known any more is not dead either. */
  deleteDiscoveredLink(key: string): void
  /** Of links that are not known any more, or not in the mesh, nothing is kept: to be called when nodes or their links have changed. */
  forgetUnplanned(): void
}
type DeadWriters = {
  /** What probes say of a link, in one direction; of one that is not known nothing is kept. */
  setDead(key: string, dead: boolean): void
}

const isLink = (v: unknown, key: string): boolean =>
  hasFields(v, { from: isEndpoint, to: isEndpoint }, { cost: isNumber, carries: isOneOf('vni', 'vid') }) &&
  linkKey(v as Link) === key

const isKnownLink = (t: State, key: string): boolean =>
  t.declaredLinks.has(key) || t.discoveredLinks.has(key) || isMeshLinkKey(t, key)

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
  ],
  isRow: isLink,
  violation: (state, { key, after }) => after && badDiscovered(state, key, after),
  marks: () => 'links',
  writers: ({ draft, step }) => ({
    putDiscoveredLink(link) {
      const key = linkKey(link)
      const before = draft.discoveredLinks.get(key)
      if (isDeepStrictEqual(before, link)) return
      const other = draft.discoveredFrom.get(begin(link))
      if (other && other !== before) draft.deleteDiscoveredLink(linkKey(other))
      step({ kind: 'discovered', key, before, after: link })
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
      for (const key of [...draft.deadLinks])
        if (!isKnownLink(draft, key)) step({ kind: 'dead', key, before: true, after: undefined })
    },
  }),
}

export const dead: Collection<'dead', DeadWriters> = {
  table: 'deadLinks',
  shape: { is: 'set' },
  isRow: isTrue,
  marks: () => 'links',
  writers: ({ draft, step }) => ({
    setDead(key, dead) {
      if (draft.deadLinks.has(key) === dead || (dead && !isKnownLink(draft, key))) return
      step({ kind: 'dead', key, before: dead ? undefined : true, after: dead ? true : undefined })
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
