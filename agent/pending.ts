/** Whether ovs-vswitchd has carried out what it was told last: it writes `cur_cfg` when it has done what `next_cfg` numbers. */

import type { Database } from './ovsdb/schema.ts'

export type Pending = {
  /** Something was written that ovs-vswitchd is to carry out; `copy` is as new as that. */
  wrote(copy: Database): void
  /** `late`: it should have been done by now. `wait` in milliseconds. */
  look(
    copy: Database,
  ): { readonly is: 'done' } | { readonly is: 'waiting'; readonly wait: number } | { readonly is: 'late' }
  isEmpty(): boolean
}

/** Milliseconds in which ovs-vswitchd should carry out what the database says. */
const prompt = 5_000

export function createPending(): Pending {
  let pending: { readonly config: number; readonly since: number } | undefined
  return {
    wrote(copy) {
      const [root] = copy.Open_vSwitch.values()
      pending = { config: root!.next_cfg, since: performance.now() }
    },
    look(copy) {
      const [root] = copy.Open_vSwitch.values()
      if (pending === undefined || !root || root.cur_cfg >= pending.config) {
        pending = undefined
        return { is: 'done' }
      }
      const wait = prompt - (performance.now() - pending.since)
      return wait > 0 ? { is: 'waiting', wait } : { is: 'late' }
    },
    isEmpty: () => pending === undefined,
  }
}
