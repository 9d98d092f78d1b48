// The history: a ring in memory, which a file follows. What is read comes from memory.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Severity } from '../view/event.ts'
import type { History, Kept } from '../view/history.ts'
import { dpidsOf, type Recorded } from '../view/recorded.ts'
import { type EventFile, openEventFile } from './file.ts'
import { type Bounds, newRing } from './ring.ts'

export const defaultBounds: Bounds = { events: 10_000, characters: 8 << 20 }
/** Characters of one event; one that is longer loses what it was before and after. */
const longest = 16_384
/** Milliseconds of work after which reading what earlier runs left lets others run. */
const sliceMs = 5

export type KeptHistory = History & {
  /** The next event's id. */
  nextId(): number
  add(event: Recorded): void
  close(): Promise<void>
}

export type HistoryOptions = {
  /** Where it is kept; absent: in memory only. */
  readonly path?: string | undefined
  readonly bounds?: Bounds
  /**
   * Milliseconds since 1970. Ids begin there at each start, and above those on disk: so they go on over restarts, also
   * where a crash took the last of them, for there are never a thousand events a second for long.
   */
  readonly milliseconds: () => number
  /** It can't be written to disk; told once, until that works again. */
  failed(error: Error): void
}

/** Opens the history. One whose file can't be opened is in memory only, and says so by `failed`. */
export async function openHistory(options: HistoryOptions): Promise<KeptHistory> {
  const { path, bounds = defaultBounds, milliseconds, failed } = options
  const listeners = new Set<() => void>()
  let isLoaded = false
  let isTold = true
  const snapshot = () => (isLoaded ? ring.all().map(({ text }) => text) : undefined)
  const file =
    path === undefined
      ? undefined
      : await openEventFile({ path, mostBytes: 2 * bounds.characters, snapshot, failed }).catch(failed)
  let id = Math.max(milliseconds(), (keptOf(file?.newest ?? '')?.id ?? 0) + 1)
  const ring = newRing(bounds, id - 1)

  const tell = () => {
    isTold = true
    for (const listener of listeners) listener()
  }
  return {
    loaded: load(file ?? undefined, ring.putBefore)
      .catch(failed)
      .then(() => void (isLoaded = true)),
    read: ring.read,
    follow(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    nextId: () => id++,
    add(event) {
      const kept = keptAs(event)
      ring.put(kept)
      file?.append(kept.text)
      if (!isTold || listeners.size === 0) return
      isTold = false
      setImmediate(tell)
    },
    close: async () => file?.close(),
  }
}

async function load(file: EventFile | undefined, put: (events: readonly Kept[]) => void): Promise<void> {
  if (!file) return
  const events: Kept[] = []
  let until = performance.now() + sliceMs
  for await (const line of file.lines()) {
    const event = keptOf(line)
    if (event && event.id > (events.at(-1)?.id ?? 0)) events.push(event)
    if (performance.now() < until) continue
    await nextTurn()
    until = performance.now() + sliceMs
  }
  put(events)
}

type Text = Omit<Recorded, 'id'> & { readonly id: string; readonly network?: string; readonly node?: string }

const keptAs = (event: Recorded): Kept => {
  // The order of the text is that of a reader: which, when, how bad, what.
  const { id, time, revision, severity, kind, sentence } = event
  const shown = { ...{ id: `e${id}`, time, revision, severity, kind, sentence }, ...event, id: `e${id}` } as Text
  const text = JSON.stringify(shown)
  return indexed(shown, text.length <= longest ? text : JSON.stringify(shortened(shown)))
}

const shortened = (event: Text) => ({
  ...event,
  ...{ before: undefined, after: undefined, items: undefined, missing: undefined, isCut: true },
  sentence: event.sentence.slice(0, 1000),
})

const indexed = (event: Text, text: string): Kept => {
  const { id, revision, kind, severity, network, node } = event
  return { id: Number(id.slice(1)), revision, kind, severity, network, node, dpids: dpidsOf(event as object), text }
}

/** The event of a line; undefined when it is none. */
const keptOf = (line: string): Kept | undefined => {
  try {
    const event = JSON.parse(line) as Text & { severity: Severity }
    return /^e\d+$/.test(event.id) && typeof event.kind === 'string' ? indexed(event, line) : undefined
  } catch {
    return undefined
  }
}
