import { randomBytes, randomInt } from 'node:crypto'
import { maxNetworkNumber } from './limits.ts'
import { createStore, type Store, type StoreRecord } from './store.ts'
import { emptyTables } from './tables.ts'

/** A name for a new store: 10 hex digits. */
export const newInstance = (): string => randomBytes(5).toString('hex')

/** Where a new store starts in the number space. */
export const newFirstNumber = (): number => randomInt(1, maxNetworkNumber + 1)

/** A store that forgets everything when the program ends. `instance` and `firstNumber` are random unless given. */
export const openMemory = (
  options: { readonly instance?: string; readonly firstNumber?: number; readonly record?: StoreRecord } = {},
): Store =>
  createStore(
    options.instance ?? newInstance(),
    emptyTables(options.firstNumber ?? newFirstNumber()),
    { commit: async () => {}, close: async () => {} },
    options.record,
  )
