import { extname, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Steps } from '../../topology/steps.ts'
import type { Tables } from '../change.ts'
import { kinds } from '../collections.ts'
import { newFirstNumber, newInstance, newNumberKey } from '../memory.ts'
import type { Meta, Row } from '../row.ts'
import { parseRow, rowsOf } from '../rows.ts'
import { inSlices } from '../slices.ts'
import { type Backend, createStore, type Store, StoreError, type StoreRecord } from '../store.ts'
import { apply, emptyTables, violation } from '../tables.ts'
import type { Answer, Request, WorkerInput } from './worker.ts'

/**
 * The store in a file: opened, or made (mode 0600) when there is none. What a write resolves with is on disk: see file.ts. One process at a time has the file; who has it stands in `<path>.lock`.
 * Rejects with a StoreError on a file that is damaged, newer, locked or not accessible, and then leaves it as it is.
 */
export const openSqlite = async (file: string, options: { readonly record?: StoreRecord } = {}): Promise<Store> => {
  // Absolute, because SQLite takes names such as `:memory:` and `file:...` to mean something else.
  const path = resolve(file)
  const input: WorkerInput = { path, instance: newInstance(), firstNumber: newFirstNumber(), numberKey: newNumberKey() }
  // Types are stripped here, but not in the published package: the worker ends as this file does.
  const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: input,
    // What the process was started with (loaders, inspectors, test hooks) is none of this thread's business.
    execArgv: [],
  })
  const thread = converse(worker, path)
  const rows = new Map<string, Row[]>()
  const { meta, isNew } = await thread.opened(page => {
    for (const row of page) {
      const those = rows.get(row.kind)
      if (those) those.push(row)
      else rows.set(row.kind, [row])
    }
  })
  try {
    const tables = await inSlices(load(meta, rows, path))
    return createStore(meta.instance, tables, sqliteBackend(thread, tables), options.record, isNew)
  } catch (error) {
    await thread.ask({ is: 'close' })
    throw error
  }
}

const rowsAtOnce = 2_000

const sqliteBackend = ({ ask, send }: Thread, loaded: Tables): Backend => {
  // Only what was committed counts: a failed batch leaves these as they were.
  let { allocated, complete } = loaded
  return {
    async commit({ changes, to }) {
      const next = { allocated, complete }
      for (const change of changes) {
        if (change.kind === 'allocated') next.allocated = change.after
        if (change.kind === 'complete') next.complete = change.after
      }
      const rows = await inSlices(rowsOf(changes, to))
      // To hand many over at once would hold the event loop: all but the last go ahead, and wait for the commit.
      while (rows.length > rowsAtOnce) {
        send({ is: 'ahead', rows: rows.splice(0, rowsAtOnce) })
        await new Promise(setImmediate)
      }
      await ask({ is: 'commit', batch: { ...next, revision: to, rows } })
      ;({ allocated, complete } = next)
    },
    backup: path => ask({ is: 'backup', path }),
    close: () => ask({ is: 'close' }),
  }
}

/** Kinds in the order in which they refer to each other; a kind that is not known comes last, and is refused. */
const inOrder = (rows: ReadonlyMap<string, readonly Row[]>): readonly (readonly Row[])[] =>
  [...new Set([...kinds, ...rows.keys()])].map(kind => rows.get(kind) ?? [])

function* load(meta: Meta, rows: ReadonlyMap<string, readonly Row[]>, path: string): Steps<Tables> {
  const { revision, allocated, complete, instance: _, ...numbering } = meta
  const tables: Tables = { ...emptyTables(numbering), revision, allocated, complete }
  for (const those of inOrder(rows))
    for (const row of those) {
      const change = parseRow(row)
      const wrong = change ? violation(tables, change) : `${row.kind} ${row.key} can't be understood: ${row.value}`
      if (!change || wrong) throw impossible(path, wrong)
      apply(tables, change)
      yield
    }
  return tables
}

const impossible = (path: string, what: string | undefined): StoreError =>
  new StoreError(
    'corrupt',
    `${path} holds what no state may hold: ${what}. Nothing was changed in it. Put a copy from a backup in its place; or move it away to start with an empty store, to which the clients give their state again`,
  )

type Thread = {
  /** Resolves with its answer; one at a time. */
  ask(request: Request): Promise<void>
  /** What gets no answer of its own. */
  send(request: Request): void
}

type Settle = { readonly resolve: (answer: Answer) => void; readonly reject: (error: StoreError) => void }

/** One request at a time to the worker, and its answer. A worker that dies fails the request, and all later ones. */
const converse = (worker: Worker, path: string) => {
  let waiting: Settle | undefined
  let ended: StoreError | undefined
  let onPage: (rows: readonly Row[]) => void = () => {}
  const settle = (act: (settle: Settle) => void): void => {
    const now = waiting
    waiting = undefined
    if (now) act(now)
  }
  const end = (why: string): void => {
    ended ??= new StoreError('io', `the thread that writes ${path} has ended (${why}): restart`)
    settle(({ reject }) => reject(ended!))
  }
  worker.on('message', (answer: Answer) => {
    if (answer.is === 'rows') return onPage(answer.rows)
    settle(({ resolve, reject }) =>
      answer.is === 'failed' ? reject(new StoreError(answer.code, answer.message, answer.errno)) : resolve(answer),
    )
  })
  worker.on('error', error => end(String(error)))
  worker.on('exit', code => end(`exit code ${code}`))
  const next = (): Promise<Answer> =>
    new Promise((resolve, reject) => (ended ? reject(ended) : (waiting = { resolve, reject })))
  return {
    async opened(page: (rows: readonly Row[]) => void): Promise<{ readonly meta: Meta; readonly isNew: boolean }> {
      onPage = page
      const answer = await next()
      if (answer.is !== 'opened') throw new Error(`the store's thread answered ${answer.is} to open`)
      return answer
    },
    send(request: Request): void {
      if (!ended) worker.postMessage(request)
    },
    async ask(request: Request): Promise<void> {
      const answered = next()
      if (!ended) worker.postMessage(request)
      await answered
    },
  }
}
