// Addresses that two ports of a network have lately spoken from, for whoever looks at the network.
import type { AddressConflict } from '../view/view.ts'

/** Milliseconds for which a conflict is shown after it was last seen. */
const shownMs = 600_000
/** Conflicts shown of one network. */
const most = 50

type Noted = Omit<AddressConflict, 'secondsAgo'> & { readonly at: number }

export function conflictLog(now: () => number) {
  const byNetwork = new Map<string, Map<string, Noted>>()
  return {
    note(network: string, conflict: Omit<AddressConflict, 'secondsAgo'>) {
      const noted = byNetwork.get(network) ?? new Map<string, Noted>()
      byNetwork.set(network, noted)
      const { mac, claimant } = conflict
      const key = `${mac} ${claimant.dpid}/${claimant.port}`
      noted.delete(key)
      noted.set(key, { ...conflict, at: now() })
      for (const oldest of noted.keys()) if (noted.size > most) noted.delete(oldest)
    },
    /** The newest first. */
    of(network: string): readonly AddressConflict[] {
      const noted = byNetwork.get(network)
      for (const [key, { at }] of noted ?? []) if (now() - at > shownMs) noted!.delete(key)
      if (noted?.size === 0) byNetwork.delete(network)
      return [...(noted?.values() ?? [])]
        .reverse()
        .map(({ at, ...conflict }) => ({ ...conflict, secondsAgo: Math.round((now() - at) / 1000) }))
    },
  }
}
