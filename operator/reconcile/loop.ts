import type { Logger } from 'pino'
import type { Record } from '../world/metrics.ts'

/**
 * Looks at things by their keys, one look at a time for each key, until all is as it should be. An event only says "look again";
 * what to do is found out by looking. A look that fails is repeated, later each time.
 */
export type Loop = {
  /** In `delay` milliseconds at most. */
  look(key: string, delay?: number): void
  /** Resolves when no look goes on any more. */
  close(): Promise<void>
}

export type LoopOptions = {
  readonly kind: string
  /** Answers after how many milliseconds it wants to look again, if at all. */
  readonly reconcile: (key: string) => Promise<number | undefined>
  readonly record: Record
  readonly log: Logger
  /** Looks that go on at once, at most. */
  readonly width?: number
}

/** Milliseconds between looks that fail, doubled each time. */
const backoff = { first: 200, most: 30_000 }

type Entry = { due: number; running: boolean; again: boolean; failures: number; timer?: NodeJS.Timeout }

export const startLoop = ({ kind, reconcile, record, log, width = 16 }: LoopOptions): Loop => {
  const entries = new Map<string, Entry>()
  const ready: string[] = []
  let running = 0
  let isClosed = false
  let idle = Promise.withResolvers<void>()

  const schedule = (key: string, entry: Entry, delay: number) => {
    const due = performance.now() + delay
    if (entry.timer && entry.due <= due) return
    clearTimeout(entry.timer)
    entry.due = due
    entry.timer = setTimeout(() => {
      delete entry.timer
      ready.push(key)
      next()
    }, delay)
  }
  const next = () => {
    while (!isClosed && running < width && ready.length > 0) void run(ready.shift()!)
  }
  const run = async (key: string) => {
    const entry = entries.get(key)!
    if (entry.running) {
      entry.again = true
      return
    }
    entry.running = true
    running++
    let delay: number | undefined
    try {
      delay = await reconcile(key)
      entry.failures = 0
      record.reconciles.inc({ kind, outcome: 'done' })
    } catch (error) {
      record.reconciles.inc({ kind, outcome: 'failed' })
      delay = Math.min(backoff.first * 2 ** entry.failures, backoff.most) * (0.75 + Math.random() / 2)
      // The same trouble is told at its start, and then ever more rarely.
      if (Number.isInteger(Math.log2(entry.failures + 1)))
        log.warn({ key, tries: entry.failures + 1, why: (error as Error).message }, `${kind}: it will be tried again`)
      entry.failures = Math.min(entry.failures + 1, 30)
    }
    entry.running = false
    running--
    if (isClosed) {
      if (running === 0) idle.resolve()
      return
    }
    if (entry.again) delay = 0
    entry.again = false
    if (delay !== undefined) schedule(key, entry, delay)
    else if (!entry.timer && !ready.includes(key)) entries.delete(key)
    next()
  }
  return {
    look: (key, delay = 0) => {
      if (isClosed) return
      const entry = entries.get(key) ?? { due: 0, running: false, again: false, failures: 0 }
      entries.set(key, entry)
      if (entry.running && delay === 0) entry.again = true
      else schedule(key, entry, delay)
    },
    close: async () => {
      isClosed = true
      for (const { timer } of entries.values()) clearTimeout(timer)
      idle = running > 0 ? idle : Promise.withResolvers<void>()
      if (running > 0) await idle.promise
    },
  }
}
