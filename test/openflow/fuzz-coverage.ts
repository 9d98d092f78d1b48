// Which parts of openflow/ have run so far, as V8 counts it: block by block, also in the functions that structs are compiled to.
import { type Profiler, Session } from 'node:inspector'

/** What has run since the last look. */
export type Look = {
  /** Whether any of it had never been remembered. */
  readonly news: boolean
  remember(): void
}

export type Coverage = {
  look(): Look
  /** Characters of source that are remembered. */
  size(): number
}

const codec = new URL('../../openflow/', import.meta.url).href

export function watchCoverage(): Coverage {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true })
  /** By function: one byte for each character of its source, 1 where it has run. */
  const known = new Map<string, Uint8Array>()

  function look(): Look {
    const news: [string, Uint8Array][] = []
    session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error
      // What structs are compiled to has no address.
      for (const { scriptId, url, functions } of result)
        if (url === '' || url.startsWith(codec))
          for (const { ranges } of functions) {
            const key = `${scriptId} ${ranges[0]!.startOffset} ${ranges[0]!.endOffset}`
            if (ranges[0]!.count === 0) continue
            const ran = painted(ranges)
            const before = known.get(key)
            if (before === undefined || ran.some((byte, i) => byte > before[i]!)) news.push([key, ran])
          }
    })
    return {
      news: news.length > 0,
      remember() {
        for (const [key, ran] of news) known.set(key, known.get(key)?.map((byte, i) => byte | ran[i]!) ?? ran)
      },
    }
  }

  return {
    look,
    size: () => [...known.values()].reduce((sum, ran) => sum + ran.reduce((n, byte) => n + byte, 0), 0),
  }
}

/** One byte for each character of a function. A range within another comes behind it, and knows better. */
function painted(ranges: readonly Profiler.CoverageRange[]): Uint8Array {
  const { startOffset: from, endOffset: to } = ranges[0]!
  const ran = new Uint8Array(to - from)
  for (const { startOffset, endOffset, count } of ranges)
    ran.fill(Math.min(count, 1), startOffset - from, endOffset - from)
  return ran
}
