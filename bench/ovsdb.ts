// Transactions with an ovsdb-server: ovs-vsctl takes minutes to add the thousands of ports that some benches want.
import { connect } from 'node:net'

type Rows = readonly Readonly<Record<string, unknown>>[]
type Result = { readonly rows?: Rows; readonly error?: string; readonly details?: string }

/** RFC 7047 §4.1.3. Resolves with the result of each operation; rejects if one of them failed. */
export function transact(socket: string, database: string, operations: readonly object[]): Promise<readonly Result[]> {
  return new Promise((resolve, reject) => {
    const peer = connect(socket)
    let text = ''
    peer.setEncoding('utf8').on('error', reject)
    peer.on('data', piece => {
      text += piece
      const reply = parsed(text)
      if (!reply) return
      peer.destroy()
      const failed = reply.result?.find(r => r?.error)
      if (failed || reply.error)
        reject(new Error(`${socket}: ${failed?.error ?? JSON.stringify(reply.error)}: ${failed?.details ?? ''}`))
      else resolve(reply.result ?? [])
    })
    peer.write(JSON.stringify({ id: 1, method: 'transact', params: [database, ...operations] }))
  })
}

function parsed(text: string): { result?: readonly Result[]; error?: unknown } | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Not all of it is here yet.
  }
}

export const named = (name: string) => ['named-uuid', name]
export const setOf = (values: readonly unknown[]) => ['set', values]
export const mapOf = (values: Readonly<Record<string, string>>) => ['map', Object.entries(values)]
