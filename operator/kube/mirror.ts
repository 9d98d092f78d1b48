import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, isRefused, type Query, Refused } from './api.ts'
import { type KubeObject, keyOf } from './objects.ts'

/**
 * A copy of a collection, kept by a list and a watch. It is whole from `synced` on, and only grows older, never
 * partial: while the API server is away it stays as it was, and when it is back, it is brought up to date.
 */
export type Mirror<T extends KubeObject> = {
  /** By NAMESPACE/NAME, or NAME. */
  get(key: string): T | undefined
  values(): Iterable<T>
  readonly size: number
  readonly isSynced: () => boolean
  /** Resolves when the first list is in. */
  readonly synced: Promise<void>
  /** Milliseconds since the API server was last heard. */
  readonly age: () => number
  /** Resolves when nothing of it runs any more. */
  close(): Promise<void>
}

export type MirrorOptions<T extends KubeObject> = {
  readonly api: Api
  readonly path: string
  readonly labelSelector?: string
  /** What is kept of an object; it is called with each. */
  readonly trim?: (object: T) => T
  /** An object came, changed or went (`now` undefined). */
  readonly changed?: (now: T | undefined, before: T | undefined) => void
  /** Told when it goes wrong, and when it works again (undefined). */
  readonly complain?: (why: string | undefined) => void
  /** Told of each list. */
  readonly listed?: () => void
  /** How long one watch lasts: the server ends it then, and a bookmark says how far it was. 30 unless given. */
  readonly watchSeconds?: number
}

/** Milliseconds without a byte, after which a watch is dead: the server should have ended it. */
const silenceOf = (watchSeconds: number) => (watchSeconds * 4000) / 3
/** Milliseconds between two tries, doubled each time. */
const backoff = { first: 100, most: 5_000 }
const pageSize = 500

type List<T> = {
  readonly items: readonly T[]
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
}
type WatchEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; readonly object: T }

export const mirror = <T extends KubeObject>(options: MirrorOptions<T>): Mirror<T> => {
  const { api, path, labelSelector, trim = object => object, changed, complain, listed, watchSeconds = 30 } = options
  const objects = new Map<string, T>()
  const stop = new AbortController()
  const first = Promise.withResolvers<void>()
  let isSynced = false
  let heard = performance.now()
  /** Where the next watch begins; undefined: only a list can tell. */
  let version: string | undefined

  const put = (object: T) => {
    const key = keyOf(object)
    const before = objects.get(key)
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion) return
    const now = trim(object)
    objects.set(key, now)
    changed?.(now, before)
  }
  const drop = (key: string) => {
    const before = objects.get(key)
    if (objects.delete(key)) changed?.(undefined, before)
  }

  const list = async () => {
    const found = new Map<string, T>()
    for (let next: string | undefined = ''; next !== undefined; ) {
      const query: Query = { limit: pageSize, continue: next || undefined, labelSelector }
      const page: List<T> | undefined = await api.get<List<T>>(path, query)
      if (!page) throw new Error(`${path} is not served: is its CustomResourceDefinition there?`)
      for (const object of page.items) found.set(keyOf(object), object)
      version = page.metadata.resourceVersion
      next = page.metadata.continue || undefined
    }
    for (const key of [...objects.keys()]) if (!found.has(key)) drop(key)
    for (const object of found.values()) put(object)
    heard = performance.now()
    listed?.()
    if (isSynced) return
    isSynced = true
    first.resolve()
  }

  const watch = async () => {
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds: watchSeconds,
      resourceVersion: version,
      labelSelector,
    }
    const line = (text: string) => {
      heard = performance.now()
      const { type, object } = JSON.parse(text) as WatchEvent<T>
      if (type === 'ERROR') {
        const { code = 500, reason = '', message = '' } = object as unknown as Partial<Refused>
        throw new Refused(code, reason, `watching ${path}: ${message}`)
      }
      if (type === 'DELETED') drop(keyOf(object))
      else if (type !== 'BOOKMARK') put(object)
      version = object.metadata.resourceVersion
    }
    await api.stream(path, query, line, silenceOf(watchSeconds), stop.signal)
    heard = performance.now()
  }

  const run = async () => {
    let delay = backoff.first
    while (!stop.signal.aborted) {
      try {
        if (version === undefined) await list()
        const began = performance.now()
        await watch()
        complain?.(undefined)
        delay = backoff.first
        // A server that ends each watch at once is not asked as fast as it answers.
        if (performance.now() - began > 1000) continue
      } catch (error) {
        if (stop.signal.aborted) return
        // 410: it has forgotten what came after that version. What else it says of a watch, a list puts right, too.
        if (error instanceof Refused) version = undefined
        if (!isRefused(error, 410)) complain?.((error as Error).message)
        else delay = backoff.first
      }
      await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal: stop.signal }).catch(() => {})
      delay = Math.min(delay * 2, backoff.most)
    }
  }
  const running = run()
  return {
    get: key => objects.get(key),
    values: () => objects.values(),
    get size() {
      return objects.size
    },
    isSynced: () => isSynced,
    synced: first.promise,
    age: () => performance.now() - heard,
    close: async () => {
      stop.abort()
      await running
    },
  }
}
