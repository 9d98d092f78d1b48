/**
 * Where a switch connects. Open vSwitch waits up to 8 s between two tries, and tries at once when a target is spelled in
 * another way: a zero before the port number is enough. The controllers are never none in between, which would flush all
 * flows, and a connection that stands is renewed without touching one. Pure.
 */

import type { Operation } from '../ovsdb/ovsdb.ts'
import { type Row, uuidOf } from '../ovsdb/schema.ts'

export const spelledAlike = (a: string, b: string): boolean => plain(a) === plain(b)

const plain = (target: string): string => target.replace(/:0+(\d+)$/, ':$1')
const respelled = (target: string): string =>
  plain(target) === target ? target.replace(/:(\d+)$/, ':0$1') : plain(target)

/** Makes Open vSwitch connect to these controllers now. */
export const reconnection = (controllers: readonly Row<'Controller'>[]): Operation[] =>
  controllers.map(({ uuid, target }) => ({
    ...{ op: 'update', table: 'Controller', where: [['_uuid', '==', uuidOf(uuid)]] },
    row: { target: respelled(target) },
  }))

/** The host, as it stands (IPv6 without brackets), and the port, of `tcp:HOST:PORT` or `ssl:...`; undefined for others. */
export const placeOf = (target: string): { readonly host: string; readonly port: number } | undefined => {
  const [, host = '', port = ''] = /^(?:tcp|ssl):(\[[^\]]+\]|[^:]+):(\d+)$/.exec(target) ?? []
  return host === '' ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/**
 * Whether a connection to a place stands, by the text of /proc/net/tcp or tcp6 (proc(5)): addresses in hex, each word of
 * four bytes in the machine's order, which is little-endian wherever this runs; state 01 is established.
 */
export const established = (
  table: string,
  { host, port }: { readonly host: string; readonly port: number },
): boolean => {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const four = host.split('.').map(Number)
  const spelled = four.length === 4 ? four.toReversed().map(octet).join('') : undefined
  return table.split('\n').some(line => {
    const [, , remote = '', state] = line.trim().split(/\s+/)
    // An IPv6 address may be written in many ways: there the port is enough.
    return state === '01' && remote.endsWith(end) && (spelled === undefined || remote.slice(0, -5).endsWith(spelled))
  })
}

const octet = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')
