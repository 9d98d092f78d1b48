// The newest events, in memory, found by what they are about. Pure.
import { severities } from '../view/event.ts'
import type { EventQuery, Kept, Page } from '../view/history.ts'

/** Bounds of what is kept: events, and characters of their texts. */
export type Bounds = { readonly events: number; readonly characters: number }

export type Ring = {
  put(event: Kept): void
  /** Events of earlier runs, oldest first: all before those that were put. */
  putBefore(events: readonly Kept[]): void
  read(query: EventQuery, most: number, which: 'oldest' | 'newest'): Page
  /** All, oldest first. */
  all(): readonly Kept[]
}

/**
 * The events of one kind, oldest first, from `head` on. Each kind has a queue of its own, so that room is made by the kind that
 * takes most of it, and a flood of one kind pushes out nothing but itself.
 */
type Queue = {
  events: Kept[]
  head: number
  characters: number
  /** By level of severity: the newest that was dropped. */
  readonly dropped: (Kept | undefined)[]
}

/** @param newest The id before the first that will be put. */
export function newRing(bounds: Bounds, newest = 0): Ring {
  const queues = new Map<string, Queue>()
  let count = 0
  let characters = 0

  const queueOf = (kind: string): Queue => {
    const found = queues.get(kind) ?? { events: [], head: 0, characters: 0, dropped: [] }
    queues.set(kind, found)
    return found
  }
  const took = (queue: Queue, { text }: Kept) => {
    queue.characters += text.length
    characters += text.length
    count += 1
  }
  const drop = () => {
    const largest = [...queues.values()].reduce((a, b) => (b.characters > a.characters ? b : a))
    const event = largest.events[largest.head++]!
    largest.characters -= event.text.length
    characters -= event.text.length
    count -= 1
    // Its text is not needed any more, only which it was.
    largest.dropped[levelOf(event)] = { ...event, text: '' }
    if (largest.head < 1000 || largest.head * 2 < largest.events.length) return
    largest.events = largest.events.slice(largest.head)
    largest.head = 0
  }
  const makeRoom = () => {
    while (count > 1 && (count > bounds.events || characters > bounds.characters)) drop()
  }
  const chosen = ({ kinds }: EventQuery): Queue[] =>
    kinds ? [...kinds].flatMap(kind => queues.get(kind) ?? []) : [...queues.values()]

  return {
    put(event) {
      const queue = queueOf(event.kind)
      queue.events.push(event)
      took(queue, event)
      newest = event.id
      makeRoom()
    },
    putBefore(events) {
      for (const [kind, own] of Map.groupBy(events, event => event.kind)) {
        const queue = queueOf(kind)
        queue.events = [...own, ...queue.events.slice(queue.head)]
        queue.head = 0
        for (const event of own) took(queue, event)
      }
      makeRoom()
    },
    read(query, most, which) {
      const asked = chosen(query)
      const ranges = asked.map(queue => rangeOf(queue, query.after))
      const events: Kept[] = []
      let isMore = false
      for (const event of which === 'oldest' ? forwards(ranges) : backwards(ranges)) {
        if (!matches(event, query)) continue
        isMore = events.length === most
        if (isMore) break
        events.push(event)
      }
      if (which === 'newest') events.reverse()
      const last = isMore && which === 'oldest' ? (events.at(-1)?.id ?? query.after ?? 0) : newest
      // An id that was never given out is of a history that is not here any more.
      const isGap = (query.after ?? 0) > newest || asked.some(queue => hasLost(queue, query))
      return { events, last, isMore, isGap }
    },
    all: () => [...forwards([...queues.values()].map(queue => rangeOf(queue)))],
  }
}

const levelOf = ({ severity }: Pick<EventQuery, 'severity'>): number => severities.indexOf(severity)

const isSince = (event: Kept, { after, revision }: EventQuery): boolean =>
  (after === undefined || event.id > after) && (revision === undefined || event.revision >= revision)

const matches = (event: Kept, query: EventQuery): boolean => {
  const { network, dpid, node } = query
  return (
    levelOf(event) >= levelOf(query) &&
    isSince(event, query) &&
    (network === undefined || event.network === network) &&
    (dpid === undefined || event.dpids.includes(dpid)) &&
    (node === undefined || event.node === node)
  )
}

/** Whether some that are asked for may be gone. Nobody misses any who did not say since when. */
const hasLost = ({ dropped }: Queue, query: EventQuery): boolean =>
  (query.after !== undefined || query.revision !== undefined) &&
  dropped.some(event => event && isSince(event, query) && levelOf(event) >= levelOf(query))

type Range = { readonly events: readonly Kept[]; readonly from: number }

/** Those of a queue after an id. Not by revision: that goes back when a copy of the store from before is put in its place. */
function rangeOf({ events, head }: Queue, after = 0): Range {
  let low = head
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (events[middle]!.id > after) high = middle
    else low = middle + 1
  }
  return { events, from: low }
}

function* forwards(ranges: readonly Range[]): Iterable<Kept> {
  const at = ranges.map(({ from }) => from)
  for (;;) {
    let next: number | undefined
    for (const [i, { events }] of ranges.entries()) {
      const event = events[at[i]!]
      if (event && (next === undefined || event.id < ranges[next]!.events[at[next]!]!.id)) next = i
    }
    if (next === undefined) return
    yield ranges[next]!.events[at[next]!++]!
  }
}

function* backwards(ranges: readonly Range[]): Iterable<Kept> {
  const at = ranges.map(({ events }) => events.length - 1)
  for (;;) {
    let next: number | undefined
    for (const [i, { events, from }] of ranges.entries()) {
      if (at[i]! < from) continue
      if (next === undefined || events[at[i]!]!.id > ranges[next]!.events[at[next]!]!.id) next = i
    }
    if (next === undefined) return
    yield ranges[next]!.events[at[next]!--]!
  }
}
