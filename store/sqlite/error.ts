import { accessSync, closeSync, constants, openSync, readSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { StoreError } from '../error.ts'

/** Where the process that has the state's file says who it is. */
export const holderOf = (path: string): string => `${path}.lock`

const remedy =
  'Put a copy from a backup in its place; or move it away to start with an empty store, to which the clients give their state again'

/** The file is not what the last commit left. */
export const corrupt = (path: string, what: string): StoreError =>
  new StoreError('corrupt', `${path} is damaged: ${what}. Nothing was changed in it. ${remedy}`)

type Doing = 'open' | 'write'
const kept = { open: 'the store was not opened', write: 'the write was not kept, and what was there before is intact' }

/** What went wrong, in the words of an operator: from SQLite's result codes (sqlite.org/rescode.html) and errno. */
export const storeErrorOf = (error: unknown, path: string, doing: Doing): StoreError => {
  if (error instanceof StoreError) return error
  const { errcode, code, message } = error as { errcode?: number; code?: string; message: string }
  if (errcode === undefined)
    return code && /^E[A-Z]+$/.test(code) ? ofErrno(code, message, path, doing) : odd(error, path)
  const sqlite = `SQLite ${errcode}: ${message}`
  const errno = findErrno(path)
  switch (errcode & 0xff) {
    case 5: // BUSY
    case 6: // LOCKED
      return new StoreError(
        'locked',
        `${path} is open in another process (${holder(path)}), and one at a time may have it: stop that one, or give this one a file of its own`,
      )
    case 13: // FULL
      return ofErrno('ENOSPC', sqlite, path, doing)
    case 10: // IOERR
      return ofErrno(errno ?? 'EIO', sqlite, path, doing)
    case 3: // PERM
    case 8: // READONLY
    case 14: // CANTOPEN
      if (errno !== undefined) return ofErrno(errno, sqlite, path, doing)
  }
  // CORRUPT, NOTADB, and in a damaged header, schema or value anything else.
  return new StoreError('corrupt', `${path} is damaged (${sqlite}): ${kept[doing]}. ${remedy}`)
}

/** Whether SQLite had the file open for reading only: opened again, it may be writable by now. */
export const isReadOnly = (error: unknown): boolean => (((error as { errcode?: number }).errcode ?? 0) & 0xff) === 8

const odd = (error: unknown, path: string): StoreError =>
  new StoreError('corrupt', `${path} could not be read: ${String(error)}. Put a copy from a backup in its place`)

const ofErrno = (errno: string, message: string, path: string, doing: Doing): StoreError => {
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new StoreError(
      'disk-full',
      `no space left for ${path} (${errno}; ${message}): ${kept[doing]}. Free space on its file system; later writes try again`,
      errno,
    )
  if (errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM')
    return new StoreError(
      'read-only',
      `${path} can't be written (${errno}; ${message}): ${kept[doing]}. Make the file, its folder and their file system writable for user ${process.getuid?.() ?? '?'}; later writes try again`,
      errno,
    )
  return new StoreError(
    'io',
    `${path} failed (${errno}; ${message}): ${kept[doing]}. Look at the disk's health in the kernel log; later writes try again`,
    errno,
  )
}

/** SQLite does not tell errno: look at what most often is behind it. */
const findErrno = (path: string): string | undefined => {
  const folder = dirname(resolve(path))
  for (const place of [path, folder]) {
    try {
      accessSync(place, constants.R_OK | constants.W_OK)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  return statfsSync(folder).bavail === 0 ? 'ENOSPC' : undefined
}

const holder = (path: string): string => {
  try {
    const fd = openSync(holderOf(path), 'r')
    try {
      const text = Buffer.alloc(200)
      return text.toString('utf8', 0, readSync(fd, text)).split('\n')[0] || 'which one is not known'
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    return `which one is not known: ${(error as Error).message}`
  }
}
