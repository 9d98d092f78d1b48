// What api/ may ask of the history of events.
import type { Severity } from './event.ts'

/** Which events. What is absent does not narrow. */
export type EventQuery = {
  /** Those after the one with this id. */
  readonly after?: number | undefined
  /** Those since the store reached this revision: the write that did included. */
  readonly revision?: number | undefined
  readonly kinds?: ReadonlySet<string> | undefined
  readonly network?: string | undefined
  readonly dpid?: string | undefined
  readonly node?: string | undefined
  /** This severity, or one that matters more. */
  readonly severity: Severity
}

/** An event as it is kept: its text, and what it is found by. */
export type Kept = {
  readonly id: number
  readonly revision: number
  readonly kind: string
  readonly severity: Severity
  readonly network?: string | undefined
  readonly dpids: readonly string[]
  readonly node?: string | undefined
  /** One JSON object, without line breaks. */
  readonly text: string
}

export type Page = {
  /** Oldest first. */
  readonly events: readonly Kept[]
  /** To be given as `after` to go on: the last of these events, or the newest of all when there is no more of these. */
  readonly last: number
  /** There are more, after these (`oldest`) or before (`newest`). */
  readonly isMore: boolean
  /** Some that were asked for may not be kept any more. */
  readonly isGap: boolean
}

export type History = {
  /** Resolves when the events of earlier runs can be read, too. */
  readonly loaded: Promise<void>
  /** At most so many: the oldest that the query asks for, or the newest. */
  read(query: EventQuery, most: number, which: 'oldest' | 'newest'): Page
  /** Calls back after events were added: once for all of one turn of the event loop. Answers how to stop. */
  follow(listener: () => void): () => void
}
