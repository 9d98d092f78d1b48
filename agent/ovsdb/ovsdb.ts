/**
 * A client of Open vSwitch's database (RFC 7047): a copy of it that follows by `monitor`, and transactions. Comes back by
 * itself when the server does.
 */

import { openRpc, type Rpc } from './rpc.ts'
import {
  columnsOf,
  type Database,
  emptyDatabase,
  type Row,
  readRow,
  schema,
  type TableName,
  tableNames,
} from './schema.ts'

/** RFC 7047 §5.2. */
export type Operation = { readonly op: string; readonly [field: string]: unknown }
export type Result = { readonly count?: number; readonly uuid?: readonly ['uuid', string]; readonly rows?: unknown }

/** The state of the connection. `database` is complete, and as new as the server's last update. */
export type OvsdbState =
  | { readonly is: 'connecting'; readonly why: string }
  | { readonly is: 'live'; readonly database: Database; readonly rpc: Rpc }
  | { readonly is: 'closed' }

export type Ovsdb = {
  state(): OvsdbState
  /**
   * All of the operations, or none (RFC 7047 §4.1.3). What they changed is in the copy before this resolves. Rejects with
   * what the server refused; on a time-out or an end of the connection nobody knows whether it was done: look again.
   */
  transact(operations: readonly Operation[], timeout?: number): Promise<readonly Result[]>
  close(): void
}

export type OvsdbOptions = {
  /** Of the server's Unix socket. */
  readonly path: string
  /** The state has changed, or the copy. */
  readonly changed: () => void
  /** A row could not be read, and is left out of the copy. */
  readonly unread?: (why: string) => void
  /** Between 0 and 1, for the jitter. */
  readonly random?: () => number
}

const name = 'Open_vSwitch'
/** Milliseconds before the first try to come back, and at most. An ovsdb-server that is started again needs some 100 ms. */
const backoff = { first: 50, most: 2_000 }

type Tables = Record<TableName, Map<string, Row<TableName>>>

export function openOvsdb({ path, changed, unread = () => {}, random = Math.random }: OvsdbOptions): Ovsdb {
  let state: OvsdbState = { is: 'connecting', why: 'not tried yet' }
  let delay = backoff.first
  let timer: NodeJS.Timeout | undefined
  const become = (next: OvsdbState) => {
    if (state.is === 'closed') return
    state = next
    changed()
  }
  const again = (why: string) => {
    become({ is: 'connecting', why })
    if (state.is === 'closed') return
    timer = setTimeout(open, delay * (0.5 + random() / 2))
    delay = Math.min(delay * 2, backoff.most)
  }
  const open = () => {
    // All of this belongs to this connection: updates after its end are ignored.
    let tables: Tables | undefined
    /** Updates that came with the first answer, before that was taken. */
    const early: Updates[] = []
    let current: Rpc | undefined
    const started = async (rpc: Rpc) => {
      current = rpc
      if (state.is === 'closed') return rpc.close()
      try {
        const requests = Object.fromEntries(tableNames.map(table => [table, [{ columns: columnsOf(table) }]]))
        const initial = await rpc.call('monitor', [name, 'l2sm', requests])
        tables = emptyDatabase() as unknown as Tables
        for (const updates of [initial as Updates, ...early]) apply(tables, updates, unread)
        delay = backoff.first
        become({ is: 'live', database: tables as unknown as Database, rpc })
      } catch (error) {
        ending = (error as Error).message
        rpc.close()
      }
    }
    let ending: string | undefined
    openRpc(path, {
      connected: rpc => void started(rpc),
      notified: (method, params) => {
        if (method !== 'update' || params[0] !== 'l2sm') return
        if (tables === undefined) return void early.push(params[1] as Updates)
        try {
          apply(tables, params[1] as Updates, unread)
        } catch (error) {
          ending = (error as Error).message
          return current?.close()
        }
        changed()
      },
      ended: why => {
        if (state.is !== 'closed') again(ending ?? why)
      },
    })
  }
  open()
  return {
    state: () => state,
    transact: async (operations, timeout) => {
      if (state.is !== 'live') throw new Error(`the database at ${path} can not be reached`)
      const results = (await state.rpc.call('transact', [name, ...operations], timeout)) as readonly Failure[]
      const failed = results.findIndex(result => result?.error !== undefined)
      if (failed < 0) return results
      const { error, details } = results[failed]!
      // A failure of the transaction as a whole comes after the last operation.
      const operation = operations[failed] === undefined ? 'commit' : JSON.stringify(operations[failed]).slice(0, 300)
      throw new Error(`${path} refused a transaction: ${error}${details ? `: ${details}` : ''} (${operation})`)
    },
    close() {
      const last = state
      state = { is: 'closed' }
      clearTimeout(timer)
      if (last.is === 'live') last.rpc.close()
    },
  }
}

type Failure = Result & { readonly error?: string; readonly details?: string }
/** RFC 7047 §4.1.6: for each row, what it was and what it is; `new` has all of the columns asked for. */
type Updates = Readonly<
  Record<string, Readonly<Record<string, { readonly old?: object; readonly new?: Record<string, unknown> }>>>
>

/** A row that is not as the schema says is left out: without it the rest can still be used. Only the root row can not be missed. */
function apply(tables: Tables, updates: Updates, unread: (why: string) => void): void {
  for (const [table, rows] of Object.entries(updates)) {
    if (!Object.hasOwn(schema, table)) continue
    const own = tables[table as TableName]
    for (const [uuid, update] of Object.entries(rows)) {
      if (update.new === undefined) {
        own.delete(uuid)
        continue
      }
      try {
        own.set(uuid, readRow(table as TableName, uuid, update.new))
      } catch (error) {
        if (table === 'Open_vSwitch') throw error
        own.delete(uuid)
        unread((error as Error).message)
      }
    }
  }
}
