import { parentPort, workerData } from 'node:worker_threads'
import type { StoreErrorCode } from '../error.ts'
import type { Fresh, Meta, Row, RowBatch } from '../row.ts'
import { storeErrorOf } from './error.ts'
import { openStateFile, type StateFile } from './file.ts'

/** The thread that waits for the disk, so that the event loop does not. One request at a time; one answer to each. */
export type WorkerInput = { readonly path: string } & Fresh
export type Request =
  /** Rows of the next commit, before its own; not answered. */
  | { readonly is: 'ahead'; readonly rows: readonly Row[] }
  | { readonly is: 'commit'; readonly batch: RowBatch }
  | { readonly is: 'backup'; readonly path: string }
  | { readonly is: 'close' }
export type Answer =
  | { readonly is: 'rows'; readonly rows: readonly Row[] }
  | { readonly is: 'opened'; readonly meta: Meta; readonly isNew: boolean }
  | { readonly is: 'done' }
  | {
      readonly is: 'failed'
      readonly code: StoreErrorCode
      readonly message: string
      readonly errno: string | undefined
    }

const port = parentPort!
const { path, ...fresh } = workerData as WorkerInput
const answer = (message: Answer): void => port.postMessage(message)

const attempt = (work: () => Answer): void => {
  try {
    answer(work())
  } catch (error) {
    const { code, message, errno } = storeErrorOf(error, path, 'write')
    answer({ is: 'failed', code, message, errno })
  }
}

let file: StateFile | undefined
attempt(() => {
  const opened = openStateFile(path, fresh, rows => answer({ is: 'rows', rows }))
  file = opened
  return { is: 'opened', meta: opened.meta, isNew: opened.isNew }
})
if (!file) port.close()

let ahead: Row[] = []
port.on('message', (request: Request) => {
  if (request.is === 'ahead') {
    ahead = ahead.concat(request.rows)
    return
  }
  attempt(() => {
    if (request.is === 'commit') {
      const { batch } = request
      const rows = [...ahead, ...batch.rows]
      ahead = []
      file!.commit({ ...batch, rows })
    } else if (request.is === 'backup') file!.backup(request.path)
    else file!.close()
    return { is: 'done' }
  })
  if (request.is === 'close') port.close()
})
