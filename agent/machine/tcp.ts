/**
 * Whether TCP of this node works. A ping does not tell: where a virtual device leaves checksums to hardware that does not
 * exist, Open vSwitch in userspace passes packets on with wrong ones. Pings are answered all the same, and TCP is dead.
 */

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

export type TcpPlace = { readonly host: string; readonly port: number }

/** Whether somebody answers within so many milliseconds, be it with a refusal: that came by TCP, too. */
export const answersTcp = ({ host, port }: TcpPlace, timeout = 1_000): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect({ host, port, timeout })
    const answer = (yes: boolean) => {
      socket.destroy()
      resolve(yes)
    }
    socket.on('connect', () => answer(true)).on('timeout', () => answer(false))
    socket.on('error', (error: NodeJS.ErrnoException) => answer(error.code === 'ECONNREFUSED'))
  })

/** Which of these answer. */
export async function answeringTcp(places: readonly TcpPlace[]): Promise<readonly TcpPlace[]> {
  const answers = await Promise.all(places.map(place => answersTcp(place)))
  return places.filter((_, i) => answers[i])
}

/** Segments that this node's kernel dropped for a wrong checksum, since boot (/proc/net/snmp). */
export function wrongChecksums(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('Tcp:'))
    .map(line => line.split(' '))
  return Number(values?.[names?.indexOf('InCsumErrors') ?? -1] ?? 0)
}
