// What a write that is on disk has to tell: what a client asked for, object by object, and what probes found out about links.
import { isDeepStrictEqual } from 'node:util'
import type { Change, State } from '../store/change.ts'
import { isKnownLink } from '../store/collections/links.ts'
import { addressesOf, isDuplicate, otherWith } from '../store/duplicates.ts'
import type { Write } from '../store/store.ts'
import { linkOf } from '../topology/topology.ts'
import type { Event, EventOf, Subject } from './view/event.ts'

/** Objects of one write that are told one by one. */
const most = 50
/** What clients do not ask for: the controller keeps it beside what they do. */
const internal = ['revision', 'epoch', 'target', 'way', 'allocated']

type Put = Extract<Change, { readonly key: string }>

/** @param state After the write. */
export function* eventsOf({ by, changes }: Write, state: State): Iterable<Event> {
  const actor = by ?? 'controller'
  let count = 0
  for (const change of netOf(changes)) {
    if (change.kind === 'discovered' || change.kind === 'dead') {
      yield* linkEvents(change, changes, state)
      continue
    }
    if (change.kind === 'attachment') yield* duplicates(change, state)
    const written = writtenOf(change, actor)
    if (written && ++count <= most) yield written
  }
  if (count > most) yield { kind: 'write-rest', actor, count: count - most }
}

/** One change for each object, however often a write touched it. */
function netOf(changes: readonly Change[]): Iterable<Change> {
  const net = new Map<string, Change>()
  for (const change of changes) {
    const key = 'key' in change ? `${change.kind} ${change.key}` : change.kind
    const first = net.get(key)
    net.set(key, first ? ({ ...change, before: first.before } as Change) : change)
  }
  return net.values()
}

/** Whose keys and values are a client's; the rest (VLANs, access ports, what switches may hold) is the controller's own. */
const subjects: { readonly [Kind in Change['kind']]?: (change: never) => Subject } = {
  network: ({ key }: Put) => ({ network: key }),
  attachment({ before, after }: Extract<Put, { kind: 'attachment' }>) {
    const { network, dpid, port } = (after ?? before)!
    return { network, dpid, port }
  },
  declared: ({ key }: Put) => ({ link: linkOf(key) }),
  node({ key, before, after }: Extract<Put, { kind: 'node' }>) {
    return { node: key, dpid: (after ?? before)!.dpid }
  },
  nodelink: () => ({}),
  overlay: () => ({}),
  complete: () => ({}),
}

/** Undefined when a client has asked for nothing else than before. */
function writtenOf(change: Change, actor: string): EventOf<'write'> | undefined {
  const subject = subjects[change.kind]
  if (!subject) return undefined
  const [before, after] = [change.before, change.after].map(shown)
  if (isDeepStrictEqual(before, after)) return undefined
  const key = 'key' in change ? change.key : change.kind
  return {
    ...{ kind: 'write', actor, object: change.kind, key },
    ...subject(change as never),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  }
}

const shown = (value: unknown): object | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) return { value }
  return Object.fromEntries(Object.entries(value).filter(([name]) => !internal.includes(name)))
}

/** That the attachment has an IP address which another of its network has. */
function* duplicates(
  { before, after }: Extract<Put, { kind: 'attachment' }>,
  state: State,
): Iterable<EventOf<'ip-duplicate'>> {
  if (!after) return
  const { network, dpid, port } = after
  const had = new Set(before?.network === network ? addressesOf(before) : [])
  for (const ip of addressesOf(after)) {
    const other = !had.has(ip) && isDuplicate(state, network, ip) ? otherWith(state, after, ip) : undefined
    if (!other) continue
    const at = { dpid: other.dpid, port: other.port }
    yield { kind: 'ip-duplicate', network, dpid, port, ip, other: at, by: 'declared' }
  }
}

function* linkEvents(
  { kind, key, before, after }: Extract<Put, { kind: 'discovered' | 'dead' }>,
  changes: readonly Change[],
  state: State,
): Iterable<Event> {
  if ((before === undefined) === (after === undefined)) return
  const link = linkOf(key)
  if (kind === 'dead') {
    if (after !== undefined) yield { kind: 'link-down', link }
    // What is not known any more is not dead either; but it is not up.
    else if (isKnownLink(state, key)) yield { kind: 'link-up', link }
    return
  }
  const other = changes.find(
    change =>
      change.kind === 'discovered' &&
      (change.after === undefined) !== (after === undefined) &&
      isDeepStrictEqual(linkOf(change.key).from, link.from),
  )
  if (after === undefined) {
    // One that leads elsewhere has moved, and that is told.
    if (!other) yield { kind: 'link-forgotten', link }
  } else if (other && 'key' in other) yield { kind: 'link-moved', link, before: linkOf(other.key).to }
  else yield { kind: 'link-found', link }
}
