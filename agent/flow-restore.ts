/**
 * `flow-restore-wait` in the database makes ovs-vswitchd hold flows back until somebody has restored them. If that takes
 * too long, whoever wanted to restore them has died: the agent clears it. A restart that says how long it may take
 * (restart.ts) is let be until then.
 */

import type { Operation, Ovsdb } from './ovsdb/ovsdb.ts'
import { type Database, setOf } from './ovsdb/schema.ts'

export const release: Operation = {
  ...{ op: 'mutate', table: 'Open_vSwitch', where: [] },
  mutations: [['other_config', 'delete', setOf(['flow-restore-wait'])]],
}

/** Milliseconds that flows may be held back. */
const patience = 8_000

/** @return a function that looks at the database, and calls `later` with the milliseconds after which to look again. */
export function createFlowRestore(ovsdb: Ovsdb, warn: (words: string) => void, later: (ms: number) => void) {
  let since: number | undefined
  return async (copy: Database, restoring: boolean): Promise<void> => {
    const [root] = copy.Open_vSwitch.values()
    if (restoring || root?.other_config['flow-restore-wait'] !== 'true') {
      since = undefined
      return
    }
    since ??= performance.now()
    const left = patience - (performance.now() - since)
    if (left > 0) return later(left)
    warn(`flow-restore-wait was set for ${patience / 1000} s: cleared, so that the switch takes flows again`)
    await ovsdb.transact([release])
  }
}
