// Who has left a network, or moved to another: kept so that "why does nobody hear it" has an answer. In memory, as far back as this run.
import { attachmentKey } from '../store/keys.ts'
import type { Attachment } from '../store/state.ts'
import type { Write } from '../store/store.ts'

export type Departure = {
  /** As it was. */
  readonly attachment: Attachment
  /** Where it went; absent: it is in no network. */
  readonly to?: string
  readonly revision: number
  /** The credential that asked for it; absent: the controller itself. */
  readonly by?: string
}

export type FormerMembers = {
  take(write: Write): void
  /** Of an attachmentKey, the last one. */
  of(key: string): Departure | undefined
  /** The last one that fits. */
  find(fits: (attachment: Attachment) => boolean): Departure | undefined
}

const most = 10_000

export function newFormerMembers(): FormerMembers {
  const kept = new Map<string, Departure>()
  return {
    take({ changes, revision, by }) {
      for (const change of changes) {
        if (change.kind !== 'attachment' || !change.before) continue
        const { before, after } = change
        if (after?.network === before.network) continue
        const key = attachmentKey(before)
        kept.delete(key)
        kept.set(key, {
          attachment: before,
          revision,
          ...(after && { to: after.network }),
          ...(by !== undefined && { by }),
        })
        if (kept.size > most) kept.delete(kept.keys().next().value!)
      }
    },
    of: key => kept.get(key),
    find: fits => [...kept.values()].findLast(({ attachment }) => fits(attachment)),
  }
}
