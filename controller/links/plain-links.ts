// Networks whose frames cross plain links get VLANs there before anything of them is sent, and give them back when every switch that
// was told of them has confirmed that they are gone.

import type { State } from '../../store/state.ts'
import type { Store } from '../../store/store.ts'
import { freePair, type VlanRange } from '../../store/vlans.ts'
import type { Clock } from '../clock/clock.ts'
import { isCovered } from '../compile/plain-links.ts'
import type { Tables } from '../compile/tables.ts'
import { has, type Switch } from '../switch/state.ts'
import type { Condition } from '../view/view.ts'

/** Why a network that waits for VLANs has none. @param isThere Whether a network of this number still is. */
export function vlanCondition(
  reserved: State['vlans'],
  range: VlanRange,
  isThere: (number: number) => boolean,
): Condition {
  if (freePair(reserved, range))
    return { state: 'pending', reason: 'VLANs for its frames on plain links are being reserved' }
  const inUse = [...reserved.keys()].filter(isThere).length
  const deleted = reserved.size - inUse
  const kept = deleted > 0 ? `, and switches have not confirmed yet that those of ${deleted} deleted ones are gone` : ''
  return {
    state: 'degraded',
    reason: `its frames cross plain links, and no two VLANs of ${range.first}-${range.last} are free: ${inUse} networks have two each${kept}; widen --vlan-range, or delete a network that crosses plain links`,
  }
}

/**
 * Milliseconds from a switch's word that VLANs are gone to their being free. Open vSwitch answers a barrier before the caches of its
 * datapath have followed: frames of the next network were seen to go the ways of the last one (on a machine that was very busy).
 */
const restMs = 3000

export type VlanKeeper = {
  /** Networks were compiled, or VLANs became free: reserves what is wanted. */
  look(): void
  /** This switch has confirmed something: of what is gone there, VLANs are given back. */
  confirmed(sw: Switch): void
}

type Arguments = {
  readonly store: Store
  readonly tables: Tables
  readonly range: VlanRange
  readonly clock: Clock
  failed(error: unknown): void
}

export function vlanKeeper({ store, tables, range, clock, failed }: Arguments): VlanKeeper {
  const writing = new Set<string>()
  const once = (key: string, write: () => Promise<unknown>) => {
    if (writing.has(key)) return
    writing.add(key)
    write()
      .catch(failed)
      .finally(() => writing.delete(key))
  }
  const look = () => {
    const { vlans } = store.state()
    // Of those that find none, one asks for all: each would look through the whole range.
    let isFull = false
    for (const [number, ends] of tables.wanting) {
      if (isCovered(vlans.get(number), ends) || (isFull && !vlans.has(number))) continue
      if (!vlans.has(number) && !freePair(vlans, range)) isFull = true
      else once(`reserve ${number}`, () => store.write(draft => draft.reserveVlans(number, ends, range)))
    }
  }
  return {
    look,
    confirmed(sw) {
      for (const [number, { dpids }] of store.state().vlans) {
        if (tables.compiled.has(number) || !dpids.includes(sw.dpid) || !isGone(sw, number)) continue
        once(`release ${number} ${sw.dpid}`, async () => {
          await new Promise<void>(resolve => clock.after(restMs, resolve))
          if (!isGone(sw, number)) return
          await store.write(draft => draft.releaseVlans(number, sw.dpid))
          look()
        })
      }
    },
  }
}

/** It has been compared with all that it should hold, this is not among it, and nothing of this is there. */
const isGone = (sw: Switch, number: number): boolean =>
  has(sw, 0) && !sw.held.holds(number) && !sw.dirty.has(number) && !sw.networks.has(number)
