// What switches find out about their own tunnels by BFD (RFC 5880), as the agents of their nodes tell it.
import type { DatapathId, Link, PortNo } from '../../topology/topology.ts'

/** What was told longer ago than this (milliseconds) counts no more: reports come every 30 s, and at once when something changes. */
const freshMs = 95_000

export type Tunnels = {
  /** All tunnels of a switch that are watched, by port: whether BFD is up. */
  notified(dpid: DatapathId, states: ReadonlyMap<PortNo, boolean>): void
  /**
   * `down` when either end says so. Undefined unless both ends watch it: where only one does, its BFD is down
   * for lack of a partner, while frames pass.
   */
  bfd(link: Link): 'up' | 'down' | undefined
}

/** `now`: milliseconds of a monotonic clock. */
export function knownTunnels(now: () => number): Tunnels {
  const notified = new Map<DatapathId, { readonly states: ReadonlyMap<PortNo, boolean>; readonly at: number }>()
  const isUp = ({ dpid, port }: Link['from']): boolean | undefined => {
    const last = notified.get(dpid)
    return last && now() - last.at <= freshMs ? last.states.get(port) : undefined
  }
  return {
    notified(dpid, states) {
      if (states.size > 0) notified.set(dpid, { states, at: now() })
      else notified.delete(dpid)
    },
    bfd({ from, to }) {
      const ends = [isUp(from), isUp(to)]
      if (ends.includes(undefined)) return undefined
      return ends.includes(false) ? 'down' : 'up'
    },
  }
}
