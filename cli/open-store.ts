import type { Store, StoreRecord } from '../store/store.ts'
import type { StorePlace } from './options.ts'

/** The store, being opened: its file is read by a thread of its own, while this one loads all that uses it. */
export type Opening = {
  readonly store: Promise<Store>
  /** From now on the store counts there. */
  countIn(record: StoreRecord): void
}

export const openStore = (place: StorePlace): Opening => {
  let record: StoreRecord | undefined
  const options: { readonly record: StoreRecord } = {
    record: {
      commit: (writes, seconds) => record?.commit(writes, seconds),
      failure: (code, writes) => record?.failure(code, writes),
    },
  }
  const store = open(place, options)
  // Whoever waits for it is told; until then nobody does.
  store.catch(() => {})
  return {
    store,
    countIn(where) {
      record = where
    },
  }
}

const open = async (place: StorePlace, options: { readonly record: StoreRecord }): Promise<Store> => {
  if (place.kind === 'memory') return (await import('../store/memory.ts')).openMemory(options)
  return (await import('../store/sqlite/sqlite.ts')).openSqlite(place.path, options)
}
