import { randomBytes, randomInt } from 'node:crypto'
import { maxNetworkNumber } from './limits.ts'
import { createStore, type Store, type StoreRecord } from './store.ts'
import { emptyTables } from './tables.ts'

/** A name for a new store: 10 hex digits. */
export const newInstance = (): string => randomBytes(5).toString('hex')

/** Where a new store starts in the number space. */
export const newFirstNumber = (): number => randomInt(1, maxNetworkNumber + 1)

/** What the order of a new store's numbers is made from. */
export const newNumberKey = (): string => randomBytes(16).toString('hex')

/** A store that forgets everything when the program ends. `instance` is random unless given; with `firstNumber` numbers go up from there. */
export const openMemory = (
  options: { readonly instance?: string; readonly firstNumber?: number; readonly record?: StoreRecord } = {},
): Store =>
  createStore(
    options.instance ?? newInstance(),
    emptyTables(
      options.firstNumber === undefined
        ? { firstNumber: newFirstNumber(), numberKey: newNumberKey() }
        : { firstNumber: options.firstNumber },
    ),
    { commit: async () => {}, close: async () => {} },
    options.record,
  )
