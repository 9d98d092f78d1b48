// Everything that happens comes through here: it is counted, told to the log and kept, unless there is too much of its kind.
import type { Clock } from '../clock/clock.ts'
import type { Emit, Event, Severity } from '../view/event.ts'
import { limitOf, logFieldsOf, type Recorded, sentenceOf, severityOf } from '../view/recorded.ts'
import { newLimits } from './limits.ts'

/** Milliseconds between looks at what was left out. */
const leftOutMs = 10_000

export type Recorder = {
  readonly emit: Emit
  /** Says what was left out, and stops. */
  stop(): void
}

export type RecorderOptions = {
  /** The store's revision. */
  revision(): number
  /** What time it is. */
  readonly date: () => Date
  readonly clock: Pick<Clock, 'now' | 'every'>
  readonly log: { [level in Severity]: (fields: object, sentence: string) => void }
  /** Counts and measures each event, also those that are left out. */
  observe(event: Event): void
  readonly history: { nextId(): number; add(event: Recorded): void }
}

export function newRecorder({ revision, date, clock, log, observe, history }: RecorderOptions): Recorder {
  const limits = newLimits(clock.now)
  const record = (event: Event, severity: Severity) => {
    const recorded: Recorded = {
      ...event,
      ...{ id: history.nextId(), time: date().toISOString(), revision: revision() },
      ...{ severity, sentence: sentenceOf(event) },
    }
    history.add(recorded)
    log[severity](logFieldsOf(event), recorded.sentence)
  }
  /** It never throws: whoever has something to tell must not fail for it. */
  const emit: Emit = event => {
    try {
      observe(event)
      const severity = severityOf(event)
      if (event.kind === 'events-left-out' || limits.admit(event.kind, limitOf(event), severity))
        record(event, severity)
    } catch (error) {
      log.error({ err: error, kind: event.kind }, 'an event could not be recorded: a defect of l2sm')
    }
  }
  const look = () => {
    for (const leftOut of limits.leftOut()) emit({ kind: 'events-left-out', ...leftOut })
  }
  const stop = clock.every(leftOutMs, look)
  return {
    emit,
    stop() {
      stop()
      look()
    },
  }
}
