/** Speaks with frames.py: requests and answers are lines of JSON, matched by a number. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { environment } from './command.ts'

export type Received = {
  readonly pod: string
  /** Milliseconds since 1970. */
  readonly time: number
  /** With the VLAN tags that were on the wire. */
  readonly frame: Buffer
}

/** Asks the process; the promise carries the number of the request. */
export type Ask = <T = unknown>(what: string, parameters: object) => Promise<T> & { readonly id: number }

type Reply = { id?: number; ok?: unknown; error?: string; pod?: string; frame?: string; time?: number; probe?: boolean }

export type Listener = (received: Received, isProbe: boolean) => void

/** Starts frames.py. */
export function startPython(): { ask: Ask; listeners: Set<Listener>; close: () => Promise<void> } {
  const child = spawnPython()
  const pending = new Map<number, { resolve: (value: any) => void; reject: (error: Error) => void }>()
  const listeners = new Set<Listener>()
  const ids = numbersFrom(1)
  let stderr = ''
  let ended: string | undefined
  child.stderr.setEncoding('utf8').on('data', text => (stderr = (stderr + text).slice(-2000)))
  child.stdin.on('error', () => {}) // It ended: 'close' says so to everyone who waits.
  createInterface({ input: child.stdout }).on('line', line => {
    const reply: Reply = JSON.parse(line)
    if (reply.frame !== undefined) {
      const received = { pod: reply.pod!, time: reply.time!, frame: Buffer.from(reply.frame, 'hex') }
      for (const listener of listeners) listener(received, reply.probe === true)
      return
    }
    const asked = pending.get(reply.id!)
    pending.delete(reply.id!)
    if (reply.error === undefined) asked?.resolve(reply.ok)
    else asked?.reject(new Error(`frames: ${reply.error}`))
  })
  const gone = new Promise<void>(resolve => {
    child.on('error', error => (stderr += error.message))
    child.on('close', () => {
      ended = `frames.py has ended ${stderr}`.trim()
      for (const { reject } of pending.values()) reject(new Error(ended))
      resolve()
    })
  })
  const ask = ((what: string, parameters: object) => {
    const id = ids.next().value!
    const answer = new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(new Error(ended))
      pending.set(id, { resolve, reject })
      child.stdin.write(`${JSON.stringify({ id, do: what, ...parameters })}\n`)
    })
    return Object.assign(answer, { id })
  }) as Ask
  const close = () => {
    child.stdin.end()
    return gone
  }
  return { ask, listeners, close }
}

/** The system's own interpreter first: one from a version manager may start through slow shell scripts. */
function spawnPython(): ChildProcessWithoutNullStreams {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
  return spawn(python, ['-S', '-E', fileURLToPath(new URL('frames.py', import.meta.url))], { env: environment() })
}

export function* numbersFrom(first: number): Generator<number, never> {
  for (let number = first; ; number++) yield number
}
