/**
 * An underlay must not take addresses that the machine uses, and labs run side by side. Subnets come from
 * 198.18.0.0/15, set aside for benchmarks of network devices (RFC 2544, appendix C.2.2).
 */

import { createServer } from 'node:net'
import { run } from './command.ts'

export type Subnet = {
  /** The first three octets of a /24: '198.18.7'. */
  readonly prefix: string
  release(): Promise<void>
}

const count = 512

/** Claims a free /24 until `release`, or the end of the process. Rejects when all are taken. */
export async function claimSubnet(): Promise<Subnet> {
  const used = await usedPrefixes()
  // Starting from the pid spreads labs of different processes.
  for (let step = 0; step < count; step++) {
    const index = (process.pid + step) % count
    const prefix = `198.${18 + (index >> 8)}.${index & 255}`
    if (used.has(prefix)) continue
    const release = await claim(prefix)
    if (release !== undefined) return { prefix, release }
  }
  throw new Error('no subnet of 198.18.0.0/15 is free: addresses, routes or other labs of this machine use them all')
}

/**
 * An abstract socket (unix(7)) is a lock with the right life: one holder per network namespace, no file, gone with
 * its process. The kernel's address table is not: two labs may look at it in the same instant.
 */
function claim(prefix: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise(resolve => {
    const lock = createServer()
    lock.once('error', () => resolve(undefined))
    lock.listen({ path: `\0l2sm-lab-${prefix}` }, () => {
      lock.unref()
      resolve(() => new Promise<void>(done => lock.close(() => done())))
    })
  })
}

async function usedPrefixes(): Promise<ReadonlySet<string>> {
  const routes: { dst: string }[] = JSON.parse(await run('ip', ['-json', '-4', 'route', 'show', 'table', 'all']))
  const taken = routes.map(({ dst }) => dst).filter(dst => /^198\.1[89]\./.test(dst))
  // Something wider than a /24 in here (a VPN, say) takes all of what it may cover.
  const wide = taken.some(dst => Number(dst.split('/')[1] ?? 32) < 24)
  return new Set(wide ? allPrefixes() : taken.map(dst => dst.split('.').slice(0, 3).join('.')))
}

const allPrefixes = (): string[] =>
  Array.from({ length: count }, (_, index) => `198.${18 + (index >> 8)}.${index & 255}`)
