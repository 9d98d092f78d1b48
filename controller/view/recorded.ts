// What derives from an event: how much it matters, its sentence, what its limit goes by, and how it is kept.
import { type Event, type Kind, kinds, over, type Row, type Severity, type Subject } from './event.ts'

/** An event as it is kept: which one, when, at which revision of the store. */
export type Recorded = Event & {
  /** Counts up, also over restarts, and not without gaps. The API writes `e` before it. */
  readonly id: number
  /** ISO 8601, UTC. */
  readonly time: string
  readonly revision: number
  readonly severity: Severity
  readonly sentence: string
}

export const isKind = (text: string): text is Kind => Object.hasOwn(kinds, text)

const rowOf = (event: Event) => kinds[event.kind] as Row<Event>

export const severityOf = (event: Event): Severity => {
  const { severity } = rowOf(event)
  return typeof severity === 'function' ? severity(event) : severity
}

export const sentenceOf = (event: Event): string => rowOf(event).sentence(event)

/** What its limit goes by. */
export const limitOf = (event: Event): string => rowOf(event).limitedBy?.(event) ?? about(event as Subject)

const about = ({ network, dpid, port, node, link }: Subject): string =>
  [network, dpid, port, node, link && over(link)].filter(part => part !== undefined).join(' ')

/** The switches that an event is about. */
export const dpidsOf = ({ dpid, link, other }: Subject): readonly string[] =>
  [dpid, link?.from.dpid, link?.to.dpid, other?.dpid].filter(each => each !== undefined)

/** An error that nobody should ever see, with where in the code it came from. */
export const defectOf = (where: string, error: unknown): Event => ({
  ...{ kind: 'defect', where },
  error: error instanceof Error ? (error.stack ?? error.message) : String(error),
})

/** What the log line carries beside the sentence: everything but what is long. */
export const logFieldsOf = (event: Event): object => {
  type Long = { readonly before?: unknown; readonly after?: unknown; readonly items?: unknown }
  const { before: _, after: __, items: ___, ...fields } = event as Event & Long
  return fields
}
