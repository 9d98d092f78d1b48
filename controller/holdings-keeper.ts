// Which switches may still hold a network is on disk (store/collections/holdings.ts): so neither a restart nor a switch that was away
// makes us say that a network is gone while some switch still has it.

import type { Store } from '../store/store.ts'
import type { Tables } from './compile/tables.ts'
import { has, type Switch } from './switch/state.ts'
import { unreadOf } from './switch/unread.ts'

export type HoldingsKeeper = {
  /** A network was compiled: switches between its members will hold it, too. */
  compiled(number: number): void
  /** Networks were compiled: writes down what is new. */
  look(): void
  /** This switch has confirmed something: what it does not hold any more is taken off the list. */
  confirmed(sw: Switch): void
}

type Arguments = {
  readonly store: Store
  readonly tables: Pick<Tables, 'compiled'>
  /** Something was taken off the list: who waits for a network to be gone asks again. */
  released(): void
  failed(error: unknown): void
}

export function holdingsKeeper({ store, tables, released, failed }: Arguments): HoldingsKeeper {
  const unheld = new Set<number>()
  const releasing = new Set<string>()
  const between = (number: number): readonly string[] => {
    const network = tables.compiled.get(number)
    if (!network || network.datapaths.size === network.members.size) return []
    const held = store.state().heldBy.get(number)
    return [...network.datapaths].filter(dpid => !network.members.has(dpid) && !held?.has(dpid))
  }
  const release = async (sw: Switch, numbers: readonly number[]): Promise<void> => {
    await store.write(draft => {
      for (const number of numbers) if (isGone(sw, number)) draft.release(number, sw.dpid)
    })
  }
  return {
    compiled(number) {
      if (between(number).length > 0) unheld.add(number)
    },
    look() {
      if (unheld.size === 0) return
      const wanted = [...unheld].map(number => [number, between(number)] as const)
      unheld.clear()
      store
        .write(draft => {
          for (const [number, dpids] of wanted) if (draft.numbers.has(number)) draft.hold(number, dpids)
        })
        .catch(error => {
          for (const [number] of wanted) unheld.add(number)
          failed(error)
        })
    },
    confirmed(sw) {
      const numbers = [...(store.state().holds.get(sw.dpid)?.keys() ?? [])].filter(number => isGone(sw, number))
      if (numbers.length === 0 || releasing.has(sw.dpid)) return
      releasing.add(sw.dpid)
      release(sw, numbers)
        .then(released, failed)
        .finally(() => releasing.delete(sw.dpid))
    },
  }
}

/** It has been compared with all that it should hold, this is not among it, and nothing of this is there. */
export const isGone = (sw: Switch, number: number): boolean =>
  has(sw, 0) &&
  unreadOf(sw.unread, number) === undefined &&
  !sw.held.holds(number) &&
  !sw.dirty.has(number) &&
  !sw.networks.has(number)
