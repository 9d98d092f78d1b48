import { createHash } from 'node:crypto'
import { type Api, isRefused } from './api.ts'
import { collection, type KubeObject, place } from './objects.ts'

export type EventType = 'Normal' | 'Warning'
export type Recorder = {
  /** Tells on an object what happened to it; the same again only counts. It never fails: an event is told once, or not. */
  tell(about: KubeObject, kind: string, type: EventType, reason: string, message: string): void
  /** Resolves when all that was told is on its way or lost. */
  flush(): Promise<void>
}

/** Milliseconds in which the same event about the same object is not told again. */
const pause = 5_000
const most = 10_000

export const recorder = (api: Api, component: string, now: () => number): Recorder => {
  /** When each was told last, oldest first. */
  const told = new Map<string, number>()
  const open = new Set<Promise<void>>()
  return {
    tell: (about, kind, type, reason, message) => {
      const { namespace = 'default', name, uid } = about.metadata
      const digest = createHash('sha256').update(`${uid}\n${type}\n${reason}\n${message}`).digest('hex').slice(0, 16)
      const key = `${name.slice(0, 230)}.${digest}`
      if (now() - (told.get(key) ?? Number.NEGATIVE_INFINITY) < pause) return
      told.delete(key)
      told.set(key, now())
      for (const old of told.keys()) {
        if (told.size <= most) break
        told.delete(old)
      }
      const apiVersion = kind === 'Pod' || kind === 'Node' ? 'v1' : 'l2sm.l2sm.k8s.local/v1'
      const body = {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: key, namespace } },
        involvedObject: { apiVersion, kind, namespace, name, uid },
        ...{ type, reason, message: message.slice(0, 1024), source: { component } },
      }
      const sent = send(api, namespace, key, body).catch(() => {})
      open.add(sent)
      void sent.finally(() => open.delete(sent))
    },
    flush: async () => void (await Promise.all(open)),
  }
}

const send = async (api: Api, namespace: string, name: string, body: object): Promise<void> => {
  const time = new Date().toISOString().replace(/\.\d+Z/, 'Z')
  try {
    await api.create(collection('events', namespace), { ...body, firstTimestamp: time, lastTimestamp: time, count: 1 })
  } catch (error) {
    if (!isRefused(error, 409)) throw error
    const known = await api.get<{ count?: number }>(place('events', { namespace, name }))
    const count = (known?.count ?? 1) + 1
    await api.patch(place('events', { namespace, name }), 'merge', { lastTimestamp: time, count })
  }
}
