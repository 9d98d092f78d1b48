// Events as they happen, as server-sent events (WHATWG HTML, section 9.2).
import type { ServerResponse } from 'node:http'
import type { EventQuery, History } from '../../controller/view/history.ts'

/** Milliseconds between comments that keep the connection open, and find out that nobody is there any more. */
const heartbeatMs = 15_000
/** Events that are handed over at once: at 16 KiB at most, what a client costs us beside the history. */
const pageSize = 16
/** Milliseconds that a client who is cut off may take to read why. */
const farewellMs = 5_000

type Options = {
  readonly history: History
  readonly query: EventQuery
  /** After which event to begin; undefined: with those that happen from now on. */
  readonly after: number | undefined
  /** Aborted when the program stops. */
  readonly stopping: AbortSignal
}

/**
 * Writes events to a client until either side ends it. Nothing is kept for a client: it reads the history at its own pace. One
 * that falls behind by more than the history has, or reads nothing between two heartbeats, is told so by a last event, `gap`, and cut off.
 * It may come back with the id of the last event that it got.
 */
export function streamEvents(response: ServerResponse, { history, query, after, stopping }: Options): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
    // Or a proxy (nginx) collects events before it hands them on.
    'x-accel-buffering': 'no',
  })
  response.write('retry: 1000\n\n')
  let cursor = after ?? history.read({ ...query, kinds: new Set() }, 0, 'newest').last
  let isStalled = false
  let isFirst = true

  const pump = () => {
    while (!response.writableNeedDrain && !response.writableEnded) {
      const page = history.read(
        { ...query, revision: isFirst ? query.revision : undefined, after: cursor },
        pageSize,
        'oldest',
      )
      if (page.isGap && !isFirst) return cutOff()
      if (page.isGap) response.write(gap(cursor))
      isFirst = false
      for (const { id, text } of page.events) response.write(`id: e${id}\ndata: ${text}\n\n`)
      cursor = page.last
      if (!page.isMore) return
    }
  }
  const cutOff = () => {
    end()
    response.end(gap(cursor))
    const late = setTimeout(() => response.destroy(), farewellMs)
    response.on('close', () => clearTimeout(late))
  }
  const beat = () => {
    if (!response.writableNeedDrain) response.write(':\n\n')
    else if (isStalled) return cutOff()
    isStalled = response.writableNeedDrain
  }
  const end = () => {
    clearInterval(timer)
    unfollow()
    stopping.removeEventListener('abort', stop)
  }
  const stop = () => {
    end()
    response.end()
  }
  const timer = setInterval(beat, heartbeatMs)
  const unfollow = history.follow(pump)
  stopping.addEventListener('abort', stop)
  response.on('drain', () => {
    isStalled = false
    pump()
  })
  response.on('close', end)
  response.on('error', end)
  if (stopping.aborted) stop()
  else pump()
}

/** Tells that events after this one are missing: whoever follows the state reads it anew. */
const gap = (after: number): string => {
  const sentence = `events after e${after} may be missing: read anew what you follow`
  return `event: gap\ndata: ${JSON.stringify({ since: `e${after}`, sentence })}\n\n`
}
