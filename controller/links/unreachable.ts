// Switches that have not been connected for a while. Their links are used only where there is no other way: nobody can tell
// whether they still forward, and nobody can tell them anything.
import type { DatapathId } from '../../topology/topology.ts'
import type { Cancel, Clock } from '../clock/clock.ts'

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
  { after }: Clock,
): Unreachable {
  const dpids = new Set<DatapathId>()
  const timers = new Map<DatapathId, Cancel>()
  const goes = (gone: Iterable<DatapathId>) => {
    const before = dpids.size
    for (const dpid of gone) if (!connected(dpid)) dpids.add(dpid)
    if (dpids.size > before) changed()
  }
  const start = after(afterStartMs, () => goes(known()))
  return {
    dpids,
    left(dpid) {
      timers.get(dpid)?.()
      const due = after(afterMs, () => {
        timers.delete(dpid)
        goes([dpid])
      })
      timers.set(dpid, due)
    },
    came(dpid) {
      timers.get(dpid)?.()
      timers.delete(dpid)
      if (dpids.delete(dpid)) changed()
    },
    stop() {
      for (const cancel of [start, ...timers.values()]) cancel()
    },
  }
}
