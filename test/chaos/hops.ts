// Where probes were seen on the underlay: speaks with hops.py.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A probe has left node `a` in the tunnel to `b`; or it has arrived there. */
export type Leg = readonly [a: number, b: number, arrived: boolean]

export type Hops = {
  /** Of each of these frames of a stream, where it was seen. */
  legs(stream: number, sequences: readonly number[]): Promise<readonly (readonly Leg[])[]>
  /** Forgets all. Answers how many frames were not read in time since the last time. */
  forget(): Promise<number>
  close(): Promise<void>
}

export async function openHops(netns: string, devices: readonly string[]): Promise<Hops> {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
  const child = spawn(python, ['-S', '-E', fileURLToPath(new URL('hops.py', import.meta.url))])
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const gone = new Promise<void>(resolve => child.on('close', () => resolve()))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr = (stderr + text).slice(-2000)))
  child.stdin.on('error', () => {}) // It ended: who waits hears of it below.
  void gone.then(() => {
    for (const { reject } of pending.values()) reject(new Error(`hops.py has ended ${stderr}`))
  })
  createInterface({ input: child.stdout }).on('line', line => {
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: unknown; error?: string }
    const asked = pending.get(id)
    pending.delete(id)
    if (error === undefined) asked?.resolve(ok)
    else asked?.reject(new Error(`hops: ${error}`))
  })
  let ids = 0
  const ask = <T>(what: string, parameters: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++ids
      pending.set(id, { resolve: value => resolve(value as T), reject })
      child.stdin.write(`${JSON.stringify({ id, do: what, ...parameters })}\n`)
    })
  await ask('open', { netns, devices })
  return {
    legs: (stream, sequences) => ask('legs', { stream, sequences }),
    forget: async () => (await ask<{ drops: number }>('forget', {})).drops,
    async close() {
      child.stdin.end()
      await gone
    },
  }
}
