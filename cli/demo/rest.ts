/** The controller's REST interface, used as any client would. */

import { setTimeout as sleep } from 'node:timers/promises'

export type Rest = {
  readonly base: string
  /** Rejects when there is no answer in 15 s, or one that is not 2xx: with what it says. */
  get<T>(path: string): Promise<T>
  put<T>(path: string, body: object): Promise<T>
}

/** @param token What lets us in. */
export function restAt(base: string, token: string): Rest {
  const authorization = `Bearer ${token}`
  const ask = async <T>(method: 'GET' | 'PUT', path: string, body?: object): Promise<T> => {
    const answer = await fetch(`${base}${path}`, {
      method,
      signal: AbortSignal.timeout(15_000),
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (answer.ok) return JSON.parse(text)
    throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 300)}`)
  }
  return { base, get: path => ask('GET', path), put: (path, body) => ask('PUT', path, body) }
}

/** Asks again, every 100 ms, until nothing is missing: `lack` says what is. Rejects, with that, when the time is over. */
export async function until(what: string, seconds: number, lack: () => Promise<string | undefined>): Promise<void> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const missing = await lack().catch((error: Error) => error.message)
    if (missing === undefined) return
    if (performance.now() > end) throw new Error(`${what}: not after ${seconds} s: ${missing}`)
    await sleep(100)
  }
}

/** The same call for a shell, with `$put` for what all begin with, and `$url` for what all paths start with. */
export const curl = (path: string, body: string): string => `$put --json '${body}' $url${path}`
