// Addresses that two ports of a network have lately spoken from, for whoever looks at the network.
import type { Endpoint } from '../../topology/topology.ts'

/** Milliseconds for which a conflict is shown after it was last seen. */
const shownMs = 600_000
/** Conflicts shown of one network. */
const most = 50

type Conflict = { readonly claimant: Endpoint }

/** @param addressOf What it is about. */
export function conflictLog<C extends Conflict>(now: () => number, addressOf: (conflict: C) => string) {
  type Noted = { readonly conflict: C; readonly at: number }
  const byNetwork = new Map<string, Map<string, Noted>>()
  return {
    /** Answers whether it is news. */
    note(network: string, conflict: C): boolean {
      const noted = byNetwork.get(network) ?? new Map<string, Noted>()
      byNetwork.set(network, noted)
      const { dpid, port } = conflict.claimant
      const key = `${addressOf(conflict)} ${dpid}/${port}`
      const before = noted.get(key)
      noted.delete(key)
      noted.set(key, { conflict, at: now() })
      for (const oldest of noted.keys()) if (noted.size > most) noted.delete(oldest)
      return before === undefined || now() - before.at > shownMs
    },
    /** The newest first. */
    of(network: string): readonly (C & { readonly secondsAgo: number })[] {
      const noted = byNetwork.get(network)
      for (const [key, { at }] of noted ?? []) if (now() - at > shownMs) noted!.delete(key)
      if (noted?.size === 0) byNetwork.delete(network)
      return [...(noted?.values() ?? [])]
        .reverse()
        .map(({ at, conflict }) => ({ ...conflict, secondsAgo: Math.round((now() - at) / 1000) }))
    },
  }
}
