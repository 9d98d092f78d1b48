import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRefusal } from '../../store/refusals.ts'
import type { Store } from '../../store/store.ts'
import { StoreError } from '../../store/store.ts'
import { maxBackupBytes } from '../contract/limits.ts'
import * as schemas from '../contract/schemas.ts'
import { problem, refusalProblem } from '../http/problems.ts'
import type { App, Services } from '../http/services.ts'

/** Opens the file of a backup, as a store of its own. */
export type OpenBackup = (path: string) => Promise<Store>

/** The whole store, out and back in, as the file that `--store sqlite:PATH` is. */
export const backupRoutes = (app: App, { store }: Services, openBackup: OpenBackup): void => {
  const tags = ['state']

  app.post(
    '/v1/backup',
    { config: { needs: 'admin' }, schema: { tags, summary: 'A copy of the store', response: { 200: schemas.Backup } } },
    async () =>
      inScratch(async path => {
        await store.backup(path).catch(refused)
        return { instance: store.instance, file: (await readFile(path)).toString('base64') }
      }),
  )

  app.put(
    '/v1/backup',
    {
      config: { needs: 'admin' },
      bodyLimit: maxBackupBytes,
      schema: {
        tags,
        summary: 'Makes the state that of a backup of this store',
        body: schemas.BackupFile,
        response: { 200: schemas.StateAnswer },
      },
    },
    async request =>
      inScratch(async path => {
        await writeFile(path, Buffer.from(request.body.file, 'base64'), { mode: 0o600, flag: 'wx' })
        const backup = await openBackup(path).catch((error: Error) => {
          throw problem('bad-backup', [error.message])
        })
        try {
          const restored = await store.restore(backup)
          if (isRefusal(restored)) throw refusalProblem(restored)
          return { instance: store.instance, complete: store.state().complete, revision: restored }
        } finally {
          await backup.close()
        }
      }),
  )
}

const refused = (error: Error): never => {
  throw error instanceof StoreError && error.code === 'no-file' ? problem('no-store-file', []) : error
}

const inScratch = async <T>(work: (path: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'l2sm-backup-'))
  try {
    return await work(join(folder, 'l2sm.db'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
