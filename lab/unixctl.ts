/**
 * Asks a running Open vSwitch daemon what `ovs-appctl` would, without a process for each question: JSON-RPC 1.0
 * on the daemon's control socket. It makes thousands of `ofproto/trace` affordable.
 */

import { connect } from 'node:net'

/** Resolves with the daemon's text; rejects with its error, when it is not there, or after `timeout` milliseconds. */
export function unixctl(path: string, method: string, params: readonly string[], timeout = 10_000): Promise<string> {
  const question = `${method} ${params.join(' ')} at ${path}`
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let answer = ''
    const fail = (why: string) => {
      socket.destroy()
      reject(new Error(`${question}: ${why}`))
    }
    socket.setEncoding('utf8')
    socket.setTimeout(timeout, () => fail(`no answer in ${timeout} ms`))
    socket.on('connect', () => socket.write(JSON.stringify({ id: 0, method, params })))
    socket.on('data', text => {
      answer += text
      const reply = parseWhole(answer)
      if (reply === undefined) return
      socket.destroy()
      if (reply.error) reject(new Error(`${question}: ${reply.error.trim()}`))
      else resolve(reply.result ?? '')
    })
    socket.on('error', error => fail(error.message))
    socket.on('close', () => fail('the daemon hung up'))
  })
}

/** The stream has no framing: an answer is whole when it parses, which needs a try only at a closing brace. */
function parseWhole(text: string): { result?: string | null; error?: string | null } | undefined {
  if (!text.trimEnd().endsWith('}')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
