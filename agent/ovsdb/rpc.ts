/** One connection of JSON-RPC 1.0 over a Unix socket, in both directions, as OVSDB uses it (RFC 7047 §4). */

import { connect } from 'node:net'
import { jsonStream } from './json-stream.ts'

export type Rpc = {
  /** Resolves with the result; rejects with RpcError: refused, too late, or the connection ended. */
  call(method: string, params: readonly unknown[], timeout?: number): Promise<unknown>
  close(): void
}

export type RpcHooks = {
  connected(rpc: Rpc): void
  /** A notification of the peer. */
  notified(method: string, params: readonly unknown[]): void
  /** Once; nothing is called after it. */
  ended(why: string): void
}

export class RpcError extends Error {
  override name = 'RpcError'
}

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (why: string) => void }
type Message = { id?: unknown; method?: unknown; params?: unknown; result?: unknown; error?: unknown }

/** Most characters of one message. The first answer of a database with some 100,000 rows is shorter. */
const longest = 64 << 20
/** Milliseconds to wait for an answer. */
const patience = 10_000
/** Milliseconds between two echo requests. A peer that is silent for three of them is dead. */
const probe = 10_000

/** Opens a connection; `hooks.ended` is also called when that fails. */
export function openRpc(path: string, hooks: RpcHooks): void {
  const socket = connect(path)
  const stream = jsonStream(longest)
  const waiting = new Map<number, Waiting>()
  let next = 0
  let over = false
  let silent = 0
  const end = (why: string) => {
    if (over) return
    over = true
    clearInterval(probing)
    socket.destroy()
    for (const { reject } of waiting.values()) reject(why)
    hooks.ended(why)
  }
  const send = (message: object) => void socket.write(JSON.stringify(message))
  const rpc: Rpc = {
    call: (method, params, timeout = patience) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new RpcError(`${method} at ${path}: ${why}`))
        if (over) return fail('the connection has ended')
        const id = next++
        const late = setTimeout(() => {
          waiting.delete(id)
          fail(`no answer in ${timeout} ms`)
        }, timeout)
        const settled = () => {
          clearTimeout(late)
          waiting.delete(id)
        }
        waiting.set(id, {
          resolve: result => {
            settled()
            resolve(result)
          },
          reject: why => {
            settled()
            fail(why)
          },
        })
        send({ id, method, params })
      }),
    close: () => end('closed'),
  }
  const take = (message: Message) => {
    if (typeof message.method === 'string') {
      const params = Array.isArray(message.params) ? message.params : []
      // RFC 7047 §4.1.11: either side may ask whether the other is there.
      if (message.method === 'echo') send({ id: message.id ?? null, result: params, error: null })
      else hooks.notified(message.method, params)
      return
    }
    const asked = waiting.get(message.id as number)
    if (message.error === null || message.error === undefined) asked?.resolve(message.result)
    else asked?.reject(`refused: ${JSON.stringify(message.error)}`)
  }
  const probing = setInterval(() => {
    if (silent++ >= 3) return end(`silent for ${(3 * probe) / 1000} s`)
    rpc.call('echo', []).catch(() => {})
  }, probe)
  socket.setEncoding('utf8')
  socket.on('connect', () => hooks.connected(rpc))
  socket.on('data', (piece: string) => {
    silent = 0
    try {
      for (const message of stream.push(piece)) if (!over) take(message as Message)
    } catch (error) {
      end((error as Error).message)
    }
  })
  socket.on('error', error => end(error.message))
  socket.on('close', () => end('the other side hung up'))
}
