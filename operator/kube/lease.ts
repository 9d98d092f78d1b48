/**
 * Which of several replicas acts: the one that holds a Lease. Times of others are never compared with our clock: a Lease
 * is old when we have not seen it change for so long.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, isRefused } from './api.ts'
import { collection, type KubeObject, place } from './objects.ts'

/** Milliseconds. Who could not renew for `renew` stops acting; others may act after `duration`. */
const times = { duration: 15_000, renew: 10_000, retry: 2_000 } as const

export type LeaseOptions = {
  readonly api: Api
  readonly namespace: string
  readonly name: string
  /** Of this replica, unique. */
  readonly identity: string
  /** Acts until the signal is aborted; then it must end soon. */
  readonly act: (signal: AbortSignal) => Promise<void>
  readonly complain: (why: string) => void
}

type Lease = KubeObject & {
  readonly spec: { readonly holderIdentity?: string; readonly renewTime?: string; readonly leaseTransitions?: number }
}

/** Until `stop`: then the Lease is given back, so that another replica acts at once. */
export const lead = async (options: LeaseOptions, stop: AbortSignal): Promise<void> => {
  const { act, complain } = options
  const holding = holder(options)
  let acting: { readonly end: AbortController; readonly ended: Promise<void> } | undefined
  let renewed = Number.NEGATIVE_INFINITY
  const end = async () => {
    acting?.end.abort()
    await acting?.ended
    acting = undefined
  }
  while (!stop.aborted) {
    // When it was asked, not when it was answered.
    const asked = performance.now()
    const held = await holding
      .take()
      .catch((error: Error) => complain(`the Lease can not be renewed: ${error.message}`))
    if (held === true) renewed = asked
    if (held === false || performance.now() - renewed > times.renew) await end()
    else if (held && !acting) {
      const controller = new AbortController()
      const ended = act(controller.signal).catch((error: Error) => complain(error.message))
      acting = { end: controller, ended }
    }
    await sleep(times.retry * (0.8 + Math.random() * 0.4), undefined, { signal: stop }).catch(() => {})
  }
  const was = acting !== undefined
  await end()
  if (was) await holding.release().catch(() => {})
}

const holder = ({ api, namespace, name, identity }: LeaseOptions) => {
  let seen = ''
  let since = performance.now()
  let mine: Lease | undefined
  const path = place('leases', { namespace, name })
  const written = (holderIdentity: string, leaseTransitions: number) => ({
    holderIdentity,
    leaseTransitions,
    leaseDurationSeconds: times.duration / 1000,
    // MicroTime has six digits of a second.
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  })
  const write = async (lease: Lease, transitions: number) => {
    mine = await api.replace<Lease>(path, { ...lease, spec: { ...lease.spec, ...written(identity, transitions) } })
    return true
  }
  return {
    /** Whether it is ours now. */
    take: async (): Promise<boolean> => {
      try {
        const lease = await api.get<Lease>(path)
        if (!lease) {
          const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } }
          mine = await api.create<Lease>(collection('leases', namespace), { ...head, spec: written(identity, 0) })
          return true
        }
        const { holderIdentity = '', leaseTransitions = 0, renewTime } = lease.spec
        if (holderIdentity === identity) return await write(lease, leaseTransitions)
        const now = `${holderIdentity} ${renewTime} ${lease.metadata.resourceVersion}`
        if (now !== seen) since = performance.now()
        seen = now
        if (holderIdentity !== '' && performance.now() - since < times.duration) return false
        return await write(lease, leaseTransitions + 1)
      } catch (error) {
        if (isRefused(error, 409)) return false
        throw error
      }
    },
    release: async () => {
      if (!mine) return
      await api.replace(path, { ...mine, spec: { ...mine.spec, holderIdentity: '' } })
    },
  }
}
