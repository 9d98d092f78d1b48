// Networks, ports and links as benches have them: network n on every switch, one port of it each.
import { attach, putDeclaredLink, putNetwork } from '../store/desired.ts'
import { isRefusal } from '../store/refusals.ts'
import type { Store } from '../store/store.ts'

export type Size = {
  readonly networks: number
  readonly switches: number
  /** Per network, on as many switches in turn. */
  readonly ports: number
}

export const dpidOf = (s: number): string => (s + 1).toString(16).padStart(16, '0')
export const networkId = (n: number): string => `bench.n${n}`
/** Port `1 + n` of a switch belongs to network n; links have numbers above all of them. */
export const portOf = (n: number): number => 1 + n
export const linkPort = (to: number): number => 60_000 + to

const hex = (n: number) => n.toString(16).padStart(2, '0')
/** Network n's port on switch s. */
export const macOf = (n: number, s: number): string => `02:00:${hex(n >>> 8)}:${hex(n & 255)}:00:${hex(s)}`

/** The switches that network n has a port on. */
export const switchesOf = (n: number, { switches, ports }: Size): readonly number[] =>
  Array.from({ length: ports }, (_, i) => (n + i) % switches)

/** Puts all of it into a store. */
export async function fill(store: Store, size: Size): Promise<void> {
  const all = Array.from({ length: size.networks }, (_, n) => n)
  await store.write(draft => {
    for (let a = 0; a < size.switches; a++)
      for (let b = 0; b < a; b++)
        must(
          putDeclaredLink(draft, {
            from: { dpid: dpidOf(a), port: linkPort(b) },
            to: { dpid: dpidOf(b), port: linkPort(a) },
          }),
        )
  })
  for (let from = 0; from < all.length; from += 100)
    await store.write(draft => {
      for (const n of all.slice(from, from + 100)) {
        must(putNetwork(draft, networkId(n)))
        for (const s of switchesOf(n, size))
          must(attach(draft, { network: networkId(n), dpid: dpidOf(s), port: portOf(n), mac: macOf(n, s) }))
      }
    })
}

export function must<T>(decision: T): T {
  if (isRefusal(decision)) throw new Error(JSON.stringify(decision))
  return decision
}
