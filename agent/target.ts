/**
 * Where a switch connects. Open vSwitch waits up to 8 s between two tries, and tries at once when a target is spelled in
 * another way: a zero before the port number is enough. The controllers are never none in between, which would flush all
 * flows, and a connection that stands is renewed without touching one. Pure.
 */

import type { Operation } from './ovsdb.ts'
import { type Row, uuidOf } from './schema.ts'

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
