/** `l2sm backup` and `l2sm restore`: of a controller that runs, over its API; or of the file of one that does not. */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Client } from '../api/contract/client.ts'
import { isRefusal } from '../store/refusals.ts'
import type { Store } from '../store/store.ts'
import { clientOf, controllerFault } from './client-options.ts'
import { faultOf, quiet } from './command-line/flags.ts'

const where = `  --controller URL      of a controller that runs [default http://127.0.0.1:8181]
  --token-file FILE     a token with role admin, for that controller
  --controller-ca FILE  for https: the CA that signs the controller's certificate, in PEM
  --store sqlite:PATH   in place of a controller: the file of one that does not run
  --help                this text`

export const backupHelp = `usage: l2sm backup FILE [options]

Writes a copy of the store to FILE, which may not be there yet: as of one moment, checked, for its owner only (mode 0600). The controller
goes on meanwhile. Events and agents' reports are not in it.

${where}
`

export const restoreHelp = `usage: l2sm restore FILE [options]

Makes the state of a store that of FILE, a backup, once FILE is found to be whole. With a controller that runs, the backup must be of its own
store; networks, ports and links that came since go, in one step, and switches follow. With --store, the file itself is replaced; one
that is there already, of whatever store, is kept as PATH.before-restore.

${where}
`

type Surroundings = {
  readonly argv: readonly string[]
  readonly say: (line: string) => void
  readonly complain: (line: string) => void
}
type Asked = {
  readonly controller?: string
  readonly tokenFile?: string
  readonly controllerCa?: string
  readonly store?: string
}
/** What can be done with a file: by way of a controller, or with a store's own file. */
type Way = { readonly online: Client } | { readonly path: string }
type Act = (file: string, way: Way) => Promise<string>

/** Answers the exit code: 0 done, 1 it could not be done, 2 it was asked for wrongly. */
const runWith =
  (name: string, act: Act) =>
  async ({ argv, say, complain }: Surroundings): Promise<0 | 1 | 2> => {
    const program = quiet(name)
      .argument('<FILE>')
      .option('--controller <URL>')
      .option('--token-file <FILE>')
      .option('--controller-ca <FILE>')
      .option('--store <sqlite:PATH>')
    const asked = () => program.opts<Asked>()
    const fault = faultOf(program, argv) ?? faultIn(asked())
    if (fault !== undefined) {
      complain(`l2sm: ${fault}`)
      complain(`l2sm ${name} --help tells more`)
      return 2
    }
    try {
      const way = await wayOf(asked())
      try {
        say(await act(resolve(program.args[0]!), way))
      } finally {
        if ('online' in way) way.online.close()
      }
      return 0
    } catch (error) {
      complain(`l2sm: ${(error as Error).message}`)
      return 1
    }
  }

const faultIn = ({ controller, store, tokenFile, controllerCa }: Asked): string | undefined => {
  if (store !== undefined && !/^sqlite:.+/.test(store)) return `--store ${JSON.stringify(store)}: expected sqlite:PATH`
  const online = [controller, tokenFile, controllerCa].some(given => given !== undefined)
  if (store !== undefined && online) return '--store is for a controller that does not run: give no --controller then'
  return controllerFault(controller === undefined ? {} : { controller })
}

const wayOf = async ({ store, controller, tokenFile, controllerCa }: Asked): Promise<Way> => {
  if (store !== undefined) return { path: resolve(store.slice('sqlite:'.length)) }
  const place = {
    ...(controller && { controller }),
    ...(tokenFile && { tokenFile }),
    ...(controllerCa && { controllerCa }),
  }
  return { online: await clientOf(place, 120_000) }
}

export const runBackup = runWith('backup', async (file, way) => {
  if (existsSync(file)) throw new Error(`${file} is there already: give a name that is not, so that no backup is lost`)
  if ('path' in way) await withStore(way.path, store => store.backup(file))
  else {
    const { file: bytes } = await way.online.backUp()
    putFile(file, Buffer.from(bytes, 'base64'))
  }
  return `${file}: ${await summary(file)}`
})

export const runRestore = runWith('restore', async (file, way) => {
  const found = await summary(file)
  if ('path' in way) return `${way.path}: ${found}${await replace(way.path, file)}`
  const { revision } = await way.online.restore({ body: { file: readFileSync(file).toString('base64') } })
  return `the controller's store is that of ${file} now (${found}), as revision ${revision}`
})

const openFile = async (path: string): Promise<Store> => (await import('../store/sqlite/sqlite.ts')).openSqlite(path)

const withStore = async <T>(path: string, work: (store: Store) => Promise<T>): Promise<T> => {
  if (!existsSync(path)) throw new Error(`there is no store at ${path}`)
  const store = await openFile(path)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Reads all of a file, which checks it; and says what is in it. */
const summary = (file: string): Promise<string> =>
  withStore(file, async ({ instance, state }) => {
    const { revision, networks, attachments, nodes } = state()
    return `whole; store ${instance}, revision ${revision}, ${networks.size} networks, ${attachments.size} attachments, ${nodes.size} nodes`
  })

/**
 * Puts a backup in the place of a store that nobody has open. Numbers that the store handed out after the backup must not be handed out
 * again, for switches may still hold them; how many there were nobody knows any more, so a wide margin is left.
 */
const replace = async (path: string, file: string): Promise<string> => {
  const isThere = existsSync(path)
  const kept = `${path}.before-restore`
  if (isThere && existsSync(kept)) throw new Error(`${kept} is there already: move it away, so that it is not lost`)
  if (isThere) await freed(path)
  const fresh = `${path}.restoring`
  rmSync(fresh, { force: true })
  putFile(fresh, readFileSync(file))
  await withStore(fresh, async store => {
    const skipped = await store.write(draft => draft.skipNumbers(marginOfNumbers))
    if (isRefusal(skipped)) throw new Error(skipped.detail)
  })
  for (const beside of ['-journal', '.lock']) rmSync(`${fresh}${beside}`, { force: true })
  // A journal goes where its file goes: it may be all that makes sense of it.
  if (existsSync(`${path}-journal`)) renameSync(`${path}-journal`, `${kept}-journal`)
  if (isThere) renameSync(path, kept)
  renameSync(fresh, path)
  syncFolder(dirname(path))
  return isThere ? `; what was there is ${kept}` : ''
}
const marginOfNumbers = 50_000

/** Throws when a controller has it open. A file that is damaged is what a backup is for. */
const freed = async (path: string): Promise<void> => {
  try {
    await (await openFile(path)).close()
  } catch (error) {
    if ((error as { code?: string }).code === 'locked') throw error
  }
}

/** For its owner only from the first byte, on disk, and nowhere half. */
const putFile = (path: string, bytes: Buffer): void => {
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx', flush: true })
  syncFolder(dirname(path))
}

const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
