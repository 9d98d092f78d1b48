import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../error.ts'
import type { Fresh } from '../row.ts'
import { corrupt } from './error.ts'
import { putMeta } from './rows.ts'

/** `l2sm` in ASCII, so that file(1) and we know our own. */
export const applicationId = 0x6c32736d
/**
 * What the tables and their rows can be. 1: networks, attachments, links. 2: also dead links, vlinks, nodes, and what came with them.
 * 3: also holdings, since when links are dead, and a key for the order of numbers.
 * To add what an older l2sm would not understand: raise it. Files of older versions are read as they are, and are of this one from
 * the first write on.
 */
export const schemaVersion = 3

/** Bytes. */
const pageSize = 4096

export const isMissing = (path: string): boolean => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return true
  if (!found.isFile()) throw new StoreError('io', `${path} is not a file: give the path of one, or of none yet`)
  // Before SQLite sees it: to that, less than a page is a new database, to be filled.
  if (found.size < pageSize) throw corrupt(path, `it has ${found.size} bytes, and an l2sm store never so few`)
  return false
}

/** Made beside its place and then linked there: so at `path` there is a whole store or nothing, at any moment. */
export const create = (path: string, fresh: Fresh): void => {
  refuseOrphanJournal(path)
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.l2sm-new-${process.pid}-${randomBytes(4).toString('hex')}`)
  closeSync(openSync(draft, 'wx', 0o600))
  try {
    const db = new DatabaseSync(draft)
    try {
      db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA synchronous = EXTRA; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion};
        BEGIN;
        CREATE TABLE object (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL,
          PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`)
      putMeta(db, { meta: { ...fresh, sequential: 0, revision: 0, allocated: 0, complete: false }, rowSum: 0n })
      db.exec('COMMIT')
    } finally {
      db.close()
    }
    linkUnlessThere(draft, path)
    syncFolder(folder)
  } finally {
    rmSync(draft, { force: true })
    rmSync(`${draft}-journal`, { force: true })
  }
}

const linkUnlessThere = (from: string, to: string): void => {
  try {
    linkSync(from, to)
  } catch (error) {
    // Another process made it meanwhile: the lock decides who has it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** A journal whose database is gone would be rolled back into the new one, and spoil it (sqlite.org/howtocorrupt.html §1.4). */
const refuseOrphanJournal = (path: string): void => {
  const journal = `${path}-journal`
  if (!statSync(journal, { throwIfNoEntry: false })?.size) return
  const fd = openSync(journal, 'r')
  try {
    const first = Buffer.alloc(1)
    readSync(fd, first, 0, 1, 0)
    // A zeroed header: the last commit was complete.
    if (first[0] === 0) return
  } finally {
    closeSync(fd)
  }
  throw corrupt(path, `it is gone, but ${journal} holds half a commit to it; move that away too`)
}
