// One record of what happened, as a program opens it: the history, and what is told to it.
import { systemClock } from '../clock/clock.ts'
import type { Emit } from '../view/event.ts'
import type { History } from '../view/history.ts'
import { type HistoryOptions, openHistory } from './history.ts'
import { newRecorder, type RecorderOptions } from './recorder.ts'

export type Record = {
  readonly emit: Emit
  readonly history: History
  /** Writes what waits. What is told later is in the log only. */
  close(): Promise<void>
}

export type RecordOptions = Pick<RecorderOptions, 'revision' | 'log' | 'observe'> &
  Pick<HistoryOptions, 'path' | 'bounds'>

/** @param options `path`: the file of the history; absent: it is in memory only. */
export async function openRecord(options: RecordOptions): Promise<Record> {
  const failures: Error[] = []
  let failed: HistoryOptions['failed'] = error => void failures.push(error)
  const date = () => new Date()
  const history = await openHistory({ ...options, milliseconds: Date.now, failed: error => failed(error) })
  const { emit, stop } = newRecorder({ ...options, date, clock: systemClock, history })
  failed = error => emit({ kind: 'history-not-kept', error: error.message })
  for (const error of failures) failed(error)
  return {
    emit,
    history,
    async close() {
      stop()
      await history.close()
    },
  }
}
