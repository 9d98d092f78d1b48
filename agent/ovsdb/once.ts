/** Opens the database of Open vSwitch for a program that does one thing and ends. */

import { setTimeout as sleep } from 'node:timers/promises'
import { type Ovsdb, openOvsdb } from './ovsdb.ts'
import type { Database } from './schema.ts'

/** Milliseconds to wait for it. */
const patience = 5_000

/** `database` waits for a copy of it; rejects when there is none. */
export async function openDatabase(
  socket: string,
): Promise<{ readonly ovsdb: Ovsdb; readonly database: () => Promise<Database> }> {
  const ovsdb = openOvsdb({ path: socket, changed: () => {} })
  const database = async () => {
    for (let waited = 0; waited < patience; waited += 10) {
      const state = ovsdb.state()
      if (state.is === 'live') return state.database
      await sleep(10)
    }
    throw new Error(`the database of Open vSwitch at ${socket} can not be reached: does ovsdb-server run?`)
  }
  try {
    await database()
  } catch (error) {
    ovsdb.close()
    throw error
  }
  return { ovsdb, database }
}
