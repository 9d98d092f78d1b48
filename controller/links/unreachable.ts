// Switches that have not been connected for a while. Their links are used only where there is no other way: nobody can tell
// whether they still forward, and nobody can tell them anything.
import type { DatapathId } from '../../topology/topology.ts'

/** A switch that reconnects within this time (milliseconds) was never away. */
const afterMs = 3000
/** After a start switches have longer: they find the controller again when their back-off is over (Open vSwitch: up to 8 s). */
const afterStartMs = 30_000

export type Unreachable = {
  readonly dpids: ReadonlySet<DatapathId>
  left(dpid: DatapathId): void
  came(dpid: DatapathId): void
  stop(): void
}

/**
 * @param known Switches that there are links to.
 * @param changed Called when one went away, or came back from being away.
 */
export function watchUnreachable(
  known: () => Iterable<DatapathId>,
  connected: (dpid: DatapathId) => boolean,
  changed: () => void,
): Unreachable {
  const dpids = new Set<DatapathId>()
  const timers = new Map<DatapathId, NodeJS.Timeout>()
  const goes = (gone: Iterable<DatapathId>) => {
    const before = dpids.size
    for (const dpid of gone) if (!connected(dpid)) dpids.add(dpid)
    if (dpids.size > before) changed()
  }
  const start = setTimeout(() => goes(known()), afterStartMs)
  return {
    dpids,
    left(dpid) {
      clearTimeout(timers.get(dpid))
      timers.set(
        dpid,
        setTimeout(() => {
          timers.delete(dpid)
          goes([dpid])
        }, afterMs),
      )
    },
    came(dpid) {
      clearTimeout(timers.get(dpid))
      timers.delete(dpid)
      if (dpids.delete(dpid)) changed()
    },
    stop() {
      clearTimeout(start)
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}
