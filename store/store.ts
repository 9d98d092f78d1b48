import type { Steps } from '../topology/steps.ts'
import type { Change, State, Tables } from './change.ts'
import { collections } from './collections.ts'
import { type Draft, openDraft, undo } from './draft.ts'
import { StoreError } from './error.ts'
import { copyAtLeisure } from './leisure.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import { changesTo } from './replace.ts'
import { inSlices } from './slices.ts'
import { apply, copySteps } from './tables.ts'

export type { Draft } from './draft.ts'
export { StoreError, type StoreErrorCode } from './error.ts'

/** What a commit changed. */
export type Changed = {
  /** Ids of networks that changed themselves, or in an attachment or mirror, or are gone. */
  readonly networks: ReadonlySet<string>
  /** Links were declared, discovered, removed, or died or live again; or a port with a discovered link became an access port. */
  readonly links: boolean
  /** Nodes, links between them, or what is said of all of them. */
  readonly nodes: boolean
  readonly complete: boolean
  /** The writes of this commit that changed something, in order. */
  readonly writes: readonly Write[]
}

/** One write that is on disk. */
export type Write = {
  /** Who asked for it: the name of a credential; undefined: the controller itself. */
  readonly by: string | undefined
  /** When it was accepted, before it was decided and on disk: milliseconds of performance.now(). */
  readonly acceptedAt: number
  /** The store's revision after it. */
  readonly revision: number
  readonly changes: readonly Change[]
}

export type Store = {
  /** 10 hex digits, made with the store: stands in the switches' marker flow. */
  readonly instance: string
  /** It was made a moment ago, and has never held anything. */
  readonly isNew: boolean
  /**
   * What is committed. Live and shared: its maps change with each commit, so take what you need before you await,
   * and never write to them.
   */
  state(): State
  /**
   * Decides on the state with all writes before this one in it, and resolves with what `decide` returned once that
   * is on disk. Nothing is written when `decide` throws (the write rejects with that), when it returns a refusal
   * (refusals.ts), or when it changes nothing. Many writes that wait at the same time share one commit; when that fails,
   * all of them reject with the StoreError and the state is as before; later writes try again.
   * `decide` is synchronous, and keeps no reference to the draft or its maps.
   * @param by The name of the credential that asks; absent: the controller itself.
   */
  write<T>(decide: (draft: Draft) => T, by?: string): Promise<T>
  /** Calls the listener after each commit, before the writes of that commit resolve. Answers how to stop. */
  watch(listener: (changed: Changed, state: State) => void): () => void
  /**
   * Writes a copy of all that is committed to this path, where nothing may be yet, and checks it; writes go on meanwhile. Rejects with a
   * StoreError, and leaves nothing there then; also when the store is in memory.
   */
  backup(path: string): Promise<void>
  /**
   * Makes the state that of a backup of this store, in one commit. Refused when it is of another store: its instance stands in the
   * switches. Resolves with the revision.
   */
  restore(backup: { readonly instance: string; state(): State }, by?: string): Promise<number | Refusal>
  /** Commits what waits, then lets go of the file. Later writes reject. */
  close(): Promise<void>
}

/** Where commits go. */
export type Backend = {
  /** Resolves when all of it will survive a crash; rejects with a StoreError when none of it was kept. */
  commit(batch: Batch): Promise<void>
  /** As Store.backup; absent where there is no file. */
  backup?(path: string): Promise<void>
  close(): Promise<void>
}

/** The changes of several writes, in order, and the revisions that they lead from and to. */
export type Batch = { readonly changes: readonly Change[]; readonly from: number; readonly to: number }

/** Counters of the store, for metrics. */
export type StoreRecord = {
  /** One commit of so many writes took so many seconds. */
  commit(writes: number, seconds: number): void
  /** A commit of so many writes failed. */
  failure(code: string, writes: number): void
}

/** Decisions of one batch hold the event loop: at some 20 µs each, this is 5 ms. */
const maxWritesPerBatch = 256

type Asked = Pick<Write, 'by' | 'acceptedAt'> & {
  readonly resolve: (value: any) => void
  readonly reject: (reason: unknown) => void
}
type Decision = Asked & { readonly decide: (draft: Draft) => unknown }
/** In place of a decision: the state as it shall be. */
type Replacing = Asked & { readonly state: State }
type Waiting = Decision | Replacing
const isReplacement = (waiting: Waiting): waiting is Replacing => 'state' in waiting
type Decided = { readonly write: Decision; readonly result: unknown }

/**
 * A store over a backend. Two sets of tables: `committed` is what everybody reads, `ahead` has the decisions of the
 * batch that is on its way to the disk. They share their values, so the second costs its maps only, and nothing is copied
 * per write.
 */
export const createStore = (
  instance: string,
  committed: Tables,
  backend: Backend,
  record?: StoreRecord,
  isNew = true,
): Store => {
  const ahead = copyAtLeisure(committed)
  const queue: Waiting[] = []
  const listeners = new Set<(changed: Changed, state: State) => void>()
  let running: Promise<void> | undefined
  let closed: Promise<void> | undefined

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const first = queue[0]!
      if (isReplacement(first)) {
        queue.shift()
        await commitReplacement(first)
        continue
      }
      const replacement = queue.findIndex(isReplacement)
      await commitBatch(
        queue.splice(0, Math.min(maxWritesPerBatch, replacement < 0 ? queue.length : replacement)) as Decision[],
      )
    }
    running = undefined
  }

  const commitBatch = async (writes: readonly Decision[]): Promise<void> => {
    const tables = ahead()
    const from = tables.revision
    const { changes, decided, made } = decideAll(tables, writes)
    if (changes.length === 0) return
    const started = performance.now()
    try {
      await backend.commit({ changes, from, to: tables.revision })
    } catch (error) {
      undo(tables, changes)
      record?.failure(error instanceof StoreError ? error.code : 'io', decided.length)
      for (const { write } of decided) write.reject(error)
      return
    }
    record?.commit(decided.length, (performance.now() - started) / 1000)
    for (const change of changes) apply(committed, change)
    announce({ ...changedBy(committed, changes), writes: made })
    for (const { write, result } of decided) write.resolve(result)
  }

  /** Alone, and with turns for others: it may change every object that there is. */
  const commitReplacement = async (write: Replacing): Promise<void> => {
    const { by, acceptedAt } = write
    const tables = ahead()
    const from = tables.revision
    const changes = await inSlices(changesTo(tables, write.state))
    try {
      await inSlices(applied(tables, changes))
      await backend.commit({ changes, from, to: tables.revision })
    } catch (error) {
      undo(tables, changes)
      record?.failure(error instanceof StoreError ? error.code : 'io', 1)
      write.reject(error)
      return
    }
    // Whoever reads sees one state or the other: its tables are made aside, and put in place at once.
    Object.assign(committed, await inSlices(copySteps(tables)))
    const revision = tables.revision
    announce({ ...changedBy(committed, changes), writes: [{ by, acceptedAt, revision, changes }] })
    write.resolve(revision)
  }

  const announce = (changed: Changed): void => {
    for (const listener of listeners) {
      try {
        listener(changed, committed)
      } catch (error) {
        // The write is on disk and must resolve whatever a listener does; its error is not ours to hide either.
        process.nextTick(() => {
          throw error
        })
      }
    }
  }

  const enqueue = <T>(what: Pick<Decision, 'decide'> | Pick<Replacing, 'state'>, by: string | undefined) =>
    new Promise<T>((resolve, reject) => {
      if (closed) return reject(new StoreError('closed', 'the store is closed: the write was not kept'))
      queue.push({ ...what, resolve, reject, by, acceptedAt: performance.now() })
      // In a microtask, so that writes made in the same turn share a commit.
      running ??= Promise.resolve().then(run)
    })

  return {
    instance,
    isNew,
    state: () => committed,
    write: <T>(decide: (draft: Draft) => T, by?: string) => enqueue<T>({ decide }, by),
    async backup(path) {
      if (!backend.backup) throw new StoreError('no-file', 'the store is in memory, and there is no file to copy')
      await backend.backup(path)
    },
    async restore(backup, by) {
      if (backup.instance !== instance) return refuse('backup-of-another-store', backup.instance, instance)
      return enqueue<number>({ state: backup.state() }, by)
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      closed ??= (running ?? Promise.resolve()).then(() => backend.close())
      return closed
    },
  }
}

function* applied(tables: Tables, changes: readonly Change[]): Steps<void> {
  for (const change of changes) {
    apply(tables, change)
    yield
  }
}

/**
 * Decides one write after the other. What comes back waits for the commit: also writes that changed nothing themselves
 * but saw a change that is not on disk yet, for their answer would be wrong without it.
 */
const decideAll = (
  ahead: Tables,
  writes: readonly Decision[],
): { changes: Change[]; decided: Decided[]; made: Write[] } => {
  const changes: Change[] = []
  const made: Write[] = []
  const decided: Decided[] = []
  for (const write of writes) {
    const { draft, seal } = openDraft(ahead, Date.now())
    try {
      const result = write.decide(draft)
      if (isRefusal(result)) undo(ahead, seal())
      else {
        const own = seal()
        for (const change of own) changes.push(change)
        const { by, acceptedAt } = write
        if (own.length > 0) made.push({ by, acceptedAt, revision: ahead.revision, changes: own })
      }
      changes.length > 0 ? decided.push({ write, result }) : write.resolve(result)
    } catch (error) {
      undo(ahead, seal())
      write.reject(error)
    }
  }
  return { changes, decided, made }
}

const changedBy = (committed: State, changes: readonly Change[]): Omit<Changed, 'writes'> => {
  const networks = new Set<string>()
  const marked = { links: false, nodes: false }
  let complete = false
  for (const change of changes) {
    if (change.kind === 'complete') complete = true
    if (!('key' in change)) continue
    const mark = collections[change.kind].marks(change.key, committed)
    if (typeof mark === 'object') networks.add(mark.network)
    else if (mark) marked[mark] = true
  }
  return { networks, ...marked, complete }
}
