/** Certificates in use by this replica: made at the start, looked at again and again. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '../kube/api.ts'
import { type Certificates, ensureCertificates } from './authority.ts'

export type Kept = {
  current(): Certificates
  /** Called when they are others than before. */
  onChange(listener: (now: Certificates) => void): void
  close(): void
}

/** Milliseconds between two looks. */
const pace = 60_000

/** Rejects when the API server does not let us have them. */
export const keepCertificates = async (api: Api, namespace: string, complain: (why: string) => void): Promise<Kept> => {
  const stop = new AbortController()
  const listeners: ((now: Certificates) => void)[] = []
  let current = await ensureCertificates(api, namespace, new Date())
  const look = async () => {
    const now = await ensureCertificates(api, namespace, new Date())
    if (JSON.stringify(now) === JSON.stringify(current)) return
    current = now
    for (const listener of listeners) listener(now)
  }
  const loop = async () => {
    for (;;) {
      await sleep(pace, undefined, { signal: stop.signal, ref: false })
      await look().catch((error: Error) => complain(`certificates: ${error.message}`))
    }
  }
  loop().catch(() => {})
  return {
    current: () => current,
    onChange: listener => void listeners.push(listener),
    close: () => stop.abort(),
  }
}
